"""The page on risk says what the rules say."""

from pathlib import Path

import pytest

from holdfast.risk.invariants import RULES, Moment, Reaction
from holdfast.risk.trading import TradingState

PAGE = (Path(__file__).parents[3] / "docs" / "risk.md").read_text()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_each_rule_is_shown_with_what_its_breach_means(rule):
    assert f"| {rule.code} {rule.name} | {rule.means} |" in PAGE


def test_each_check_is_shown_with_what_it_leads_to_at_each_moment():
    rows = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| `I")]
    shown = {row[0].strip("`"): row[-3:] for row in rows}
    expected = {
        code: [str(one.at(moment) or "-") for moment in Moment]
        for rule in RULES
        for code, one in rule.reactions.items()
    }
    assert shown == expected


def test_each_word_and_state_is_explained():
    assert all(f"| `{word}` |" in PAGE for word in Reaction)
    assert all(f"| {state.name} |" in PAGE for state in TradingState)
