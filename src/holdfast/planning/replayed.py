"""The deal of a plan's report, as a replay takes it: its own size at history's prices; pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from holdfast.common.errors import Rejected
from holdfast.common.money import BPS, USD8, WAD, Bps, Usd8, mul_div
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Position, Stress
from holdfast.risk.replay_model import ReplayDeal, standard_deal

if TYPE_CHECKING:
    from collections.abc import Mapping

_CASH_UNIT = 10**6  # base units of the debt currency, USDT


def replay_deal(report: Mapping[str, Any]) -> ReplayDeal:
    """The deal that `holdfast deal plan --json` shows, just after its purchase.

    What `deal run --json` and `deal show --json` print has the same under `plan`.

    Raises:
        Rejected: `replay.plan` when it is no such report.
    """
    try:
        return _Report(report.get("plan", report)).deal()
    except (AttributeError, KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise Rejected(
            "replay.plan",
            "the file is not what `holdfast deal plan --json` prints, whole and unchanged",
        ) from error


@dataclass(frozen=True, slots=True)
class _Report:
    report: Mapping[str, Any]

    def deal(self) -> ReplayDeal:
        """The deal after its purchase, in dollars of the plan's prices."""
        request = self.report["request"]
        position = self._position()
        return ReplayDeal(
            position=position,
            stress=self._stress(),
            committed=Usd8(sum(self._part(name) for name in ("core", "working", "bucket"))),
            rate_ray=_ray(self.report["quotes"]["borrow_rate_percent"]["after_the_loan"]),
            target_ltv=_bps(request["opening_ltv_percent"]),
            threshold=self._threshold(position.debt),
        )

    def _position(self) -> Position:
        costs, terms = self.report["costs"], self.report["terms"]
        spend = self._cash("spend")
        sold = mul_div(int(terms["bucket_sale"]["units"]), self._eth_price(), WAD)
        lost = _usd(costs["purchase_fee_usd"]) + _usd(costs["purchase_impact_usd"])
        return Position(
            core=self._part("core"),
            collateral=self._part("working"),
            reserve_eth=Usd8(self._part("bucket") - sold),
            cash=Usd8(self._cash("borrow") + self._cash("bucket_sale_min") - spend),
            debt=self._cash("borrow"),
            token_cost=spend,
            token_market=Usd8(spend - lost),
        )

    def _stress(self) -> Stress:
        costs = self.report["costs"]
        return Stress(
            gap=RiskLimits().gap,
            exit_slip=self._exit_slip(),
            apr_ray=_ray(self.report["quotes"]["borrow_rate_percent"]["stressed"]),
            days=int(self.report["request"]["horizon_days"]),
            costs=_usd(costs["gas_at_most_usd"]),
        )

    def _exit_slip(self) -> Bps:
        """What selling bucket ETH loses, from what the plan reckons that paying the debt would."""
        costs = self.report["costs"]
        lost = _usd(costs["exit_sale_if_token_fails_usd"])
        if lost == 0:  # cash alone pays
            return _bps(self.report["limits"]["exit_slippage_percent"])
        due = self._cash("borrow") + _usd(costs["interest_stressed_usd"])
        missing = due + _usd(costs["gas_at_most_usd"]) - self._position().cash
        return Bps(round(lost * BPS / (missing + lost)))

    def _threshold(self, debt: Usd8) -> Bps:
        """The venue's liquidation threshold, from the liquidation price D / (q LT)."""
        price = self.report["outlook"]["liquidation_eth_price_usd"]
        if price is None:  # nothing is owed, so nothing depends on it
            return standard_deal().threshold
        collateral = int(self.report["split"]["working"]["units"])
        return Bps(round(debt * WAD * BPS / (collateral * _usd(price))))

    def _part(self, name: str) -> Usd8:
        return _usd(self.report["split"][name]["usd"])

    def _cash(self, name: str) -> Usd8:
        units = int(self.report["terms"][name]["units"])
        return Usd8(mul_div(units, _usd(self.report["prices"]["usdt_usd"]), _CASH_UNIT))

    def _eth_price(self) -> Usd8:
        return _usd(self.report["prices"]["eth_usd"])


def _usd(text: str) -> Usd8:
    return Usd8(int(Decimal(text) * USD8))


def _bps(text: str) -> Bps:
    return Bps(int(Decimal(text) * 100))


def _ray(text: str) -> int:
    return int(Decimal(text) * 10**25)
