"""Which trading state is in force, and what it refuses."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.ids import BankId, ChainId
from holdfast.risk.errors import DeskStopped
from holdfast.risk.trading import (
    DESK,
    STABLE,
    Scope,
    Setting,
    Source,
    Trading,
    TradingState,
    in_force,
    is_stable,
    scopes,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACTIVE, REDUCING, HALTED = TradingState


def setting(scope="desk", state=ACTIVE, minutes=0, source=Source.PERSON):
    at = NOW + timedelta(minutes=minutes)
    return Setting(scope, source, state, "why", "alice", since=at, seen_at=at)


def test_a_scope_says_its_name():
    assert DESK.name == "desk"
    assert [one.name for one in scopes(BankId("BANK001"), ChainId(7))] == [
        "desk",
        "chain:7",
        "bank:BANK001",
    ]
    assert Scope(chain=ChainId(7)) in scopes(BankId("BANK001"), ChainId(7))


def test_states_grow_more_restrictive():
    assert ACTIVE.rank < REDUCING.rank < HALTED.rank


def test_the_desk_is_active_until_somebody_says_otherwise():
    assert in_force([]) == Trading(ACTIVE, None)
    in_force([]).require_active()


def test_the_most_restrictive_setting_is_in_force():
    settings = [setting(), setting("chain:1", HALTED), setting("bank:B", REDUCING)]
    assert in_force(settings) == Trading(HALTED, settings[1])


def test_the_monitor_and_a_person_do_not_lift_each_others_setting():
    by_monitor = setting("chain:1", REDUCING, source=Source.MONITOR)
    assert in_force([setting("chain:1", ACTIVE), by_monitor]).because == by_monitor
    by_person = setting("chain:1", HALTED)
    assert in_force([by_person, setting("chain:1", source=Source.MONITOR)]).because == by_person


def test_of_equal_settings_the_first_is_named():
    late, early = setting("desk", HALTED, minutes=9), setting("bank:B", HALTED, minutes=1)
    assert in_force([late, early]).because == early


@given(st.lists(st.sampled_from(TradingState), max_size=6))
def test_no_setting_lifts_another(states):
    found = in_force([setting(f"bank:{number}", state) for number, state in enumerate(states)])
    assert found.state.rank == max((state.rank for state in states), default=0)
    assert found.is_active == all(state is ACTIVE for state in states)


@pytest.mark.parametrize("state", [REDUCING, HALTED])
def test_what_is_refused_says_who_stopped_it_why_and_what_to_do(state):
    stopped = in_force([setting("chain:1", state)])
    with pytest.raises(DeskStopped) as caught:
        stopped.require_active()
    assert caught.value.code == f"desk.{state}"
    assert caught.value.fields == {
        "scope": "chain:1",
        "reason": "why",
        "set_by": "alice",
        "since": NOW.isoformat(),
    }
    assert "holdfast desk status" in caught.value.message


def test_the_monitors_setting_ends_a_stable_period_after_its_cause_was_last_seen():
    seen = setting("chain:1", REDUCING, source=Source.MONITOR)
    assert not is_stable(seen, NOW + STABLE - timedelta(seconds=1))
    assert is_stable(seen, NOW + STABLE)
