"""Fail the run when the unit tests alone take too few of the branches they are responsible for.

What is measured is the run that this gate is asked in: `make test` gives it the unit tests. What is
left out of the figure, as it needs a process, a node or a database, is named below with its reason;
`make coverage` measures all tests over all of `holdfast`.
"""

import json
import tempfile
from pathlib import Path

import coverage
import pytest

NEEDS_MORE_THAN_A_UNIT_TEST = {
    "*/holdfast/bootstrap/*.py": "connects real databases, nodes and signers to each other",
    "*/holdfast/common/db.py": "PostgreSQL sessions",
    "*/holdfast/common/embedded_postgres.py": "starts the server",
    "*/holdfast/common/postgres_files.py": "the server's files, folders and user",
    "*/holdfast/common/leader.py": "locks on PostgreSQL",
    "*/holdfast/common/notify.py": "LISTEN and NOTIFY on PostgreSQL",
    "*/holdfast/common/queue.py": "the job engine on PostgreSQL",
    "*/holdfast/*/store.py": "SQL, tested on a real PostgreSQL",
    "*/holdfast/*/store/*": "the same, where a store has several files",
    "*/holdfast/migrations/*": "SQL, tested on a real PostgreSQL",
    "*/holdfast/devnet/*": "starts the node and deploys contracts to it",
}


SUMMARY = pytest.StashKey[str]()


def pytest_addoption(parser):
    parser.addoption(
        "--unit-branch-floor",
        type=float,
        help="least percentage of branches that the unit tests take; needs --cov",
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session):
    # Outermost, so that pytest-cov inside has combined and saved its data when this goes on.
    result = yield
    floor = session.config.getoption("--unit-branch-floor")
    if floor is None or hasattr(session.config, "workerinput"):
        return result
    taken, known = unit_branches()
    percentage = 100 * taken / known
    passed = percentage >= floor
    verdict = "at least" if passed else "FAILED: less than"
    session.config.stash[SUMMARY] = (
        f"Unit tests take {taken} of {known} branches ({percentage:.1f} %): {verdict} {floor:g} %"
    )
    session.testsfailed += not passed
    return result


def pytest_terminal_summary(terminalreporter, config):
    if SUMMARY in config.stash:
        terminalreporter.write_line(config.stash[SUMMARY])


def unit_branches() -> tuple[int, int]:
    """Return the branches that unit tests took and those they are responsible for."""
    measured = coverage.Coverage()
    measured.load()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "coverage.json")
        measured.json_report(outfile=str(report), omit=list(NEEDS_MORE_THAN_A_UNIT_TEST))
        totals = json.loads(report.read_text())["totals"]
    return totals["covered_branches"], totals["num_branches"]
