"""The hard invariants that an open position breaks right now; pure."""

from dataclasses import dataclass

from holdfast.common.money import BPS, WAD, Bps, Usd8, mul_div
from holdfast.execution.model import Position
from holdfast.execution.observation import CoreSeen
from holdfast.execution.records import DealRecord
from holdfast.risk import invariants
from holdfast.risk.checks import at_most
from holdfast.risk.formulas import RAY_PER_BPS, ltv
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Check, Stress
from holdfast.risk.model import Position as BalanceSheet


@dataclass(frozen=True, slots=True)
class Exposure:
    """A position with the prices it is valued at; the rate is yearly, in RAY."""

    position: Position
    eth_price: Usd8
    cash_price: Usd8
    cash_decimals: int
    borrow_rate: int

    @property
    def ltv_bps(self) -> int:
        """Debt over collateral now."""
        return ltv(self._cash(self.position.debt), self.eth_value(self.position.collateral))

    def sheet(self, core_wei: int) -> BalanceSheet:
        """The position in dollars; the token counts for nothing here."""
        held = self.position
        return BalanceSheet(
            core=self.eth_value(core_wei),
            collateral=self.eth_value(held.collateral),
            reserve_eth=self.eth_value(held.native + held.weth),
            cash=self._cash(held.cash),
            debt=self._cash(held.debt),
        )

    def eth_value(self, wei: int) -> Usd8:
        """`wei` in dollars."""
        return Usd8(mul_div(wei, self.eth_price, WAD))

    def _cash(self, units: int) -> Usd8:
        return Usd8(mul_div(units, self.cash_price, 10**self.cash_decimals))


def breaches(
    deal: DealRecord, exposure: Exposure, core: CoreSeen, limits: RiskLimits
) -> tuple[str, ...]:
    """The codes of the hard rules that do not hold at the observed block (I1, I3, I6)."""
    envelope = deal.plan.envelope
    sheet = exposure.sheet(core.balance_wei)
    now = ltv(sheet.debt, sheet.collateral)
    stress = stress_of(deal, exposure, limits)
    checks: list[Check] = [
        *invariants.anchor(anchor_of(deal, core, envelope.terms.split.core.units)),
        *invariants.covered(sheet, stress, limits),
        at_most("I6.ltv", envelope.max_ltv, now, "debt over collateral"),
    ]
    return tuple(check.code for check in checks if check.is_violation)


def anchor_of(deal: DealRecord, core: CoreSeen, booked_wei: int) -> invariants.Anchor:
    """The anchor's facts, with `booked_wei` booked on it."""
    accounts = deal.plan.accounts
    return invariants.Anchor(
        balance_wei=core.balance_wei,
        booked_wei=booked_wei,
        allowances=core.allowances,
        debt=core.debt,
        collateral=core.collateral,
        shared_with=(accounts.deal, accounts.float).count(accounts.core),
    )


def stress_of(deal: DealRecord, exposure: Exposure, limits: RiskLimits) -> Stress:
    """The stress that the deal's reserve must survive at the observed rate."""
    envelope = deal.plan.envelope
    rate = mul_div(exposure.borrow_rate, limits.stress_apr_multiple, BPS)
    return Stress(
        gap=limits.gap,
        exit_slip=Bps(
            max(envelope.exit_slippage - limits.oracle_max_deviation, limits.min_exit_slip)
        ),
        apr_ray=max(limits.stress_apr * RAY_PER_BPS, rate),
        days=envelope.request.horizon_days,
        costs=exposure.eth_value(envelope.max_fee.units),
    )
