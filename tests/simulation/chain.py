"""A chain of the model: nodes with their own view and pool, and a miner nobody can ask."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from holdfast.chain.receipts import Head
from holdfast.chain.sending import SendOutcome
from holdfast.common.evm import BlockRef, Receipt
from tests.simulation.calls import executed


@dataclass(frozen=True, slots=True)
class Mined:
    """One block and the state after it."""

    head: Head
    txs: tuple
    receipts: tuple[Receipt, ...]
    nonces: dict
    legs: frozenset


class Node:
    """What one node believes the chain to be, and its pool: one transaction a slot."""

    def __init__(self, name, view):
        self.name = name
        self.view = view
        self.pool = {}
        self.lags_until = self.dead_until = 0.0

    @property
    def tip(self):
        return self.view[-1]

    def offer(self, tx):
        """Take signed bytes as geth does: one a slot, a replacement must pay 10 % more."""
        if tx.nonce < self.tip.nonces.get(tx.sender, 0):
            return SendOutcome.NONCE_TOO_LOW
        known = self.pool.get(tx.slot)
        if known is not None and known.raw == tx.raw:
            return SendOutcome.ALREADY_KNOWN
        if known is not None and (tx.cap * 10 < known.cap * 11 or tx.tip * 10 < known.tip * 11):
            return SendOutcome.UNDERPRICED
        self.pool[tx.slot] = tx
        return SendOutcome.ACCEPTED

    def adopt(self, view, keeps):
        """Follow `view`; transactions of blocks that left return to the pool if `keeps` says so."""
        old = self.view
        shared = min(len(old), len(view)) - 1
        while old[shared] is not view[shared]:
            shared -= 1
        lost = [tx for block in old[shared + 1 :] for tx in block.txs]
        self.view = view
        for tx in lost:
            if keeps(tx):
                self.pool.setdefault(tx.slot, tx)
        nonces = view[-1].nonces
        self.pool = {
            slot: tx for slot, tx in self.pool.items() if slot[1] >= nonces.get(slot[0], 0)
        }

    def receipts_of(self, hashes):
        """The receipts of those transactions that this node shows as mined."""
        wanted = set(hashes)
        return [one for block in self.view for one in block.receipts if one.tx_hash in wanted]


class Chain:
    """The canonical blocks, which the miner alone extends and replaces."""

    def __init__(self, rng, base_fee, nonces, checked):
        self._rng = rng
        self._checked = checked
        self._made = 0
        self.abandoned = []
        self.base_fee = base_fee
        self.miner = Node("miner", [])
        self.highest = 0
        self._append([], dict(nonces), 1_000)

    @property
    def tip(self):
        return self.miner.tip

    def mine(self, timestamp, room):
        """Append a block with at most `room` transactions of the miner's pool."""
        nonces, taken = dict(self.tip.nonces), []
        senders = sorted({sender for sender, _ in self.miner.pool})
        self._rng.shuffle(senders)
        for sender in senders:
            while len(taken) < room:
                tx = self.miner.pool.get((sender, nonces.get(sender, 0)))
                if tx is None or tx.cap < self.base_fee:
                    break
                del self.miner.pool[tx.slot]
                nonces[sender] = tx.nonce + 1
                taken.append(tx)
        return self._append(taken, nonces, timestamp)

    def cut(self, depth, keeps):
        """Take the last `depth` blocks away; the miner has to put others in their place."""
        self.abandoned.append(self.miner.view)
        self.miner.adopt(self.miner.view[:-depth], keeps)

    def _append(self, txs, nonces, timestamp):
        number = len(self.miner.view)
        parent = self.tip.head.ref.hash if number else "0x" + "00" * 32
        self._made += 1
        block_hash = "0x" + hashlib.blake2b(b"%d" % self._made, digest_size=32).hexdigest()
        ref = BlockRef(number, block_hash, timestamp)
        head = Head(ref, parent, self.base_fee, 30_000_000, 21_000 * len(txs))
        receipts = tuple(self._receipt(tx, ref) for tx in txs)
        legs = self._checked(txs, receipts, self.tip.legs if number else frozenset())
        block = Mined(head, tuple(txs), receipts, nonces, legs)
        self.miner.view = [*self.miner.view, block]
        self.highest = max(self.highest, number)
        return block

    def _receipt(self, tx, ref):
        succeeded, logs = executed(tx, ref.timestamp)
        price = min(tx.cap, self.base_fee + tx.tip)
        return Receipt(tx.hash, ref, tx.sender, succeeded, 21_000, price, logs)
