"""Logs: events with fields, as JSON for machines or lines for people, never with a secret."""

from __future__ import annotations

import json
import logging
import sys
import threading
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

    from structlog.typing import EventDict, Processor, WrappedLogger

    from holdfast.common.redaction import Redactor

# What libraries say below these levels is noise, or carries what must not be logged: the debug
# output of HTTP and RPC clients holds URLs and bodies.
_LIBRARY_LEVEL = logging.INFO
_QUIET = {"procrastinate": logging.WARNING, "alembic": logging.WARNING}

_log = structlog.stdlib.get_logger(__name__)


class LogFormat(StrEnum):
    """How a log line looks; `auto` is console on a terminal and JSON elsewhere."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """The least that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        """The standard library's number for the level."""
        return logging.getLevelNamesMapping()[self.name]


def configure_logging(
    redactor: Redactor,
    *,
    level: LogLevel = LogLevel.INFO,
    style: LogFormat = LogFormat.AUTO,
    stream: TextIO | None = None,
) -> None:
    """Send our events and everything that libraries log to `stream`, stderr unless given."""
    out = sys.stderr if stream is None else stream
    rendered: list[Processor] = [
        structlog.processors.format_exc_info,  # before masking: an exception's text may tell
        _MaskFields(redactor),
        _Rendered(_renderer(style, out), redactor),
    ]
    structlog.configure(
        processors=[*_described(), *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(level.number),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    _route_standard_logging(rendered, out, level)


def install_hooks() -> None:
    """Log errors that nobody caught, in whatever thread, through the same masks."""
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable


@contextmanager
def bound(**ids: object) -> Generator[None]:
    """Give every event of the block these ids: `bank`, `deal`, `leg`, `intent`, `tx`."""
    known = {name: str(value) for name, value in ids.items() if value is not None}
    with structlog.contextvars.bound_contextvars(**known):
        yield


class _MaskFields:
    """The processor that masks fields by their names."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return self._redactor.fields(event)


class _Rendered:
    """The last processor: one line of text, masked as a whole."""

    def __init__(self, renderer: Processor, redactor: Redactor) -> None:
        self._renderer = renderer
        self._redactor = redactor

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        return self._redactor.text(str(self._renderer(logger, method, event)))


def _described() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _renderer(style: LogFormat, out: TextIO) -> Processor:
    is_terminal = out.isatty()
    if style is LogFormat.CONSOLE or (style is LogFormat.AUTO and is_terminal):
        return structlog.dev.ConsoleRenderer(
            colors=is_terminal, exception_formatter=structlog.dev.plain_traceback
        )
    return structlog.processors.JSONRenderer(serializer=_json)


# Not orjson, which refuses integers over 64 bits: most of ours are wei.
_ENCODER = json.JSONEncoder(default=str, ensure_ascii=False)


def _json(event: EventDict, **_options: object) -> str:
    return _ENCODER.encode(event)


def _route_standard_logging(rendered: list[Processor], out: TextIO, level: LogLevel) -> None:
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_described()],
            processors=[ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level.number, _LIBRARY_LEVEL))
    logging.captureWarnings(capture=True)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(level.number, least))


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    _log.critical("process.uncaught", exc_info=(kind, error, trace))


def _uncaught_in_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_value is not None and arguments.exc_type is not SystemExit:
        name = arguments.thread.name if arguments.thread else None
        _log.critical("thread.uncaught", exc_info=arguments.exc_value, thread=name)


def _unraisable(found: sys.UnraisableHookArgs) -> None:
    where = found.err_msg or "while an object was destroyed"
    _log.error("process.unraisable", exc_info=found.exc_value, where=where)
