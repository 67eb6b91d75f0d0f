"""Documents keep to docs/json.md: units in keys, money as text, one form of a block."""

import pytest

from holdfast.common.ids import chain_id
from holdfast.common.money import Bps, Token
from holdfast.reporting.market import limits_document, market_document
from holdfast.reporting.stress import stress_report
from holdfast.risk.limits import RiskLimits
from holdfast.risk.matrix import combinations
from holdfast.risk.scenarios import STANDARD
from tests.support.json_units import offences
from tests.unit.reporting.test_stress import ONE, book
from tests.unit.risk.markets import market, reserve

LENT = tuple(
    Token(chain_id(138), symbol, decimals) for symbol, decimals in (("WETH", 18), ("USDT", 6))
)


def market_told(**changes):
    return market_document(market(**changes), RiskLimits(), Bps(7_200), LENT)


@pytest.mark.parametrize(
    "document",
    [
        market_told(),
        limits_document(RiskLimits(), None, ()),
        stress_report(book(), STANDARD, deal=None, with_reverse=True),
        stress_report(book(), STANDARD, deal=ONE, with_reverse=True),
        stress_report(book(), combinations(), deal=None, with_reverse=False),
    ],
    ids=["market", "limits", "book", "deal", "matrix"],
)
def test_a_document_keeps_to_the_convention(document):
    assert offences(document) == []


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"debt": "600000"}, ".debt: is money without a unit: '600000'"),
        ({"rows": [{"loss_usd": 5}]}, ".rows[].loss_usd: is no decimal string: 5"),
        ({"lag": 1.5}, ".lag: is a float without a unit: 1.5"),
        ({"ltv_bps": 3_000}, ".ltv_bps: is in bps: shares are percent"),
        (
            {"supplied": {"units": "1"}},
            ".supplied: an amount has token, units and amount",
        ),
        (
            {"block": 7},
            ".block: a block is number, hash and timestamp; its number alone is block_number",
        ),
    ],
)
def test_what_breaks_it_is_named_with_its_place(document, why):
    assert why in offences(document)


def test_a_cap_that_is_none_is_null_and_any_other_has_its_token():
    lending = market_told(loan=reserve(borrow_cap=5_000_000))["lending"]
    assert lending["weth"]["supply_cap"] is None
    assert lending["usdt"]["borrow_cap"] == {
        "token": "USDT",
        "amount": "5000000",
        "units": "5000000000000",
    }


def test_limits_that_do_not_move_have_their_units():
    fixed = limits_document(RiskLimits(), None, ())["fixed"]
    assert (fixed["loss_budget_usd"], fixed["gap_percent"]) == ("1000000", "50.00")
    assert (fixed["warn_cover"], fixed["oracle_max_age_seconds"]) == ("1.2500", 4_500)
