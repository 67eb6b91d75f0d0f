"""The matrix: which freeze meets a deal at which step, and how each is brought about and ended."""

from dataclasses import dataclass
from enum import StrEnum

from holdfast.execution import model as m
from holdfast.model.deal import Funding, Ladder

STALE_SECONDS = 7 * 24 * 3_600
DRAINED_BPS = 9_999
QUEUE_SECONDS = 3_600


class Freeze(StrEnum):
    """What stops working."""

    REDEMPTION_FROZEN = "redemption frozen"
    ORACLE_STALE = "oracle stale"
    BORROWING_OFF = "borrowing off"
    POOL_DRAINED = "token pool drained"
    USDT_PAUSED = "debt token paused"

    def begin(self, control):
        """Bring it about on a devnet."""
        match self:
            case Freeze.REDEMPTION_FROZEN:
                control.freeze()
            case Freeze.ORACLE_STALE:
                control.set_price_staleness(STALE_SECONDS)
            case Freeze.BORROWING_OFF:
                control.set_borrowing(allowed=False)
            case Freeze.POOL_DRAINED:
                control.drain_token_pool(DRAINED_BPS)
            case Freeze.USDT_PAUSED:
                control.pause_usdt()


DISCLOSED = {
    Freeze.USDT_PAUSED: (
        "RISK.md, outside the theorem: freeze of the debt currency. No USDT moves, so the loan "
        "cannot be repaid and the collateral behind it stays at the venue. Where the loan is paid "
        "already, the cash alone stays where it is: all ether comes home meanwhile but for the gas "
        "that the cash needs, or the cell is broken."
    )
}
"""The freezes that may keep the principal while they last, and where that is said."""


class At(StrEnum):
    """Where the freeze finds the deal: the legs of that step are built, tried and not yet sent."""

    SPLIT = "0 capital split"
    LIQUIDITY = "1 working liquidity"
    PURCHASE = "2 discount purchase"
    MONETISATION = "3 monetisation"
    QUEUED = "3 tranche in the queue"
    CLOSE = "4 close"
    RETURN = "4 return, debt paid"

    @property
    def move(self):
        """The move whose legs the freeze overtakes; None where the deal waits."""
        return {
            At.SPLIT: m.Fund,
            At.LIQUIDITY: m.Open,
            At.PURCHASE: m.Purchase,
            At.MONETISATION: m.Redeem,
            At.QUEUED: None,
            At.CLOSE: m.Repay,
            At.RETURN: m.GoHome,
        }[self]


class Made(StrEnum):
    """How the deal is made: of $10M, and where the whole bucket buys at once of $5M (I8)."""

    BORROW = "borrow"
    BUCKET = "bucket"
    LADDER = "ladder"

    @property
    def fields(self):
        """What its request asks for beside the size."""
        match self:
            case Made.BORROW:
                return {}
            case Made.BUCKET:
                return {"funding": Funding.BUCKET}
            case Made.LADDER:
                return {"ladder": Ladder.POSITION}


@dataclass(frozen=True)
class Cell:
    """One freeze at one step of one deal; a ladder meets it in its second lot."""

    freeze: Freeze
    at: At
    made: Made = Made.BORROW

    @property
    def purchases(self):
        """How many lots are bought before the freeze may come."""
        if self.made is not Made.LADDER:
            return 0
        return 2 if self.at is At.MONETISATION else 1

    def __str__(self):
        return f"{self.made}: {self.freeze} at {self.at}"


_STEPS = {
    Made.BORROW: tuple(At),
    # Where it differs: its ether is sold, it has more tokens, and pays its loan from cash.
    Made.BUCKET: (At.PURCHASE, At.MONETISATION, At.QUEUED, At.CLOSE),
    Made.LADDER: (At.PURCHASE, At.MONETISATION),
}

CELLS = tuple(
    Cell(freeze, at, made) for made, steps in _STEPS.items() for freeze in Freeze for at in steps
)
