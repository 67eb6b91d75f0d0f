"""One round of looks at a chain's endpoints: which serve the chain, keep up and agree."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from holdfast.chain.blocks import head_request
from holdfast.chain.endpoint import Fault, Request
from holdfast.chain.health import Circuit, Failure, Trouble, allowed_lag_blocks, misplaced, outvoted
from holdfast.chain.profiles import verify_node
from holdfast.chain.receipts import MALFORMED, parse_head
from holdfast.chain.transport import LostError, NotSentError
from holdfast.common.errors import Broken, Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.member import Member
    from holdfast.chain.profiles import ChainProfile

LOOK_SECONDS: Final = 4.0
"""For the answer to a look: longer than any healthy node needs, shorter than a read may take."""

AGAIN_SECONDS: Final = 0.2
"""Before a disagreement is believed: a block that changes between two answers looks like one."""

_OTHER_BLOCK: Final = "shows another block than the others where the chain is settled"

_Troubles: TypeAlias = "dict[str, tuple[Trouble, str]]"
"""By name what is wrong with an endpoint, and the words for it."""

_HEAD: Final = head_request("latest")
_IDENTITY: Final = (
    Request("eth_chainId", ()),
    head_request("0x0"),
    Request("web3_clientVersion", ()),
)


class Inspector:
    """Looks at the endpoints of the chain of `profile`.

    What `readers` show is compared; a private endpoint only has to serve the right chain.
    `refusals` keeps, by name, why an endpoint was refused.
    """

    def __init__(self, profile: ChainProfile, readers: Sequence[Member]) -> None:
        self._profile = profile
        self._readers = readers
        self._allowed_lag = allowed_lag_blocks(profile.block_time_seconds)
        self.refusals: dict[str, Rejected] = {}

    async def round(self, members: Sequence[Member], followed: int) -> None:
        """Look at `members` and settle which are used; `followed` is the newest block in use."""
        for member in members:
            if not member.health.is_used:
                member.probing()
        try:
            await self._settle(members, followed)
        finally:
            self._give_up_probes(members)

    async def _settle(self, members: Sequence[Member], followed: int) -> None:
        looks = await asyncio.gather(*(self._serves(member) for member in members))
        serving = [member for member, serves in zip(members, looks, strict=True) if serves]
        for member in serving:
            if member.is_private:
                member.passed()
        await self._compare([one for one in serving if not one.is_private], followed)

    def _give_up_probes(self, members: Sequence[Member]) -> None:
        """Nothing is under way any more, so what is still half open would stay so for good."""
        for member in members:
            if member.health.circuit is Circuit.HALF_OPEN:
                member.take_out(Trouble.UNREACHABLE, "the look at it did not end")

    async def _compare(self, serving: Sequence[Member], followed: int) -> None:
        troubles = self._misplaced(serving, followed)
        keeping_up = [member for member in serving if member.name not in troubles]
        if len(keeping_up) > 1:
            troubles |= await self._lying(keeping_up)
        elif keeping_up and len(serving) > 1:
            # It alone makes all others look late, so it is they that are asked about it.
            troubles |= await self._lying(serving) or await self._made_up(keeping_up[0])
        for member in serving:
            if member.name in troubles:
                member.take_out(*troubles[member.name])
            else:
                member.passed()

    def _misplaced(self, serving: Sequence[Member], followed: int) -> _Troubles:
        heads = {member.name: member.head for member in serving}
        if len(serving) == len(self._readers):
            followed = 0  # all there are: where they stand is where the chain is
        known = max(*heads.values(), followed, 0)
        troubles = misplaced(heads, self._allowed_lag, followed) if heads else {}
        return {
            name: (trouble, _misplaced_words(trouble, heads[name], known))
            for name, trouble in troubles.items()
        }

    async def _lying(self, members: Sequence[Member]) -> _Troubles:
        lowest = min(member.head for member in members)
        number = hex(max(0, lowest - self._profile.final_depth))
        found = await self._outvoted(members, number)
        if found:
            await asyncio.sleep(AGAIN_SECONDS)
            found = await self._outvoted(members, number)
        return dict.fromkeys(found, (Trouble.DISAGREES, _OTHER_BLOCK))

    async def _made_up(self, member: Member) -> _Troubles:
        """What is wrong where the block under its head is not there: it has not come there."""
        below = Request("eth_getBlockByNumber", (hex(max(0, member.head - 1)), False))
        answer = await _asked(member, [below])
        if answer is None or _hash_of(answer[0]) is not None:
            return {}
        reason = f"its head {member.head} is ahead of all others, and has no block under it"
        return {member.name: (Trouble.DISAGREES, reason)}

    async def _outvoted(self, members: Sequence[Member], number: str) -> set[str]:
        request = head_request(number)
        answers = await asyncio.gather(*(_asked(member, [request]) for member in members))
        shown = {
            member.name: block_hash
            for member, answer in zip(members, answers, strict=True)
            if answer is not None and (block_hash := _hash_of(answer[0])) is not None
        }
        return outvoted(shown) if shown else set()

    async def _serves(self, member: Member) -> bool:
        """Whether the endpoint answers and serves the chain; its head is noted."""
        requests = (_HEAD,) if member.health.is_used else (_HEAD, *_IDENTITY)
        answers = await _asked(member, requests)
        if answers is None:
            return False
        trouble = next((one for one in answers if not one or isinstance(one, Fault)), None)
        if trouble is not None or any(answer is None for answer in answers):
            text = trouble.message if isinstance(trouble, Fault) else "an empty answer"
            member.failed(Failure(f"it cannot say what it serves: {text}", is_costly=True))
            return False
        return self._is_right(member, answers)

    def _is_right(self, member: Member, answers: Sequence[Any]) -> bool:
        head, *identity = answers
        try:
            member.head = parse_head(head).ref.number
            if identity:
                chain, genesis, version = identity
                verify_node(self._profile, int(chain, 16), genesis["hash"], version)
        except Rejected as error:
            self.refusals[member.name] = error
            member.take_out(Trouble.REFUSED, error.message)
            return False
        except (Broken, *MALFORMED) as error:
            member.failed(Failure(f"its answer makes no sense: {error!r:.200}", is_costly=True))
            return False
        return True


def _misplaced_words(trouble: Trouble, head: int, known: int) -> str:
    word = "behind" if trouble is Trouble.LAGGING else "ahead of all others"
    return f"its head {head} is {word}; known is {known}"


def _hash_of(block: Any) -> str | None:  # noqa: ANN401 - JSON
    """The hash of what should be a block; None when the node does not show one."""
    try:
        return str(block["hash"]).lower()
    except (KeyError, TypeError):
        return None


async def _asked(member: Member, requests: Sequence[Request]) -> list[Any] | None:
    """The answers; None, and the failure noted, when there are none."""
    try:
        return await member.exchange(requests, LOOK_SECONDS)
    except (NotSentError, LostError):
        return None
