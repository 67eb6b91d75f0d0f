"""The blocks that were followed: whether a new one continues them, and where a reorg forked."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Final

from holdfast.common.errors import Transient
from holdfast.transactions.model import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from holdfast.chain.receipts import Block
    from holdfast.common.evm import BlockHash, BlockRef
    from holdfast.transactions.ports import Network

_REMEMBERED: Final = 512  # blocks; the deepest reorg that is traced to its very fork
_CHUNK: Final = 32  # headers read at once
_STEP_BACK: Final = 64  # blocks to read again when the fork is older than what is remembered


class Trail:
    """The last blocks followed, by number and hash; starts at `place`.

    Every one of them is linked to the newest by the hashes of parents, so what the trail holds
    does not depend on which node was asked about it.
    """

    def __init__(self, place: Place, network: Network) -> None:
        self._network = network
        self._hashes: dict[int, BlockHash] = {place.number: place.hash}
        self._last = place

    @property
    def last(self) -> Place:
        """The newest block followed."""
        return self._last

    def knows(self, ref: BlockRef) -> bool:
        """Whether `ref` is one of the blocks remembered."""
        return self._hashes.get(ref.number) == ref.hash

    def begins_after(self, number: int) -> bool:
        """Whether nothing is remembered of the block `number` or below."""
        return number < min(self._hashes)

    async def holds(self, place: Place) -> bool:
        """Whether `place`, at or below the newest block followed, is on the trail.

        Raises:
            Transient: the chain does not answer, or its nodes disagree.
        """
        if place.number <= self._last.number - _REMEMBERED:  # too deep to doubt one node's word
            return (await self._network.block(place.number)).ref.hash == place.hash
        return await self.hash_at(place.number) == place.hash

    async def hash_at(self, number: int) -> BlockHash:
        """The block `number` of the trail, read downwards by its links where it is not known.

        Raises:
            Transient: `chain.reorged` when a node that was asked is on another branch.
        """
        while number not in self._hashes:
            lowest = min(self._hashes)
            await self._read_down(range(lowest, max(number, lowest - _CHUNK), -1))
        return self._hashes[number]

    async def _read_down(self, numbers: Iterable[int]) -> None:
        for head in await asyncio.gather(*map(self._network.block, numbers)):
            if not self.knows(head.ref):
                raise Transient("chain.reorged", "the node asked is on another branch")
            self._hashes[head.ref.number - 1] = head.parent

    def is_continued_by(self, blocks: Sequence[Block]) -> bool:
        """Whether `blocks` follow on the trail.

        Raises:
            Transient: `chain.reorged` when they do not follow on each other: they were read while
                the chain changed.
        """
        for parent, child in itertools.pairwise(blocks):
            if child.head.parent != parent.head.ref.hash:
                raise Transient("chain.reorged", "the chain changed while its blocks were read")
        return blocks[0].head.parent == self._last.hash

    def extend(self, blocks: Sequence[Block]) -> None:
        """Follow `blocks`, which continue the trail."""
        for block in blocks:
            self._hashes[block.head.ref.number] = block.head.ref.hash
        ref = blocks[-1].head.ref
        self._last = Place(ref.number, ref.hash)
        for number in [old for old in self._hashes if old <= ref.number - _REMEMBERED]:
            del self._hashes[number]

    async def find_fork(self, branch: Trail) -> Place:
        """The last block that is on `branch` too, or one of it certainly before the fork.

        Raises:
            Transient: when the chain does not answer, or its nodes disagree.
        """
        number = min(self._last.number, branch.last.number)
        while number in self._hashes:
            found = await branch.hash_at(number)
            if found == self._hashes[number]:
                return Place(number, found)
            number -= 1
        number = max(number - _STEP_BACK, 0)
        return Place(number, await branch.hash_at(number))

    def turn(self, fork: Place, branch: Trail, last: Place) -> None:
        """Go on from `last`, which is on `branch`, or is the `fork` to it."""
        ours = {number: tip for number, tip in self._hashes.items() if number < fork.number}
        theirs = {
            number: tip
            for number, tip in branch._hashes.items()
            if fork.number <= number <= last.number
        }
        self._hashes = ours | theirs
        self._last = last
