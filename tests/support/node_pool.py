"""The transaction pool of a real node, in front of anvil, whose own pool is too kind or too cruel.

anvil takes a replacement that offers one wei more, and forgets a transaction when the base fee
rises above its cap. Here a replacement must offer a tenth more, and what cannot be mined yet waits.

Source: go-ethereum core/txpool/legacypool (PriceBump 10 %, the errors' words).
"""

from dataclasses import dataclass

import rlp
from eth_account import Account
from eth_utils import keccak

_BUMP_PERCENT = 110
_DYNAMIC_FEE = 2  # EIP-2718 type of EIP-1559 transactions
_ERROR = -32_000


@dataclass(frozen=True)
class Pending:
    """One transaction that was taken and is not known to be mined; fees in wei per gas."""

    raw: str
    tx_hash: str
    sender: str
    nonce: int
    cap: int
    tip: int

    @classmethod
    def decoded(cls, raw):
        """What signed bytes, as hex with 0x, say."""
        data = bytes.fromhex(raw[2:])
        if data[0] == _DYNAMIC_FEE:
            nonce, tip, cap = rlp.decode(data[1:])[1:4]
        else:
            nonce, cap = rlp.decode(data)[:2]
            tip = cap
        sender = Account.recover_transaction(data).lower()
        numbers = [int.from_bytes(one, "big") for one in (nonce, cap, tip)]
        return cls(raw, f"0x{keccak(data).hex()}", sender, *numbers)

    def outbids(self, other):
        """Whether a node would take this one in the other's place."""
        pairs = ((self.cap, other.cap), (self.tip, other.tip))
        return all(ours * 100 >= theirs * _BUMP_PERCENT for ours, theirs in pairs)

    def shown(self):
        """How a node shows a transaction that waits."""
        numbers = {
            "nonce": self.nonce,
            "maxFeePerGas": self.cap,
            "maxPriorityFeePerGas": self.tip,
        }
        found = {"hash": self.tx_hash, "from": self.sender, "blockHash": None, "blockNumber": None}
        return {**found, **{name: hex(number) for name, number in numbers.items()}}


class NodePool:
    """What was taken and not yet mined, by (sender, nonce); `ask` is one exchange with the node."""

    def __init__(self, ask):
        self._ask = ask
        self._pending = {}

    def __len__(self):
        return len(self._pending)

    def waiting(self, tx_hash):
        """The transaction with this hash while it is in the pool; None otherwise."""
        return next((one for one in self._pending.values() if one.tx_hash == tx_hash), None)

    async def take(self, raws):
        """What a node answers to each of `raws`: a hash, or an error in its words."""
        offered = [Pending.decoded(raw) for raw in raws]
        base_fee, nonces = await self._view({one.sender for one in offered})
        verdicts = [self._verdict(one, base_fee, nonces[one.sender]) for one in offered]
        passed = [one for one, said in zip(offered, verdicts, strict=True) if said == "forward"]
        answers = iter(await self._send(passed))
        return [next(answers) if said == "forward" else said for said in verdicts]

    async def tend(self):
        """Forget what was mined; hand over what the node lost or could not mine before."""
        held = list(self._pending.values())  # more may come while the node is asked
        if not held:
            return
        base_fee, nonces = await self._view({one.sender for one in held})
        for one in held:
            if one.nonce < nonces[one.sender]:
                self._pending.pop((one.sender, one.nonce), None)
        waiting = [one for one in held if self._pending.get((one.sender, one.nonce)) is one]
        waiting.sort(key=lambda one: (one.sender, one.nonce))
        known = await self._ask(*(("eth_getTransactionByHash", [one.tx_hash]) for one in waiting))
        lost = [
            one
            for one, answer in zip(waiting, known, strict=True)
            if answer.get("result") is None and one.cap >= base_fee
        ]
        await self._ask(*(("eth_sendRawTransaction", [one.raw]) for one in lost))

    async def evict(self, tx_hash):
        """Forget a transaction, as a node does whose pool is full; True when it was there."""
        one = self.waiting(tx_hash)
        if one is None:
            return False
        del self._pending[one.sender, one.nonce]
        await self._ask(("anvil_dropTransaction", [tx_hash]))  # and later nonces: `tend` mends that
        return True

    def _verdict(self, one, base_fee, account_nonce):
        if one.nonce < account_nonce:
            return _error("nonce too low")
        older = self._pending.get((one.sender, one.nonce))
        if older is not None and older.tx_hash == one.tx_hash:
            return _error("already known")
        if older is not None and not one.outbids(older):
            return _error("replacement transaction underpriced")
        self._pending[one.sender, one.nonce] = one
        return "forward" if one.cap >= base_fee else {"result": one.tx_hash}

    async def _send(self, passed):
        answers = await self._ask(*(("eth_sendRawTransaction", [one.raw]) for one in passed))
        for one, answer in zip(passed, answers, strict=True):
            if "error" in answer and self._pending.get((one.sender, one.nonce)) == one:
                del self._pending[one.sender, one.nonce]
        return answers

    async def _view(self, senders):
        """The base fee of the next block, and each sender's account nonce."""
        senders = sorted(senders)
        block, *nonces = await self._ask(
            ("eth_getBlockByNumber", ["pending", False]),
            *(("eth_getTransactionCount", [sender, "latest"]) for sender in senders),
        )
        numbers = [int(answer["result"], 16) for answer in nonces]
        base_fee = int(block["result"]["baseFeePerGas"], 16)
        return base_fee, dict(zip(senders, numbers, strict=True))


def _error(words):
    return {"error": {"code": _ERROR, "message": words}}
