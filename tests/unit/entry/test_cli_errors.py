import json

import pytest

from holdfast.common.errors import Ambiguous, Broken, HoldfastError, Rejected, Transient
from holdfast.entry.cli.errors import (
    ExitCode,
    Misused,
    Unexpected,
    as_json,
    as_text,
    exit_code,
    shown,
)


class PlanRefused(Rejected):
    """A feature's own error keeps its family."""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Rejected("a", "m"), 3),
        (PlanRefused("a", "m"), 3),
        (Transient("a", "m"), 4),
        (Ambiguous("a", "m"), 5),
        (Broken("a", "m"), 6),
        (Misused("a", "m"), 2),
        (Unexpected("a", "m"), 1),
        (HoldfastError("a", "m"), 1),
    ],
)
def test_the_exit_code_says_what_is_known_to_have_happened(error, code):
    assert exit_code(error) == code


def test_of_several_errors_the_worst_is_shown():
    broken = Broken("b", "m")
    group = ExceptionGroup(
        "g", [Rejected("a", "m"), ExceptionGroup("inner", [Transient("t", "m"), broken])]
    )
    assert shown(group) is broken


def test_an_error_nobody_foresaw_outranks_all_others():
    group = ExceptionGroup("g", [Broken("b", "m"), KeyError("x")])
    error = shown(group)
    assert exit_code(error) is ExitCode.UNEXPECTED
    assert "KeyError" in error.message


def test_a_person_reads_message_code_and_every_field():
    error = Rejected(
        "plan.refused",
        "this deal breaks 1 rule",
        limit=3_000,
        violations=[{"code": "risk.ltv", "limit": 3_000, "value": 3_100}],
    )
    assert as_text(error).splitlines() == [
        "Error: this deal breaks 1 rule [plan.refused]",
        "  limit: 3000",
        "  violations:",
        "    - code risk.ltv, limit 3000, value 3100",
    ]


def test_a_broken_rule_is_told_by_its_sentence():
    rule = {"code": "I6.ltv", "ok": False, "value": 3_100, "text": "31.00 %, at most 30.00 %"}
    shown_ = as_text(Rejected("plan.refused", "1 rule", violations=[rule]))
    assert shown_.splitlines()[-1] == "    - I6.ltv: 31.00 %, at most 30.00 %"


def test_a_machine_reads_one_document():
    document = json.loads(as_json(Transient("node.timeout", "later", seconds=10**30)))
    assert document == {
        "error": {
            "code": "node.timeout",
            "family": "transient",
            "message": "later",
            "fields": {"seconds": 10**30},
            "exit_code": 4,
        }
    }
