"""What every command is given: the settings, and the masks for what it prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast import config
from holdfast.common.errors import Broken
from holdfast.common.log import configure_logging, install_hooks
from holdfast.common.retry import log_retries

if TYPE_CHECKING:
    import typer

    from holdfast.common.redaction import Redactor


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of the command line."""

    settings: config.Settings
    redactor: Redactor


def begin(redactor: Redactor) -> Invocation:
    """Read the settings and turn logging on."""
    settings = config.from_environment()
    settings.register_secrets(redactor)
    configure_logging(redactor, level=settings.log_level, style=settings.log_format)
    install_hooks()
    log_retries()
    return Invocation(settings, redactor)


def invocation(context: typer.Context) -> Invocation:
    """The run that a command belongs to."""
    if not isinstance(context.obj, Invocation):
        raise Broken("cli.context", "a command was called outside the `holdfast` program")
    return context.obj
