"""What a move would break if it were made now: an active breach, which is not made at all; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.common.money import Usd8
from holdfast.execution.breaches import anchor_of, exposure_of, facts_of
from holdfast.execution.model import Open, Purchase, Send, Wait, WaitFor
from holdfast.execution.restraint import adds_risk
from holdfast.risk.invariants import Facts, Moment, evaluate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.execution.breaches import Exposure
    from holdfast.execution.model import Move, Position
    from holdfast.execution.observation import Seen
    from holdfast.execution.records import DealRecord
    from holdfast.execution.script import Script
    from holdfast.model.plan import Terms
    from holdfast.risk.limits import RiskLimits


def foreseen(script: Script, seen: Seen, limits: RiskLimits) -> tuple[Script, tuple[str, ...]]:
    """`script` without a move that would break a hard rule, and the codes it would break."""
    outcome = script.outcome
    if not isinstance(outcome, Send):
        return script, ()
    codes = would_break(script.deal, outcome.move, seen, limits)
    return (replace(script, outcome=Wait(WaitFor.LIMITS)), codes) if codes else (script, ())


def would_break(deal: DealRecord, move: Move, seen: Seen, limits: RiskLimits) -> tuple[str, ...]:
    """The hard rules that would not hold right after `move`; none for one that adds no risk."""
    if not adds_risk(move):
        return ()
    found = _facts(deal, move, seen, limits)
    checks = [check for facts in found for check in evaluate(facts, limits, Moment.BEFORE_STEP)]
    return tuple(check.code for check in checks if check.is_violation)


def after(position: Position, move: Move, terms: Terms) -> Position:
    """The position right after `move`, were a sale to bring no more than the plan lets it."""
    match move:
        case Open(borrow):
            locked = max(0, terms.split.working.units - position.collateral)
            loan = terms.borrow.units if borrow else 0
            return replace(
                _without(position, locked, 0),
                collateral=position.collateral + locked,
                cash=position.cash + loan,
                debt=position.debt + loan,
            )
        case Purchase(sell_bucket):
            sold, brings = (0, 0)
            if sell_bucket:
                sold, brings = terms.bucket_sale.units, terms.bucket_sale_min.units
            return _without(position, sold, terms.spend.units - brings)
        case _:
            return position


def _without(position: Position, wei: int, cash: int) -> Position:
    """`position` with so much less ether, wrapped or not, and so much less cash."""
    native = max(position.native - wei, -position.weth)
    return replace(position, native=native, cash=max(0, position.cash - cash))


def _facts(deal: DealRecord, move: Move, seen: Seen, limits: RiskLimits) -> Iterator[Facts]:
    terms = deal.plan.terms
    then = replace(exposure_of(deal, seen), position=after(seen.position, move, terms))
    anchor = anchor_of(deal, seen.core, terms.split.core.units)
    yield facts_of(deal, then, anchor, limits)
    if isinstance(move, Purchase):
        yield _bought(deal, then, seen, limits)


def _bought(deal: DealRecord, then: Exposure, seen: Seen, limits: RiskLimits) -> Facts:
    """I4 with all tokens of the plan held, at what they cost.

    Against the desk's own cap: the deal's smaller one bounded the amount when it was sized, and a
    price that moved by a hair since must not stop it. No gas was paid then: it is counted back.
    """
    sheet = then.sheet(seen.core.balance_wei)
    cost = then.cash_value(deal.plan.terms.spend.units)
    gas = then.eth_value(deal.plan.envelope.max_fee.units)
    bought = replace(
        sheet, token_cost=cost, token_market=cost, reserve_eth=Usd8(sheet.reserve_eth + gas)
    )
    return Facts(sheet=bought, max_exposure=limits.max_exposure)
