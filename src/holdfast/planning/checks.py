"""The invariants that a drafted deal is held to: I1 to I8, and the freshness of I10; pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.common.money import BPS, Bps, Usd8, mul_div
from holdfast.planning.costs import face_value
from holdfast.planning.envelope import missing_home, token_at_venue
from holdfast.planning.market_checks import market_checks
from holdfast.planning.model import Draft, Setting
from holdfast.risk import invariants
from holdfast.risk.invariants import Anchor
from holdfast.risk.model import Check


def checks(draft: Draft, setting: Setting) -> tuple[Check, ...]:
    """All rules: the invariants, then those of the market and the funds."""
    return (*_Invariants(draft, setting).all(), *market_checks(draft, setting))


@dataclass(frozen=True, slots=True)
class _Invariants:
    draft: Draft
    setting: Setting

    def all(self) -> Iterator[Check]:
        """I1 to I8 and I10; I9, conservation, is the ledger's."""
        yield from invariants.anchor(self._anchor())
        yield from self._debt_and_spending()
        yield self._unleveraged()
        yield from invariants.leverage(
            self.draft.after,
            opening=self.draft.request.opening_ltv,
            most=self.draft.request.max_ltv,
            threshold=self.setting.market.collateral.threshold,
            limits=self.setting.policy.limits,
        )
        yield invariants.independent(missing_home(self.draft))
        yield from self._progressive()
        yield from self._fresh()

    def _anchor(self) -> Anchor:
        accounts, state = self.setting.accounts, self.setting.market.anchor
        return Anchor(
            balance_wei=state.balance_wei,
            booked_wei=self.setting.booked_core_wei + self.draft.terms.split.core.units,
            allowances=state.allowances,
            debt=state.debt,
            collateral=state.collateral,
            shared_with=(accounts.float, accounts.deal).count(accounts.core),
        )

    def _debt_and_spending(self) -> Iterator[Check]:
        draft, limits = self.draft, self.setting.policy.limits
        value = self.setting.market.prices.eth_value
        gas_reserve = value(draft.terms.gas_reserve.units)
        yield invariants.one_way(draft.after, draft.stress, gas_reserve)
        yield from invariants.covered(draft.after, draft.stress, limits)
        bucket = value(draft.terms.split.bucket.units)
        yield invariants.spending(draft.terms.funding, draft.after, bucket, draft.costs.charges)
        exposure = min(draft.request.max_exposure, limits.max_exposure)
        yield from invariants.exposure(draft.after, Bps(exposure))

    def _unleveraged(self) -> Check:
        venues = self.setting.venues
        found = token_at_venue(self.draft.legs, venues.usdtz.address, venues.aave.address)
        return invariants.unleveraged(found)

    def _progressive(self) -> Iterator[Check]:
        purchase, terms = self.draft.purchase, self.draft.terms
        surplus = purchase.amount_out - terms.min_tokens
        rungs = [face_value(rung) for rung in terms.tranches]
        if rungs:
            rungs[-1] = face_value(terms.tranches[-1] + surplus)
        yield from invariants.progressive(
            self.draft.after.token_cost,
            max(rungs, default=Usd8(0)),
            self.setting.policy.limits,
            is_gate_open=self.draft.gate.is_proved,
        )

    def _fresh(self) -> Iterator[Check]:
        market = self.setting.market
        age = market.at.timestamp - market.oracle_updated_at
        yield from invariants.fresh(age, self._deviation(), self.setting.policy.limits)

    def _deviation(self) -> Bps:
        """How far the pool's price of ETH is from the oracle's; 0 when nothing was quoted."""
        prices = self.setting.market.prices
        if not self.setting.market.sales:
            return Bps(0)
        quote = self.setting.market.sales[0]
        fair = prices.eth_value(quote.amount_in.units)
        apart = abs(fair - prices.cash_value(quote.spot_out))
        return Bps(mul_div(apart, BPS, fair, round_up=True)) if fair else Bps(0)
