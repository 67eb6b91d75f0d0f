"""What legs would break if they were sent now: an active breach, which is not signed; pure."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from holdfast.common.money import USD8, Usd8, mul_div
from holdfast.execution.breaches import anchor_of, exposure_of, facts_of
from holdfast.execution.moved import Moved, moved
from holdfast.execution.purchase_gate import bought_lot, lot_verdict
from holdfast.execution.restraint import adds_risk
from holdfast.risk.invariants import Facts, Lot, Moment, evaluate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from holdfast.common.evm import Address
    from holdfast.execution.breaches import Exposure
    from holdfast.execution.model import Move
    from holdfast.execution.observation import Seen
    from holdfast.execution.ports import Standing, TrackRecord
    from holdfast.execution.records import DealRecord
    from holdfast.model.leg import Leg
    from holdfast.model.plan import Terms
    from holdfast.risk.limits import RiskLimits
    from holdfast.risk.model import Check
    from holdfast.risk.tightening import InForce


@dataclass(frozen=True, slots=True)
class Foresight:
    """Looks ahead by the limits in force, and by the experience with the redemption desk."""

    standing: Standing
    record: TrackRecord
    desk: Address

    async def blocks(
        self, deal: DealRecord, move: Move, legs: Sequence[Leg], seen: Seen
    ) -> tuple[Check, ...]:
        """The hard rules that would not hold after `legs` of `move`; none where it adds no risk.

        Raises:
            Transient: when the database does not answer.
        """
        if not adds_risk(move):
            return ()
        in_force = await self.standing.in_force()
        is_proved = await self._is_proved(deal, legs, seen, in_force.limits.loss_budget)
        return would_break(deal, move, legs, seen=seen, in_force=in_force, is_gate_open=is_proved)

    async def _is_proved(
        self, deal: DealRecord, legs: Sequence[Leg], seen: Seen, budget: Usd8
    ) -> bool:
        """Whether experience opens the gate, asked only for a lot that needs it."""
        change = moved(legs, deal.plan.terms)
        if bought_lot(deal, change, seen).cost <= budget:
            return False
        trials = await self.record.trials(self.desk, deal.plan.terms.min_tokens.token)
        ask = partial(lot_verdict, deal, change, seen, trials=trials, budget=budget)
        return (await asyncio.to_thread(ask)).is_proved


def would_break(
    deal: DealRecord,
    move: Move,
    legs: Sequence[Leg],
    *,
    seen: Seen,
    in_force: InForce,
    is_gate_open: bool = False,
) -> tuple[Check, ...]:
    """The hard rules that would not hold after `legs` of `move`; none where it adds no risk.

    Of the limits that follow the market the token's share binds, which a purchase adds to. The loan
    keeps to what was approved for it.
    """
    if not adds_risk(move):
        return ()
    published = in_force.published
    narrowed = replace(published, max_exposure=in_force.limits.max_exposure)
    change = moved(legs, deal.plan.terms)
    facts = tuple(_facts(deal, change, seen, limits=published, is_gate_open=is_gate_open))
    found, usual = ([*_checks(facts, limits)] for limits in (narrowed, published))
    return tuple(check for check in in_force.told(found, usual) if check.is_violation)


def _checks(facts: Iterable[Facts], limits: RiskLimits) -> Iterator[Check]:
    for one in facts:
        yield from evaluate(one, limits, Moment.BEFORE_STEP)


def _facts(
    deal: DealRecord, change: Moved, seen: Seen, *, limits: RiskLimits, is_gate_open: bool
) -> Iterator[Facts]:
    then = replace(exposure_of(deal, seen), position=change.applied(seen.position))
    anchor = anchor_of(deal, seen.core, deal.plan.terms.split.core.units)
    yield replace(facts_of(deal, then, anchor, limits), prices=seen.prices)
    if change.spent:  # the deal's own smaller cap bounded the amount when it was sized
        lot = Lot(then.cash_value(change.spent), _largest_rung(deal.plan.terms), is_gate_open)
        yield replace(_bought(deal, then, lot.spend), max_exposure=limits.max_exposure, lot=lot)


def _bought(deal: DealRecord, then: Exposure, cost: Usd8) -> Facts:
    """The balance sheet with the tokens at what they cost. No gas was paid then: it counts back."""
    core, gas = deal.plan.terms.split.core.units, deal.plan.envelope.max_fee.units
    sheet = then.sheet(core)
    return Facts(
        sheet=replace(
            sheet,
            token_cost=cost,
            token_market=cost,
            reserve_eth=Usd8(sheet.reserve_eth + then.eth_value(gas)),
        )
    )


def _largest_rung(terms: Terms) -> Usd8:
    largest = max((rung.units for rung in terms.tranches), default=0)
    return Usd8(mul_div(largest, USD8, 10**terms.min_tokens.token.decimals))
