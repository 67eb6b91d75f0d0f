"""The open book on a real chain: stressed in plans, by command, and before a deal starts."""

from dataclasses import replace

from holdfast.bootstrap import opened
from holdfast.common.money import BPS, USD8, WAD
from holdfast.model.deal import DealStatus
from holdfast.reporting.stress import stress_report
from holdfast.risk.limits import RiskLimits
from holdfast.risk.scenarios import STANDARD, THEOREM
from tests.support.deals import ALICE, settings_for
from tests.support.scenes import planned, why


async def approved(system, devnet, **fields):
    """A deal that is approved and has not started: nothing runs it."""
    deal = await planned(system, devnet, **fields)
    return await system.desk.approve(deal.deal_id, ALICE, deal.plan.plan_hash)


def line(document, name=THEOREM.name):
    return next(one for one in document["scenarios"] if one["scenario"] == name)


async def test_the_open_book_is_stressed_together_with_the_next_plan(
    devnet, database_url, tmp_path
):
    async with opened(settings_for(devnet, database_url, tmp_path)) as system:
        first = await approved(system, devnet, dollars=10_000_000)
        assert first.plan.report["book"]["other_deals"] == 0
        second = await planned(system, devnet, dollars=15_000_000)
        book = second.plan.report["book"]
        assert (book["other_deals"], book["principal_whole"]) == (1, True)
        open_book = await system.stress_book.read()
    found = line(stress_report(open_book, STANDARD, deal=None, with_reverse=True))
    alone = line(first.plan.report)
    # what is open is the first deal only; its plan reckoned with the rate after its own loan
    assert found["lowest_debt_cover"][:4] == alone["debt_cover"][:4]
    assert abs(float(found["loss_usd"]) / float(alone["loss_usd"]) - 1) < 0.001
    checks = {one["code"]: one for one in second.plan.report["checks"]}
    assert checks["I3.book_cover"]["ok"]


async def test_the_exit_pool_is_as_deep_as_the_plans_quote_says(devnet, database_url, tmp_path):
    async with opened(settings_for(devnet, database_url, tmp_path)) as system:
        deal = await approved(system, devnet)
        book = await system.stress_book.read()
    # selling the whole bucket by the model costs what the quote for it does, within rounding
    worth = deal.plan.terms.split.bucket.units * book.eth_price // WAD
    left = book.pool.cash / (book.pool.cash + worth)
    modelled = 1 - left * (1 - book.pool.fee_pips / 10**6)
    quoted = (deal.plan.envelope.exit_slippage - RiskLimits().oracle_max_deviation) / BPS
    assert modelled <= max(quoted, RiskLimits().min_exit_slip / BPS) + 0.0002
    assert book.pool.cash > 10**6 * USD8


async def test_a_deal_whose_book_would_break_does_not_start(devnet, database_url, tmp_path):
    async with opened(settings_for(devnet, database_url, tmp_path)) as system:
        deal = await approved(system, devnet)
        check = system.advance.observer
        strict = replace(check, limits=RiskLimits(min_cover_wad=10 * WAD))
        await replace(system.advance, observer=strict)(deal.deal_id)
        deal = await system.desk.find(deal.deal_id)
        assert (deal.status, deal.legs) == (DealStatus.PLANNED, ())
        assert await why(system, deal, "deal.drift") == ["plan.book"]
        again = await approved(system, devnet)
        await system.advance(again.deal_id)
        assert (await system.desk.find(again.deal_id)).status is DealStatus.EXECUTING
