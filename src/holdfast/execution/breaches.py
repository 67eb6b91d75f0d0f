"""The hard invariants that an open position breaks right now; pure."""

from dataclasses import dataclass, replace

from holdfast.common.money import BPS, USD8, WAD, Bps, Usd8, mul_div
from holdfast.execution.model import Position
from holdfast.execution.observation import CoreSeen, Seen
from holdfast.execution.records import DealRecord
from holdfast.model.plan import Envelope
from holdfast.risk.exit_pool import ExitPool, shared_slip
from holdfast.risk.formulas import RAY_PER_BPS, ltv
from holdfast.risk.invariants import (
    Anchor,
    Facts,
    Lending,
    Moment,
    Reaction,
    breaches_of,
    evaluate,
)
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Position as BalanceSheet
from holdfast.risk.model import Stress
from holdfast.risk.reserve import to_raise


@dataclass(frozen=True, slots=True)
class Exposure:
    """A position with the prices it is valued at.

    The rate is yearly, in RAY; `threshold` is the lending venue's liquidation threshold; `pool`
    where the bucket would be sold now, None where it was not asked.
    """

    position: Position
    eth_price: Usd8
    cash_price: Usd8
    cash_decimals: int
    borrow_rate: int
    threshold: Bps
    pool: ExitPool | None = None

    @property
    def ltv_bps(self) -> int:
        """Debt over collateral now."""
        return ltv(self.cash_value(self.position.debt), self.eth_value(self.position.collateral))

    def sheet(
        self, core_wei: int, *, token_cost: Usd8 = Usd8(0), token_market: Usd8 = Usd8(0)
    ) -> BalanceSheet:
        """The position in dollars; the token counts for nothing unless it is given.

        `core_wei` is what the deal itself has booked: the anchor may hold the ETH of others.
        """
        held = self.position
        return BalanceSheet(
            core=self.eth_value(core_wei),
            collateral=self.eth_value(held.collateral),
            reserve_eth=self.eth_value(held.native + held.weth),
            cash=self.cash_value(held.cash),
            debt=self.cash_value(held.debt),
            token_cost=token_cost,
            token_market=token_market,
        )

    def eth_value(self, wei: int) -> Usd8:
        """`wei` in dollars, rounded down as the lending pool does."""
        return Usd8(mul_div(wei, self.eth_price, WAD))

    def cash_value(self, units: int) -> Usd8:
        """`units` of the debt currency in dollars, rounded down as the lending pool does."""
        return Usd8(mul_div(units, self.cash_price, 10**self.cash_decimals))


def breaches(
    deal: DealRecord, exposure: Exposure, core: CoreSeen, limits: RiskLimits
) -> tuple[str, ...]:
    """The codes of the hard rules that do not hold before the next step and take debt back.

    Each deal answers for the ETH that it has booked on the anchor itself.
    """
    anchor = anchor_of(deal, core, deal.plan.terms.split.core.units)
    checks = evaluate(facts_of(deal, exposure, anchor, limits), limits, Moment.BEFORE_STEP)
    found = breaches_of(checks, Moment.BEFORE_STEP, Reaction.HOLD, Reaction.CURE_REPAY)
    return tuple(check.code for check in found)


def exposure_of(deal: DealRecord, seen: Seen) -> Exposure:
    """What `seen` shows of the deal, with the prices it is valued at."""
    return Exposure(
        position=seen.position,
        eth_price=seen.eth_price,
        cash_price=seen.cash_price,
        cash_decimals=deal.plan.terms.borrow.token.decimals,
        borrow_rate=seen.borrow_rate,
        threshold=seen.liquidation_threshold,
    )


def facts_of(deal: DealRecord, exposure: Exposure, anchor: Anchor, limits: RiskLimits) -> Facts:
    """What the rules can know of an open deal from one look; the token counts for nothing here."""
    envelope, held = deal.plan.envelope, exposure.position
    token = envelope.terms.min_tokens.token
    return Facts(
        anchor=anchor,
        sheet=exposure.sheet(envelope.terms.split.core.units),
        stress=stress_of(deal, exposure, limits),
        gas_reserve=exposure.eth_value(envelope.terms.gas_reserve.units),
        max_exposure=envelope.max_exposure,
        allowances=len(held.leftovers),
        lending=Lending(most=envelope.max_ltv, threshold=exposure.threshold),
        in_redemption=Usd8(mul_div(held.queued + held.claimable, USD8, 10**token.decimals)),
    )


def anchor_of(deal: DealRecord, core: CoreSeen, booked_wei: int) -> Anchor:
    """The anchor's facts, with `booked_wei` booked on it."""
    accounts = deal.plan.accounts
    return Anchor(
        balance_wei=core.balance_wei,
        booked_wei=booked_wei,
        allowances=core.allowances,
        debt=core.debt,
        collateral=core.collateral,
        shared_with=(accounts.deal, accounts.float).count(accounts.core),
    )


def pool_slip(envelope: Envelope, limits: RiskLimits) -> Bps:
    """What the pool kept of the bucket's sale when the plan was made."""
    return Bps(max(envelope.exit_slippage - limits.oracle_max_deviation, limits.min_exit_slip))


def stress_of(deal: DealRecord, exposure: Exposure, limits: RiskLimits) -> Stress:
    """The stress that the deal's reserve must survive at the observed rate.

    A sale loses what it may: the reserve counts at the price at which it would really be sold. In
    a pool that has become thinner that is more, up to the deepest sale there is.
    """
    envelope = deal.plan.envelope
    rate = mul_div(exposure.borrow_rate, limits.stress_apr_multiple, BPS)
    stress = Stress(
        gap=limits.gap,
        exit_slip=max(envelope.exit_slippage, limits.min_exit_slip),
        apr_ray=max(limits.stress_apr * RAY_PER_BPS, rate),
        days=envelope.request.horizon_days,
        costs=exposure.eth_value(envelope.max_fee.units),
    )
    now = _present_slip(deal, exposure, stress)
    return stress if now == stress.exit_slip else replace(stress, exit_slip=now)


def _present_slip(deal: DealRecord, exposure: Exposure, stress: Stress) -> Bps:
    """What selling for all that is owed would lose after the gap, in the pool as it is now."""
    raised = to_raise(exposure.sheet(0), stress)
    if exposure.pool is None or raised == 0:
        return stress.exit_slip
    deepest = deal.plan.envelope.deepest_slippage
    now = shared_slip(exposure.pool, raised, stress.gap, Bps(BPS))
    return max(stress.exit_slip, min(now, deepest))
