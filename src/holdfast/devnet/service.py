"""One running devnet: started from the ready state, found again by its files, stopped."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Self

from holdfast.chain.profile_file import dump_profile, load_profile
from holdfast.chain.profiles import verify_node
from holdfast.common.errors import HoldfastError, Rejected
from holdfast.devnet.control import DevnetControl
from holdfast.devnet.node import NodeOptions, NodeProcess, start_node
from holdfast.devnet.rpc import NodeRpc

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from holdfast.chain.profiles import ChainProfile
    from holdfast.devnet.state import ReadyState

_WATCH_SECONDS = 0.5
_PROFILE_FILE, _NODE_FILE, _LOG_FILE = "devnet.json", "node.json", "anvil.log"


@dataclass(frozen=True, slots=True)
class Devnet:
    """A devnet that answers: where it is, what is on it, and what can be done to it."""

    url: str
    profile: ChainProfile
    control: DevnetControl
    folder: Path
    options: NodeOptions
    node: NodeProcess

    @property
    def profile_path(self) -> Path:
        """The file that other processes load the profile from."""
        return self.folder / _PROFILE_FILE

    @property
    def log_path(self) -> Path:
        """The node's output."""
        return self.folder / _LOG_FILE

    @property
    def port(self) -> int:
        """Where the node listens, also when it chose for itself."""
        return int(self.url.rpartition(":")[2])

    @classmethod
    def start(
        cls,
        ready: ReadyState,
        folder: Path,
        options: NodeOptions | None = None,
        *,
        detached: bool = False,
    ) -> Self:
        """Start a fresh devnet from the ready state (about 0.1 s).

        Args:
            ready: what to start from.
            folder: keeps the profile, the process id and the log.
            options: port, mining and memory.
            detached: leave it running when this process ends.

        Raises:
            Rejected: `devnet.running` when `folder` belongs to a running devnet,
                `devnet.port_busy`.
            Broken: `devnet.node_failed`.
        """
        chosen = options or NodeOptions()
        folder.mkdir(parents=True, exist_ok=True)
        _require_stopped(folder)
        node = start_node(
            ready.anvil, folder / _LOG_FILE, chosen, state=ready.dump, detached=detached
        )
        devnet = cls._of(node, ready.profile, folder, chosen)
        devnet.control.mine()  # the dump's last block is old, and deadlines count from the latest
        devnet.profile_path.write_text(dump_profile(devnet.profile))
        recorded = {"pid": node.pid, "url": node.url, "options": asdict(chosen)}
        (folder / _NODE_FILE).write_text(json.dumps(recorded, indent=2) + "\n")
        return devnet

    @classmethod
    def attach(cls, folder: Path) -> Self:
        """The devnet that was started with `folder`, checked to be the one that answers there.

        Raises:
            Rejected: `devnet.not_running`, or that another chain answers at its address.
        """
        try:
            recorded = json.loads((folder / _NODE_FILE).read_text())
        except FileNotFoundError as error:
            raise _not_running(folder) from error
        node = NodeProcess(recorded["url"], recorded["pid"])
        if not node.is_alive():
            raise _not_running(folder)
        profile = load_profile(folder / _PROFILE_FILE)
        devnet = cls._of(node, profile, folder, NodeOptions(**recorded["options"]))
        devnet.verify()
        return devnet

    @classmethod
    def _of(
        cls, node: NodeProcess, profile: ChainProfile, folder: Path, options: NodeOptions
    ) -> Self:
        running = replace(
            profile,
            rpc_urls=(node.url,),
            ws_urls=(node.url.replace("http:", "ws:", 1),),  # the node serves both at its port
            block_time_seconds=options.block_time_seconds or 0,
        )
        control = DevnetControl(NodeRpc(node.url), running)
        return cls(node.url, running, control, folder, options, node)

    def verify(self) -> None:
        """Check that the node serves this devnet's chain; raises as `verify_node` does."""
        rpc = self.control.rpc
        verify_node(
            self.profile,
            int(rpc.call("eth_chainId"), 16),
            rpc.block("0x0")["hash"],
            rpc.call("web3_clientVersion"),
        )

    def wait(self) -> None:
        """Return when the node has ended by itself or by another's hand."""
        while self.node.is_alive():
            time.sleep(_WATCH_SECONDS)

    def stop(self) -> None:
        """End the node and forget it; the chain's history is gone."""
        self.node.stop()
        (self.folder / _NODE_FILE).unlink(missing_ok=True)

    def __enter__(self) -> Self:
        """The devnet itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()


def _require_stopped(folder: Path) -> None:
    try:
        running = Devnet.attach(folder)
    except HoldfastError:
        return
    raise Rejected(
        "devnet.running",
        f"a devnet already runs at {running.url} with {folder}: use it, or run "
        "`holdfast devnet down` or `reset`",
        url=running.url,
    )


def _not_running(folder: Path) -> Rejected:
    return Rejected("devnet.not_running", f"no devnet runs with {folder}: run `holdfast devnet up`")
