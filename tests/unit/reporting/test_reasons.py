"""Why something was done, from each kind of entry that the record has."""

import json

import pytest

from holdfast.execution.script import Changed
from holdfast.execution.standstill import act_of
from holdfast.model.deal import DealEvent, DealStatus, HoldReason
from holdfast.reporting.reasons import reason_of
from tests.unit.execution.scene import deal

HELD = act_of(
    deal(),
    Changed(
        DealEvent.HOLD,
        DealStatus.EXECUTING,
        DealStatus.HOLDING,
        HoldReason.INVARIANT,
        ("I3.debt_cover", "I6.ltv"),
    ),
    block=7,
)


def reason(action, detail, **held):
    return reason_of(action, json.dumps(detail), **held)


def test_a_hold_says_its_reason_and_what_led_to_it():
    assert reason_of(HELD.action, HELD.detail_text) == "invariant: I3.debt_cover; I6.ltv"
    ordered = {"before": "executing", "after": "holding", "reason": "operator", "plan_hash": "0x"}
    assert reason("deal.hold", ordered) == "operator"


def test_a_resumption_names_the_hold_that_it_ends_unless_it_has_a_reason_of_its_own():
    ordered = {"before": "holding", "after": "executing", "reason": None, "plan_hash": "0x"}
    ends = "ends the hold: invariant: I3.debt_cover; I6.ltv"
    assert reason("deal.resume", ordered, held=HELD.detail_text) == ends
    assert reason("deal.resume", {**ordered, "why": ["it thawed"]}, held="{}") == "it thawed"
    assert reason("deal.resume", ordered, held="{}") is None
    assert reason("deal.resume", ordered) is None


def test_a_cure_says_what_called_for_it_and_what_it_does():
    told = {"legs": ["repay 5 USDT", "revoke"], "ltv_bps": "2712", "breaches": ["I6.ltv"]}
    assert reason("deal.cure", told) == "I6.ltv, LTV 27.12 %: repay 5 USDT; revoke"
    assert reason("deal.cure", {**told, "breaches": []}).startswith("LTV 27.12 %: ")


@pytest.mark.parametrize(
    ("action", "detail", "told"),
    [
        ("desk.halted", {"before": "active", "reason": "a drill"}, "a drill"),
        ("deal.reopened", {"legs": ["repay"], "blocks": [7]}, "reorg: repay under way again"),
        ("deal.planned", {"plan_hash": "0x"}, None),
    ],
)
def test_other_acts_have_the_reason_that_was_given(action, detail, told):
    assert reason(action, detail) == told
