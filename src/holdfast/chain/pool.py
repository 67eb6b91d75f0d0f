"""Several endpoints of one chain as one: reads fail over, sends go to all, liars are left out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Self

from holdfast.chain.broadcast import Broadcasts
from holdfast.chain.endpoint import Endpoint
from holdfast.chain.gathering import Gathered, heads, sent_answer
from holdfast.chain.health import Failure, Trouble
from holdfast.chain.inspection import Inspector
from holdfast.chain.member import Member
from holdfast.chain.sending import Silence
from holdfast.chain.shapes import malformed
from holdfast.chain.transport import HttpTransport, LostError, NotSentError
from holdfast.common.errors import Ambiguous, Paused, Rejected, Transient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.endpoint import Request
    from holdfast.chain.member import EndpointStatus
    from holdfast.chain.metrics import ChainMetrics
    from holdfast.chain.profiles import ChainProfile
    from holdfast.common.clock import Clock

CHECK_SECONDS: Final = 2.0
"""Between two looks at endpoints in use: how long one may lag or lie before it is left out."""

SURVEY_LOOKS: Final = 5
SURVEY_SECONDS: Final = 0.3
"""Of a survey: enough looks to see one in five lost, done before a person grows impatient."""


class Pool:
    """The endpoints `readers` of the chain of `profile`, the one to prefer first.

    Raw transactions go to `private` alone where there are any. Nothing is asked before the first
    request; then every endpoint has to show that it serves the chain.
    """

    def __init__(
        self,
        profile: ChainProfile,
        readers: Sequence[Member],
        private: Sequence[Member],
        clock: Clock,
    ) -> None:
        self.profile = profile
        self._readers = readers
        self._private = private
        self._members = (*readers, *private)
        self._clock = clock
        self._inspector = Inspector(profile, readers)
        self._followed: dict[str, int] = {}
        self._checked_at = clock.monotonic_seconds()
        self._checking: asyncio.Task[None] | None = None
        self._broadcasts = Broadcasts()

    @classmethod
    def over_http(cls, profile: ChainProfile, clock: Clock, metrics: ChainMetrics) -> Self:
        """The pool of the profile's endpoints; connects with the first request."""
        names: dict[str, int] = {}

        def member(url: str, *, is_private: bool) -> Member:
            transport = HttpTransport(url)
            count = names[transport.name] = names.get(transport.name, 0) + 1
            name = transport.name if count == 1 else f"{transport.name} ({count})"
            figures = metrics.endpoint(name)
            endpoint = Endpoint(transport, meter=figures.exchange)
            return Member(endpoint, figures, clock, is_private=is_private)

        readers = [member(url, is_private=False) for url in profile.rpc_urls]
        private = [member(url, is_private=True) for url in profile.private_rpc_urls]
        return cls(profile, readers, private, clock)

    async def require(self) -> None:
        """Check that at least one endpoint can be used.

        Raises:
            Rejected: what is wrong when every endpoint serves another chain.
            Paused: `chain.read_only` when none can be used for other reasons.
        """
        if self._used():
            return
        await self.check()
        if self._used():
            return
        if all(member.health.trouble is Trouble.REFUSED for member in self._readers):
            refusal = self._inspector.refusals[self._readers[0].name]
            raise Rejected(refusal.code, refusal.message, **refusal.fields)
        raise self._read_only()

    async def check(self) -> None:
        """Look at the endpoints in use and at those that may be probed; one look at a time."""
        if self._checking is None:
            self._checking = asyncio.create_task(self._inspect(), name="chain.check")
        await asyncio.shield(self._checking)

    async def check_when_due(self) -> None:
        """Look where it is time to."""
        is_due = self._clock.monotonic_seconds() - self._checked_at >= CHECK_SECONDS
        if self._to_inspect(with_used=is_due):
            await self.check()

    async def survey(self) -> None:
        """Look at every endpoint a few times, to tell how often and how fast each answers."""
        for _ in range(SURVEY_LOOKS):
            members = [one for one in self._members if one.health.is_used or one.is_due()]
            await self._inspector.round(members, self._followed.get("latest", 0))
            await asyncio.sleep(SURVEY_SECONDS)

    async def read(self, requests: Sequence[Request]) -> list[Any]:
        """The answers of the first endpoint that has them all, else the best of several.

        Raises:
            Paused: `chain.read_only` when no endpoint can be used.
            Transient: `rpc.unreachable` when all of them failed just now.
        """
        if not self._used():
            await self.check()
        if len(self._readers) == 1:
            return await self._read_alone(requests)
        gathered = Gathered(requests, self._followed)
        failures: list[str] = []
        for member in self._by_preference():
            wanted = gathered.wanted
            try:
                answers = await _readable(member, wanted)
            except (NotSentError, LostError) as error:
                failures.append(f"{member.name} did not answer: {error}")
                continue
            gathered.add(answers)
            member.head = heads(wanted, answers).get("latest", member.head)
            if not gathered.wanted:
                break
        if not gathered.is_answered:
            raise self._unanswered(failures)
        self._followed = self._followed | heads(requests, gathered.answers)
        return gathered.answers

    async def _read_alone(self, requests: Sequence[Request]) -> list[Any]:
        """As `read` does, where there is nobody who could answer better."""
        (member,) = self._readers
        if not member.health.is_used:
            raise self._read_only()
        try:
            return await member.exchange(requests, member.timeouts.of(requests))
        except (NotSentError, LostError) as error:
            raise self._unanswered([f"{member.name} did not answer: {error}"]) from error

    async def submit(self, requests: Sequence[Request]) -> list[Any]:
        """For each request the answer that stands for those of all endpoints that are used.

        Returns as soon as one endpoint took everything and the others had a moment to answer.

        Raises:
            Paused, Transient: nothing was sent to any endpoint.
            Ambiguous: `rpc.no_answer` when bytes went out and no endpoint answered.
        """
        if not self._used_for_sending():
            await self.check()
        members = self._used_for_sending()
        answers = await self._broadcasts.send(requests, members)
        if not answers:
            raise self._unanswered([f"{member.name} was not reached" for member in members])
        merged = [sent_answer(each) for each in zip(*answers, strict=True)]
        if all(isinstance(answer, Silence) for answer in merged):
            raise Ambiguous("rpc.no_answer", merged[0].message)
        return merged

    @property
    def is_used(self) -> bool:
        """Whether the chain can be read."""
        return bool(self._used())

    @property
    def can_send(self) -> bool:
        """Whether raw transactions have an endpoint to go to."""
        return bool(self._used_for_sending())

    def status(self) -> list[EndpointStatus]:
        """Every endpoint as it is now."""
        best = max(member.head for member in self._members)
        return [member.status(best) for member in self._members]

    async def close(self) -> None:
        """Close the connections; what is under way is given up."""
        await self._broadcasts.close()
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)
        for member in self._members:
            await member.close()

    async def _inspect(self) -> None:
        try:
            followed = self._followed.get("latest", 0)
            await self._inspector.round(self._to_inspect(with_used=True), followed)
            self._note_lags()
            self._forget_made_up()
        finally:
            self._checked_at = self._clock.monotonic_seconds()
            self._checking = None

    def _to_inspect(self, *, with_used: bool) -> list[Member]:
        # A single endpoint is not looked at while it is used: there is nothing to compare it with,
        # and requests show soon enough that it is gone.
        compared = with_used and len(self._readers) > 1
        # Nodes that disagree are heard together: each would be believed if it were heard alone.
        disputed = self._disputed()
        heard = disputed if any(member.is_due() for member in disputed) else []
        return [
            member
            for member in self._members
            if (member.health.is_used and compared) or member.is_due() or member in heard
        ]

    def _disputed(self) -> list[Member]:
        return [one for one in self._readers if one.health.trouble is Trouble.DISAGREES]

    def _used(self) -> list[Member]:
        return [member for member in self._readers if member.health.is_used]

    def _used_for_sending(self) -> list[Member]:
        members = self._private or self._readers
        return [member for member in members if member.health.is_used]

    def _by_preference(self) -> list[Member]:
        """The endpoints to ask, those first that have the newest block in use."""
        followed = self._followed.get("latest", 0)
        return sorted(self._used(), key=lambda member: member.head < followed)

    def _note_lags(self) -> None:
        best = max(member.head for member in self._readers)
        for member in self._readers:
            member.lags(best - member.head if member.head else 0)

    def _forget_made_up(self) -> None:
        """Follow no head whose endpoint is not believed: all others would look late."""
        if any(one.head >= self._followed.get("latest", 0) for one in self._disputed()):
            self._followed = {}

    def _unanswered(self, failures: Sequence[str]) -> Transient:
        if failures and self._used():
            return Transient("rpc.unreachable", "; ".join(failures))
        return self._read_only()

    def _read_only(self) -> Paused:
        return Paused(
            "chain.read_only",
            f"no node of {self.profile.name} can be used: nothing is planned, approved or sent "
            "until one returns; what is stored can be read",
            endpoints=[
                {
                    "endpoint": one.name,
                    "trouble": str(one.trouble),
                    "since": one.since.isoformat(timespec="seconds"),
                    "reason": one.reason,
                }
                for one in self.status()
                if one.trouble is not None
            ],
        )


async def _readable(member: Member, requests: Sequence[Request]) -> list[Any]:
    """The endpoint's answers; raises NotSentError, or LostError also when they make no sense."""
    answers = await member.exchange(requests, member.timeouts.of(requests))
    nonsense = malformed(requests, answers)
    if nonsense is not None:
        member.failed(Failure(nonsense, is_costly=False))
        raise LostError(nonsense)
    return answers
