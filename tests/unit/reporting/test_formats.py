"""One report in four formats: the same values, exact for machines, safe and whole for people."""

import csv
import io
import json
import re
from dataclasses import replace
from decimal import Decimal

import pyarrow.parquet as pq
import pytest

from holdfast.common.errors import Rejected
from holdfast.reporting.formats import Format, written
from holdfast.reporting.quality import ChainOfRecord
from holdfast.reporting.reports import ReportKind, build
from holdfast.reporting.tables import Column, Kind, Table
from holdfast.risk.limits import RiskLimits
from tests.unit.reporting.desk import END, OPEN, act, alert, facts

HOSTILE = "<script>alert(1)</script>"


def report(kind=ReportKind.DAILY, **change):
    return build(kind, facts(**change), RiskLimits())


def page(made):
    return written(made, Format.HTML).decode()


def test_a_page_asks_for_nothing_from_outside():
    closes = tuple(100.0 + day % 7 for day in range(300))
    text = page(report(daily_closes=closes))
    assert text.count("<svg") == 3  # LTV, exposure, returns
    assert not re.search(r"<(script|link|img|iframe|object)\b", text)
    # links of a picture lead into the picture
    assert {link[0] for link in re.findall(r'(?:href|src)="([^"]*)"', text)} <= {"#"}
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_a_page_can_be_printed():
    text = page(report())
    assert "@media print" in text
    assert "@page" in text
    assert "table-header-group" in text


def test_what_others_wrote_is_text_on_the_page():
    text = page(report(alerts=(alert(text=HOSTILE, subject=HOSTILE),)))
    assert HOSTILE not in text
    assert "&lt;script&gt;" in text


def test_a_page_leaves_ids_to_machines():
    made = report()
    assert str(OPEN) not in page(made)
    assert "deal 1" in page(made)
    assert str(OPEN) in written(made, Format.CSV, "breaches").decode()
    records = [ChainOfRecord(OPEN, 4, "ab" * 32, holds=True)]
    for kind in ReportKind:
        assert str(OPEN) not in page(build(kind, facts(), RiskLimits(), records))


def test_a_long_table_is_cut_on_the_page_alone():
    made = report(acts=tuple(act() for _ in range(1_200)))
    assert "The first 50 of 1,200; JSON, CSV and Parquet have all." in page(made)
    assert len(written(made, Format.CSV, "actions").splitlines()) == 1_201


def test_long_names_may_go_on_in_the_next_line_and_times_only_between_day_and_hour():
    text = page(report(alerts=(alert(code="a_b", text="x" * 40),)))
    assert "a_<wbr>b" in text
    assert f"{'x' * 16}<wbr>{'x' * 16}<wbr>{'x' * 8}" in text
    assert "<span>2026-03-01</span> <span>01:00:00</span>" in text


def test_the_page_of_a_day_without_anything_says_so():
    assert "None." in page(report(alerts=()))


def test_json_has_every_table_with_its_columns_described():
    document = json.loads(written(report(), Format.JSON))
    assert (document["report"], document["until"]) == ("daily", END.isoformat())
    for table in document["tables"].values():
        assert all(column["means"] for column in table["columns"])
    (row,) = document["tables"]["breaches"]["rows"]
    assert row["opened_at"] == "2026-03-01T01:00:00+00:00"


def test_csv_is_the_first_table_or_the_one_that_is_named():
    text = written(report(ReportKind.EXPOSURE), Format.CSV).decode()
    first = next(csv.DictReader(io.StringIO(text)))
    assert (first["asset_type"], first["usd"]) == ("core ETH", "5000000.00000000")
    named = written(report(ReportKind.EXPOSURE), Format.CSV, "by_bank").decode()
    assert named.splitlines()[0].startswith("bank,assets_usd,debt_usd")
    with pytest.raises(Rejected) as caught:
        written(report(), Format.CSV, "by_moon")
    assert caught.value.code == "report.table"
    assert "summary" in caught.value.fields["limit"]


def test_a_text_is_no_formula_to_a_spreadsheet():
    hostile = alert(text='=HYPERLINK("x")', subject="@x", acknowledged_by="+1")
    text = written(report(alerts=(hostile,)), Format.CSV, "breaches").decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["text"], row["subject"], row["acknowledged_by"]) == (
        '\'=HYPERLINK("x")',
        "'@x",
        "'+1",
    )


def test_parquet_has_types_and_says_what_its_columns_mean():
    table = pq.read_table(io.BytesIO(written(report(), Format.PARQUET, "deals")))
    types = {field.name: str(field.type) for field in table.schema}
    assert types["committed_usd"] == "decimal128(38, 8)"
    assert types["ltv_percent"] == "decimal128(38, 2)"
    assert types["updated_at"] == "timestamp[us, tz=UTC]"
    assert table.schema.field("bank").metadata == {b"means": b"participant bank"}
    assert table.schema.metadata[b"table"] == b"deals"
    first = table.to_pylist()[0]
    assert (first["committed_usd"], first["profit_usd"]) == (Decimal(10_000_000), None)


def risky():
    """A report in which market risk is told of amounts that are not round."""
    held = replace(facts().holdings[0], units=123_456_789_012_345_678_901)
    closes = tuple(100.0 + day % 7 for day in range(300))
    return report(holdings=(held,), daily_closes=closes)


@pytest.mark.parametrize("table", ["summary", "market_risk"])
def test_figures_of_several_kinds_are_exact_in_all_formats_for_machines(table):
    made = risky()
    values = [
        row["value"] for row in json.loads(written(made, Format.JSON))["tables"][table]["rows"]
    ]
    kinds = [row["kind"] for row in json.loads(written(made, Format.JSON))["tables"][table]["rows"]]
    for value, kind in zip(values, kinds, strict=True):
        match kind:
            case "usd":
                assert re.fullmatch(r"-?\d+\.\d{8}", value)
            case "percent":
                assert value is None or re.fullmatch(r"-?\d+\.\d{2}", value)
            case "count":
                assert type(value) is int
            case _:
                assert value is None or len(str(value).partition(".")[2]) <= 4
    texts = ["" if value is None else str(value) for value in values]
    found = csv.DictReader(io.StringIO(written(made, Format.CSV, table).decode()))
    assert [row["value"] for row in found] == texts
    stored = pq.read_table(io.BytesIO(written(made, Format.PARQUET, table))).to_pylist()
    assert [row["value"] or "" for row in stored] == texts


def test_dollars_at_risk_are_told_to_the_cent_and_dollars_held_exactly():
    told = {
        row["measure"]: row["value"]
        for row in json.loads(written(risky(), Format.JSON))["tables"]["market_risk"]["rows"]
    }
    # 123.456789012345678901 ETH at 2,000
    assert told["eth_held_usd"] == "246913.57802469"
    assert told["var_97_5_usd"].endswith("000000")
    assert "$246,913.58" in page(risky())


def test_parquet_takes_units_of_any_size_and_tables_without_rows():
    column = Column("wei", Kind.UNITS, "base units")
    big = Table("big", "Big", (column,), ((10**70,),))
    made = replace(report(), tables=(big, Table("none", "None", (column,), ())))
    assert pq.read_table(io.BytesIO(written(made, Format.PARQUET))).to_pylist() == [
        {"wei": Decimal(10**70)}
    ]
    assert pq.read_table(io.BytesIO(written(made, Format.PARQUET, "none"))).num_rows == 0


@pytest.mark.slow
def test_the_same_report_is_the_same_bytes():
    for each in Format:
        assert written(report(), each) == written(report(), each)
