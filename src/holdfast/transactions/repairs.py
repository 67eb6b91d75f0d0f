"""Cases, what is observed of them, and repairs as plans with all their preconditions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from holdfast.common.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from holdfast.chain.profiles import FeeModel
    from holdfast.chain.receipts import MinedTransaction
    from holdfast.common.evm import BlockRef, Receipt
    from holdfast.common.ids import IntentId, PrincipalId
    from holdfast.transactions.model import Intent


class Repair(StrEnum):
    """What a person may do about an intent."""

    REBROADCAST = "rebroadcast"
    CANCEL = "cancel"
    ACCEPT_DISPLACED = "accept-displaced"
    ACCEPT_OUTCOME = "accept-outcome"
    FILL_GAP = "fill-gap"
    ACKNOWLEDGE = "acknowledge"


class Stated(StrEnum):
    """What a person says of a transaction that was mined without the event that proves its leg."""

    LANDED = "landed"
    NO_EFFECT = "no-effect"


@dataclass(frozen=True, slots=True)
class Case:
    """One intent with everything that is recorded of it; `version` is its row's."""

    intent: Intent
    evidence: Mapping[str, object]
    created_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None
    version: int

    @property
    def reason(self) -> str:
        """Why it is ambiguous, stuck or displaced; empty when it is none of these."""
        return str(self.evidence.get("reason", ""))


@dataclass(frozen=True, slots=True)
class Facts:
    """What was observed for one case.

    Args:
        at: the block at which the chain was read; every check is made there.
        finality: how many blocks must hold what no reorg is expected to take back.
        account_nonce: the sender's.
        base_fee_wei: of that block.
        tip_wei: the suggested tip.
        fee_model: the chain's.
        receipt: of one of our attempts, canonical as of `at`; None when none is mined.
        use: the foreign transaction at the nonce; None when the nonce is free, ours, or no
            transaction was found that used it.
        first_live_nonce: the lowest of the sender's live intents; None when it has none.
        gap_holder: our intent, live or final, that has the account's next nonce.
    """

    at: BlockRef
    finality: int
    account_nonce: int
    base_fee_wei: int
    tip_wei: int
    fee_model: FeeModel
    receipt: Receipt | None
    use: MinedTransaction | None
    first_live_nonce: int | None
    gap_holder: IntentId | None


@dataclass(frozen=True, slots=True)
class RepairOrder:
    """What a person asks for, and why; `stated` only for `accept-outcome`."""

    repair: Repair
    by: PrincipalId
    reason: str
    stated: Stated | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One precondition: its stable code, what must be true, and what is."""

    code: str
    wanted: str
    found: str
    holds: bool


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """A repair with all its preconditions, checked at one block; `effect` says what it will do."""

    repair: Repair
    intent_id: IntentId
    at: BlockRef
    effect: str
    checks: tuple[Check, ...]

    @property
    def is_ready(self) -> bool:
        """Whether every precondition holds."""
        return all(check.holds for check in self.checks)

    def require_ready(self) -> None:
        """Refuse the repair by the first precondition that does not hold.

        Raises:
            Rejected: with the check's code; nothing was done.
        """
        failing = next((check for check in self.checks if not check.holds), None)
        if failing is not None:
            raise Rejected(
                failing.code,
                f"{self.repair} is refused: {failing.wanted}, but {failing.found}",
                repair=str(self.repair),
                block=self.at.number,
                block_hash=self.at.hash,
            )
