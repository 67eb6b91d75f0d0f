"""How much debt to repay, or cash to raise, when the market has moved against a deal; pure.

What no cure restores is a broken rule, for which the saga holds the deal and unwinds it.
"""

from dataclasses import dataclass, replace
from typing import Final

from holdfast.common.money import BPS, WAD, Bps, Usd8, mul_div
from holdfast.execution.breaches import Exposure, stress_of
from holdfast.execution.model import Convert, Cure, RepayPart
from holdfast.execution.records import DealRecord
from holdfast.execution.sales import Bound, sellable_wei
from holdfast.model.plan import CurePolicy
from holdfast.protocols.aave_v3.math import health_factor
from holdfast.risk.cures import LASTING_ROOM, repayment_target
from holdfast.risk.formulas import repayment_to_restore
from holdfast.risk.limits import RiskLimits
from holdfast.risk.reserve import debt_cover, owed

INTEREST_ROOM_BPS: Final = 1
"""Interest that may accrue between look and block: 0.01 % is 53 minutes at 10 % a year."""


def cure_for(deal: DealRecord, exposure: Exposure, limits: RiskLimits) -> Cure | None:
    """What restores the position; None where nothing has to be, or no cure would.

    Args:
        deal: its envelope sets the policy and what a sale may lose.
        exposure: the position at the observed block.
        limits: the desk's limits.

    Source: RISK.md, I3, I6 and (c) and (d) of what "principal is preserved" means.
    """
    if exposure.position.debt == 0:
        return None
    ward = _Ward(deal, exposure, limits)
    return ward.repayment() if exposure.ltv_bps >= ward.act_at else ward.conversion()


def policy_of(deal: DealRecord, limits: RiskLimits) -> CurePolicy:
    """What was approved; in plans from before it was, what the desk's limits make of them."""
    envelope = deal.plan.envelope
    if envelope.cures is not None:
        return envelope.cures
    act_at = Bps(min(envelope.max_ltv, limits.max_ltv))
    target = repayment_target(envelope.opening_ltv, act_at, limits)
    return CurePolicy(act_at, target, limits.warn_cover_wad, LASTING_ROOM)


def is_emergency(deal: DealRecord, exposure: Exposure, limits: RiskLimits) -> bool:
    """Whether the next gap could leave the reserve unable to pay, or the venue free to liquidate.

    The reserve counts at the price of an emergency: as long as it pays even then, waiting for a
    better one risks nothing. Source: RISK.md, (c) and (d) of what "principal is preserved" means.
    """
    sheet = exposure.sheet(0)
    if sheet.debt == 0:
        return False
    stress = stress_of(deal, exposure, limits)
    deep = replace(stress, exit_slip=max(stress.exit_slip, deal.plan.envelope.deepest_slippage))
    is_thin = debt_cover(sheet, deep) < limits.min_cover_wad
    return is_thin or _stressed_health(exposure, limits) <= WAD


def _stressed_health(exposure: Exposure, limits: RiskLimits) -> int:
    sheet = exposure.sheet(0)
    left = mul_div(sheet.collateral, BPS - limits.gap, BPS)
    return health_factor(left, exposure.threshold, sheet.debt)


@dataclass(frozen=True, slots=True)
class _Ward:
    deal: DealRecord
    exposure: Exposure
    limits: RiskLimits

    @property
    def policy(self) -> CurePolicy:
        """What was approved."""
        return policy_of(self.deal, self.limits)

    @property
    def act_at(self) -> Bps:
        """The LTV from which on debt is repaid: a cap that was tightened since acts sooner."""
        return Bps(min(self.policy.act_ltv, self.limits.max_ltv))

    @property
    def target(self) -> Bps:
        """The LTV that a repayment restores."""
        return repayment_target(self.policy.target_ltv, self.act_at, self.limits)

    def repayment(self) -> RepayPart | None:
        sheet, held = self.exposure.sheet(0), self.exposure.position
        if _stressed_health(self.exposure, self.limits) <= WAD:
            return None  # the next fall could liquidate: all debt has to go (I6)
        wanted = self._units(repayment_to_restore(sheet.debt, sheet.collateral, self.target))
        room = mul_div(held.debt, INTEREST_ROOM_BPS, BPS, round_up=True)
        units = min(held.debt, wanted + room)
        return RepayPart(units) if self._can_raise(units - held.cash) else None

    def conversion(self) -> Convert | None:
        """Cash that is missing for all that is owed, once the reserve covers it too thinly."""
        sheet = self.exposure.sheet(0)
        stress = stress_of(self.deal, self.exposure, self.limits)
        due = owed(sheet.debt, stress)
        if due <= sheet.cash or debt_cover(sheet, stress) >= self.policy.convert_cover_wad:
            return None
        room = mul_div(due, self.policy.cash_room, BPS, round_up=True)
        units = self._units(Usd8(due - sheet.cash + room))
        return Convert(units) if self._can_raise(units) else None

    def _can_raise(self, units: int) -> bool:
        """Whether the reserve has the ether for `units` of cash at the worst price allowed."""
        exposure = self.exposure
        bound = Bound(
            exposure.eth_price,
            exposure.cash_price,
            exposure.cash_decimals,
            self.deal.plan.envelope.exit_slippage,
        )
        return bound.most_wei(max(0, units)) <= sellable_wei(self.deal, exposure.position)

    def _units(self, value: Usd8) -> int:
        one = 10**self.exposure.cash_decimals
        return mul_div(value, one, self.exposure.cash_price, round_up=True)
