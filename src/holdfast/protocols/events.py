"""What every event decoder shares: the event's name, and the check that a log is it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.chain.abi import address_topic, topic, word
from holdfast.common.errors import Broken
from holdfast.model.leg import ExpectedEvent

if TYPE_CHECKING:
    from holdfast.common.evm import Address, EventLog


@dataclass(frozen=True, slots=True)
class EventName:
    """One event of a protocol: its name for people, the topic that stands for it, its shape.

    `indexed` counts the arguments that are topics; it tells an ERC-20 `Transfer` from an ERC-721's.
    """

    name: str
    topic: bytes
    indexed: int

    @classmethod
    def of(cls, signature: str, *, indexed: int) -> EventName:
        """The event with this `signature`, such as `Transfer(address,address,uint256)`."""
        return cls(signature.partition("(")[0], topic(signature), indexed)

    def is_in(self, log: EventLog) -> bool:
        """Whether `log` is this event, of whatever contract."""
        return len(log.topics) == self.indexed + 1 and log.topics[0] == self.topic

    def expected(self, emitter: Address, *indexed: Address | int | None) -> ExpectedEvent:
        """This event of `emitter` with these indexed arguments; None may be anything."""
        return ExpectedEvent(emitter, (self.topic, *map(_indexed, indexed)))

    def checked(self, log: EventLog) -> EventLog:
        """`log`, which is this event.

        Raises:
            Broken: `event.unexpected` when it is another one.
        """
        if not self.is_in(log):
            raise Broken(
                "event.unexpected",
                f"log {log.log_index} of {log.address} is no {self.name}",
                address=log.address,
                log_index=log.log_index,
            )
        return log


def _indexed(value: Address | int | None) -> bytes | None:
    match value:
        case None:
            return None
        case int():
            return word(value)
        case _:
            return address_topic(value)
