"""The matrix: which freeze meets a deal at which step, and how each is brought about and ended."""

from dataclasses import dataclass
from enum import StrEnum

from holdfast.execution import model as m

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
        "cannot be repaid and the collateral behind it stays at the venue."
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
        }[self]


@dataclass(frozen=True)
class Cell:
    """One freeze at one step."""

    freeze: Freeze
    at: At

    def __str__(self):
        return f"{self.freeze} at {self.at}"


CELLS = tuple(Cell(freeze, at) for freeze in Freeze for at in At)
