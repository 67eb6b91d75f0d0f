"""What a drafted deal needs of the venues and of the funding address; pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.common.money import BPS, Bps, TokenAmount, mul_div
from holdfast.planning.costs import par_value, spent
from holdfast.planning.model import Draft, Setting
from holdfast.risk.checks import at_least, at_most, none_of
from holdfast.risk.model import Check, Severity, Unit

TRANSFER_GAS = 21_000
"""Gas of a plain transfer. Source: Ethereum yellow paper, G_transaction."""


def market_checks(draft: Draft, setting: Setting) -> tuple[Check, ...]:
    """The rules of the exchange, the desk, the lending venue, the code, and the funds."""
    rules = _Rules(draft, setting)
    return (
        *rules.exchange(),
        *rules.desk(),
        *rules.lending(),
        rules.code(),
        *rules.funds(),
    )


@dataclass(frozen=True, slots=True)
class _Rules:
    draft: Draft
    setting: Setting

    def exchange(self) -> Iterator[Check]:
        """The discount is worth it, and neither pool is too shallow for its trade."""
        market, draft = self.setting.market, self.draft
        yield at_least(
            "market.discount",
            self.setting.policy.limits.min_discount,
            self._discount(),
            "discount to par that the purchase gets, fee and impact included",
        )
        yield at_most(
            "market.purchase_impact",
            draft.request.slippage,
            draft.purchase.price_impact(market.purchase_pool.fee_pips),
            "price impact of the purchase; above the limit the pool is too shallow",
        )
        yield at_most(
            "market.sale_impact",
            draft.request.slippage,
            draft.sale.price_impact(market.sale_pool.fee_pips),
            "price impact of the bucket's sale; above the limit the pool is too shallow",
        )

    def desk(self) -> Iterator[Check]:
        """The desk is open; that it holds less cash than asked only delays the profit."""
        market = self.setting.market
        yield none_of("market.desk_frozen", int(market.desk.is_frozen), "frozen redemption desks")
        yield at_least(
            "market.desk_cash",
            par_value(self.draft.purchase.amount_out, market),
            market.prices.cash_value(market.desk.cash),
            "cash that the redemption desk holds",
            unit=Unit.USD8,
            severity=Severity.WARN,
        )

    def lending(self) -> Iterator[Check]:
        """The lending venue takes the collateral and lends what is asked."""
        market, terms = self.setting.market, self.draft.terms
        loan, collateral = market.loan, market.collateral
        closed = (not collateral.is_open) + (not loan.is_open and terms.borrow.units > 0)
        yield none_of("market.venue_closed", closed, "reserves closed at the lending venue")
        yield at_most(
            "market.venue_ltv",
            collateral.venue_ltv,
            self.draft.request.opening_ltv,
            "opening LTV against what the lending venue allows",
        )
        yield self._within("market.available", loan.available, terms.borrow.units, "the loan")
        if loan.borrow_cap:
            lent = loan.total_debt + terms.borrow.units
            what = "all loans of the venue with this one"
            yield self._within("market.borrow_cap", loan.borrow_cap, lent, what)
        if collateral.supply_cap:
            yield at_most(
                "market.supply_cap",
                collateral.supply_cap,
                collateral.supplied + terms.split.working.units,
                "all collateral of the venue with this one",
                unit=Unit.WEI,
            )

    def code(self) -> Check:
        """Every contract the deal calls has the code that was pinned."""
        market = self.setting.market
        changed = sum(
            not found or market.pinned_code.get(contract, found) != found
            for contract, found in market.code.items()
        )
        return none_of("market.code", changed, "contracts without code or with another than pinned")

    def funds(self) -> Iterator[Check]:
        """The float can pay for the deal, the bucket for the gas, and something is bought."""
        market, terms = self.setting.market, self.draft.terms
        yield at_least(
            "funds.float",
            terms.split.moved.units + TRANSFER_GAS * market.gas.ceiling_wei,
            market.float_wei,
            "held by the float, for working liquidity, bucket and the gas to move them",
            unit=Unit.WEI,
        )
        yield at_most(
            "funds.gas_reserve",
            terms.split.bucket.units,
            terms.gas_reserve.units,
            "kept for gas, out of the bucket; the deal is too small when it is more",
            unit=Unit.WEI,
        )
        yield at_least(
            "funds.nothing_to_buy",
            1,
            min(terms.spend.units, terms.min_tokens.units),
            "base units spent on the token and bought; borrow funding needs a loan",
            unit=Unit.BASE_UNITS,
        )

    def _discount(self) -> Bps:
        market = self.setting.market
        par = par_value(self.draft.purchase.amount_out, market)
        if par == 0:
            return Bps(0)
        return Bps(BPS - mul_div(spent(self.draft.terms, market), BPS, par, round_up=True))

    def _within(self, code: str, limit: int, value: int, what: str) -> Check:
        """A check of two amounts of the debt currency in base units, shown in dollars."""
        value_of = self.setting.market.prices.cash_value
        cash = self.setting.market.tokens.cash
        most, asked = (value_of(TokenAmount(cash, units)) for units in (limit, value))
        return at_most(code, most, asked, what, unit=Unit.USD8)
