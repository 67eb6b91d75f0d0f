"""Where two histories part: pure decisions over the blocks that were followed."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from holdfast.transactions.model import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.chain.receipts import Head
    from holdfast.common.evm import BlockHash

REMEMBERED: Final = 512
"""Blocks kept with their hashes: the deepest reorg that is traced to its very fork."""

STEP_BACK: Final = 64
"""Blocks read again beyond the oldest remembered when the fork is older than that."""


class Next(Enum):
    """What a look at the newest block calls for."""

    WAIT = auto()
    READ = auto()
    REWIND = auto()


def next_move(place: Place, known: Mapping[int, BlockHash], head: Head) -> Next:
    """What to do about `head`, having read to `place` through the blocks `known`."""
    ref = head.ref
    if ref.hash == place.hash:
        return Next.WAIT
    if ref.number > place.number:
        return Next.READ
    # A node that lags shows a block we passed; one below all we know could be that, too.
    is_behind = ref.number not in known or known[ref.number] == ref.hash
    return Next.WAIT if is_behind else Next.REWIND


def suspects(known: Mapping[int, BlockHash], newest: int) -> list[int]:
    """The numbers to ask the chain about to find the fork, newest first."""
    return sorted((number for number in known if number <= newest), reverse=True)


def fork(known: Mapping[int, BlockHash], canonical: Mapping[int, BlockHash]) -> Place | None:
    """The newest block that both histories share; None when none of those asked about is."""
    shared = [number for number, found in canonical.items() if known.get(number) == found]
    return Place(max(shared), known[max(shared)]) if shared else None
