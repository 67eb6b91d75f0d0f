"""What happened to an account of ours on chain, and who caused it; pure data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from holdfast.common.evm import Address, BlockHash, TxHash
    from holdfast.common.ids import BankId, DealId, LegId
    from holdfast.transactions.model import Cause


class EventKind(StrEnum):
    """What an event says; `debt` is a debt token's transfer, which moves what is owed."""

    TRANSFER = "transfer"
    DEBT = "debt"
    APPROVAL = "approval"
    WRAP = "wrap"
    UNWRAP = "unwrap"
    SUPPLY = "supply"
    WITHDRAW = "withdraw"
    BORROW = "borrow"
    REPAY = "repay"
    LIQUIDATION = "liquidation"
    DELEGATION = "delegation"
    REDEMPTION_REQUEST = "redemption_request"
    REDEMPTION_CLAIM = "redemption_claim"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Effect:
    """One event in common words.

    `giver` is who has less, owes more or gave a right away by it, `taker` who has more; None where
    the event names nobody. `amount` is in base units of `token`.
    """

    kind: EventKind
    giver: Address | None
    taker: Address | None
    token: Address
    amount: int


class Role(StrEnum):
    """What an account is to us; the key of `treasury` alone is not ours."""

    CORE = "core"
    FLOAT = "float"
    TREASURY = "treasury"
    DEAL = "deal"


@dataclass(frozen=True, slots=True)
class Watched:
    """An account that we listen for, from block `since` on."""

    address: Address
    role: Role
    since: int
    deal_id: DealId | None = None
    bank_id: BankId | None = None


@dataclass(frozen=True, slots=True)
class AccountEvent:
    """An event at its place on the chain, the account it is about, and our part in it.

    Without a `cause` somebody else's transaction did it.
    """

    block_number: int
    block_hash: BlockHash
    log_index: int
    tx_hash: TxHash
    contract: Address
    effect: Effect
    account: Watched
    cause: Cause | None

    @property
    def is_loss(self) -> bool:
        """Whether the account has less, owes more or gave a right away by it."""
        return self.effect.giver == self.account.address


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An event as it is kept; orphaned once its block left the chain."""

    block_number: int
    block_hash: BlockHash
    log_index: int
    tx_hash: TxHash
    contract: Address
    effect: Effect
    account: Address
    role: Role
    deal_id: DealId | None
    leg_id: LegId | None
    is_foreign: bool
    is_orphaned: bool
    seen_at: datetime
