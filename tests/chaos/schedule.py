"""What is done to the desk and when, drawn from a seed: the same seed gives the same storm."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tests.support.faults import Fault

WORKERS = 3

BOUNDARIES = (
    "tx.after_sign",
    "advance.before_commit",
    "advance.after_commit",
    "tx.before_broadcast",
    "tx.after_broadcast",
    "tx.before_receipts",
    "tx.in_receipts",
    "tx.after_receipts",
)
_LATEST_PASS = 2
_PAUSE_SECONDS = (0.3, 1.3)
_LAST_SECONDS = (0.5, 4.0)
_LASTING = (None, None, Fault.LYING, Fault.STALE, Fault.SKEWED, Fault.NOT_FOUND)


class Kind(StrEnum):
    """What can be done to the desk.

    Kills: `worker`, SIGKILL at whatever it is doing; `boundary`, the same, and the worker that
    follows kills itself at a named boundary; `database`, stopped at once and started a while later;
    `node`, the same, with the chain that it had.

    Other harm, for a while: `freeze`, a worker stands still and comes back; `usurper`, one more
    worker that believes it leads whatever the lock says; `faults`, a node that misbehaves.
    """

    WORKER = "worker"
    BOUNDARY = "boundary"
    DATABASE = "database"
    NODE = "node"
    FREEZE = "freeze"
    USURPER = "usurper"
    FAULTS = "faults"


_WEIGHTS = {
    Kind.WORKER: 52,
    Kind.BOUNDARY: 28,
    Kind.DATABASE: 4,
    Kind.NODE: 2,
    Kind.FREEZE: 6,
    Kind.USURPER: 3,
    Kind.FAULTS: 5,
}


@dataclass(frozen=True)
class Blow:
    """One thing that is done, `pause` seconds after the one before.

    `slot` says to which worker, `point` at which boundary its follower dies (`name:pass`),
    `seconds` how long what is not a kill lasts, or what was stopped stays away, `lasting` what is
    wrong all that time with a node that misbehaves.
    """

    kind: Kind
    pause: float
    slot: int
    point: str
    seconds: float
    lasting: Fault | None


def schedule(seed: int) -> Iterator[Blow]:
    """The blows that `seed` stands for, without end; each kind comes among the first."""
    dice = random.Random(seed)  # noqa: S311 - dice
    first = list(Kind)
    dice.shuffle(first)
    while True:
        kind = first.pop() if first else dice.choices(list(_WEIGHTS), [*_WEIGHTS.values()])[0]
        yield Blow(
            kind=kind,
            pause=dice.uniform(*_PAUSE_SECONDS),
            slot=dice.randrange(WORKERS),
            point=f"{dice.choice(BOUNDARIES)}:{dice.randint(1, _LATEST_PASS)}",
            seconds=dice.uniform(*_LAST_SECONDS),
            lasting=dice.choice(_LASTING),
        )
