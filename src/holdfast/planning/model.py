"""The planner's policy, what a deal is planned against, and a drafted deal."""

from dataclasses import dataclass, field

from holdfast.common.evm import Address
from holdfast.common.money import USD8, Bps, Usd8
from holdfast.model.deal import DealRequest, Step
from holdfast.model.leg import Call, LegKind
from holdfast.model.plan import Accounts, Terms
from holdfast.planning.snapshot import MarketSnapshot, Quote
from holdfast.protocols.suite import Protocols
from holdfast.risk.caps import BookSums
from holdfast.risk.gate import GateVerdict, Trial
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Check, Position, Stress
from holdfast.risk.scenarios import Exposed, Outcome
from holdfast.risk.tightening import InForce


@dataclass(frozen=True, slots=True)
class PlanPolicy:
    """How deals are sized and what the desk allows; limits are in `limits`.

    Attributes:
        limits: the risk limits.
        rungs: the first rungs of the redemption ladder, in dollars at par; what follows is sent in
            rungs of at most `limits.in_flight`.
        loop_gas: gas of everything but the tranches; 1.55M were measured on the devnet.
        unwinding_gas: gas that a freeze adds: sell the reserve, revoke, hand the claim over.
        tranche_gas: gas of one tranche's allowance, request and claim; 290,000 were measured.
        lot_gas: gas of one more purchase, its allowance included, where the position is a ladder.
        homeward_gas: gas of a cure and of the whole way home, which dear gas does not keep back.
        gas_margin: headroom on both; exact estimates made legs revert, 30 % did not (CHAIN.md),
            the rest is for legs that are sent again.
        min_gas_reserve_wei: the least that is kept for gas.
        validity_seconds: how long an approval may be used after the plan was made.
        comparison_ltv: opening LTV of the borrow row when the request asks for no loan.
    """

    limits: RiskLimits = field(default_factory=RiskLimits)
    rungs: tuple[Usd8, ...] = (
        Usd8(50_000 * USD8),
        Usd8(250_000 * USD8),
        Usd8(1_000_000 * USD8),
    )
    loop_gas: int = 1_600_000
    unwinding_gas: int = 800_000
    tranche_gas: int = 300_000
    lot_gas: int = 250_000
    homeward_gas: int = 1_300_000
    gas_margin: Bps = Bps(15_000)
    min_gas_reserve_wei: int = 5 * 10**16
    validity_seconds: int = 900
    comparison_ltv: Bps = Bps(2_000)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a deal is planned against.

    `booked_core_wei` is what open deals have booked in core, `trials` what the redemption desk did
    before, `book` what open deals add up to, `in_force` where the policy's limits come from, where
    the market may have tightened them.
    """

    market: MarketSnapshot
    venues: Protocols
    policy: PlanPolicy
    accounts: Accounts
    booked_core_wei: int
    trials: tuple[Trial, ...] = ()
    book: BookSums = field(default_factory=BookSums)
    in_force: InForce | None = None


@dataclass(frozen=True, slots=True)
class GasBudget:
    """The most gas a deal may use, the most it may cost, and what is kept for it.

    `emergency_wei` is what the way home may cost on top at the emergency's price of gas.
    """

    most: int
    max_fee_wei: int
    reserve_wei: int
    emergency_wei: int


@dataclass(frozen=True, slots=True)
class PlannedLeg:
    """One call that the deal makes, or may make when `is_fallback`.

    `recipient` is who gets what the call moves, or may move it; `text` is the call in words.
    """

    step: Step
    kind: LegKind
    call: Call
    recipient: Address
    text: str
    is_fallback: bool = False


@dataclass(frozen=True, slots=True)
class Costs:
    """What a deal costs, in dollars; the purchase's fee and impact are in its quote already.

    `sale_cost` is what selling the bucket is quoted to lose against the oracle, `max_sale_cost` the
    most; `exit_cost` what selling it for the debt would lose if the token failed.
    """

    purchase_fee: Usd8
    purchase_impact: Usd8
    sale_cost: Usd8
    max_sale_cost: Usd8
    exit_cost: Usd8
    interest: Usd8
    stressed_interest: Usd8
    redemption_fee: Usd8
    gas: Usd8
    max_gas: Usd8

    @property
    def charges(self) -> Usd8:
        """Stressed interest, fees and gas at their most: i + f."""
        return Usd8(self.stressed_interest + self.max_sale_cost + self.exit_cost + self.max_gas)

    @property
    def carried(self) -> Usd8:
        """What the deal is expected to pay beside the price of the token."""
        return Usd8(self.interest + self.sale_cost + self.gas)


@dataclass(frozen=True, slots=True)
class Metrics:
    """The ratios of a position; covers and health factors are in WAD."""

    ltv: Bps
    health_factor: int
    exposure_cost: Bps
    exposure_market: Bps
    exposure_freeze: Bps
    debt_cover: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a deal may bring: `loss` is the worst case, `profit` if every token is redeemed.

    `loss` is `theorem` (S + i + f), `sale`, what an ordinary sale of the reserve for the debt
    may lose, and `emergency`, what a deeper one and dear gas may cost on top.
    """

    loss: Usd8
    theorem: Usd8
    sale: Usd8
    emergency: Usd8
    profit: Usd8
    simple_return: Bps
    break_even: Bps
    liquidation_price: Usd8
    liquidation_drop: Bps
    breaking_gap: Bps


@dataclass(frozen=True, slots=True)
class Draft:
    """One sized variant of a deal, with all that is known of it; not yet a plan.

    `exposed` is the deal right after the purchase, as scenarios see it.
    """

    request: DealRequest
    terms: Terms
    purchase: Quote
    sale: Quote
    rate_ray: int
    gas: GasBudget
    legs: tuple[PlannedLeg, ...]
    before: Position
    after: Position
    stress: Stress
    costs: Costs
    metrics_before: Metrics
    metrics_after: Metrics
    outlook: Outlook
    exposed: Exposed
    scenarios: tuple[Outcome, ...]
    gate: GateVerdict
    checks: tuple[Check, ...]

    @property
    def violations(self) -> tuple[Check, ...]:
        """The hard rules that the deal would break."""
        return tuple(check for check in self.checks if check.is_violation)

    @property
    def warnings(self) -> tuple[Check, ...]:
        """The soft rules that the deal would break."""
        return tuple(check for check in self.checks if check.is_warning)
