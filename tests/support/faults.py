"""What a node may do wrong, and the dice and the script that decide when it does."""

import random
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """One way in which an exchange with a node goes wrong; see docs/reliability.md for each."""

    DROPPED_BEFORE = "dropped_before"
    DROPPED_AFTER = "dropped_after"
    DELAYED = "delayed"
    DOUBLED = "doubled"
    TRUNCATED = "truncated"
    TOO_MANY = "too_many_requests"
    BAD_GATEWAY = "bad_gateway"
    PARTIAL = "partial"
    HALF_OPEN = "half_open"
    STALE = "stale"
    NOT_FOUND = "not_found"
    WRONG_CHAIN = "wrong_chain"
    LYING = "lying"
    SKEWED = "skewed"


LASTING = frozenset(
    {Fault.STALE, Fault.NOT_FOUND, Fault.WRONG_CHAIN, Fault.LYING, Fault.SKEWED, Fault.DELAYED}
)
"""Those that may also be a node's lasting state: it lags, forgets, lies or is slow all the time."""


@dataclass
class Faults:
    """Decides what goes wrong with each exchange; the same seed decides the same.

    `odds` are probabilities for each exchange, `lasting` what is wrong all the time; `seen` counts
    what was done.
    """

    seed: int = 0
    odds: dict[Fault, float] = field(default_factory=dict)
    lasting: set[Fault] = field(default_factory=set)
    seen: Counter[Fault] = field(default_factory=Counter)
    _script: list[tuple[Fault, str | None]] = field(default_factory=list)
    _dice: random.Random = field(init=False)

    def __post_init__(self):
        self._dice = random.Random(self.seed)  # noqa: S311 - dice

    def plan(self, *faults, method=None):
        """Have the next exchanges go wrong so, one each; only those that ask `method` if given."""
        self._script += [(fault, method) for fault in faults]

    def clear(self):
        """Nothing goes wrong from now on."""
        self.odds, self.lasting = {}, set()
        self._script.clear()

    def drawn(self, methods):
        """What goes wrong with an exchange of these methods, apart from what lasts."""
        fault = self._scripted(methods) or self._thrown()
        if fault is not None:
            self.seen[fault] += 1
        return fault

    def _scripted(self, methods):
        for entry in self._script:
            if entry[1] is None or entry[1] in methods:
                self._script.remove(entry)
                return entry[0]
        return None

    def _thrown(self):
        if not self.odds:
            return None
        number = self._dice.random()
        for fault, probability in self.odds.items():
            number -= probability
            if number < 0:
                return fault
        return None
