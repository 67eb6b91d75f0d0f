"""One answer for each request out of what several endpoints say: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from holdfast.chain.endpoint import Fault
from holdfast.chain.sending import SendOutcome, send_answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.chain.endpoint import Request

TAGS: Final = frozenset({"latest", "safe", "finalized"})

# Whatever leaves more open comes first: an answer that nothing happened counts only if all say so.
_MOST_OPEN_FIRST: Final = (
    SendOutcome.ACCEPTED,
    SendOutcome.ALREADY_KNOWN,
    SendOutcome.UNKNOWN,
    SendOutcome.NONCE_TOO_LOW,
    SendOutcome.UNDERPRICED,
    SendOutcome.INSUFFICIENT_FUNDS,
    SendOutcome.REJECTED,
)
_RANK: Final = {outcome: rank for rank, outcome in enumerate(_MOST_OPEN_FIRST)}
_TAKEN: Final = {SendOutcome.ACCEPTED, SendOutcome.ALREADY_KNOWN}
_NOTHING_YET: Final = object()


def tag_of(request: Request) -> str | None:
    """The tag by which `request` asks for a head; None for any other request."""
    if request.method != "eth_getBlockByNumber" or request.params[0] not in TAGS:
        return None
    return str(request.params[0])


class Gathered:
    """The answers to reading requests, from one endpoint after the other.

    An answer is wanting when another endpoint may have a better one: the block is not there, the
    node had trouble, or its head is older than the one in `followed`. A revert is an answer.

    Requests with logs among them are answered by one endpoint as a whole: for blocks that it does
    not have a node answers `eth_getLogs` with an empty list, which only its blocks tell apart.
    """

    def __init__(self, requests: Sequence[Request], followed: Mapping[str, int]) -> None:
        self._requests = requests
        self._followed = followed
        self._wanting = list(range(len(requests)))
        self._is_whole = any(request.method == "eth_getLogs" for request in requests)
        self.answers: list[Any] = [_NOTHING_YET] * len(requests)

    @property
    def wanted(self) -> list[Request]:
        """The requests for another endpoint; none when all is answered well."""
        return [self._requests[index] for index in self._wanting]

    @property
    def is_answered(self) -> bool:
        """Whether some endpoint answered, well or not."""
        return not self.answers or self.answers[0] is not _NOTHING_YET

    def add(self, answers: Sequence[Any]) -> None:
        """Take the answers to `wanted`."""
        asked = list(zip(self._wanting, answers, strict=True))
        still = [
            index for index, answer in asked if self._is_wanting(self._requests[index], answer)
        ]
        if self._is_whole:
            self._add_whole(answers, is_complete=not still)
            return
        for index, answer in asked:
            if _is_better(answer, self.answers[index]):
                self.answers[index] = answer
        self._wanting = still

    def _add_whole(self, answers: Sequence[Any], *, is_complete: bool) -> None:
        if is_complete or not self.is_answered:
            self.answers = list(answers)
        if is_complete:
            self._wanting = []

    def _is_wanting(self, request: Request, answer: object) -> bool:
        if answer is None:
            return True
        if isinstance(answer, Fault):
            return not answer.is_revert
        tag = tag_of(request)
        return tag is not None and _number(answer) < self._followed.get(tag, 0)


def heads(requests: Sequence[Request], answers: Sequence[Any]) -> dict[str, int]:
    """The numbers of the heads among `answers`, by the tag that was asked for."""
    return {
        tag: _number(answer)
        for request, answer in zip(requests, answers, strict=True)
        if (tag := tag_of(request)) is not None and _is_good(answer)
    }


def sent_answer(answers: Sequence[Any]) -> Any:  # noqa: ANN401 - JSON
    """Of the answers to one broadcast from several endpoints, the one that stands for all."""
    return min(answers, key=lambda answer: _RANK[send_answer(answer).outcome])


def is_taken(answer: object) -> bool:
    """Whether a node has the transaction now."""
    return send_answer(answer).outcome in _TAKEN


def _is_better(new: object, old: object) -> bool:
    if old is _NOTHING_YET:
        return True
    if not _is_good(new):
        return False
    # Only a head is asked for again after it was answered.
    return not _is_good(old) or _number(new) > _number(old)


def _is_good(answer: object) -> bool:
    return answer is not None and not isinstance(answer, Fault)


def _number(block: object) -> int:
    """The block's number; less than any where it is malformed."""
    try:
        return int(cast("dict[str, str]", block)["number"], 16)
    except (KeyError, TypeError, ValueError):
        return -1
