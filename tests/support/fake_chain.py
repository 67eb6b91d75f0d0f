"""A chain and a journal in memory, for tests of the chain loop without a node or a database."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import rlp
from eth_account import Account

from holdfast.chain.receipts import Block, Head, MinedTransaction
from holdfast.chain.sending import SendAnswer, SendOutcome
from holdfast.common.errors import Transient
from holdfast.common.evm import BlockRef, EventLog, Receipt, checksummed, keccak256
from holdfast.transactions.model import (
    FINAL,
    REORG,
    AttemptState,
    IntentStatus,
    Place,
)
from holdfast.transactions.unmined import Orphan, Unmined

GWEI = 10**9


class SetClock:
    """A clock that a test turns by hand."""

    def __init__(self):
        self.seconds = 1_000.0

    def now(self):
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic_seconds(self):
        return self.seconds


@dataclass(frozen=True)
class Tx:
    """Signed type-2 bytes, read by a library that the product does not sign with."""

    raw: bytes
    sender: str
    nonce: int
    tip: int
    cap: int
    to: bytes
    value: int

    @classmethod
    def read(cls, raw):
        _, nonce, tip, cap, _, to, value, *_ = rlp.decode(raw[1:])
        sender = Account.recover_transaction(raw)
        return cls(raw, sender, *map(int.from_bytes, (nonce, tip, cap)), to, int.from_bytes(value))

    @property
    def hash(self):
        return "0x" + keccak256(self.raw).hex()


@dataclass
class Mined:
    """One block of the fake chain and the state after it."""

    head: Head
    txs: list[Tx]
    nonces: Counter
    receipts: tuple[Receipt, ...]


@dataclass
class FakeChain:
    """Mines when told, keeps a pool as geth does, forks, and answers badly on demand."""

    base_fee: int = GWEI
    pool: dict = field(default_factory=dict)
    blocks_: list[Mined] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    reverting: set = field(default_factory=set)
    events: dict = field(default_factory=dict)
    loses_answers: bool = False
    loses_requests: bool = False
    is_silent: bool = False
    has_states: bool = True
    answer: SendAnswer | None = None
    forks: int = 0
    time: int = 1_000

    def __post_init__(self):
        self._append([])

    # what the loop asks

    async def head(self):
        self._answer()
        return self.blocks_[-1].head

    async def recheck(self):
        self._answer()

    async def block(self, number):
        self._answer()
        return self._at(number).head

    async def blocks(self, first, last):
        self._answer()
        return [Block(self._at(n).head, self._at(n).receipts) for n in range(first, last + 1)]

    async def nonces(self, accounts, at):
        self._answer()
        mined = self._at(at.number)
        if mined.head.ref != at:
            raise Transient("chain.block_gone", "reorged")
        if not self.has_states and at.number < len(self.blocks_) - 1:
            raise Transient("chain.state_gone", "pruned")
        return {one: mined.nonces[one] for one in accounts}

    async def transactions(self, at):
        self._answer()
        mined = self._at(at.number)
        if mined.head.ref != at:
            raise Transient("chain.block_missing", "reorged")
        return tuple(_mined(tx, at) for tx in mined.txs)

    async def find_receipts(self, hashes):
        self._answer()
        return [r for one in self.blocks_ for r in one.receipts if r.tx_hash in set(hashes)]

    async def suggest_tip_wei(self):
        self._answer()
        return GWEI

    async def send_raw(self, transactions):
        self.sent += transactions
        if self.loses_requests:
            return [SendAnswer(SendOutcome.UNKNOWN, "connection refused")] * len(transactions)
        answers = [self._pooled(Tx.read(raw)) for raw in transactions]
        if self.loses_answers:
            return [SendAnswer(SendOutcome.UNKNOWN, "timed out")] * len(transactions)
        return [self.answer or SendAnswer(one, one.value) for one in answers]

    # what a test does to it

    def mine(self, seconds=1):
        """Mine every executable transaction that pays the base fee."""
        self.time += seconds
        nonces = Counter(self.blocks_[-1].nonces)
        mined = []
        while True:
            ready = [tx for tx in self.pool.values() if tx.nonce == nonces[tx.sender]]
            ready = [tx for tx in ready if tx.cap >= self.base_fee]
            if not ready:
                break
            for tx in ready:
                del self.pool[tx.sender, tx.nonce]
                nonces[tx.sender] += 1
                mined.append(tx)
        self._append(mined, nonces)

    def fork(self, depth, *, keeps=False):
        """Replace the last `depth` blocks by as many empty ones; a node may keep their content."""
        self.forks += 1
        lost = [tx for one in self.blocks_[-depth:] for tx in one.txs]
        del self.blocks_[len(self.blocks_) - depth :]
        if keeps:
            self.pool = {(tx.sender, tx.nonce): tx for tx in lost} | self.pool
        for _ in range(depth):
            self._append([], self.blocks_[-1].nonces)

    def rewind(self, depth):
        """Take the last `depth` blocks away without new ones in their place."""
        self.forks += 1
        del self.blocks_[len(self.blocks_) - depth :]

    def effects(self):
        """Every transaction on the canonical chain."""
        return [tx for one in self.blocks_ for tx in one.txs]

    def _append(self, txs, nonces=None):
        number = len(self.blocks_)
        parent = self.blocks_[-1].head.ref.hash if self.blocks_ else "0x" + "00" * 32
        tip = "0x" + keccak256(f"{number} {self.forks} {parent} {self.time}".encode()).hex()
        ref = BlockRef(number, tip, self.time)
        receipts = tuple(self._receipt(tx, ref) for tx in txs)
        head = Head(ref, parent, self.base_fee, 30_000_000, 21_000 * len(txs))
        self.blocks_.append(Mined(head, txs, Counter(nonces or {}), receipts))

    def _receipt(self, tx, ref):
        price = min(tx.cap, self.base_fee + tx.tip)
        logs = tuple(self.events.get(tx.hash, ()))
        return Receipt(tx.hash, ref, tx.sender, tx.hash not in self.reverting, 21_000, price, logs)

    def _pooled(self, tx):
        if tx.nonce < self.blocks_[-1].nonces[tx.sender]:
            return SendOutcome.NONCE_TOO_LOW
        known = self.pool.get((tx.sender, tx.nonce))
        if known is not None and known.raw == tx.raw:
            return SendOutcome.ALREADY_KNOWN
        if known is not None and (tx.cap * 10 < known.cap * 11 or tx.tip * 10 < known.tip * 11):
            return SendOutcome.UNDERPRICED  # geth's price bump of 10 %
        self.pool[tx.sender, tx.nonce] = tx
        return SendOutcome.ACCEPTED

    def _at(self, number):
        if number >= len(self.blocks_):
            raise Transient("chain.block_missing", f"no block {number}")
        return self.blocks_[number]

    def _answer(self):
        if self.is_silent:
            raise Transient("rpc.unreachable", "no answer")


def _mined(tx, at):
    return MinedTransaction(tx.hash, tx.sender, tx.nonce, checksummed(tx.to), tx.value, b"", at)


def event_of(expected):
    """A log entry that `expected` matches."""
    topics = tuple(topic or bytes(32) for topic in expected.topics)
    return EventLog(expected.address, topics, b"", 0)


class MemoryJournal:
    """The journal's semantics without a database: what is in it survives a crash of the loop."""

    def __init__(self, finality=1):
        self.finality = finality
        self.reopened, self.lost = [], []
        self.intents = {}
        self.place_ = None
        self.woken = []
        self.evidence = {}
        self.crash_in = None

    def record(self, intents):
        """What the service writes: intents with their first signed attempt."""
        self.intents.update({one.intent_id: one for one in intents})

    def status(self, wish):
        return self.intents[wish.intent_id].status

    async def place(self):
        return self.place_

    async def live(self):
        return self._sorted(one for one in self.intents.values() if one.status not in FINAL)

    async def to_act_on(self):
        return [
            one
            for one in await self.live()
            if one.cancel_requested or any(a.state is AttemptState.SIGNED for a in one.attempts)
        ]

    async def sent(self, sends):
        for send in sends:
            intent = self.intents[send.intent_id]
            attempts = tuple(
                replace(
                    one,
                    state=AttemptState.SENT,
                    sent=replace(one.sent or send.sent, delivery=send.sent.delivery),
                )
                if one.attempt_no == send.attempt_no and one.state is not AttemptState.SUPERSEDED
                else one
                for one in intent.attempts
            )
            is_signed = intent.status is IntentStatus.SIGNED
            status = IntentStatus.SENT if is_signed else intent.status
            self.intents[send.intent_id] = replace(intent, attempts=attempts, status=status)

    async def advance(self, progress):
        for intent, receipt in progress.receipts:
            self._update(intent.intent_id, receipt=receipt)
        changed = []
        for change in progress.changes:
            known = self.intents[change.intent.intent_id]
            if known.status not in FINAL:
                self._update(known.intent_id, status=change.status, reason=change.reason)
                self.evidence[known.intent_id] = dict(change.evidence)
                if change.status in FINAL and change.intent.last.sent is None:
                    self._update(known.intent_id, attempts=_given_up(known.attempts))
                changed.append(change)
        self.place_ = progress.place or self.place_
        self._wake(changed)

    async def add_attempt(self, intent, attempt):
        known = self.intents[intent.intent_id]
        if known.status in FINAL or known.last.attempt_no >= attempt.attempt_no:
            return False
        attempts = (*_given_up(known.attempts), attempt)
        self._update(intent.intent_id, status=IntentStatus.SIGNED, attempts=attempts)
        return True

    async def fill(self, intent):
        where = (intent.new.sender, intent.nonce)
        if any((one.new.sender, one.nonce) == where for one in self.intents.values()):
            return False
        self.record([intent])
        return True

    async def mined_above(self, number):
        found = {self._decided(one)[1] for one in self.intents.values()} - {None}
        above = [one for one in found if one.number > number]
        return sorted(above, key=lambda one: (one.number, one.hash))

    async def mined_above_finality(self, followed):
        return await self.mined_above(followed - self.finality + 1)

    async def unmine(self, gone, followed):
        orphans = []
        for one in self._sorted(self.intents.values()):
            tx_hash, place = self._decided(one)
            if place in gone:
                ids = one.intent_id, one.new.leg_id, one.new.deal_id
                orphans.append(Orphan(*ids, one.status, tx_hash, place))
        unmined = Unmined.of(orphans, followed - self.finality + 1)
        for orphan in unmined.taken_back:
            self._take_back(self.intents[orphan.intent_id])
        self.reopened += unmined.reopened
        self.lost += unmined.lost
        return unmined

    def _decided(self, intent):
        """The attempt and the block that decided about an intent."""
        if intent.receipt is not None:
            block = intent.receipt.block
            return intent.receipt.tx_hash, Place(block.number, block.hash)
        if intent.status is IntentStatus.DISPLACED:
            evidence = self.evidence[intent.intent_id]
            return None, Place(evidence["block"], evidence["block_hash"])
        return None, None

    def _take_back(self, intent):
        *older, last = intent.attempts
        if last.state is AttemptState.SUPERSEDED:
            last = replace(last, state=AttemptState.SIGNED)
        self._update(
            intent.intent_id,
            receipt=None,
            status=IntentStatus.SENT,
            reason=REORG,
            attempts=(*older, last),
        )
        self.evidence[intent.intent_id] = {"reason": REORG}

    def _wake(self, changed):
        groups = {change.intent.new.group_id for change in changed}
        for group in groups:
            members = [one for one in self.intents.values() if one.new.group_id == group]
            if all(one.status in FINAL for one in members):
                self.woken.append(members[0].new.deal_id)
        self.woken += [
            change.intent.new.deal_id
            for change in changed
            if IntentStatus.AMBIGUOUS in (change.status, change.intent.status)
        ]

    def _update(self, intent_id, **changes):
        self.intents[intent_id] = replace(self.intents[intent_id], **changes)

    @staticmethod
    def _sorted(intents):
        return sorted(intents, key=lambda one: (one.new.sender, one.nonce))


def _given_up(attempts):
    return tuple(
        replace(one, state=AttemptState.SUPERSEDED) if one.state is AttemptState.SIGNED else one
        for one in attempts
    )
