"""Real worker processes for tests: started, watched until they end, and killed."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KILLED = -signal.SIGKILL
_LOOK_SECONDS = 0.01


class WorkerProcess:
    """One worker; `log` is what it printed, `exit_code` negative when a signal ended it."""

    def __init__(self, pid, log):
        self.pid = pid
        self.log = log

    @property
    def exit_code(self):
        told = self.log.with_name(f"{self.log.name}.exit")
        return int(told.read_text()) if told.exists() else None

    async def ended(self, seconds=60):
        """The exit code, once there is one."""
        async with asyncio.timeout(seconds):
            while True:
                if (code := self.exit_code) is not None:
                    return code
                await asyncio.sleep(_LOOK_SECONDS)

    async def says(self, word, seconds=60):
        """Return once it has printed `word`."""
        async with asyncio.timeout(seconds):
            while True:
                if word in self.words():
                    return
                await asyncio.sleep(_LOOK_SECONDS)

    async def leads(self, *names, seconds=60):
        """Return once it has led all of `names`, such as "chain": a worker leads several things."""
        async with asyncio.timeout(seconds):
            while True:
                if all(self._has_led(name) for name in names):
                    return
                await asyncio.sleep(_LOOK_SECONDS)

    def _has_led(self, name):
        told = (line for line in self.words().splitlines() if "leader.acquired" in line)
        return any(f'"name": "{name}:' in line for line in told)

    async def kill(self):
        """SIGKILL, as a power cut would; returns when the process is gone."""
        self.send(signal.SIGKILL)
        return await self.ended()

    def send(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def words(self):
        """Everything it printed."""
        return self.log.read_text(errors="replace")


class ExecutedWorker(WorkerProcess):
    """`python -m holdfast worker`, started as an operator would."""

    def __init__(self, environment, log, *arguments):
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    "/usr/bin/env",
                    *_as_words(environment),
                    sys.executable,
                    "-m",
                    "holdfast",
                    "worker",
                    *arguments,
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        super().__init__(self._process.pid, log)

    @property
    def exit_code(self):
        return self._process.poll()

    def end(self):
        """SIGKILL, and return when it is gone; also from where nothing can be awaited."""
        self._process.kill()
        self._process.wait(10)


class Nursery:
    """Forks workers from a process that has the program imported already: see nursery.py."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def fork(self, environment, log, sabotage=None):
        """A worker, sabotaged by the function of that name in `sabotage` if one is given."""
        log.touch()
        order = {"environment": environment, "log": str(log), "sabotage": sabotage}
        self._process.stdin.write(f"{json.dumps(order)}\n")
        self._process.stdin.flush()
        return WorkerProcess(int(self._process.stdout.readline()), log)

    def close(self):
        """End it and every worker it forked."""
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def _as_words(environment):
    return [f"{name}={value}" for name, value in environment.items()]
