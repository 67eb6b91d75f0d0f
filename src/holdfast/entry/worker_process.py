"""The worker as a process of its own, started as an operator would start it."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final, Self, TextIO

from holdfast.common.errors import Broken

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_DRAIN_SECONDS: Final = 15.0


class WorkerProcess:
    """`holdfast worker` with `environment`, its output in `log`; a context manager."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment = environment
        self._log_path = log
        self._log: TextIO | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self._log = self._log_path.open("w", encoding="utf-8")
        settings = [f"{name}={value}" for name, value in self._environment.items()]
        self._process = subprocess.Popen(  # noqa: S603 - our own program and settings
            ["/usr/bin/env", *settings, sys.executable, "-m", "holdfast", "worker"],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        """Let it finish what it does, then end it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_DRAIN_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._log is not None:
            self._log.close()

    @property
    def pid(self) -> int:
        """The process id; 0 before it was started."""
        return 0 if self._process is None else self._process.pid

    def require_alive(self) -> None:
        """Check that it still runs.

        Raises:
            Broken: `demo.worker` when it has ended by itself.
        """
        if self._process is not None and self._process.poll() is not None:
            raise Broken("demo.worker", f"the worker ended by itself: see {self._log_path}")
