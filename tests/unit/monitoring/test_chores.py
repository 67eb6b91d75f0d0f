"""When a chore is done, tried again, and given up."""

import pytest
import structlog

from holdfast.common.errors import Rejected, Transient
from holdfast.monitoring.chores import ChoreRunner, Chores
from holdfast.monitoring.model import ChoreState, Patience
from tests.unit.monitoring.books import LATER, Bell, ChoreRows, Db

THREE = Patience(first_seconds=10.0, most_seconds=40.0, attempts=3)


class Work:
    """Counts what it is asked to do; fails with `error` when there is one."""

    def __init__(self, error=None):
        self.subjects, self.error = [], error

    async def __call__(self, subject):
        self.subjects.append(subject)
        if self.error is not None:
            raise self.error


class Scene:
    """A runner of one kind of chore, `report`, that was tried so often before."""

    def __init__(self, tried=0, error=None, kinds=("report",)):
        self.rows = ChoreRows() if tried is None else ChoreRows(report=tried)
        self.bell, self.work, self.db, self.passed = Bell(), Work(error), Db(), []
        works = dict.fromkeys(kinds, self.work)
        self.runner = ChoreRunner(self.db, self.bell, works, THREE, self.passed.append, self.rows)

    async def do(self):
        with structlog.testing.capture_logs() as told:
            await self.runner.do("report", "1")
        return [line["event"] for line in told]

    def steps(self):
        return [step[0] for step in self.rows.done]


async def test_a_chore_that_succeeds_is_counted_first_and_leaves_no_row():
    scene = Scene()
    assert await scene.do() == []
    assert scene.work.subjects == ["1"]
    assert scene.steps() == ["take", "end"]
    assert scene.rows.done[1] == ("end", 1)
    assert scene.passed == ["chore.taken", "chore.done"]


async def test_a_chore_that_is_not_due_is_left_alone():
    scene = Scene(tried=None)
    assert await scene.do() == []
    assert (scene.work.subjects, scene.rows.done) == ([], [])


async def test_a_chore_whose_last_attempt_never_came_back_is_given_up_undone():
    scene = Scene(tried=3)
    await scene.do()
    assert scene.work.subjects == []
    assert scene.rows.done == [("give_up", "report", "1")]


async def test_a_failed_attempt_is_due_again_when_it_was_said_to_be():
    scene = Scene(tried=1, error=Transient("x.down", "it is down"))
    assert await scene.do() == ["chore.postponed"]
    assert scene.rows.done[-1] == ("fail", 2, "it is down", ChoreState.PENDING)
    ((_, kind, subject, at),) = scene.bell.rung
    assert (kind, subject, at) == ("report", "1", LATER)
    assert scene.passed == ["chore.taken"]


@pytest.mark.parametrize(("tried", "doubled"), [(0, 10), (1, 20), (2, 40)])
async def test_the_pause_is_set_before_the_attempt_and_grows_with_each(tried, doubled):
    scene = Scene(tried=tried)
    await scene.do()
    ((_, pause), _) = scene.rows.done
    assert doubled * 0.8 <= pause <= doubled * 1.2


async def test_the_last_attempt_that_fails_is_kept_as_failed_and_rung_for_no_more():
    scene = Scene(tried=2, error=Rejected("x.no", "no"))
    assert await scene.do() == ["chore.given_up"]
    assert scene.rows.done[-1] == ("fail", 3, "no", ChoreState.FAILED)
    assert scene.bell.rung == []


async def test_a_chore_asked_for_again_while_it_failed_has_its_own_word_already():
    scene = Scene(error=Transient("x.down", "down"))
    scene.rows.asked_again.add("report")
    await scene.do()
    assert scene.bell.rung == []


async def test_a_kind_that_this_version_does_not_know_waits_for_one_that_does():
    scene = Scene(kinds=())
    assert await scene.do() == ["chore.postponed"]
    assert scene.rows.done[-1] == (
        "fail",
        1,
        "this version does not know the chore 'report'",
        ChoreState.PENDING,
    )


async def test_a_bug_in_the_work_is_no_failed_attempt():
    """The job engine keeps it; the chore is due again by itself."""
    scene = Scene(error=ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await scene.do()
    assert scene.steps() == ["take"]


async def test_the_sweep_rings_for_everything_overdue_in_the_transaction_that_found_it():
    scene = Scene()
    scene.rows.late = [("report", "1"), ("alert", "2")]
    await scene.runner.sweep()
    assert scene.bell.rung == [(1, "report", "1", None), (1, "alert", "2", None)]


async def test_what_is_asked_for_is_kept_and_rung_for_in_one_transaction():
    rows, bell = ChoreRows(), Bell()
    await Chores(bell, rows).later("session", "report", "1")
    assert rows.done == [("put", "session", "report", "1")]
    assert bell.rung == [("session", "report", "1", None)]


async def test_a_retry_starts_a_known_chore_again_and_tells_how_it_stood():
    rows, bell = ChoreRows(report=3), Bell()
    was = await Chores(bell, rows).retry("session", "report", "1")
    assert (was.state, was.attempts) == (ChoreState.FAILED, 3)
    assert rows.done == [("put", "session", "report", "1")]
    assert len(bell.rung) == 1


async def test_a_retry_of_what_is_not_left_to_do_changes_nothing():
    rows, bell = ChoreRows(report=3), Bell()
    with pytest.raises(Rejected) as refused:
        await Chores(bell, rows).retry("session", "alert", "1")
    assert refused.value.code == "chore.not_found"
    assert (rows.done, bell.rung) == ([], [])
