"""The four reports over a small desk, every figure worked by hand."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest

from holdfast.common.errors import Rejected
from holdfast.common.money import Usd8
from holdfast.reporting.facts import (
    LimitChange,
    Point,
    ReconciliationRow,
    RiskPath,
    TickRow,
    Worst,
)
from holdfast.reporting.quality import ChainOfRecord
from holdfast.reporting.reports import ReportKind, build, span_of
from holdfast.reporting.tables import as_json
from holdfast.reporting.valuation import AssetType, valued
from holdfast.risk.limits import RiskLimits
from tests.unit.reporting.desk import (
    DONE,
    END,
    HOLDINGS,
    OPEN,
    START,
    act,
    alert,
    deal,
    dollars,
    facts,
    holding,
)


def built(kind, found=None, records=()):
    return build(kind, found or facts(), RiskLimits(), records)


def rows(report, table):
    return as_json(report)["tables"][table]["rows"]


def test_each_report_has_its_tables_and_ends_with_the_quality_of_its_data():
    assert {kind: [one.name for one in built(kind).tables] for kind in ReportKind} == {
        ReportKind.DAILY: [
            *("summary", "by_asset", "by_bank", "by_chain", "room", "deals", "risk_history"),
            *("breaches", "activity", "actions", "market_risk", "quality"),
        ],
        ReportKind.EXPOSURE: ["by_asset", "by_bank", "by_chain", "by_deal", "room", "quality"],
        ReportKind.HISTORY: [
            *("risk_history", "breaches", "deals", "market_risk", "activity", "actions"),
            "quality",
        ],
        ReportKind.COMPLIANCE: [
            *("approvals", "breaches", "limits", "limit_changes", "audit", "quality")
        ],
    }


def test_the_summary_counts_open_deals_alone():
    assert {row["figure"]: row["value"] for row in rows(built(ReportKind.DAILY), "summary")} == {
        "open deals": 1,
        "holding deals": 0,
        "committed USD": "10000000.00000000",
        # 5M + 3M + 2M + 600k of tokens at cost - 600k of debt
        "net USD": "10000000.00000000",
        "token USD": "600000.00000000",
        "profit of deals closed USD": "370000.00000000",
        "highest LTV when settled": "20.00",
        "highest LTV seen": None,
        "lowest health factor seen": None,
        "lowest debt cover seen": None,
        "alerts open": 1,
        "critical alerts open": 0,
        "acts": 2,
        "data checks failed": 0,
    }


def test_profit_is_told_of_deals_that_are_over_alone():
    deals = (
        deal(profit=dollars(-500_000)),  # what an open deal has spent so far is no loss
        deal(UUID(int=3), status="holding", profit=dollars(900_000)),
        deal(DONE, status="completed", profit=dollars(370_000)),
        deal(UUID(int=4), status="failed", profit=dollars(-1_000)),
        # over, but on another day
        deal(UUID(int=5), status="completed", profit=dollars(7), updated_at=END),
        deal(UUID(int=6), status="completed", profit=dollars(9), updated_at=START - timedelta(1)),
    )
    report = built(ReportKind.DAILY, facts(deals=deals))
    told = {row["figure"]: row["value"] for row in rows(report, "summary")}
    assert told["profit of deals closed USD"] == "369000.00000000"
    profits = {row["deal_number"]: row["profit_usd"] for row in rows(report, "deals")}
    assert profits == {
        1: None,
        3: None,
        2: "370000.00000000",
        4: "-1000.00000000",
        5: "7.00000000",
    }


def test_the_summary_tells_the_worst_that_the_monitor_saw():
    points = (
        Point(138, START, 1, 2, Worst(2_845, 1), Worst(8_300 / 2_845, 1), Worst(1.3, 1)),
        Point(138, START + timedelta(minutes=5), 1, 2, Worst(2_000, 2), None, Worst(1.21, 2)),
        Point(138, START + timedelta(minutes=10), 1, 0, None, None, None),
    )
    found = facts(path=RiskPath(points=points), alerts=(alert(severity="critical"),))
    told = {row["figure"]: row["value"] for row in rows(built(ReportKind.DAILY, found), "summary")}
    # 8,300 / 2,845 is 2.91739...: a health factor is never told too high
    assert (told["highest LTV seen"], told["lowest health factor seen"]) == ("28.45", "2.9173")
    assert (told["lowest debt cover seen"], told["critical alerts open"]) == ("1.2100", 1)


def test_actions_are_counted_by_kind_and_told_newest_first():
    of_desk = act(actor="carol", deal_id=None, bank=None, reason="a drill")
    acts = (act("deal.planned", "alice"), act(), of_desk)
    report = built(ReportKind.DAILY, facts(acts=acts))
    assert [(row["action"], row["times"], row["actors"]) for row in rows(report, "activity")] == [
        ("deal.approve", 2, "bob, carol"),
        ("deal.planned", 1, "alice"),
    ]
    told = [(row["actor"], row["about"]) for row in rows(report, "actions")]
    first = rows(report, "actions")[0]
    assert (first["deal_id"], first["bank"], first["reason"]) == (None, None, "a drill")
    # what is in the desk's own record is named by its subject
    assert told == [("carol", str(OPEN)), ("bob", "deal 1"), ("alice", "deal 1")]


def test_an_alert_says_what_it_is_about_and_how_it_stands():
    alerts = (
        alert(),
        alert(deal_id=None, subject="node-2", acknowledged_by="alice", acknowledged_at=END),
        alert(deal_id=UUID(int=9), subject="another", resolved_at=END),
    )
    told = rows(built(ReportKind.DAILY, facts(alerts=alerts)), "breaches")
    assert [(row["about"], row["state"]) for row in told] == [
        ("deal 1", "OPEN"),
        ("node-2", "acknowledged by alice"),
        ("another", "ended 2026-03-02 00:00:00"),
    ]


def test_exposure_is_told_by_what_the_assets_are():
    told = {row["asset_type"]: row for row in rows(built(ReportKind.EXPOSURE), "by_asset")}
    assert {name: (row["usd"], row["share_percent"]) for name, row in told.items()} == {
        "core ETH": ("5000000.00000000", "50.00"),
        "collateral": ("3000000.00000000", "30.00"),
        "bucket and idle ETH": ("2000000.00000000", "20.00"),
        "discounted token": ("600000.00000000", "6.00"),
        "debt": ("-600000.00000000", "-6.00"),
    }
    assert told["discounted token"]["tokens"] == "USDTz"


def test_exposure_by_bank_and_chain_sums_to_the_whole():
    other = holding("asset/deal_wallet", "USDT", 100, 6, deal_id=DONE, bank="BANK002", chain_id=1)
    report = built(ReportKind.EXPOSURE, facts(holdings=(*HOLDINGS, other)))
    first, second = rows(report, "by_bank")
    assert (first["bank"], first["net_usd"], first["token_percent"]) == (
        "BANK001",
        "10000000.00000000",
        "6.00",
    )
    assert (first["assets_usd"], first["debt_usd"]) == ("10600000.00000000", "-600000.00000000")
    # chain 1 has no price yet: said, not guessed
    assert (second["net_usd"], second["unpriced"], second["token_percent"]) == (
        "0.00000000",
        1,
        None,
    )
    assert [row["chain"] for row in rows(report, "by_chain")] == ["1", "138"]
    told = [(row["deal_number"], row["deal_id"]) for row in rows(report, "by_deal")]
    assert told == [(1, str(OPEN)), (2, str(DONE))]


def test_a_token_of_an_unknown_deal_has_no_value():
    found = facts(deals=())
    token = [one for one in valued(found) if one.asset is AssetType.TOKEN]
    assert {one.usd for one in token} == {None}


def test_a_tick_tells_what_the_token_trades_at():
    prices = (replace(facts().prices[0], token=Usd8(55_000_000)),)
    told = rows(built(ReportKind.EXPOSURE, facts(prices=prices)), "by_asset")
    # a million tokens at 0.55
    assert [row["usd"] for row in told if row["asset_type"] == "discounted token"] == [
        "550000.00000000"
    ]


@pytest.mark.parametrize(("pause", "ok"), [(600.0, True), (601.0, False)])
def test_a_long_pause_of_the_monitor_is_named(pause, ok):
    told = quality(facts(ticks=(TickRow(138, 17_280, pause, 288, 288),)))
    assert told["longest pause of the monitor on chain 138, 17280 ticks"]["ok"] is ok


@pytest.mark.parametrize(("marks", "ok"), [(288, True), (287, False)])
def test_five_minutes_without_a_look_are_named(marks, ok):
    told = quality(facts(ticks=(TickRow(138, 17_280, 5.0, marks, 288),)))
    found = told["five minutes in which the monitor looked at chain 138"]
    assert (found["value"], found["ok"]) == (f"{marks} of 288", ok)


def test_the_gravest_alert_comes_first():
    grave = alert(severity="critical", code="core.fell", deal_id=None)
    report = built(ReportKind.DAILY, facts(alerts=(alert(), grave)))
    assert [row["code"] for row in rows(report, "breaches")] == ["core.fell", "deal.holding"]


def test_an_old_deal_that_did_not_change_is_left_out_when_it_is_done():
    old = deal(DONE, status="completed", updated_at=START - timedelta(days=1))
    report = built(ReportKind.DAILY, facts(deals=(deal(), old)))
    assert [row["deal_number"] for row in rows(report, "deals")] == [1]


def test_open_deals_come_first_and_of_them_the_most_strained():
    deals = (
        deal(UUID(int=5), status="completed", ltv_bps=0),
        deal(UUID(int=6), ltv_bps=2_000),
        deal(UUID(int=7), status="planned", ltv_bps=None),
        deal(UUID(int=8), ltv_bps=2_700),
    )
    report = built(ReportKind.DAILY, facts(deals=deals))
    assert [row["deal_number"] for row in rows(report, "deals")] == [8, 6, 7, 5]


def test_an_approval_by_the_author_is_not_four_eyes():
    acts = (act(), act(actor="alice"), act(deal_id=DONE, actor="carol"))
    report = built(ReportKind.COMPLIANCE, facts(acts=acts, deals=(deal(),)))
    assert [(row["approver"], row["four_eyes"]) for row in rows(report, "approvals")] == [
        ("bob", True),
        ("alice", False),
        ("carol", False),  # nobody knows whose deal it is
    ]
    assert report.table("approvals").note == "WARNING: 2 of 3 without four eyes."
    assert [row["deal"] for row in rows(report, "approvals")] == ["deal 1", "deal 1", str(OPEN)]
    fine = built(ReportKind.COMPLIANCE, facts(acts=(act(),)))
    assert fine.table("approvals").note == ""


def test_published_limits_are_exact_by_their_kind():
    told = {row["limit"]: row for row in rows(built(ReportKind.COMPLIANCE), "limits")}
    largest = told["largest deal"]
    assert (largest["value"], largest["kind"]) == ("25000000.00000000", "usd")
    assert (told["LTV, cap"]["value"], told["LTV, cap"]["kind"]) == ("30.00", "percent")
    assert told["age of ETH's price, seconds"]["kind"] == "count"


def change(after, at=START, chain=138):
    return LimitChange(chain, at, 10_000, after, "volatility", 71, 9_600)


def test_room_is_what_open_deals_leave_of_the_caps_that_hold_new_ones():
    deals = (
        deal(committed=dollars(20_000_000)),
        deal(UUID(int=3), status="holding", committed=dollars(10_000_000), module="MODULE002"),
        deal(UUID(int=4), status="planned", committed=dollars(25_000_000)),
        deal(DONE, status="completed", committed=dollars(25_000_000)),
    )
    limits = RiskLimits(max_bank=dollars(29_000_000))
    found = facts(deals=deals, scales=(change(9_000, chain=1), change(7_500)))
    report = build(ReportKind.EXPOSURE, found, limits)
    assert "held to 75 % of the published limits" in report.table("room").note
    told = {(row["cap"], row["of"]): row for row in rows(report, "room")}
    assert [(key, row["used_percent"], row["within"]) for key, row in told.items()] == [
        (("deal", "the largest: deal 1"), "106.66", True),  # 20M of 18.75M
        (("bank", "BANK001"), "137.93", False),  # 30M of 21.75M
        (("module", "MODULE001"), "10.66", True),  # 20M of 187.5M
        (("module", "MODULE002"), "5.33", True),
    ]
    assert told["bank", "BANK001"]["in_force_usd"] == "21750000.00000000"


def test_a_desk_without_open_deals_has_all_its_room():
    report = built(ReportKind.EXPOSURE, facts(deals=()))
    assert rows(report, "room") == []
    assert "held to 100 %" in report.table("room").note


def test_nothing_is_left_of_limits_that_the_market_shut():
    report = built(ReportKind.EXPOSURE, facts(scales=(change(0),)))
    assert {row["used_percent"] for row in rows(report, "room")} == {None}


def test_compliance_tells_how_the_market_moved_the_limits():
    report = built(ReportKind.COMPLIANCE, facts(limit_changes=(change(7_500),)))
    (row,) = rows(report, "limit_changes")
    assert (row["before_percent"], row["after_percent"], row["cause"], row["score"]) == (
        *("100.00", "75.00", "volatility", 71),
    )


def test_a_broken_record_is_shown_as_broken():
    records = [
        ChainOfRecord(OPEN, 4, "ab" * 32, holds=True),
        ChainOfRecord(DONE, 2, "", holds=False),
        ChainOfRecord(None, 7, "cd" * 32, holds=True),
    ]
    told = rows(built(ReportKind.COMPLIANCE, records=records), "audit")
    assert [(row["entries"], row["holds"]) for row in told] == [(4, True), (2, False), (7, True)]
    assert [row["record"] for row in told] == ["deal 1", "deal 2", "the desk's own"]
    assert told[-1]["deal_id"] is None


def quality(found):
    return {row["measure"]: row for row in rows(built(ReportKind.DAILY, found), "quality")}


def test_good_data_is_called_good():
    assert all(row["ok"] for row in quality(facts()).values())
    oldest = quality(facts())["oldest comparison of an open deal with the chain"]
    assert oldest["value"] == "10800 s"


@pytest.mark.parametrize(
    ("change", "measure"),
    [
        ({"reconciliations": ()}, "deals with holdings that were compared with the chain"),
        ({"prices": ()}, "chains with a price"),
        (
            {"reconciliations": (ReconciliationRow(OPEN, 0, END - timedelta(hours=25), 0),)},
            "oldest comparison of an open deal with the chain",
        ),
        ({"alerts": (alert(delivered_at=None),)}, "alerts that took over 10 minutes to reach all"),
        (
            {"reconciliations": (ReconciliationRow(OPEN, 1, END, -5),)},
            "deals whose ledger differs from the chain",
        ),
        (
            {"reconciliations": (ReconciliationRow(OPEN, 1, END, -5),)},
            "base units that differ",
        ),
    ],
)
def test_what_is_missing_late_or_off_is_named(change, measure):
    assert quality(facts(**change))[measure]["ok"] is False


def test_differences_of_two_deals_do_not_cancel():
    both = (ReconciliationRow(OPEN, 1, END, -5), ReconciliationRow(DONE, 1, END, 5))
    measured = quality(facts(reconciliations=both))["base units that differ"]
    assert (measured["value"], measured["ok"]) == ("10", False)


def test_a_desk_without_anything_has_reports_all_the_same():
    empty = facts(deals=(), holdings=(), alerts=(), acts=(), reconciliations=(), prices=())
    for kind in ReportKind:
        report = built(kind, empty)
        assert report.tables[-1].name == "quality"
    assert all(row["ok"] for row in quality(empty).values())


def test_without_prices_market_risk_says_what_is_missing():
    table = built(ReportKind.DAILY).table("market_risk")
    assert table.rows == ()
    assert "HOLDFAST_PRICE_HISTORY" in table.note


def test_market_risk_is_told_of_the_eth_that_is_held():
    # 260 days that rise a percent, and every 26th that falls by ten
    closes = [100.0]
    for day in range(1, 261):
        closes.append(closes[-1] * (0.9 if day % 26 == 0 else 1.01))
    report = built(ReportKind.HISTORY, facts(daily_closes=tuple(closes)))
    told = {row["measure"]: row["value"] for row in rows(report, "market_risk")}
    # ten falls in 260 days: over 2.5 %, so the VaR is such a fall
    assert told["var_97_5"] == "10.00"
    assert told["es_97_5"] == "10.00"
    # 10M of ETH at 2,000: core, collateral and bucket
    assert told["eth_held_usd"] == "10000000.00000000"
    assert told["var_97_5_usd"] == "1000000.00000000"
    # ten days have 250 before them; 2.5 % of ten
    assert told["var_97_5_expected"] == "0.2500"
    assert told["days"] == 260
    assert type(told["days"]) is int
    # the ten days of the backtest are among the last 250
    assert told["var_97_5_exceeded_lately"] == told["var_97_5_exceeded"]
    assert report.table("market_risk").chart.startswith("<svg")


def test_a_report_covers_its_day_until_now_at_most():
    noon = START + timedelta(hours=12)
    assert span_of(ReportKind.DAILY, START.date(), noon).until == noon
    whole = span_of(ReportKind.DAILY, START.date(), END + timedelta(days=3))
    assert (whole.since, whole.until) == (START, END)
    month = span_of(ReportKind.COMPLIANCE, START.date(), END)
    assert (month.until - month.since) == timedelta(days=30)
    with pytest.raises(Rejected) as caught:
        span_of(ReportKind.DAILY, date(2026, 3, 3), END)
    assert caught.value.code == "report.date"


def test_a_share_of_nothing_is_no_number():
    owing = (holding("liability/aave_debt", "USDT", -1, 6),)
    (row,) = rows(built(ReportKind.EXPOSURE, facts(holdings=owing)), "by_asset")
    assert (row["usd"], row["share_percent"]) == ("-1.00000000", None)


def test_the_highest_ltvs_are_drawn_when_there_are_too_many_deals():
    many = tuple(replace(deal(), number=n, ltv_bps=n, committed=Usd8(1)) for n in range(1, 100))
    chart = built(ReportKind.DAILY, facts(deals=many)).table("deals").chart
    assert chart.startswith("<svg")
    assert dollars(1) == 10**8
