"""Floats against the integer truth: the same amounts within the tolerance, the same verdicts."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.common.money import BPS, RAY, USD8, WAD, Bps, Usd8
from holdfast.protocols.aave_v3.math import NO_DEBT
from holdfast.risk.arrays import deal_columns, shock_columns
from holdfast.risk.book import slip_together
from holdfast.risk.exit_pool import ExitPool
from holdfast.risk.model import Position, Stress
from holdfast.risk.parts import shared_slip_bps
from holdfast.risk.scenarios import STANDARD, Exposed, Shock, bound, outcome, stressed
from holdfast.risk.stress import (
    ABSOLUTE,
    TOLERANCE,
    bounds,
    cells,
    is_close,
    sales,
)
from tests.unit.risk.positions import borrowed, from_bucket
from tests.unit.risk.test_scenarios import exposed

FEW = settings(max_examples=200, deadline=None)
MOST = 10**10 * USD8  # ten billion dollars, a hundred times the largest desk

amounts = st.one_of(st.just(0), st.integers(0, MOST))
shares = st.integers(0, BPS)


@st.composite
def deals(draw):
    position = Position(*(Usd8(draw(amounts)) for _ in range(7)))
    stress = Stress(
        gap=Bps(draw(st.integers(0, BPS - 1))),
        exit_slip=Bps(draw(st.integers(0, BPS - 1))),
        apr_ray=draw(st.integers(0, 5 * RAY)),
        days=draw(st.integers(0, 730)),
        costs=Usd8(draw(amounts)),
    )
    return Exposed(
        position=position,
        stress=stress,
        threshold=Bps(draw(st.integers(1, BPS))),
        token_par=Usd8(draw(amounts)),
        paid=Usd8(draw(amounts)),
        gas_per_gwei=Usd8(draw(st.integers(0, 10**4 * USD8))),
        pool_slip=draw(st.none() | st.builds(Bps, st.integers(0, BPS - 1))),
        most_slip=draw(st.none() | st.builds(Bps, st.integers(0, BPS - 1))),
        most_gas_gwei=draw(st.none() | st.integers(0, 2_000)),
    )


@st.composite
def shocks(draw):
    return Shock(
        "any",
        eth_drop=Bps(draw(shares)),
        apr_ray=draw(st.one_of(st.none(), st.integers(0, 5 * RAY))),
        extra_days=draw(st.integers(0, 730)),
        gas_gwei=draw(st.one_of(st.none(), st.integers(0, 2_000))),
        depth_left=Bps(draw(st.integers(1, BPS))),
        sale_discount=Bps(draw(shares)),
        usdt_move=draw(st.integers(-BPS // 2, BPS)),
        recovery=Bps(draw(shares)),
    )


def all_cells(columns, shocks_, least):
    return cells(columns, shocks_, sales(columns, shocks_, least))


def in_floats(deals_, shocks_, slip=0):
    least = np.full((1, len(shocks_)), float(slip))
    return all_cells(deal_columns(deals_), shock_columns(shocks_), least)


def size_of(one, shock):
    """What amounts are measured against: everything that the deal has, owes or pays."""
    held, worst = one.position, 2_000 * one.gas_per_gwei
    parts = (
        held.collateral, held.reserve_eth, held.cash, held.debt, held.token_cost,
        one.token_par, one.paid, one.stress.costs, worst,
    )  # fmt: skip
    return 25 * sum(parts) / USD8  # the debt may double, and its interest be ten times it


def kept_of(one, shock, slip=0):
    """The share that a sale keeps."""
    return 1 - stressed(shock, one, Bps(slip)).exit_slip / BPS


def is_amount(found, exact, size, kept):
    return abs(found - exact / USD8) <= (TOLERANCE * size + ABSOLUTE) / kept


def is_ratio(found, exact, unit, rounding=0.0):
    if exact == NO_DEBT:
        return math.isinf(found)
    return abs(found - exact / unit) <= TOLERANCE * exact / unit + ABSOLUTE + rounding


@FEW
@given(deals(), shocks(), st.integers(0, BPS))
def test_floats_agree_with_the_integer_truth(one, shock, slip):
    truth = outcome(shock, one, Bps(slip))
    found = in_floats([one], [shock], slip)
    close = is_close(found, deal_columns([one]))[0, 0]
    size, kept = size_of(one, shock), kept_of(one, shock, slip)
    if stressed(shock, one).gap < BPS:
        assert is_amount(found.sold[0, 0], truth.sold, size, kept)
    if not close:  # a liquidation adds its share at once
        assert is_amount(found.loss[0, 0], truth.loss, size, kept)
    if one.position.debt > 100 * USD8:  # a ratio of cents is all rounding
        assert is_ratio(found.cover[0, 0], truth.cover_wad, WAD)
    left = one.position.collateral * (BPS - stressed(shock, one).gap) // BPS
    if min(one.position.debt, left) > 100 * USD8:
        assert is_ratio(found.health[0, 0], truth.health_wad, WAD, ABSOLUTE)
        assert is_ratio(found.ltv[0, 0], truth.ltv, BPS, 1 / BPS)
    if not close:
        assert found.is_whole[0, 0] == truth.principal_whole
        assert found.is_liquidated[0, 0] == truth.is_liquidated


@FEW
@given(deals())
def test_the_bound_is_the_theorems(one):
    found, calm = bounds(deal_columns([one]))[0, 0], Shock("none")
    assert is_amount(found, bound(one), size_of(one, calm), kept_of(one, calm))


@pytest.mark.parametrize("debt", ["0", "6", "7.5", "9", "9.5"])
def test_a_deal_of_the_table_has_the_same_verdicts_in_all_standard_scenarios(debt):
    one = exposed(borrowed(debt))
    found = in_floats([one], STANDARD)
    truth = [outcome(shock, one) for shock in STANDARD]
    assert found.is_whole[0].tolist() == [end.principal_whole for end in truth]
    assert not is_close(found, deal_columns([one])).any()


def test_a_verdict_on_its_border_is_marked_as_close():
    # 15 * 0.4 / 6 is a health factor of exactly 1: not liquidated, and not whole
    thin = replace(exposed(borrowed("6")), threshold=Bps(4_000))
    found = in_floats([thin], [Shock("half", eth_drop=Bps(5_000))])
    assert is_close(found, deal_columns([thin])).all()


def test_without_debt_nothing_is_close_and_everything_whole():
    free = exposed(from_bucket("0", "19.8"))
    found = in_floats([free], STANDARD)
    assert found.is_whole.all()
    assert not is_close(found, deal_columns([free])).any()
    assert np.isinf(found.cover).all()
    assert (found.ltv == 0).all()


def test_deals_that_sell_together_lose_what_the_last_one_does():
    # owed 6.28876713 each; two raise 12.57753426 in a pool of 1,000 of cash, of which half an ETH
    # price leaves sqrt(0.5) = 707.1: (1 - 12.5775 / 707.1)^2 * 0.9995 = 0.96425, so 358 bps
    book = [exposed(borrowed("6"))] * 2
    pool = ExitPool(Usd8(1_000 * USD8), 500)
    shock = Shock("half", eth_drop=Bps(5_000))
    found = shared_slip_bps(deal_columns(book), shock_columns([shock]), pool)
    assert found.tolist() == [[358.0]]


@pytest.mark.slow
@FEW
@given(st.lists(deals(), min_size=1, max_size=4), shocks(), st.integers(10**6 * USD8, MOST))
def test_the_shared_slip_agrees_within_a_basis_point(book, shock, cash):
    pool = ExitPool(Usd8(cash), 500)
    found = shared_slip_bps(deal_columns(book), shock_columns([shock]), pool)[0, 0]
    exact = slip_together(shock, book, pool)
    assert 0 <= found - exact <= 1


def test_single_width_is_within_a_hundred_thousandth():
    book = [exposed(borrowed(debt)) for debt in ("6", "7.5", "9")]
    wide, narrow = deal_columns(book), deal_columns(book).as_type(np.float32)
    shocks_, least = shock_columns(STANDARD), np.zeros((1, len(STANDARD)))
    double = all_cells(wide, shocks_, least)
    single = all_cells(narrow, shocks_.as_type(np.float32), least.astype(np.float32))
    assert single.cover.dtype == np.float32
    assert np.allclose(single.cover, double.cover, rtol=1e-5)
    assert np.allclose(single.loss, double.loss, rtol=1e-5, atol=1e-5)
    assert (single.is_whole == double.is_whole).all()
