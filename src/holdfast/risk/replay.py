"""A deal through real history, bar by bar: what a monitor sees and does, in integers; pure.

The deal opens at the first bar's close. In every later bar the price first jumps to the low, where
liquidators come before the desk, and then to the close; the desk looks at both points and nowhere
between them, so the real monitor, which looks every few seconds, does better. A bar's high would
only lower the LTV and is left out. The debt currency stays at its par, interest is the plan's, and
the token is neither sold nor redeemed, as if redemption were frozen all along.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from holdfast.common.errors import Rejected
from holdfast.common.money import WAD, Bps, Usd8
from holdfast.protocols.aave_v3.math import health_factor
from holdfast.risk.formulas import ltv, repayment_to_restore
from holdfast.risk.limits import RiskLimits
from holdfast.risk.replay_books import (
    Books,
    accrued,
    balance_sheet,
    liquidated,
    opened,
    repaid,
    sold_for,
    usd_of,
    wei_of,
)
from holdfast.risk.replay_model import (
    ACTION_GAS,
    Action,
    ActionKind,
    Bar,
    Hour,
    Replay,
    ReplayDeal,
    Result,
)
from holdfast.risk.reserve import debt_cover, loss_bound, owed, reserve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from holdfast.risk.model import Position


@dataclass(frozen=True, slots=True)
class Rules:
    """What the replayed desk acts on; one that is not `attended` only watches."""

    limits: RiskLimits = field(default_factory=RiskLimits)
    attended: bool = True


def replay(
    deal: ReplayDeal,
    bars: Sequence[Bar],
    rules: Rules | None = None,
    along: Callable[[Sequence[Bar]], Iterable[Bar]] = iter,
) -> Replay:
    """What becomes of `deal` over `bars`, which are in order of time.

    `along` hands them on one by one, and may tell how far it is.

    Raises:
        Rejected: `replay.too_short` under two bars.
    """
    if len(bars) < 2:
        raise Rejected("replay.too_short", "a replay needs two bars at least", value=len(bars))
    run = _Run(deal, rules or Rules(), bars[0])
    for bar in along(bars[1:]):
        run.through(bar)
    interval = min(bars[i].start - bars[i - 1].start for i in range(1, len(bars)))
    return Replay(deal, interval, tuple(run.hours), tuple(run.actions), run.result())


@dataclass(frozen=True, slots=True)
class _Look:
    """What a monitor finds at one price."""

    at: int
    price: Usd8
    ltv: Bps
    health_wad: int
    cover_wad: int


class _Run:
    """One pass over the bars."""

    def __init__(self, deal: ReplayDeal, rules: Rules, first: Bar) -> None:
        self._deal, self._rules, self._first, self._bar = deal, rules, first, first
        self._books = self._opened = opened(deal, first.close)
        self._is_warned = False
        self._sheet: tuple[Books, Bar, Usd8, Position] | None = None
        self.actions: list[Action] = []
        self.hours: list[Hour] = []
        self._record(self._looked(first.close))

    def through(self, bar: Bar) -> None:
        """One bar: interest since the last one, the low, the close."""
        self._books = accrued(self._books, self._deal.rate_ray, self._bar.start, bar.start)
        self._bar = bar
        self._record(*(self._handled(price) for price in dict.fromkeys((bar.low, bar.close))))

    def result(self) -> Result:
        """What has come of it at the last close."""
        deal, books, price = self._deal, self._books, self._bar.close
        position = balance_sheet(books, deal, price, self._bar.token_wad)
        gas = usd_of(books.gas_wei, price)
        held = wei_of(deal.committed, self._first.close)
        left_before = deal.committed - usd_of(self._opened.eth_wei, self._first.close)
        opening_cost = Usd8(deal.committed - deal.position.freeze_nav - deal.position.token_cost)
        return Result(
            nav=Usd8(position.nav - gas),
            untraded=usd_of(held, price),
            token=position.token_market - position.token_cost,
            opening_cost=opening_cost,
            interest=Usd8(books.interest),
            exit_cost=Usd8(books.exit_cost),
            penalty=Usd8(books.penalty),
            gas=gas,
            forgone=usd_of(held - books.eth_wei, price) - left_before - books.sold - books.seized,
            spend=position.token_cost,
            bound=loss_bound(deal.position, deal.stress, opening_cost),
            principal_whole=self._is_whole(price),
        )

    def _is_whole(self, price: Usd8) -> bool:
        """Whether everything could be repaid now, from the reserve, at this very price."""
        position = balance_sheet(self._books, self._deal, price, 0)
        now = replace(self._deal.stress, gap=Bps(0), days=0)
        can_repay = position.debt == 0 or reserve(position, now) >= owed(position.debt, now)
        return can_repay and self._books.collateral_wei == self._opened.collateral_wei

    def _handled(self, price: Usd8) -> _Look:
        """What a monitor finds at `price`; then liquidators act, then the desk."""
        found = now = self._looked(price)
        if found.health_wad < WAD:
            now = self._act(ActionKind.LIQUIDATED, now, liquidated(self._books, self._deal, price))
        self._warn(now)
        if self._rules.attended:
            self._convert(self._repay(now))
        return found

    def _warn(self, found: _Look) -> None:
        """Say so once when the LTV passes the warning, and again after it has been under it."""
        is_high = found.ltv > self._rules.limits.warn_ltv
        if is_high and not self._is_warned:
            books = self._books
            self.actions.append(_action(ActionKind.WARNED, found, found, before=books, after=books))
        self._is_warned = is_high

    def _repay(self, found: _Look) -> _Look:
        """Over the cap, repay to the LTV that the deal opened at (I6); what is found then."""
        if found.ltv <= self._rules.limits.max_ltv:
            return found
        collateral = usd_of(self._books.collateral_wei, found.price)
        amount = repayment_to_restore(Usd8(self._books.debt), collateral, self._deal.target_ltv)
        slip = self._deal.stress.exit_slip
        return self._act(ActionKind.REPAID, found, repaid(self._books, amount, found.price, slip))

    def _convert(self, found: _Look) -> None:
        """With the cover under its warning, sell bucket ETH until cash alone pays (I3)."""
        if self._books.debt == 0 or found.cover_wad >= self._rules.limits.warn_cover_wad:
            return
        stress = self._deal.stress
        missing = owed(Usd8(self._books.debt), stress) - self._books.cash
        if missing > 0:
            after = sold_for(self._books, Usd8(missing), found.price, stress.exit_slip)
            self._act(ActionKind.CONVERTED, found, after)

    def _act(self, kind: ActionKind, found: _Look, after: Books) -> _Look:
        """Let the books become `after`, which costs gas unless it is the liquidators'."""
        before = self._books
        if after == before:  # nothing is left to act with
            return found
        if kind is not ActionKind.LIQUIDATED:
            after = replace(after, gas_wei=after.gas_wei + ACTION_GAS * self._bar.gas_wei)
        self._books = after
        now = self._looked(found.price)
        self.actions.append(_action(kind, found, now, before=before, after=after))
        return now

    def _looked(self, price: Usd8) -> _Look:
        position = self._position(price)
        return _Look(
            at=self._bar.start,
            price=price,
            ltv=ltv(position.debt, position.collateral),
            health_wad=health_factor(position.collateral, self._deal.threshold, position.debt),
            cover_wad=debt_cover(position, self._deal.stress),
        )

    def _position(self, price: Usd8) -> Position:
        """The balance sheet at `price`; most bars ask for the same one twice."""
        books, bar, last = self._books, self._bar, self._sheet
        if last is not None and last[0] is books and last[1] is bar and last[2] == price:
            return last[3]
        made = balance_sheet(books, self._deal, price, bar.token_wad)
        self._sheet = (books, bar, price, made)
        return made

    def _record(self, *looks: _Look) -> None:
        """The worst of the bar, and the books at its end."""
        books, bar = self._books, self._bar
        position = self._position(bar.close)
        self.hours.append(
            Hour(
                start=bar.start,
                low=bar.low,
                close=bar.close,
                ltv=max(look.ltv for look in looks),
                health_wad=min(look.health_wad for look in looks),
                cover_wad=min(look.cover_wad for look in looks),
                debt=position.debt,
                cash=position.cash,
                bucket_wei=books.bucket_wei,
                nav=Usd8(position.nav - usd_of(books.gas_wei, bar.close)),
            )
        )


def _action(kind: ActionKind, found: _Look, now: _Look, *, before: Books, after: Books) -> Action:
    return Action(
        at=found.at,
        kind=kind,
        price=found.price,
        ltv_before=found.ltv,
        ltv_after=now.ltv,
        cover_before=found.cover_wad,
        cover_after=now.cover_wad,
        repaid=Usd8(before.debt - after.debt),
        sold_wei=before.bucket_wei - after.bucket_wei,
        seized_wei=before.collateral_wei - after.collateral_wei,
    )
