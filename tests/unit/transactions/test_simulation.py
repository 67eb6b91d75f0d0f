"""A slice of the seeded simulation, and the proof that it can fail; `make simulate` runs more."""

import io
import json
import os
import subprocess
import sys

import pytest

from tests.simulation import __main__ as program
from tests.simulation.mutants import MUTANTS
from tests.simulation.quiet import quiet
from tests.simulation.run import run_seed

SLICE = range(300)


@pytest.fixture(autouse=True)
def without_logs():
    with quiet():
        yield


def first_failure(seeds):
    return next((result for result in map(run_seed, seeds) if result.violation), None)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_any_world_ends_with_one_effect_each_and_nothing_lost(part):
    failed = first_failure(SLICE[part::4])
    assert failed is None, f"SEED={failed.seed} {failed.violation}"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.__name__)
def test_a_planted_bug_is_found_in_the_slice(mutant):
    with mutant():
        assert first_failure(SLICE) is not None


def test_the_same_seed_is_the_same_run():
    first, again = (run_seed(11, traced=True) for _ in range(2))
    assert first.trace == again.trace
    assert len(first.trace) > 100


@pytest.mark.slow
def test_a_run_does_not_depend_on_the_order_of_hashes():
    script = (
        "import json; from tests.simulation.quiet import silence; silence();"
        "from tests.simulation.run import run_seed;"
        "print(json.dumps([run_seed(n, traced=True).digest for n in range(20, 25)]))"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},  # noqa: TID251 - a child's environment
            check=True,
            capture_output=True,
        ).stdout
        for seed in (1, 2)
    ]
    assert found[0] == found[1]
    assert json.loads(found[0]) == [run_seed(n, traced=True).digest for n in range(20, 25)]


def test_a_long_run_tells_on_stderr_how_far_it_is_and_changes_no_result(monkeypatch):
    monkeypatch.setattr(program, "_PROGRESS_SECONDS", 0)
    out = io.StringIO()
    assert list(program.told(iter("ab"), 2, out)) == ["a", "b"]
    assert [line.split("seeds")[1].split() for line in out.getvalue().splitlines()] == [
        ["1", "of", "2"],
        ["2", "of", "2"],
    ]
