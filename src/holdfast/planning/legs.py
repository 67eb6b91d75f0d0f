"""The calls a deal makes, in order, as they are shown to whoever approves them; pure.

Execution builds its own calls when their time comes; each must be one of these kinds, to the same
target, selector and recipient (`envelope`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from holdfast.common.money import TokenAmount
from holdfast.model.deal import Step
from holdfast.model.plan import Terms
from holdfast.planning.leg_writer import LegWriter
from holdfast.planning.model import PlannedLeg, Setting


def planned_legs(terms: Terms, setting: Setting) -> tuple[PlannedLeg, ...]:
    """Every call of the deal from funding to return, then those that only the way home may need."""
    author = _Author(terms, setting)
    fallback = (replace(leg, is_fallback=True) for leg in author.fallback())
    return (*author.planned(), *fallback)


@dataclass(frozen=True, slots=True)
class _Author:
    terms: Terms
    setting: Setting

    def planned(self) -> Iterator[PlannedLeg]:
        """The undisturbed deal."""
        yield self._at(Step.SPLIT).fund(self.terms.split.moved)
        yield from self._liquidity(self._at(Step.LIQUIDITY))
        yield from self._sale(self._at(Step.PURCHASE))
        yield from self._lots() if self.terms.lots else self._once()
        yield from self._close(self._at(Step.CLOSE))

    def fallback(self) -> Iterator[PlannedLeg]:
        """What a freeze or a refusal adds: sell the reserve, revoke, hand the claim over."""
        write, venues, terms = self._at(Step.CLOSE), self.setting.venues, self.terms
        bucket = terms.split.bucket
        if terms.borrow.units and bucket.units:
            yield write.wrap(bucket)
            yield write.approve(venues.weth_token, venues.router.address, bucket)
            yield write.buy_back(terms.borrow, bucket)
        for token, spender in (
            (venues.weth_token, venues.aave.address),
            (venues.weth_token, venues.router.address),
            (venues.usdt, venues.aave.address),
            (venues.usdt, venues.router.address),
            (venues.usdtz, venues.desk.address),
        ):
            yield write.revoke(token, spender)
        yield write.return_token(venues.usdtz, terms.min_tokens, "the claim's tokens")

    def _liquidity(self, write: LegWriter) -> Iterator[PlannedLeg]:
        venues, working = self.setting.venues, self.terms.split.working
        yield write.wrap(working)
        yield write.approve(venues.weth_token, venues.aave.address, working)
        yield write.supply(working)
        if self.terms.borrow.units:
            yield write.borrow(self.terms.borrow)

    def _sale(self, write: LegWriter) -> Iterator[PlannedLeg]:
        venues, terms = self.setting.venues, self.terms
        if terms.bucket_sale_min.units:
            yield write.wrap(terms.bucket_sale)
            yield write.approve(venues.weth_token, venues.router.address, terms.bucket_sale)
            yield write.sell(venues.sell_eth, terms.bucket_sale, terms.bucket_sale_min)

    def _once(self) -> Iterator[PlannedLeg]:
        """All is bought at once, then redeemed rung by rung."""
        if self.terms.min_tokens.units:
            yield from self._purchase(self.terms.spend, self.terms.min_tokens)
        for rung in self.terms.tranches:
            yield from self._monetisation(rung)

    def _lots(self) -> Iterator[PlannedLeg]:
        """Each lot is bought and redeemed before the next."""
        for lot, rung in zip(self.terms.lots, self.terms.tranches, strict=True):
            yield from self._purchase(lot, rung)
            yield from self._monetisation(rung)

    def _purchase(self, spend: TokenAmount, least: TokenAmount) -> Iterator[PlannedLeg]:
        write, venues = self._at(Step.PURCHASE), self.setting.venues
        yield write.approve(venues.usdt, venues.router.address, spend)
        yield write.sell(venues.buy_usdtz, spend, least)

    def _monetisation(self, rung: TokenAmount) -> Iterator[PlannedLeg]:
        write, venues = self._at(Step.MONETISATION), self.setting.venues
        yield write.approve(venues.usdtz, venues.desk.address, rung)
        yield write.request(rung)
        yield write.claim(rung)

    def _close(self, write: LegWriter) -> Iterator[PlannedLeg]:
        venues, terms = self.setting.venues, self.terms
        if terms.borrow.units:
            yield write.approve(venues.usdt, venues.aave.address, terms.borrow)
            yield write.repay()
        yield write.withdraw()
        yield write.unwrap(terms.split.working)
        yield write.return_token(venues.usdt, terms.spend, "all cash")
        yield write.return_native(terms.split.moved)

    def _at(self, step: Step) -> LegWriter:
        setting = self.setting
        deadline = setting.market.at.timestamp + setting.policy.validity_seconds
        return LegWriter(step, setting.venues, setting.accounts, deadline)
