"""What may be done next about a live intent, and what is looked at to decide it; pure data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.common.evm import BlockRef
    from holdfast.signing.model import Fees
    from holdfast.transactions.model import IntentStatus


_LEAST_PUSH_SECONDS: Final = 2.0
"""A burst takes a few quick blocks to be mined: sent again all the while, it would take longer."""


_MOST_PUSH_SECONDS: Final = 30.0
"""Where nodes keep saying that they have the bytes, the pause doubles up to this: to ask for
thousands of them every few seconds would keep a worker and its node from all else."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait before acting again.

    Args:
        blocks: for an attempt whose cap is under the base fee, before it is replaced.
        seconds: for the account's next transaction, before it is replaced whatever the base fee.
        push_seconds: before the same bytes are sent again, in case every pool dropped them: half
            a block of 12 s, so that they are back before the next; see `of_chain`.
        retry_seconds: the same where the last answer left open whether a node has them.
        timeout_seconds: since its first broadcast, before a call that is not mined is given up
            and its nonce freed. What was decided that long ago is better decided again.
        finality: how many blocks, its own included, must hold an outcome other than a landing.
            Its leg is decided anew then, and both would land if a reorg still took it back.
        cancel_ceiling_wei: the most that a unit of gas may cost for a no-op that frees a nonce,
            where that is more than the intent's own ceiling: what is to be sent next may not wait.
    """

    blocks: int = 3
    seconds: float = 60.0
    push_seconds: float = 6.0
    retry_seconds: float = 1.0
    timeout_seconds: float = 1800.0
    finality: int = 1
    cancel_ceiling_wei: int = 0

    @classmethod
    def of_chain(
        cls,
        block_time_seconds: float,
        *,
        finality: int,
        timeout_seconds: float,
        cancel_ceiling_wei: int = 0,
    ) -> Patience:
        """The patience for a chain with this block time: bytes go out again after half a block.

        Where a block is mined for each transaction, `block_time_seconds` 0, the plain pause stands.
        """
        plain = cls(
            finality=finality,
            timeout_seconds=timeout_seconds,
            cancel_ceiling_wei=cancel_ceiling_wei,
        )
        if block_time_seconds <= 0:
            return plain
        push = max(_LEAST_PUSH_SECONDS, block_time_seconds / 2)
        return replace(plain, push_seconds=push)

    def known_push_seconds(self, age_seconds: float) -> float:
        """Before bytes that nodes had when they were last sent, at that age, are sent again."""
        return max(self.push_seconds, min(age_seconds, _MOST_PUSH_SECONDS))


@dataclass(frozen=True, slots=True)
class Seen:
    """What was observed at one block.

    Args:
        block: the newest block whose receipts are all known.
        base_fee_wei: of that block.
        tip_wei: the suggested tip now.
        account_nonce: the sender's, at that block.
        first_live_nonce: the lowest of the sender's live intents.
        passed_since: the first block at which the nonce was seen used without a receipt of ours.
        now_seconds: epoch time.
        pushed_seconds: when the newest attempt was last broadcast by this process; 0 for never.
    """

    block: BlockRef
    base_fee_wei: int
    tip_wei: int
    account_nonce: int
    first_live_nonce: int
    passed_since: int | None
    now_seconds: float
    pushed_seconds: float


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Send the newest attempt's bytes for the first time."""


@dataclass(frozen=True, slots=True)
class Rebroadcast:
    """Send the newest attempt's bytes again."""


@dataclass(frozen=True, slots=True)
class Replace:
    """Sign the same call at the same nonce with higher fees."""

    fees: Fees


@dataclass(frozen=True, slots=True)
class Cancel:
    """Sign a no-op at the same nonce."""

    fees: Fees
    reason: str


@dataclass(frozen=True, slots=True)
class Fill:
    """Sign a no-op at `nonce`, which the chain waits for and nobody has; `stuck` if it cannot."""

    nonce: int
    fees: Fees
    stuck: Stuck


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do yet."""


@dataclass(frozen=True, slots=True)
class Clear:
    """What made it stuck or ambiguous is gone: it waits for a block like any other."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Final: what the chain shows at the required depth."""

    status: IntentStatus
    evidence: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Unclear:
    """The signals disagree; a person or a later block has to tell."""

    reason: str
    evidence: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Stuck:
    """It cannot be pushed any further within its limits; keep its bytes alive and alert."""

    reason: str
    evidence: Mapping[str, object] = field(default_factory=dict[str, object])


Action: TypeAlias = (
    Broadcast | Rebroadcast | Replace | Cancel | Fill | Wait | Clear | Settle | Unclear | Stuck
)
