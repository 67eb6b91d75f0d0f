"""The anvil process: started on a port, stopped with its parent unless told otherwise."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from holdfast.common.errors import Broken, Rejected
from holdfast.devnet.rpc import NodeRpc

HOST = "127.0.0.1"
GENESIS_TIMESTAMP = 1_735_689_600
"""2025-01-01T00:00:00Z: block 0 holds nothing but this, so it alone decides the genesis hash."""
GENESIS_HASH = "0x843530b761e91272f9c60334d593fc2e63e75a81eedf1e2938f96bc55fdee76f"
"""Block 0 as anvil 1.7.1 serves it for that timestamp, with and without a loaded state."""

_START_SECONDS = 30.0  # it takes 0.1 s; a machine busy with 32 tests may take long
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.005
_DEAD_STATES = "ZX"
_LISTENING = re.compile(r"Listening on 127\.0\.0\.1:(\d+)")
_PROCESS = re.compile(r"node is process (\d+)")

# The node must not outlive whoever started it, killed or not. A pipe that only the parent holds
# open tells: when the parent is gone the read ends and the shell stops the node. It needs no
# signal mask, thread or platform call, and so works on Linux and macOS alike.
_GUARD = """
exec 3<&0
"$@" </dev/null 3<&- &
node=$!
echo "node is process $node"
{ read -r _ <&3; kill "$node" 2>/dev/null; } &
guard=$!
wait "$node"
status=$?
kill "$guard" 2>/dev/null
exit "$status"
"""
# Left to init, so that whoever started it neither waits for it nor leaves a zombie behind.
_DETACH = """
"$@" </dev/null &
echo "node is process $!"
"""


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """How to run the node; `port` 0 picks a free one.

    Without `block_time_seconds` each transaction is mined at once; `heartbeat_seconds` then adds an
    empty block now and again, so that the head of an idle chain stays fresh. The state of the last
    `kept_states` blocks can be read, at a quarter of a MB each; without a limit they fill the disk.
    """

    port: int = 0
    block_time_seconds: int | None = None
    heartbeat_seconds: int | None = None
    gas_limit: int = 30_000_000
    kept_states: int = 512


@dataclass(slots=True)
class NodeProcess:
    """A running node; `process` is what was started here, None for a node found by its id."""

    url: str
    pid: int
    process: subprocess.Popen[bytes] | None = None

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return is_node(self.pid) if self.process is None else self.process.poll() is None

    def stop(self) -> None:
        """End the node, gently first; does nothing when it has ended."""
        stop_pid(self.pid)
        if self.process is not None:
            _reap(self.process)


def start_node(
    anvil: Path, log: Path, options: NodeOptions, *, state: Path | None, detached: bool = False
) -> NodeProcess:
    """Start a node and return when it answers.

    Args:
        anvil: the program.
        log: where its output goes; overwritten.
        options: port, mining and memory.
        state: a dumped state to begin from; empty genesis without one.
        detached: leave it running when this process ends.

    Raises:
        Rejected: `devnet.port_busy` when the port is taken.
        Broken: `devnet.node_failed` when it ends or stays silent, with its last words.
    """
    _require_free(options.port)
    command = [str(anvil), *_arguments(options, state)]
    with log.open("wb") as output:
        process = _spawn(command, output, detached=detached)
    with contextlib.ExitStack() as undo:
        undo.callback(_kill_group, process)  # also when Ctrl-C ends the wait
        said = _first_words(process, log)
        rpc = NodeRpc(f"http://{HOST}:{_LISTENING.findall(said)[0]}")
        _prepare(rpc, options)
        undo.pop_all()
    pid = int(_PROCESS.findall(said)[0])
    return NodeProcess(rpc.url, pid, None if detached else process)


def stop_pid(pid: int) -> None:
    """End a node by its process id; does nothing when no such process is an anvil."""
    deadline = time.monotonic() + _STOP_SECONDS
    sent = signal.SIGTERM
    while is_node(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sent)
        time.sleep(_POLL_SECONDS * 4)
        if time.monotonic() > deadline:
            sent = signal.SIGKILL


def is_node(pid: int) -> bool:
    """Whether a process of that id runs and is an anvil, so that no stranger is ever killed."""
    return "anvil" in _program_of(pid)


def _program_of(pid: int) -> str:
    """The name of the program that a process runs; empty when there is none or it is a zombie.

    The state tells, not the command line: a dying process loses that before it closes its port.
    """
    if not Path("/proc/self").exists():
        return _program_from_ps(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    name, _, rest = stat.partition("(")[2].rpartition(") ")
    return "" if rest[0] in _DEAD_STATES else name


def _program_from_ps(pid: int) -> str:
    command = ["/bin/ps", "-o", "stat=,comm=", "-p", str(pid)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    state, _, name = said.strip().partition(" ")
    return "" if not state or state[0] in _DEAD_STATES else Path(name.strip()).name


def _arguments(options: NodeOptions, state: Path | None) -> list[str]:
    given = ["--host", HOST, "--port", str(options.port), "--chain-id", "138", "--color", "never"]
    given += ["--prune-history", str(options.kept_states)]
    if options.block_time_seconds is not None:
        given += ["--block-time", str(options.block_time_seconds)]
    elif options.heartbeat_seconds is not None:
        given += ["--block-time", str(options.heartbeat_seconds), "--mixed-mining"]
    if state is None:
        return [*given, "--timestamp", str(GENESIS_TIMESTAMP)]
    return [*given, "--load-state", str(state)]


def _prepare(rpc: NodeRpc, options: NodeOptions) -> None:
    rpc.call("anvil_setLoggingEnabled", False)  # noqa: FBT003 - a JSON-RPC parameter
    rpc.call("evm_setBlockGasLimit", hex(options.gas_limit))  # a loaded state overrides the flag


def _spawn(command: list[str], output: IO[bytes], *, detached: bool) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C then reaches Python first, which stops the node in order.
    return subprocess.Popen(  # noqa: S603 - a verified program, arguments built here
        ["/bin/sh", "-c", _DETACH if detached else _GUARD, "node", *command],
        stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _first_words(process: subprocess.Popen[bytes], log: Path) -> str:
    """What the node printed, up to where it listens."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        has_ended = _has_ended(process, log)  # asked first, so that its last words are read
        said = log.read_text(errors="replace")
        if _LISTENING.search(said):
            return said
        if has_ended or time.monotonic() > deadline:
            raise _failure(said)
        time.sleep(_POLL_SECONDS)


def _has_ended(process: subprocess.Popen[bytes], log: Path) -> bool:
    """Whether the node is gone; the shell of a detached one ends at once and tells only its id."""
    if process.poll() is None:
        return False
    found = _PROCESS.search(log.read_text(errors="replace"))
    return found is None or not _program_of(int(found[1]))  # still the shell until it executes


def _failure(said: str) -> Rejected | Broken:
    if "in use" in said:
        return _port_busy("the port")
    last = said.strip().splitlines()[-1:] or ["nothing"]
    return Broken("devnet.node_failed", f"anvil did not start; its last words: {last[0]}")


def _require_free(port: int) -> None:
    if port == 0:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a closed one may linger
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise _port_busy(f"port {port}") from error


def _port_busy(which: str) -> Rejected:
    return Rejected(
        "devnet.port_busy",
        f"{which} is in use: stop what listens there (`holdfast devnet down` if it is a devnet), "
        "or choose another with --port, 0 for any free one",
    )


def _reap(process: subprocess.Popen[bytes]) -> None:
    """Wait for the shell, which ends when its node has."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
