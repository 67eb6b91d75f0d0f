"""The market's score: what each part is worth, and that none hides another."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.money import Bps
from holdfast.risk.score import score
from holdfast.risk.volatility import REFERENCE
from tests.unit.risk.markets import market, pool, reserve


def points(seen, volatility=REFERENCE):
    return {part.name: part.points for part in score(seen, volatility).parts}


def test_a_calm_market_has_all_points():
    made = score(market(), REFERENCE)
    assert made.total == 100
    assert sum(part.weight for part in made.parts) == 100


@pytest.mark.parametrize(
    ("changes", "part", "expected"),
    [
        ({"volatility": 10_800}, "volatility", 50),  # halfway from 72 % to 144 %
        ({"volatility": 20_000}, "volatility", 0),
        ({"eth_pool": pool(2_000, depth=1_100_000)}, "depth", 50),  # halfway from 2M to 0.2M
        ({"token_pool": pool(0.6, depth=100_000)}, "depth", 0),
        ({"loan": reserve(105, 895)}, "utilisation", 50),  # halfway from 80 % to 99 %
        ({"collateral": reserve(0, 1)}, "utilisation", 0),
        ({"cash": 0.9725}, "peg", 50),  # halfway from 0.5 % to 5 %
        ({"cash": 1.08}, "peg", 0),
    ],
)
def test_a_part_falls_in_a_line_from_usual_to_the_scenario(changes, part, expected):
    volatility = Bps(changes.pop("volatility", REFERENCE))
    found = points(market(**changes), volatility)
    assert found.pop(part) == expected
    assert set(found.values()) == {100}


def test_the_weighted_mean_is_the_score_while_no_part_is_broken():
    # 35 * 50 + 25 * 100 + 20 * 100 + 20 * 50 = 7,250.
    assert score(market(cash=0.9725), Bps(10_800)).total == 72


def test_a_broken_part_is_not_averaged_away():
    # The mean would be 80.
    broken = score(market(cash=0.5), REFERENCE)
    assert (broken.total, broken.worst.name) == (50, "peg")


@given(
    st.integers(min_value=0, max_value=50_000),
    st.integers(min_value=0, max_value=10**8),
    st.integers(min_value=0, max_value=1_000),
    st.integers(min_value=1, max_value=2 * 10**8),
)
def test_the_score_is_within_its_bounds_and_never_rises_when_something_worsens(
    volatility, depth, lent, cash
):
    seen = market(
        eth_pool=pool(2_000, depth=depth), loan=reserve(1_000 - lent, lent), cash=cash / 10**8
    )
    made = score(seen, Bps(volatility)).total
    assert 0 <= made <= 100
    assert score(seen, Bps(volatility + 500)).total <= made
    shallower = replace(seen, token_pool=pool(0.6, depth=depth // 2))
    assert score(shallower, Bps(volatility)).total <= made
