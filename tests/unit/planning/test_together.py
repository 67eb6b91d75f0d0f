"""A new deal and the open book under stress together, before anybody can approve the deal."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from holdfast.common.money import USD8, WAD, Bps, Usd8
from holdfast.entry.cli.plan_view import plan_view
from holdfast.planning.errors import PlanRefused
from holdfast.planning.model import PlanPolicy
from holdfast.planning.service import Planner
from holdfast.planning.together import book_checks, stressed_together
from holdfast.risk.limits import RiskLimits
from holdfast.risk.scenarios import STANDARD
from holdfast.risk.scenarios import THEOREM as SHOCK
from tests.unit.planning.world import ACCOUNTS, REQUEST, VENUES, World, drafted, setting

THEOREM = SHOCK.name


class Others:
    """So many open deals like the one that is planned."""

    def __init__(self, count, **changes):
        one = drafted().exposed
        self.deals = [replace(one, **changes) for _ in range(count)]

    async def exposed(self):
        return self.deals


async def planned(others, world=None):
    planner = Planner(world or World(), VENUES, PlanPolicy(), open_deals=others)
    return await planner.plan(REQUEST, ACCOUNTS, 0)


def stressed(count, world=None):
    made = drafted(world=world)
    return stressed_together(made, [made.exposed] * count, setting(REQUEST, world or World()))


def ended(stress, name=THEOREM):
    return next(one for one in stress.outcomes if one.scenario == name)


def test_a_deal_alone_ends_as_its_own_scenarios_say():
    made, book = drafted(), stressed(0)
    alone = [(one.scenario, one.principal_whole, one.cover_wad) for one in made.scenarios]
    assert [(o.scenario, o.principal_whole, o.lowest_cover_wad) for o in book.outcomes] == alone
    assert book_checks(book, RiskLimits()) == ()


def test_deals_that_sell_at_once_cover_their_debt_less():
    # each raises 612,395.59; 40 of them 24.50 M of 500 M * 200 / 498.756 * sqrt(0.5) = 354.43 M:
    # (1 - 0.069115)^2 * 0.9995 = 0.86611, so 13.39 %; 2 M * 0.5 * 0.8661 / 612,395.59 = 1.4142
    end = ended(stressed(39))
    assert end.slip == 1_339
    assert f"{end.lowest_cover_wad / WAD:.3f}" == "1.414"
    # No sale goes further than 12 % under the oracle: the last ones wait for the pool.
    assert not end.principal_whole
    # 612,395.58904110 / 0.5 / 0.8661 = 1,414,145.22 each
    assert end.sold // USD8 == 56_565_808


def test_a_book_is_whole_as_long_as_the_last_one_may_sell():
    # 35: (1 - 0.060474)^2 * 0.9995 = 0.88227, so 11.78 %; 36: 12.10 %
    assert ended(stressed(34)).principal_whole
    assert not ended(stressed(35)).principal_whole


def test_a_crowded_pool_warns_first_and_then_stops_the_plan():
    # at 1.25 the slip is 1 - 1.25 * 0.61239559 = 23.45 %, at 1.00 it is 38.76 %
    warned = book_checks(stressed(75), RiskLimits())
    assert [(one.code, one.is_warning, one.is_violation) for one in warned] == [
        ("I3.book_cover", False, False),
        ("I3.book_cover_warning", True, False),
    ]
    assert [one.is_violation for one in book_checks(stressed(130), RiskLimits())] == [True, False]


async def test_a_plan_that_would_break_the_book_is_refused():
    with pytest.raises(PlanRefused) as refused:
        await planned(Others(130))
    assert [one["code"] for one in refused.value.fields["violations"]] == ["I3.book_cover"]


async def test_the_books_verdicts_are_approved_and_its_numbers_are_not():
    alone, crowded = await planned(Others(0)), await planned(Others(2))
    assert alone.report["book"]["scenarios"] != crowded.report["book"]["scenarios"]
    assert alone.plan_hash == crowded.plan_hash
    names = [one.scenario for one in crowded.envelope.scenarios]
    assert names == [one.name for one in STANDARD] + [f"book.{one.name}" for one in STANDARD]


async def test_another_verdict_is_another_plan():
    fine, thin = await planned(Others(1)), await planned(Others(1, threshold=Bps(4_000)))
    assert fine.plan_hash != thin.plan_hash
    book = thin.report["book"]
    assert not book["principal_whole"]
    assert THEOREM in book["not_whole_without_this_deal"]
    # twice what the deal alone loses and sells: a slip of 0.74 % is under its own of 3 %
    assert next(one for one in book["scenarios"] if one["scenario"] == THEOREM) == {
        "scenario": THEOREM,
        "principal_whole": False,
        "deals_not_whole": 1,
        "loss_usd": "1262671.31761052",
        "lowest_debt_cover": "1.5839",
        "lowest_health_factor": "1.0000",
        "eth_sold_usd": "2525342.63522104",
        "shared_slip_percent": "0.74",
    }


async def test_a_deal_without_debt_sells_nothing_for_others_to_suffer_from():
    made = drafted()
    free = replace(made.exposed, position=replace(made.exposed.position, debt=Usd8(0)))
    crowd = [free] * 500
    end = ended(stressed_together(made, crowd, setting(REQUEST, World())))
    assert end.slip < 100


async def test_people_see_the_book_with_its_verdicts():
    report = (await planned(Others(3, threshold=Bps(4_000)))).report
    out = io.StringIO()
    Console(file=out, width=180).print(plan_view(report))
    text = out.getvalue()
    assert "The book: this deal and 3 open ones" in text
    assert "not whole even without this deal" in text
