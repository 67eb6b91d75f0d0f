"""The groups of transactions that a deal sends, cures included, and the boundaries inside each.

A group is signed, committed, broadcast and settled as one, so the nth group is where `advance`,
and each half of the chain loop, passes its boundaries for the nth time. The tests do not trust
that: after each death they count what is signed and what is on chain.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """`before` and `after`: how many of the deal's effects are on chain around it."""

    number: int
    step: int
    name: str
    before: int
    after: int


_SIZES = (
    (0, "fund", 1),
    (1, "open", 4),
    (2, "purchase", 2),
    (3, "first_tranche", 3),
    (3, "second_tranche", 3),
    (3, "last_tranche", 3),
    (4, "repay", 4),
    (4, "go_home", 2),
    (4, "return_native", 1),
)


def _groups():
    before = 0
    for number, (step, name, size) in enumerate(_SIZES, start=1):
        yield Group(number, step, name, before, before + size)
        before += size


GROUPS = tuple(_groups())

_IN_QUEUE = 9
"""Effects on chain once the first tranche waits: fund, open, purchase, approve and request."""

CONVERT = Group(5, 1, "convert", _IN_QUEUE, _IN_QUEUE + 4)  # wrap, approve, swap, revoke
REPAY_PART = Group(5, 1, "repay_part", _IN_QUEUE, _IN_QUEUE + 7)  # the same; approve, repay, revoke
CURES = (CONVERT, REPAY_PART)
"""What a deal in the queue sends when ETH falls: a thin cover converts, the cap repays."""


@dataclass(frozen=True)
class Point:
    """A boundary: what is already true of a group when the process dies there.

    `takes_over`: the job that was running has to be given to another worker first, for which
    three heartbeats are waited; elsewhere the next worker goes on at once.
    """

    name: str
    is_signed: bool
    is_sent: bool
    takes_over: bool = False

    def signed(self, group):
        """How many transactions are committed with their bytes."""
        return group.after if self.is_signed else group.before

    def mined(self, group):
        """How many effects the chain shows; what was sent is mined without us."""
        return group.after if self.is_sent else group.before


POINTS = (
    Point("tx.after_sign", is_signed=False, is_sent=False, takes_over=True),
    Point("advance.before_commit", is_signed=False, is_sent=False, takes_over=True),
    Point("advance.after_commit", is_signed=True, is_sent=False),
    Point("tx.before_broadcast", is_signed=True, is_sent=False),
    Point("tx.after_broadcast", is_signed=True, is_sent=True),
    Point("tx.before_receipts", is_signed=True, is_sent=True),
    Point("tx.in_receipts", is_signed=True, is_sent=True),
    Point("tx.after_receipts", is_signed=True, is_sent=True),
)

ROUNDS = (
    "queue.job_fetched:2",
    "queue.job_done",
    "advance.after_observe:2",
    "tx.in_sent:2",
    "tx.after_sent",
)
"""Boundaries that a deal passes again and again, at which each of its workers dies.

At the second pass where the first would leave every worker as far as the one before.
"""

ONCE = ("sweep.before_commit", "sweep.after_commit")
DESK = ("desk.before_commit", "desk.after_commit")
REPLACEMENT = ("tx.in_attempt", "tx.after_attempt")
REORG = ("tx.before_unmine", "tx.in_unmine", "tx.after_unmine")
CHORE = ("chore.taken", "chore.done")
STANDSTILL = ("still.before_commit", "still.after_commit")
LISTENER = ("events.before_commit", "events.after_commit")

MATRIX = (
    *(point.name for point in POINTS),
    *(name.partition(":")[0] for name in ROUNDS),
    *ONCE,
    *DESK,
    *REPLACEMENT,
    *REORG,
    *CHORE,
    *STANDSTILL,
    *LISTENER,
)
"""Every boundary at which a process is killed by one of the recovery tests."""
