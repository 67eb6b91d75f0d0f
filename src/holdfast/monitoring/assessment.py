"""What one look at the book means: for each deal and for what deals share; pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.common.money import BPS, USD8, WAD, Usd8, mul_div
from holdfast.execution.cures import policy_of
from holdfast.execution.pressure import asked, pressure_on
from holdfast.monitoring.ticks import State
from holdfast.risk.invariants import (
    Anchor,
    Facts,
    Lending,
    Moment,
    Reaction,
    evaluate,
    reaction,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.common.evm import Address
    from holdfast.execution.book import Book
    from holdfast.execution.book_rows import BookRow
    from holdfast.execution.market import Market
    from holdfast.execution.observation import CoreSeen
    from holdfast.risk.limits import RiskLimits
    from holdfast.risk.market import RiskMarket
    from holdfast.risk.model import Check

ACTS: Final = frozenset({Reaction.CURE_REPAY, Reaction.CURE_CONVERT, Reaction.HOLD})
"""Where none of these fails, and no cure is near by the approved policy, a deal does nothing by
itself: what it would do need not be asked."""

_SHARES: Final = ("I6.ltv", "I3.debt_cover", "I4.exposure", "I4.freeze_exposure")


@dataclass(frozen=True, slots=True)
class Assessed:
    """One deal at one tick: the checks that fail, and its shares of interest.

    `ltv`, `exposure` and `freeze_exposure` are bps, `cover` is the debt cover in WAD.
    """

    row: BookRow
    failed: tuple[Check, ...]
    state: State
    ltv: int
    cover: int
    exposure: int
    freeze_exposure: int

    @property
    def is_to_be_woken(self) -> bool:
        """Whether the deal would do something; one whose legs are under way is woken by them."""
        return self.state is State.DUE and self.row.deal.group_id is None

    def column_values(self) -> tuple[int, ...]:
        """The deal as a row of `ticks.COLUMNS`."""
        sheet = self.row.exposed.position
        dollars = (
            *(sheet.core, sheet.collateral, sheet.reserve_eth, sheet.cash, sheet.debt),
            *(sheet.token_cost, sheet.token_market),
        )
        return (
            *(self.row.deal.deal_number, self.state, self.ltv, self.cover * BPS // WAD),
            *(self.exposure, self.freeze_exposure),
            *((value + USD8 // 2) // USD8 for value in dollars),
        )


def assess(
    row: BookRow, market: Market, limits: RiskLimits, shared: Sequence[Check] = ()
) -> Assessed:
    """One deal against every rule that is asked on a tick.

    It is due exactly where it would act itself, by the function that it decides with. A rule that
    fails is told all the same where the deal has nothing to do for it, as when its cash covers.

    Args:
        row: the deal.
        market: of its block.
        limits: what it is held to; its own plan's are in the row.
        shared: checks of what it shares with other deals, such as its anchor, that fail.
    """
    checks = evaluate(_facts(row, market.eth_price), limits, Moment.TICK)
    values = {check.code: check.value for check in checks}
    failed = tuple(check for check in checks if not check.ok)
    ltv, cover, exposure, freeze_exposure = (values[code] for code in _SHARES)
    all_failed = [*failed, *shared]
    fails = any(reaction(one, Moment.TICK) in ACTS for one in all_failed)
    may_act = fails or row.is_core_gone or _is_near_a_cure(row, limits, ltv, cover)
    is_due = may_act and _acts(row, market, limits)
    return Assessed(
        row=row,
        failed=failed,
        state=State.DUE if is_due else State.WARNED if all_failed else State.CALM,
        ltv=ltv,
        cover=cover,
        exposure=exposure,
        freeze_exposure=freeze_exposure,
    )


def anchors(book: Book) -> dict[Address, Anchor]:
    """The facts of each core address, for all deals that share it."""
    shared: Counter[Address] = Counter()
    cores: dict[Address, CoreSeen] = {}
    for row in book.rows:
        accounts = row.deal.plan.accounts
        cores[accounts.core] = row.core
        shared[accounts.core] += (accounts.deal, accounts.float).count(accounts.core)
    booked = book.booked_core
    return {
        address: Anchor(
            balance_wei=core.balance_wei,
            booked_wei=booked[address],
            allowances=core.allowances,
            debt=core.debt,
            collateral=core.collateral,
            shared_with=shared[address],
        )
        for address, core in cores.items()
    }


def failures(facts: Facts, limits: RiskLimits) -> tuple[Check, ...]:
    """The checks of `facts` that fail on a tick."""
    return tuple(one for one in evaluate(facts, limits, Moment.TICK) if not one.ok)


def price_facts(market: RiskMarket) -> Facts:
    """What I10 looks at; where blocks are made on demand, their age says nothing of the node."""
    return Facts(prices=market.sources.facts(market.lag_seconds or None))


def _facts(row: BookRow, eth_price: Usd8) -> Facts:
    envelope, held, exposed = row.deal.plan.envelope, row.position, row.exposed
    in_desk = held.queued + held.claimable
    decimals = envelope.terms.min_tokens.token.decimals
    return Facts(
        sheet=exposed.position,
        stress=exposed.stress,
        gas_reserve=Usd8(mul_div(envelope.terms.gas_reserve.units, eth_price, WAD)),
        max_exposure=envelope.max_exposure,
        # Between the leg that gives one and the leg that uses it, an allowance is left by nobody.
        allowances=row.allowances if row.deal.group_id is None else None,
        lending=Lending(most=envelope.max_ltv, threshold=exposed.threshold),
        in_redemption=Usd8(mul_div(in_desk, USD8, 10**decimals)),
        mismatch=row.missing,
    )


def _is_near_a_cure(row: BookRow, limits: RiskLimits, ltv: int, cover: int) -> bool:
    policy = policy_of(row.deal, limits)
    return ltv >= min(policy.act_ltv, limits.max_ltv) or cover < policy.convert_cover_wad


def _acts(row: BookRow, market: Market, limits: RiskLimits) -> bool:
    """Whether the deal, were it woken, would cure itself or go home."""
    pressure = pressure_on(
        row.deal,
        row.exposure,
        row.core,
        limits=limits,
        is_price_stale=market.is_price_stale(limits),
    )
    return asked(row.deal.status, row.deal.hold_reason, row.position, pressure) is not None
