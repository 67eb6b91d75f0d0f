"""Requests from text: what is read, and what is refused under which code."""

from dataclasses import fields, replace

import pytest

from holdfast.common.errors import Rejected
from holdfast.common.money import USD8, Bps, Usd8
from holdfast.model.deal import Funding, Ladder, SplitBps
from holdfast.planning.request import RequestText, parse_request, validate_request
from holdfast.risk.limits import RiskLimits
from tests.unit.planning.world import REQUEST, asking

LIMITS = RiskLimits()
TEXT = RequestText("10000000", "BANK001", "MODULE001")


def parsed(**changes):
    return parse_request(replace(TEXT, **changes), LIMITS, chains=(138, 651940))


def refused(**changes):
    with pytest.raises(Rejected) as caught:
        parsed(**changes)
    return caught.value


def test_the_defaults_are_the_models():
    assert parsed() == REQUEST


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10000000.00000001", 10_000_000 * USD8 + 1),
        ("0.00000001", 1),
        ("1e6", 1_000_000 * USD8),
        ("25000000", 25_000_000 * USD8),
    ],
)
def test_dollars_keep_eight_digits_exactly(text, value):
    assert parsed(total_eth_value=text).total_eth_value == value


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("-1", "request.not_positive"),
        ("-0.00000001", "request.not_positive"),
        ("0", "request.not_positive"),
        ("0.00", "request.not_positive"),
        ("NaN", "request.nan"),
        ("sNaN", "request.nan"),
        ("Infinity", "request.infinite"),
        ("-inf", "request.infinite"),
        ("0.000000001", "request.too_many_decimals"),
        ("1.000000000", "request.too_many_decimals"),
        ("1e-9", "request.too_many_decimals"),
        ("25000000.00000001", "request.above_maximum"),
        ("1e39", "request.above_maximum"),
        ("1e400000000", "request.above_maximum"),
        ("ten", "request.not_a_number"),
        ("", "request.not_a_number"),
        ("1_000", "request.not_a_number"),
        ("\u0661\u0660\u0660", "request.not_a_number"),
        ("1" * 41, "request.not_a_number"),
        ("0x10", "request.not_a_number"),
        ("1; drop table deals", "request.not_a_number"),
    ],
)
def test_a_value_that_is_not_plain_money_is_refused_by_name(text, code):
    assert refused(total_eth_value=text).code == code


@pytest.mark.parametrize(
    ("text", "bps"),
    [("0.2", 2_000), ("20", 2_000), ("20%", 2_000), ("20 %", 2_000), ("0.1234", 1_234), ("0", 0),
     ("0.0", 0), ("0%", 0), ("0.5%", 50), ("1.5", 150)],
)  # fmt: skip
def test_a_ratio_is_a_fraction_or_percent(text, bps):
    assert parsed(opening_ltv=text).opening_ltv == bps


@pytest.mark.parametrize("text", ["-0.1", "x", "", ".", "%", "0.00001", "0.001%", "1e9", "nan"])
def test_a_ratio_that_is_none_is_refused(text):
    assert refused(opening_ltv=text).code in {"request.opening_ltv", "request.not_a_number"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"max_ltv": "0.3001"}, "request.max_ltv_above_cap"),
        ({"opening_ltv": "0.2501", "max_ltv": "0.25"}, "request.opening_above_max"),
        ({"max_exposure": "0.2501"}, "request.exposure_above_cap"),
        ({"max_exposure": "0"}, "request.exposure_above_cap"),
        ({"slippage_bps": "0"}, "request.slippage"),
        ({"slippage_bps": "501"}, "request.slippage"),
        ({"slippage_bps": "1.5"}, "request.slippage"),
        ({"slippage_bps": "-1"}, "request.slippage"),
        ({"horizon_days": "0"}, "request.horizon_days"),
        ({"horizon_days": "366"}, "request.horizon_days"),
        ({"chain": "1"}, "request.unknown_chain"),
        ({"chain": "mainnet"}, "request.unknown_chain"),
        ({"bank": "bank001"}, "id.bank"),
        ({"bank": "BANK001'; --"}, "id.bank"),
        ({"module": ""}, "id.module"),
        ({"funding": "gift"}, "request.funding"),
        ({"ladder": "rope"}, "request.ladder"),
        ({"split": "50/30/19"}, "split.not_whole"),
        ({"split": "50/30/20/0"}, "split.not_whole"),
        ({"split": "50/50"}, "split.not_whole"),
        ({"split": "60/-10/50"}, "request.split"),
        ({"split": "half/30/20"}, "request.split"),
    ],
)
def test_a_field_outside_its_limits_is_refused_by_name(change, code):
    assert refused(**change).code == code


def test_limits_themselves_are_allowed():
    request = parsed(
        opening_ltv="30%", max_ltv="30%", max_exposure="25%", slippage_bps="500", split="0/80%/20"
    )
    assert request.opening_ltv == request.max_ltv == 3_000
    assert request.split == SplitBps(Bps(0), Bps(8_000), Bps(2_000))


def test_a_refusal_carries_the_limit_and_the_value():
    error = refused(total_eth_value="25000001")
    assert error.fields == {"limit": 25_000_000 * USD8, "value": 25_000_001 * USD8}
    assert refused(slippage_bps="0").fields == {"limit": 1, "value": 0}


def test_no_loan_means_bucket_funding_unless_said_otherwise():
    assert parsed(opening_ltv="0").funding is Funding.BUCKET
    assert parsed(opening_ltv="0", funding="borrow").funding is Funding.BORROW
    assert parsed().funding is Funding.BORROW
    assert parsed(funding="bucket").funding is Funding.BUCKET


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"total_eth_value": Usd8(0)}, "request.not_positive"),
        ({"total_eth_value": Usd8(-1)}, "request.not_positive"),
        ({"opening_ltv": Bps(-1)}, "request.opening_above_max"),
        ({"split": SplitBps(Bps(12_000), Bps(-2_000), Bps(0))}, "split.not_whole"),
        ({"split": SplitBps(Bps(5_000), Bps(3_000), Bps(2_001))}, "split.not_whole"),
    ],
)
def test_a_request_made_in_code_is_held_to_the_same_limits(change, code):
    with pytest.raises(Rejected) as caught:
        validate_request(asking(**change), LIMITS)
    assert caught.value.code == code


def test_every_typed_field_reaches_the_request():
    assert len(fields(RequestText)) == len(fields(REQUEST))


def test_a_position_may_be_a_ladder_too():
    assert parsed().ladder is Ladder.REDEMPTION
    assert parsed(ladder="position").ladder is Ladder.POSITION


def test_a_request_without_an_opening_takes_what_the_limits_in_force_propose():
    def opens(opening=Bps(2_000), **changes):
        text = replace(TEXT, **changes)
        return parse_request(text, LIMITS, chains=(138,), opening=opening).opening_ltv

    assert opens() == 2_000
    assert opens(Bps(1_245)) == 1_245
    assert opens(Bps(1_245), opening_ltv="0.20") == 2_000  # judged, not changed
    assert opens(max_ltv="0.18") == 1_800
