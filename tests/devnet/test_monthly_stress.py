"""A worker whose clock passes the month's turn stresses the open book, keeps the run and tells."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from holdfast.bootstrap import opened, opened_reporter
from holdfast.entry.cli.worker import worker_parts
from holdfast.reporting.runs import RunKind
from tests.support.deals import ALICE, settings_for
from tests.support.rows import rows
from tests.support.scenes import planned

MARCH = datetime(2026, 3, 31, 12, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, 0, 5, tzinfo=UTC)
PARTS = {"reports", "chores"}


class Turning:
    """A clock that is on the last of March at first, and past the month's turn after one sleep."""

    def __init__(self):
        self.at = MARCH

    def now(self):
        return self.at

    async def sleep(self, seconds):
        self.at = APRIL
        await asyncio.sleep(0.05)


async def until_told(database):
    query = "SELECT subject, text FROM alerts WHERE code = 'report.stress'"
    while not (found := await rows(database, query)):  # noqa: ASYNC110 - rows change untold
        await asyncio.sleep(0.1)
    return found


def assert_within_bound(rows):
    """With the token at 0 and ETH halved nothing is lost beyond the bound."""
    told = {row["figure"]: row["value"] for row in rows}
    ordinary = dollars(told["loss with the token at 0 and ETH -50 %"])
    most = dollars(told["bound of the loss (S + i + f, and the sales for the debt)"])
    # 600,000 spent, interest, gas and an ordinary sale; the bound also lets an emergency's be 12 %
    assert 620_000 < ordinary < most < 1.12 * ordinary


def dollars(text):
    return float(text.strip("$").replace(",", ""))


async def test_a_worker_makes_the_stress_run_when_the_month_turns(devnet, database_url, tmp_path):
    settings = settings_for(devnet, database_url, tmp_path)
    async with opened(settings) as system:
        deal = await planned(system, devnet, dollars=10_000_000)
        await system.desk.approve(deal.deal_id, ALICE, deal.plan.plan_hash)
        clock = Turning()
        turning = replace(system, reports=replace(system.reports, clock=clock, sleeper=clock))
        parts = [part for part in worker_parts(turning) if part.name in PARTS]
        working = [asyncio.create_task(part.run()) for part in parts]
        try:
            async with asyncio.timeout(180):
                ((subject, text),) = await until_told(system.db)
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
    assert subject == "stress:2026-03"
    assert "Core and collateral come home whole in every standard scenario." in text
    assert "open deals 1" in text
    async with opened_reporter(settings) as reporter:
        document, page = await reporter.stored(RunKind.STRESS, MARCH.date())
        states = [row[:2] + row[4:] for row in (await reporter.runs()).table("runs").rows]
    tables = document["tables"]
    assert [row["deal_id"] for row in tables["deals"]["rows"]] == [str(deal.deal_id)]
    assert {row["whole"] for row in tables["scenarios"]["rows"]} == {True}
    assert len(tables["combinations"]["rows"]) == 720
    assert_within_bound(tables["verdict"]["rows"])
    assert page.startswith("<!doctype html>")
    assert ("stress", "2026-03", "made") in states
