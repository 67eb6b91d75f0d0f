"""What a replay runs on and what it tells: a deal, the hours of a market, and what was done."""

from dataclasses import dataclass
from enum import StrEnum

from holdfast.common.money import USD8, Bps, Usd8
from holdfast.risk.formulas import RAY_PER_BPS
from holdfast.risk.model import Position, Stress

DEFAULT_GAS_WEI = 30 * 10**9
"""Price of a unit of gas where no series of it is given: 30 gwei."""

ACTION_GAS = 800_000
"""Gas of one cure; a whole unwinding is planned with as much (`planning.model.PlanPolicy`)."""


class ActionKind(StrEnum):
    """What a replayed desk, or a liquidator, did."""

    WARNED = "warned"
    REPAID = "repaid"
    CONVERTED = "converted"
    LIQUIDATED = "liquidated"


DONE_BY_THE_DESK = frozenset({ActionKind.REPAID, ActionKind.CONVERTED})
"""What changes the books of an attended deal; the rest happens to one that nobody attends, too."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour, or whatever the series' interval is, of the market.

    Attributes:
        start: when it begins, in seconds since 1970, UTC.
        low: the lowest price of ETH in it; a jump there from the last close is what a monitor that
            looks only once a bar would find.
        close: the price at its end.
        token_wad: the discounted token's price over its price at the opening, in WAD.
        gas_wei: price of a unit of gas.
    """

    start: int
    low: Usd8
    close: Usd8
    token_wad: int = 10**18
    gas_wei: int = DEFAULT_GAS_WEI


@dataclass(frozen=True, slots=True)
class ReplayDeal:
    """A deal just after its purchase, in dollars at the opening price.

    Attributes:
        position: its balance sheet; how much ETH that is follows from the first bar's close.
        stress: what its reserve must survive.
        committed: the dollars of ETH before the deal: the same split, untraded.
        rate_ray: what the debt costs a year.
        target_ltv: where a repayment brings the LTV back to; what the deal opened at.
        threshold: the lending venue's liquidation threshold of the collateral.
        bonus: what a liquidator gets on top.
    """

    position: Position
    stress: Stress
    committed: Usd8
    rate_ray: int
    target_ltv: Bps
    threshold: Bps = Bps(8_300)
    bonus: Bps = Bps(500)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that was done, with the LTV that it found and left."""

    at: int
    kind: ActionKind
    price: Usd8
    ltv_before: Bps
    ltv_after: Bps
    cover_before: int
    cover_after: int
    repaid: Usd8 = Usd8(0)
    sold_wei: int = 0
    seized_wei: int = 0


@dataclass(frozen=True, slots=True)
class Hour:
    """The worst of one bar before anything was done, and the books at its end."""

    start: int
    low: Usd8
    close: Usd8
    ltv: Bps
    health_wad: int
    cover_wad: int
    debt: Usd8
    cash: Usd8
    bucket_wei: int
    nav: Usd8


@dataclass(frozen=True, slots=True)
class Result:
    """What the deal made of the stretch, in dollars at the last close.

    `against_untraded` is the token's change less everything below it, to the rounding.

    Attributes:
        nav: with the token at market.
        untraded: what the same ETH is worth without the deal.
        token: what the token is worth now beyond what it cost.
        opening_cost: what opening the deal cost beside the token.
        interest: accrued on the debt.
        exit_cost: what selling bucket ETH lost against the oracle.
        penalty: what liquidators got on top.
        gas: of all actions.
        forgone: what the ETH that was sold or seized would be worth now beyond what the oracle said
            then; negative when selling spared a loss.
        bound: S + i + f, as it stood at the opening.
        principal_whole: the collateral is untouched and the reserve pays all that is owed.
    """

    nav: Usd8
    untraded: Usd8
    token: int
    opening_cost: Usd8
    interest: Usd8
    exit_cost: Usd8
    penalty: Usd8
    gas: Usd8
    forgone: int
    spend: Usd8
    bound: Usd8
    principal_whole: bool

    @property
    def against_untraded(self) -> int:
        """Dollars won or lost against holding the same ETH."""
        return self.nav - self.untraded

    @property
    def loss_if_token_fails(self) -> Usd8:
        """What is lost if the token fetches nothing, apart from ETH's move; as the bound counts."""
        costs = self.opening_cost + self.interest + self.exit_cost + self.penalty + self.gas
        return Usd8(self.spend + costs)


@dataclass(frozen=True, slots=True)
class Replay:
    """A deal through a stretch of history; `interval` is the seconds of one bar."""

    deal: ReplayDeal
    interval: int
    hours: tuple[Hour, ...]
    actions: tuple[Action, ...]
    result: Result

    @property
    def max_ltv(self) -> Bps:
        """The highest LTV that was seen."""
        return max(hour.ltv for hour in self.hours)

    @property
    def min_health_wad(self) -> int:
        """The lowest health factor that was seen."""
        return min(hour.health_wad for hour in self.hours)

    @property
    def min_cover_wad(self) -> int:
        """The lowest debt cover that was seen."""
        return min(hour.cover_wad for hour in self.hours)

    @property
    def opened_at(self) -> int:
        """When the deal begins: at the first bar's end."""
        return self.hours[0].start + self.interval

    def seconds_warned(self, warn_ltv: Bps) -> int:
        """How long the LTV was above `warn_ltv`, counted in whole bars."""
        return self.interval * sum(hour.ltv > warn_ltv for hour in self.hours)

    def seconds_thin(self, cover_wad: int) -> int:
        """How long the debt cover was under `cover_wad`, counted in whole bars."""
        return self.interval * sum(hour.cover_wad < cover_wad for hour in self.hours)

    def first(self, kind: ActionKind) -> Action | None:
        """The first action of a kind."""
        return next((one for one in self.actions if one.kind is kind), None)


def standard_deal() -> ReplayDeal:
    """RISK.md's default: $10M split 50/30/20, opened at 20 % LTV, in `borrow` funding.

    The token was bought at 0.60 with a fee of 0.25 %; 6 % APR, 90 days, fees and gas 0.2 % of NAV.

    Source: RISK.md, the table of fundings.
    """
    spend = 600_000 * USD8
    return ReplayDeal(
        position=Position(
            core=Usd8(5_000_000 * USD8),
            collateral=Usd8(3_000_000 * USD8),
            reserve_eth=Usd8(2_000_000 * USD8),
            debt=Usd8(spend),
            token_cost=Usd8(spend),
            token_market=Usd8(spend * 10_000 // 10_025),
        ),
        stress=Stress(
            gap=Bps(5_000),
            exit_slip=Bps(100),
            apr_ray=600 * RAY_PER_BPS,
            days=90,
            costs=Usd8(20_000 * USD8),
        ),
        committed=Usd8(10_000_000 * USD8),
        rate_ray=600 * RAY_PER_BPS,
        target_ltv=Bps(2_000),
    )
