"""`holdfast worker`: what is started, what its exit code is, and how its status is shown."""

import contextlib
import json
import sys
from types import SimpleNamespace

import pytest

from holdfast.common.errors import Paused, Rejected
from holdfast.entry.cli import worker as commands
from holdfast.entry.cli.main import run
from holdfast.entry.cli.worker import worker_parts
from tests.unit.entry.test_cli_main import process_as_before

__all__ = ["process_as_before"]

LEAD = {"name": "chain:138", "holder": "host/7", "epoch": 3, "led_seconds": 60.0}
QUEUE = {"queue": "deals", "waiting": 1, "later": 2, "running": 3, "abandoned": 4, "failed": 5}


def report(*leads, queues=(), overdue=0):
    return {
        "leads": list(leads),
        "queues": list(queues),
        "deals": {"overdue": overdue, "latest_by_seconds": 1.5},
    }


@pytest.fixture
def reported(monkeypatch):
    """What the database says of the workers; a test sets it."""
    made = SimpleNamespace(found=report())

    class Reporter:
        async def report(self):
            return made.found

    @contextlib.asynccontextmanager
    async def opened(settings):
        yield Reporter()

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(commands, "opened_workers_reporter", opened)
    return made


def lines(capsys):
    assert run(["worker", "status"]) == 0
    return [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_the_status_is_one_document(reported, capsys):
    reported.found = report({**LEAD, "silent_seconds": 1.0, "is_led": True}, queues=[QUEUE])
    assert run(["worker", "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == reported.found


@pytest.mark.parametrize(
    ("lead", "who"),
    [
        ({"is_led": True}, "host/7"),
        ({"is_led": False}, "nobody: host/7 is silent"),
        ({"is_led": False, "holder": None}, "nobody: handed over"),
    ],
)
def test_a_lead_says_who_leads_or_why_nobody_does(reported, capsys, lead, who):
    reported.found = report({**LEAD, "silent_seconds": 9.5, **lead})
    (line,) = [each for each in lines(capsys) if each[0] == "chain:138"]
    assert line[1:] == [*who.split(), "3", "60.0", "s", "9.5", "s", "ago"]


def test_queues_and_late_deals_are_shown(reported, capsys):
    reported.found = report(queues=[QUEUE], overdue=2)
    shown = lines(capsys)
    assert ["deals", "1", "2", "3", "4", "5"] in shown
    assert shown[-1] == ["deals", "overdue:", "2,", "by", "1.5", "s", "at", "most"]


async def nothing(*_, **__):
    """A part that has nothing to do."""


def system(**changes):
    """A system whose parts can be told apart and never run."""
    loop = SimpleNamespace(run=nothing)
    settings = SimpleNamespace(worker_concurrency=3, metrics_port=None)
    one = SimpleNamespace(run=nothing)
    made = {
        "settings": settings,
        "queue": one,
        "advance": nothing,
        "chain_loops": [loop, loop],
        "sweep": one,
        "listener": one,
        "exit_checks": one,
        "notices": SimpleNamespace(do_chores=nothing),
        "watch": one,
        "reports": one,
        "counting": one,
        "metrics": None,
        "pool": Pool(),
        "monitor": SimpleNamespace(run=None),
        "tick_watch": SimpleNamespace(run=None),
    }
    return SimpleNamespace(**{**made, **changes})


class Pool:
    """The endpoints of the chain; none can be used while there is `refuses`."""

    def __init__(self, refuses=None):
        self.refuses, self.was_asked = refuses, False

    async def require(self):
        self.was_asked = True
        if self.refuses is not None:
            raise self.refuses


@pytest.fixture
def running(monkeypatch):
    """Run `holdfast worker` on a system; returns the exit code and the parts that it ran."""

    def run_on(made):
        ran = []

        @contextlib.asynccontextmanager
        async def opened(settings, *, patience_seconds):
            assert patience_seconds == 60
            yield made

        async def run_worker(parts):
            ran.extend(part.name for part in parts)

        monkeypatch.setattr(commands, "opened", opened)
        monkeypatch.setattr(commands, "run_worker", run_worker)
        return run(["worker"]), ran

    return run_on


PARTS = [
    *("queue", "chain-0", "chain-1", "sweep", "events", "exits", "chores"),
    *("nodes", "reports", "risk", "ticks"),
]


def test_a_worker_runs_every_part_with_a_loop_for_each_shard(running):
    made = system()
    assert running(made) == (0, PARTS)
    assert made.pool.was_asked


def test_a_worker_starts_while_every_node_is_down(running):
    paused = Paused("chain.paused", "no node can be used")
    assert running(system(pool=Pool(paused))) == (0, PARTS)


def test_figures_are_served_only_where_a_port_is_given():
    settings = SimpleNamespace(worker_concurrency=3, metrics_port=9100)
    names = [part.name for part in worker_parts(system(settings=settings))]
    assert names == [*PARTS, "counting"]


def test_a_worker_whose_port_is_taken_ends_as_wrongly_set_up_before_it_does_anything(
    running, monkeypatch, capsys
):
    """Exit code 3, which no supervisor starts again."""

    class Taken:
        def __init__(self, registry, port):
            assert port == 9100

        @contextlib.asynccontextmanager
        async def serving(self):
            raise Rejected("metrics.port", "port 9100 cannot be served")
            yield

    monkeypatch.setattr(commands, "MetricsServer", Taken)
    made = system(settings=SimpleNamespace(worker_concurrency=3, metrics_port=9100))
    assert running(made) == (3, [])
    assert "metrics.port" in capsys.readouterr().err
    assert not made.pool.was_asked


@pytest.mark.parametrize(("ended", "code"), [(0, 0), (3, 3), (-15, 1)])
def test_a_supervised_worker_ends_with_its_last_code_and_one_killed_as_unexpected(
    monkeypatch, ended, code
):
    commanded = []

    class Supervisor:
        def __init__(self, command, clock):
            commanded.append(command)

        async def run(self):
            return ended

    monkeypatch.setattr(commands, "Supervisor", Supervisor)
    assert run(["worker", "--supervised"]) == code
    assert commanded == [[sys.executable, "-m", "holdfast", "worker"]]
