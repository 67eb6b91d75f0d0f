"""What a deal has done and holds, and the moves it can make next; pure values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from holdfast.common.evm import Address, BlockRef
from holdfast.model.deal import DealEvent, DealStatus, HoldReason
from holdfast.model.leg import LegKind
from holdfast.model.plan import Terms

HOMEWARD = (LegKind.REPAY, LegKind.WITHDRAW, LegKind.UNWRAP, LegKind.RETURN_NATIVE)
"""Once one of these has landed, but for a cure's, a deal buys nothing more."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """An allowance that is not back to zero; `token` is the contract's address."""

    token: Address
    spender: Address


@dataclass(frozen=True, slots=True)
class Position:
    """What the deal's account holds and owes at one block, in base units of each token.

    `cash` is the borrowed token, `tokens` the discounted one; `queued` and `claimable` are
    discounted tokens inside the redemption desk. `blocks_to_final` is how many blocks are missing
    until the deal's last leg is as deep as the chain's finality.
    """

    at: BlockRef
    native: int
    weth: int
    cash: int
    tokens: int
    collateral: int
    debt: int
    queued: int
    claimable: int
    leftovers: tuple[Leftover, ...] = ()
    blocks_to_final: int = 0

    @property
    def claim(self) -> int:
        """Discounted tokens that are still to be redeemed, wherever they are."""
        return self.tokens + self.queued + self.claimable

    @property
    def told(self) -> dict[str, str]:
        """The amounts as JSON can hold them: as text, as they may pass 64 bits."""
        names = ("native", "weth", "cash", "tokens", "collateral", "debt", "queued", "claimable")
        return {name: str(getattr(self, name)) for name in names}


@dataclass(frozen=True, slots=True)
class RepayPart:
    """A cure: pay `units` of the debt, from cash and as much of the reserve as is missing."""

    units: int


@dataclass(frozen=True, slots=True)
class Convert:
    """A cure: sell as much of the reserve's ether as brings `units` of cash, and keep it."""

    units: int


Cure: TypeAlias = RepayPart | Convert


@dataclass(frozen=True, slots=True)
class Venues:
    """What the venues allow at the same block.

    `desk_cash` is what the desk can pay, in base units of the discounted token at par;
    `transfer_fee_wei` what one plain transfer costs at the current fee cap; `breaches` the codes
    of the hard invariants that do not hold; `drift` why an approved plan no longer fits;
    `redeems_at_a_loss` whether the desk now pays less for a token than the deal paid; `cure` what
    the market asks of the deal; `is_price_stale` whether ETH's price is too old to act on (I10);
    `is_emergency` whether waiting for a better price of a sale would risk the principal.
    """

    redemption_frozen: bool
    desk_cash: int
    queue_delay_seconds: int
    can_borrow: bool
    transfer_fee_wei: int
    breaches: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    redeems_at_a_loss: bool = False
    cure: Cure | None = None
    is_price_stale: bool = False
    is_emergency: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """The last leg that was refused or reverted, and how often in a row."""

    kind: LegKind
    times: int


@dataclass(frozen=True, slots=True)
class DealState:
    """What is recorded of a deal: enough, with a position, to say what comes next.

    `landed` counts legs that are final by kind, without those of cures: a deal that repays a part
    of its debt is not on its way home; `sold` and `purchases` tell the two swaps apart, `cured`
    whether there were cures,
    `claim_returned` the claim's tokens from returned cash.
    """

    status: DealStatus
    terms: Terms
    hold_reason: HoldReason | None = None
    keep_claim: bool = False
    borrow_waived: bool = False
    landed: Mapping[LegKind, int] = field(default_factory=dict[LegKind, int])
    sold: bool = False
    purchases: int = 0
    cured: bool = False
    claim_returned: bool = False
    trouble: Trouble | None = None

    def has(self, kind: LegKind) -> bool:
        """Whether a leg of this kind is final."""
        return self.landed.get(kind, 0) > 0

    @property
    def bought(self) -> bool:
        """Whether tokens were bought, if only a first lot."""
        return self.purchases > 0

    @property
    def is_unwinding(self) -> bool:
        """Whether money has started to go back; a deal never opens again after that."""
        return any(self.has(kind) for kind in HOMEWARD)

    @property
    def wants_debt(self) -> bool:
        """Whether the terms ask for a loan that has not been waived."""
        return self.terms.borrow.units > 0 and not self.borrow_waived


class WaitFor(StrEnum):
    """What an idle deal waits for."""

    QUEUE = "queue"
    THAW = "thaw"
    OPERATOR = "operator"
    GAS = "gas"
    APPROVAL = "approval"
    RESERVE = "reserve"
    TRADING = "trading"
    LIMITS = "limits"
    PRICE = "price"
    FINALITY = "finality"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Fund:
    """Step 0: the float moves working liquidity and bucket to the deal's account."""


@dataclass(frozen=True, slots=True)
class Open:
    """Step 1: wrap, supply what is missing of the collateral, borrow if asked."""

    borrow: bool


@dataclass(frozen=True, slots=True)
class Purchase:
    """Step 2: sell bucket ETH first where the funding asks for it, then buy the token."""

    sell_bucket: bool


@dataclass(frozen=True, slots=True)
class Redeem:
    """Step 3: one tranche is asked for, and claimed in the same block when there is no queue."""

    units: int
    claim_now: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """Step 3: a tranche that has left the queue is claimed."""

    units: int


@dataclass(frozen=True, slots=True)
class Repay:
    """Step 4: pay the whole debt, from cash and as much of the reserve as is missing; unlock.

    One that does not sell pays a part: what cash there is.
    """

    sells: bool = True


@dataclass(frozen=True, slots=True)
class Revoke:
    """Set allowances that were left over back to zero."""

    leftovers: tuple[Leftover, ...]


@dataclass(frozen=True, slots=True)
class GoHome:
    """Step 4: unwrap, and return cash (and the claim's tokens when it is kept) to the treasury."""

    with_claim: bool


@dataclass(frozen=True, slots=True)
class ReturnNative:
    """Step 4: return the native token but for `keep` wei."""

    keep: int


Move: TypeAlias = (
    Fund | Open | Purchase | Redeem | Claim | Cure | Repay | Revoke | GoHome | ReturnNative
)


@dataclass(frozen=True, slots=True)
class Send:
    """Send the legs of one move."""

    move: Move


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing until the named thing happens."""

    what: WaitFor


@dataclass(frozen=True, slots=True)
class Change:
    """Change the deal's status."""

    event: DealEvent
    reason: HoldReason | None = None


@dataclass(frozen=True, slots=True)
class Waive:
    """Go on without the loan: it was refused and the deal does not need it."""


Decision: TypeAlias = Send | Wait | Change | Waive
