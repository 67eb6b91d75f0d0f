"""How much processor time a process and everything it started has used, from /proc."""

import os
import time
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


def is_measurable():
    """Whether this system tells the processor time of other processes."""
    return (_PROC / "self/stat").exists()


def tree_seconds(root):
    """Processor seconds of `root`, of its living descendants and of those that were waited for."""
    parents = {pid: fields for pid in _pids() if (fields := _stat(pid)) is not None}
    family, grown = {root}, True
    while grown:
        children = {pid for pid, fields in parents.items() if fields[0] in family} - family
        family |= children
        grown = bool(children)
    ticks = sum(sum(parents[pid][1:3]) for pid in family if pid in parents)
    ticks += sum(sum(parents[pid][3:5]) for pid in family if pid in parents)
    return ticks / _TICKS


def speed():
    """Milliseconds of processor time that a fixed piece of Python takes: how fast this is now.

    On a shared or throttled machine it changes within minutes, and every other figure with it.
    """
    return 1000 * min(_spin() for _ in range(3))


def _spin():
    start, total = time.process_time(), 0
    for number in range(500_000):
        total += number
    return time.process_time() - start


class Meter:
    """The processor time of named process trees since the meter was started."""

    def __init__(self, roots):
        self._roots = {name: list(pids) for name, pids in roots.items()}
        self._start = self._now()

    def seconds(self):
        """By name; empty where the system does not tell."""
        return {name: now - self._start[name] for name, now in self._now().items()}

    def _now(self):
        if not is_measurable():
            return {}
        return {name: sum(map(tree_seconds, pids)) for name, pids in self._roots.items()}


def _pids():
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]


def _stat(pid):
    """Parent, user, system, waited-for user and waited-for system time; None when it has ended."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the program's name may hold spaces
    return [int(fields[index]) for index in (1, 11, 12, 13, 14)]
