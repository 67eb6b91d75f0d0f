"""What is done to the desk and when, drawn from a seed: the same seed gives the same storm."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

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
_PAUSE_SECONDS = (0.2, 1.2)


class Kind(StrEnum):
    """What can be done to the desk.

    `worker`: SIGKILL at whatever it is doing. `boundary`: the same, and the worker that follows
    kills itself at a named boundary.
    """

    WORKER = "worker"
    BOUNDARY = "boundary"


_WEIGHTS = {Kind.WORKER: 60, Kind.BOUNDARY: 40}


@dataclass(frozen=True)
class Blow:
    """One thing that is done, `pause` seconds after the one before.

    `slot` says to which worker, `point` at which boundary its follower dies (`name:pass`).
    """

    kind: Kind
    pause: float
    slot: int
    point: str


def schedule(seed: int) -> Iterator[Blow]:
    """The blows that `seed` stands for, without end."""
    dice = random.Random(seed)  # noqa: S311 - dice
    kinds, weights = list(_WEIGHTS), list(_WEIGHTS.values())
    while True:
        # Every number is drawn for every kind, so that a new kind does not move the others.
        yield Blow(
            kind=dice.choices(kinds, weights)[0],
            pause=dice.uniform(*_PAUSE_SECONDS),
            slot=dice.randrange(WORKERS),
            point=f"{dice.choice(BOUNDARIES)}:{dice.randint(1, _LATEST_PASS)}",
        )
