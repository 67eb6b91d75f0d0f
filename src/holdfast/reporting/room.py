"""How much of each cap the open deals take, and how the market moved the limits; pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.common.money import BPS, Bps, Usd8
from holdfast.model.deal import DealStatus
from holdfast.reporting.tables import Column, Kind, Table
from holdfast.risk.dynamic import effective

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from holdfast.reporting.facts import DealRow, Facts, LimitChange
    from holdfast.reporting.tables import Value
    from holdfast.risk.limits import RiskLimits

_OPEN: Final = {
    DealStatus.APPROVED, DealStatus.EXECUTING, DealStatus.HOLDING, DealStatus.CLOSING,
}  # fmt: skip
"""What counts against the caps (`risk.caps`)."""

_ROOM: Final = (
    Column("cap", Kind.TEXT, "which cap"),
    Column("of", Kind.TEXT, "whose"),
    Column("used_usd", Kind.USD, "dollars of ETH that its open deals committed when planned"),
    Column("limit_usd", Kind.USD, "the published cap"),
    Column("in_force_usd", Kind.USD, "what a new deal was held to at the end of the report"),
    Column("used_percent", Kind.PERCENT, "used, of what is in force; over 100 nothing is added"),
    Column("within", Kind.FLAG, "whether it is within the published cap"),
)
_CHANGES: Final = (
    Column("at", Kind.TIME, "the time of the block that called for it"),
    Column("chain", Kind.TEXT, "the chain"),
    Column("before_percent", Kind.PERCENT, "share of the published limits before"),
    Column("after_percent", Kind.PERCENT, "share of the published limits from then on"),
    Column("cause", Kind.TEXT, "volatility or score; published once they are back"),
    Column("score", Kind.COUNT, "the market's score, 0 to 100"),
    Column("volatility_percent", Kind.PERCENT, "EWMA volatility of ETH, a year"),
)


@dataclass(frozen=True, slots=True)
class _Cap:
    name: str
    of: str
    used: Usd8
    published: Usd8
    in_force: Usd8

    def row(self) -> tuple[Value, ...]:
        share = self.used * BPS // self.in_force if self.in_force else None
        within = self.used <= self.published
        return (self.name, self.of, self.used, self.published, self.in_force, share, within)


def room(facts: Facts, limits: RiskLimits) -> Table:
    """The caps on deals, banks and modules, and what open deals take of them."""
    scale = Bps(min((change.after_bps for change in facts.scales), default=BPS))
    found = [deal for deal in facts.deals if deal.status in _OPEN]
    rows = tuple(cap.row() for cap in _caps(found, limits, effective(limits, scale)))
    note = f"New deals are held to {scale / 100:g} % of the published limits."
    return Table("room", "Room under the caps", _ROOM, rows, note)


def limit_changes(facts: Facts) -> Table:
    """How volatility and the market's score moved the limits for new deals."""
    rows = tuple(map(_change, facts.limit_changes))
    note = "They bind what adds risk; open deals keep what was approved for them."
    return Table("limit_changes", "Limits moved by the market", _CHANGES, rows, note)


def _change(one: LimitChange) -> tuple[Value, ...]:
    return (
        one.at,
        str(one.chain_id),
        one.before_bps,
        one.after_bps,
        one.cause,
        one.score,
        one.volatility_bps,
    )


def _caps(deals: Sequence[DealRow], limits: RiskLimits, now: RiskLimits) -> Iterator[_Cap]:
    for one in sorted(deals, key=lambda deal: deal.committed)[-1:]:
        of = f"the largest: deal {one.number}"
        yield _Cap("deal", of, one.committed, limits.max_deal, now.max_deal)
    for of, used in _sums(deals, lambda deal: deal.bank):
        yield _Cap("bank", of, used, limits.max_bank, now.max_bank)
    for of, used in _sums(deals, lambda deal: deal.module):
        yield _Cap("module", of, used, limits.max_module, now.max_module)


def _sums(deals: Sequence[DealRow], key: Callable[[DealRow], str]) -> list[tuple[str, Usd8]]:
    sums: defaultdict[str, int] = defaultdict(int)
    for deal in deals:
        sums[key(deal)] += deal.committed
    return [(of, Usd8(sums[of])) for of in sorted(sums)]
