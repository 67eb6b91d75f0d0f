"""The falls of ETH that replays know by name; their prices come from a file of the user's."""

from dataclasses import dataclass
from datetime import date

from holdfast.common.errors import Rejected
from holdfast.common.money import Bps


@dataclass(frozen=True, slots=True)
class Event:
    """A stretch of days, both included, and the deepest fall from a high to a later low in it."""

    name: str
    first: date
    last: date
    fall: Bps
    about: str


EVENTS: tuple[Event, ...] = (
    Event(
        "black_thursday",
        date(2020, 3, 11),
        date(2020, 3, 13),
        Bps(5_770),
        "the pandemic's crash; the worst hour ended 20.9 % lower",
    ),
    Event(
        "may_2021",
        date(2021, 5, 18),
        date(2021, 5, 23),
        Bps(5_150),
        "the deleveraging of May 2021; gas at 299 gwei, one hour 28 % down at its low",
    ),
    Event("terra", date(2022, 5, 7), date(2022, 5, 12), Bps(3_340), "UST loses its peg"),
    Event(
        "june_2022", date(2022, 6, 9), date(2022, 6, 18), Bps(5_190), "lenders fail; stETH -6.9 %"
    ),
    Event("ftx", date(2022, 11, 5), date(2022, 11, 9), Bps(3_560), "an exchange fails"),
    Event(
        "usdc_depeg", date(2023, 3, 8), date(2023, 3, 13), Bps(1_290), "USDC trades down to 0.874"
    ),
    Event("august_2024", date(2024, 8, 2), date(2024, 8, 5), Bps(3_440), "carry trades unwind"),
    Event("february_2025", date(2025, 2, 1), date(2025, 2, 3), Bps(3_620), "tariffs"),
)
"""Source: RISK.md, replays."""


def event(name: str) -> Event:
    """The event of that name.

    Raises:
        Rejected: `replay.event`, with the names that there are.
    """
    for one in EVENTS:
        if one.name == name:
            return one
    names = [one.name for one in EVENTS]
    raise Rejected("replay.event", f"no event is called {name!r}", value=name, limit=names)
