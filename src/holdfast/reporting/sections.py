"""The tables of reports: deals, exposure, breaches, actions, data quality; pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from holdfast.common.money import BPS
from holdfast.model.deal import TERMINAL
from holdfast.reporting.report_charts import bars
from holdfast.reporting.tables import Column, Kind, Table, shown
from holdfast.reporting.valuation import AssetType, grouped, total, valued

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from holdfast.common.money import Usd8
    from holdfast.reporting.facts import ActRow, AlertRow, DealRow, Facts
    from holdfast.reporting.tables import Value
    from holdfast.reporting.valuation import Valued
    from holdfast.risk.limits import RiskLimits

_DEAL = (
    Column("deal_number", Kind.COUNT, "the deal's number"),
    Column("deal_id", Kind.TEXT, "the deal's id", on_page=False),
    Column("chain_id", Kind.TEXT, "the chain it is on"),
    Column("bank", Kind.TEXT, "participant bank"),
    Column("module", Kind.TEXT, "module"),
    Column("status", Kind.TEXT, "status when the report was made"),
    Column("hold_reason", Kind.TEXT, "why it is holding, if it is"),
    Column("committed_usd", Kind.USD, "dollars of ETH committed when it was planned"),
    Column("ltv_percent", Kind.PERCENT, "LTV when its last group of legs was settled"),
    Column("profit_usd", Kind.USD, "profit, once it is over"),
    Column("updated_at", Kind.TIME, "its last change"),
)
_EXPOSURE = (
    Column("assets_usd", Kind.USD, "dollars held, the token at market or cost"),
    Column("debt_usd", Kind.USD, "dollars owed, negative"),
    Column("net_usd", Kind.USD, "assets less debt"),
    Column("token_usd", Kind.USD, "dollars of the discounted token, at market or cost"),
    Column("token_percent", Kind.PERCENT, "the token's share of net"),
    Column("unpriced", Kind.COUNT, "holdings without a price, which are not in it"),
)
_ALERT = (
    Column("opened_at", Kind.TIME, "when it was raised first"),
    Column("severity", Kind.TEXT, "info, warning or critical"),
    Column("code", Kind.TEXT, "stable code"),
    Column("about", Kind.TEXT, "the deal by its number, or what else it is about"),
    Column("text", Kind.TEXT, "what happened and what to do"),
    Column("times", Kind.COUNT, "how often it was raised while open"),
    Column("state", Kind.TEXT, "open, acknowledged by somebody, or ended by itself"),
    Column("subject", Kind.TEXT, "what it is about", on_page=False),
    Column("deal_id", Kind.TEXT, "the deal, if it is about one", on_page=False),
    Column("delivered_at", Kind.TIME, "when all targets had it", on_page=False),
    Column("acknowledged_by", Kind.TEXT, "who looked", on_page=False),
    Column("acknowledged_at", Kind.TIME, "when", on_page=False),
    Column("resolved_at", Kind.TIME, "when its cause was seen to end", on_page=False),
)
_ACT = (
    Column("at", Kind.TIME, "when"),
    Column("actor", Kind.TEXT, "who, or which part of the system"),
    Column("action", Kind.TEXT, "what was done"),
    Column("about", Kind.TEXT, "the deal by its number, or what else it was done to"),
    Column("reason", Kind.TEXT, "why, as the record has it"),
    Column("bank", Kind.TEXT, "participant bank, if it is about one"),
    Column("subject", Kind.TEXT, "what it was done to", on_page=False),
    Column("deal_id", Kind.TEXT, "whose record it is in; none for the desk's own", on_page=False),
)
_ACTIVITY = (
    Column("action", Kind.TEXT, "what was done"),
    Column("times", Kind.COUNT, "how often"),
    Column("actors", Kind.TEXT, "by whom, or by which part of the system"),
    Column("last_at", Kind.TIME, "when last"),
)
_PAGE_ROWS = 50


def deals(facts: Facts, limits: RiskLimits) -> Table:
    """Every deal that is open, or changed in the span; with the LTV of each as a chart."""
    told = [deal for deal in facts.deals if is_open(deal) or deal.updated_at >= facts.span.since]
    owing = [deal for deal in told if is_open(deal) and deal.ltv_bps]
    return Table(
        "deals",
        "Deals",
        _DEAL,
        tuple(_deal(deal) for deal in sorted(told, key=_by_strain)),
        note="Open ones, the highest LTV first, and those that changed in the time of the report.",
        chart=bars(
            "LTV of open deals, percent",
            [f"{deal.number}" for deal in owing],
            [(deal.ltv_bps or 0) * 100 / BPS for deal in owing],
            lines={"warning": limits.warn_ltv * 100 / BPS, "cap": limits.max_ltv * 100 / BPS},
        ),
        page_rows=_PAGE_ROWS,
    )


def exposure_by_asset(facts: Facts) -> Table:
    """What is held, by what it is for a deal."""
    values = valued(facts)
    groups = grouped(values, lambda one: one.asset)
    rows = [
        (str(asset), _symbols(held), total(held), _share(total(held), total(values)), len(held))
        for asset in AssetType
        if (held := groups.get(asset))
    ]
    columns = (
        Column("asset_type", Kind.TEXT, "what it is for a deal"),
        Column("tokens", Kind.TEXT, "the tokens in it"),
        Column("usd", Kind.USD, "dollars; debt is negative, the token at market or cost"),
        Column("share_percent", Kind.PERCENT, "of the net of all"),
        Column("holdings", Kind.COUNT, "accounts of deals with something in them"),
    )
    chart = bars(
        "Exposure by asset type, million dollars",
        [row[0] for row in rows],
        [row[2] / 10**14 for row in rows],
    )
    note = "At the newest prices of the monitor, else of a plan, which has the token at its cost."
    return Table("by_asset", "Exposure by asset type", columns, tuple(rows), note, chart)


def exposure_by(facts: Facts, name: str, title: str, key: Callable[[Valued], str]) -> Table:
    """What is held, by bank or chain."""
    first = Column(name, Kind.TEXT, f"the {name}")
    groups = grouped(valued(facts), key)
    rows = tuple((group, *_exposure(held)) for group, held in groups.items())
    return Table(f"by_{name}", title, (first, *_EXPOSURE), rows, page_rows=_PAGE_ROWS)


def exposure_by_deal(facts: Facts) -> Table:
    """What is held, by deal, in the order of their numbers; one that is not known comes first."""
    known = {deal.deal_id: deal.number for deal in facts.deals}
    groups = grouped(valued(facts), lambda one: one.holding.deal_id)
    rows = tuple(
        (known.get(deal), str(deal), *_exposure(groups[deal]))
        for deal in sorted(groups, key=lambda one: known.get(one, 0))
    )
    title = "Exposure by deal"
    return Table("by_deal", title, (*_DEAL[:2], *_EXPOSURE), rows, page_rows=_PAGE_ROWS)


def breaches(facts: Facts) -> Table:
    """Alerts that were open, raised or closed in the span, the gravest first."""
    ranks = ("critical", "warning", "info")
    told = sorted(facts.alerts, key=lambda one: (ranks.index(one.severity), one.opened_at))
    known = numbers(facts)
    rows = tuple(_alert(one, known) for one in told)
    note = "Open in the time of the report, whenever they were raised; the gravest first."
    return Table("breaches", "Breaches and alerts", _ALERT, rows, note, page_rows=_PAGE_ROWS)


def activity(facts: Facts) -> Table:
    """What was done, counted by action."""
    found: defaultdict[str, list[ActRow]] = defaultdict(list)
    for one in facts.acts:
        found[one.action].append(one)
    rows = tuple(
        (action, len(acts), ", ".join(sorted({one.actor for one in acts})), acts[-1].at)
        for action, acts in sorted(found.items())
    )
    return Table("activity", "Actions by kind", _ACTIVITY, rows)


def actions(facts: Facts) -> Table:
    """What was done, from the audit, the newest first."""
    known = numbers(facts)
    rows = tuple(_act(one, known) for one in reversed(facts.acts))
    return Table("actions", "Actions", _ACT, rows, "The newest first.", page_rows=_PAGE_ROWS)


def is_open(deal: DealRow) -> bool:
    """Whether it has not ended."""
    return deal.status not in TERMINAL


def _by_strain(deal: DealRow) -> tuple[bool, int, int]:
    return not is_open(deal), -(deal.ltv_bps or 0), deal.number


def _deal(deal: DealRow) -> tuple[Value, ...]:
    return (
        deal.number,
        str(deal.deal_id),
        str(deal.chain_id),
        deal.bank,
        deal.module,
        deal.status,
        deal.hold_reason,
        deal.committed,
        deal.ltv_bps,
        None if is_open(deal) else deal.profit,
        deal.updated_at,
    )


def _exposure(held: Sequence[Valued]) -> tuple[Value, ...]:
    owed = total(one for one in held if one.asset is AssetType.DEBT)
    token = total(one for one in held if one.asset is AssetType.TOKEN)
    net = total(held)
    unpriced = sum(one.usd is None for one in held)
    return (net - owed, owed, net, token, _share(token, net), unpriced)


def numbers(facts: Facts) -> dict[UUID, str]:
    """The name that people have for each deal."""
    return {deal.deal_id: f"deal {deal.number}" for deal in facts.deals}


def _alert(alert: AlertRow, numbers: Mapping[UUID, str]) -> tuple[Value, ...]:
    deal = alert.deal_id
    return (
        alert.opened_at,
        alert.severity,
        alert.code,
        alert.subject if deal is None else numbers.get(deal, alert.subject),
        alert.text,
        alert.count,
        _state(alert),
        alert.subject,
        None if deal is None else str(deal),
        alert.delivered_at,
        alert.acknowledged_by,
        alert.acknowledged_at,
        alert.resolved_at,
    )


def _state(alert: AlertRow) -> str:
    if alert.resolved_at is not None:
        return f"ended {shown(alert.resolved_at, Kind.TIME)}"
    return "OPEN" if alert.acknowledged_at is None else f"acknowledged by {alert.acknowledged_by}"


def _act(act: ActRow, numbers: Mapping[UUID, str]) -> tuple[Value, ...]:
    deal = act.deal_id
    return (
        act.at,
        act.actor,
        act.action,
        act.subject if deal is None else numbers.get(deal, act.subject),
        act.reason,
        act.bank,
        act.subject,
        None if deal is None else str(deal),
    )


def _symbols(held: Sequence[Valued]) -> str:
    return ", ".join(sorted({one.holding.symbol for one in held}))


def _share(part: Usd8, whole: Usd8) -> int | None:
    return part * BPS // whole if whole > 0 else None
