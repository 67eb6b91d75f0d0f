"""The canonical JSON of an envelope, written in a tenth of the time that `model.plan` takes.

Thousands of plans are checked against their hashes when a book is first read. Pydantic writes a
dataclass as JSON without a detour through dictionaries, but its fields in the order in which they
are declared; so its schema is put into the order of their names. What canonical is,
`model.plan.canonical` says: a property test holds the two together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic import TypeAdapter

from holdfast.model.plan import Envelope, canonical, unsaid

if TYPE_CHECKING:
    from collections.abc import Sequence


def sealed(envelope: Envelope) -> bytes:
    """The same as `canonical`."""
    left_out = {name: set(inner) or True for name, inner in unsaid(envelope).items()}
    text = _WRITER.to_json(envelope, exclude=cast("Any", left_out))
    # How other characters are escaped differs; names and addresses have none of them.
    return text if text.isascii() and b"\x7f" not in text else canonical(envelope)


def _in_order(part: Any) -> Any:  # noqa: ANN401 - a schema is nested dictionaries and lists
    """The schema with the fields of every dataclass in the order of their names."""
    if isinstance(part, list):
        return [_in_order(one) for one in cast("Sequence[Any]", part)]
    if not isinstance(part, dict):
        return part
    made = {name: _in_order(one) for name, one in cast("dict[str, Any]", part).items()}
    if made.get("type") == "dataclass":
        made["fields"].sort()
    return made


_ADAPTER = TypeAdapter(Envelope)
# The class is pydantic-core's, which only pydantic itself is pinned against.
_WRITER = type(_ADAPTER.serializer)(_in_order(_ADAPTER.core_schema))
