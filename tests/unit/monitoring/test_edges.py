"""A state is told when it begins or grows graver, and once more when it is over."""

from holdfast.common.alerts import Alert, Ended, Severity
from holdfast.monitoring.edges import edges

WARN, GRAVE = Severity.WARNING, Severity.CRITICAL


def alert(code="risk.warning.a", subject="x", severity=WARN):
    return Alert(code, severity, subject, "text")


def test_what_is_new_is_told_and_stays_on():
    told = edges({}, [alert()], most=9)
    assert (told.begun, told.ended) == ((alert(),), ())
    assert told.after == {("risk.warning.a", "x"): WARN}


def test_what_lasts_is_not_told_again():
    told = edges({("risk.warning.a", "x"): WARN}, [alert()], most=9)
    assert (told.begun, told.ended) == ((), ())


def test_what_became_graver_is_told_again_and_what_became_milder_is_not():
    on = {("risk.warning.a", "x"): WARN}
    assert edges(on, [alert(severity=GRAVE)], most=9).begun == (alert(severity=GRAVE),)
    was_grave = {("risk.warning.a", "x"): GRAVE}
    told = edges(was_grave, [alert()], most=9)
    assert (told.begun, told.after) == ((), was_grave)


def test_what_is_gone_has_ended():
    told = edges({("risk.warning.a", "x"): WARN, ("risk.warning.a", "y"): WARN}, [alert()], most=9)
    assert told.ended == (Ended("risk.warning.a", "y"),)
    assert told.after == {("risk.warning.a", "x"): WARN}


def test_too_many_at_once_wait_for_the_next_tick_the_gravest_first():
    alerts = [alert(subject=str(n), severity=GRAVE if n == 2 else WARN) for n in range(3)]
    first = edges({}, alerts, most=2)
    assert [one.subject for one in first.begun] == ["2", "0"]
    second = edges(first.after, alerts, most=2)
    assert [one.subject for one in second.begun] == ["1"]
    over = edges(second.after, [], most=2)
    assert (len(over.ended), len(over.after)) == (2, 1)
