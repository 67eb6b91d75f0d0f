"""What a user sees of an error, and the exit code a script sees."""

from __future__ import annotations

import json
from enum import IntEnum
from typing import TYPE_CHECKING, Final, cast

from holdfast.common.errors import Ambiguous, Broken, HoldfastError, Rejected, Transient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class ExitCode(IntEnum):
    """What the process ends with; 1 and 2 mean what they mean everywhere."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    REJECTED = 3
    TRANSIENT = 4
    AMBIGUOUS = 5
    BROKEN = 6
    READER_LEFT = 141
    """What a shell says of a program that was writing to `head`: 128 and SIGPIPE."""


# The worst first: of several errors at once, the one that asks most of its reader is shown.
_FAMILIES: Final[Mapping[type[HoldfastError], ExitCode]] = {
    Broken: ExitCode.BROKEN,
    Ambiguous: ExitCode.AMBIGUOUS,
    Transient: ExitCode.TRANSIENT,
    Rejected: ExitCode.REJECTED,
}


class Misused(HoldfastError):
    """The command line is wrong: nothing was done."""

    family = "usage"


class Unexpected(HoldfastError):
    """A bug of ours: what was done is not known."""

    family = "unexpected"


def exit_code(error: HoldfastError) -> ExitCode:
    """The exit code of `error`, by its family."""
    if isinstance(error, Misused):
        return ExitCode.USAGE
    for family, code in _FAMILIES.items():
        if isinstance(error, family):
            return code
    return ExitCode.UNEXPECTED


def shown(error: BaseException) -> HoldfastError:
    """The one error to show for whatever was raised; `unexpected` for what nobody foresaw."""
    causes = list(_causes(error))
    for cause in causes:
        if not isinstance(cause, HoldfastError):
            return Unexpected(
                "unexpected",
                f"a bug of Holdfast: {type(cause).__name__}: {cause}. Look at the chain and the "
                "ledger before repeating a command that moves money. HOLDFAST_LOG_LEVEL=debug "
                "shows where it happened",
            )
    known = [cause for cause in causes if isinstance(cause, HoldfastError)]
    return max(known, key=exit_code)


def as_text(error: HoldfastError) -> str:
    """The error for a person: what happened, its code, and a line for each field."""
    lines = [f"Error: {error.message} [{error.code}]"]
    for name, value in error.fields.items():
        if isinstance(value, list | tuple):
            items = cast("Sequence[object]", value)
            lines += [f"  {name}:", *(f"    - {_plain(each)}" for each in items)]
        else:
            lines.append(f"  {name}: {_plain(value)}")
    return "\n".join(lines)


def as_json(error: HoldfastError) -> str:
    """The error as one JSON document."""
    document = {"error": {**error.as_dict(), "exit_code": int(exit_code(error))}}
    return json.dumps(document, default=str, ensure_ascii=False)


def _causes(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _causes(each)
    else:
        yield error


def _plain(value: object) -> str:
    if isinstance(value, dict):
        named = cast("dict[object, object]", value)
        if "text" in named:  # a broken rule says it all in its sentence
            return f"{named.get('code', '')}: {named['text']}".removeprefix(": ")
        return ", ".join(f"{name} {each}" for name, each in named.items())
    return str(value)
