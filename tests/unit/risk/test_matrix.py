"""The matrix of combinations, and scenarios by their names."""

import pytest

from holdfast.common.errors import Rejected
from holdfast.common.money import BPS, RAY
from holdfast.risk.matrix import combinations, named
from holdfast.risk.scenarios import STANDARD


def test_every_choice_along_every_axis_is_one_scenario():
    shocks = combinations()
    assert len(shocks) == len({shock.name for shock in shocks}) == 5 * 4 * 2 * 2 * 3 * 3


def test_a_combination_is_all_of_its_parts():
    name = "eth_down_80_and_delay_7_months_and_apr_80_and_gas_700_gwei_and_usdt_down_5"
    (one,) = named([f"{name}_and_single_venue_price"])
    assert (one.eth_drop, one.extra_days, one.recovery) == (8_000, 213, BPS)
    assert (one.apr_ray, one.gas_gwei, one.usdt_move) == (RAY * 80 // 100, 700, -500)
    assert (one.sale_discount, one.depth_left) == (1_000, BPS)


def test_without_a_name_the_standard_ones_are_meant_and_a_name_finds_its_own():
    assert named([]) == STANDARD
    assert named(["apr_80", "token_to_zero"]) == (STANDARD[9], STANDARD[6])


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(Rejected) as refused:
        named(["apr_80", "moon"])
    assert refused.value.code == "stress.scenario"
    assert refused.value.fields["value"] == ["moon"]
    assert "token_to_zero" in refused.value.fields["limit"]
