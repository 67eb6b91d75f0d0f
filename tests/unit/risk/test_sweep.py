"""A book summed up: what the lines say is what the cells say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.common.money import BPS, USD8, WAD
from holdfast.risk.arrays import deal_columns, shock_columns
from holdfast.risk.book import together
from holdfast.risk.exit_pool import ExitPool
from holdfast.risk.parts import groups, parts, shared_slip_bps
from holdfast.risk.scenarios import STANDARD, bound, outcome
from holdfast.risk.stress import cells, is_close, sales
from holdfast.risk.sweep import sweep
from tests.unit.risk.positions import borrowed, from_bucket
from tests.unit.risk.test_scenarios import exposed
from tests.unit.risk.test_stress import deals, shocks

BOOK = [
    *(exposed(borrowed(f"{6 + number / 200:.3f}")) for number in range(1_000)),
    exposed(from_bucket("0", "19.8")),
]
COLUMNS, SHOCKS = deal_columns(BOOK), shock_columns(STANDARD)
POOL = ExitPool(200_000 * USD8, 500)
SLIP = shared_slip_bps(COLUMNS, SHOCKS, POOL)


def test_every_line_sums_up_all_cells():
    made, found = sweep(COLUMNS, SHOCKS, SLIP), cells(COLUMNS, SHOCKS, sales(COLUMNS, SHOCKS, SLIP))
    lines, rows = made.scenarios, made.deals
    assert (lines.not_whole == (~found.is_whole).sum(axis=0)).all()
    assert np.allclose(lines.loss, found.loss.sum(axis=0))
    assert np.allclose(lines.sold, found.sold.sum(axis=0))
    assert (lines.cover == found.cover.min(axis=0)).all()
    assert (lines.ltv == found.ltv.max(axis=0)).all()
    assert (rows.not_whole == (~found.is_whole).sum(axis=1)).all()
    assert (rows.loss == found.loss.max(axis=1)).all()
    assert (rows.health == found.health.min(axis=1)).all()
    assert (found.loss[np.arange(len(BOOK)), rows.worst] == rows.loss).all()
    assert made.slip_bps.shape == (len(STANDARD),)


@settings(max_examples=60, deadline=None)
@given(st.lists(deals(), min_size=1, max_size=6), st.lists(shocks(), min_size=1, max_size=12))
def test_it_says_what_the_cells_say_of_any_deals_in_any_scenarios(book, scenarios):
    """Whatever the scenarios share, and in parts of four deals."""
    columns, across = deal_columns(book), shock_columns(scenarios * 2)
    least = np.arange(len(across), dtype=float).reshape(1, -1) % 3 * 100
    found = cells(columns, across, sales(columns, across, least))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("holdfast.risk.parts.ROWS", 4)
        patched.setattr("holdfast.risk.parts._MOST_KEPT", 8)
        made = sweep(columns, across, least)
    lines, rows = made.scenarios, made.deals
    close = is_close(found, columns)
    assert (lines.not_whole == (~found.is_whole).sum(axis=0)).all()
    assert (lines.liquidated == found.is_liquidated.sum(axis=0)).all()
    assert (lines.close == close.sum(axis=0)).all()
    assert np.allclose(lines.loss, found.loss.sum(axis=0), rtol=1e-12)
    assert np.allclose(lines.sold, found.sold.sum(axis=0), rtol=1e-12)
    assert (rows.not_whole == (~found.is_whole).sum(axis=1)).all()
    # Falls beyond every gap count as one, so a part may reckon with another that is as deep.
    for name, which in (("cover", np.min), ("health", np.min), ("ltv", np.max)):
        for axis, made_of in ((0, lines), (1, rows)):
            assert (getattr(made_of, name) == which(getattr(found, name), axis=axis)).all()
    assert np.allclose(rows.loss, found.loss.max(axis=1), rtol=1e-12)
    assert np.allclose(found.loss[np.arange(len(book)), rows.worst], rows.loss, rtol=1e-12)


def test_scenarios_that_differ_in_what_tokens_bring_alone_are_one_group():
    found = groups(COLUMNS, SHOCKS, np.zeros((1, len(STANDARD))))
    assert sum(group.count for group in found) == len(STANDARD)
    assert len(found) < len(STANDARD)
    assert [rows for rows, _ in parts(COLUMNS, found)] == [slice(0, len(BOOK))]
    assert len(next(parts(COLUMNS, found))[1]) == len(BOOK)


def test_the_book_in_floats_ends_as_in_integers():
    made = sweep(COLUMNS, SHOCKS, SLIP)
    for place in (1, 9, 16, 19):
        truth = together(STANDARD[place], BOOK, POOL)
        assert made.slip_bps[place] == truth.slip
        assert made.scenarios.not_whole[place] == len(truth.not_whole)
        assert abs(made.scenarios.loss[place] - truth.loss / USD8) < 1e-3
        assert abs(made.scenarios.sold[place] - truth.sold / USD8) < 1e-3
        assert abs(made.scenarios.cover[place] - truth.lowest_cover_wad / WAD) < 1e-9


def test_losses_over_the_theorems_bound_are_counted_where_the_world_is_dearer():
    made = sweep(COLUMNS, SHOCKS, np.zeros((1, len(STANDARD))))
    over = [outcome(shock, BOOK[0]).loss > bound(BOOK[0]) for shock in STANDARD]
    assert [count > 0 for count in made.scenarios.over_bound[:9]] == over[:9]
    assert made.scenarios.over_bound[9] == 1_000  # APR 80 %: all that have a loan
    assert made.scenarios.over_bound[10] == len(BOOK)  # dear gas: all


def test_the_bound_of_each_deal_is_the_theorems():
    rows = sweep(COLUMNS, SHOCKS, SLIP).deals
    assert abs(rows.bound[0] - bound(BOOK[0]) / USD8) < 1e-6
    assert (rows.bound > 0).all()
    assert SLIP.max() < BPS
