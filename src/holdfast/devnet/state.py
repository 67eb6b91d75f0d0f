"""The ready state: the built world as a dump, made once and kept under a key of its inputs."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.chain.profile_file import dump_profile, load_profile
from holdfast.common.errors import Broken, Rejected
from holdfast.devnet.artifacts import (
    Artifact,
    compile_vyper,
    read_artifact,
    read_multicall3,
    vyper_sources,
    vyper_version,
)
from holdfast.devnet.node import GENESIS_HASH, NodeOptions, start_node
from holdfast.devnet.packages import (
    Download,
    PackageCache,
    contract_packages,
    manifest,
    node_package,
    npm_pack,
)
from holdfast.devnet.rpc import NodeRpc
from holdfast.devnet.world import WorldBuilder

if TYPE_CHECKING:
    from collections.abc import Generator

    from holdfast.chain.profiles import ChainProfile

_BUILDERS = ("aave.py", "accounts.py", "node.py", "sender.py", "state.py", "uniswap.py", "world.py")
_FIRST_BASE_FEE_WEI = 10**9  # building lets it fall to almost nothing, and deals should pay for gas
_STATE, _PROFILE = "state.json", "profile.json"


@dataclass(frozen=True, slots=True)
class ReadyState:
    """What a devnet starts from: the program, the dump, and the profile without a URL."""

    anvil: Path
    dump: Path
    profile: ChainProfile


def ready_state(
    cache: Path, *, download: Download = npm_pack, anvil: Path | None = None
) -> ReadyState:
    """The ready state, from the cache or built (about 4 s, and a download the first time).

    Args:
        cache: the folder that keeps packages and states.
        download: fetches packages.
        anvil: a program of the operator's own instead of the pinned one.

    Raises:
        Rejected: `devnet.cache` when the folder cannot be written, `devnet.platform...`.
        Transient: `devnet.download`.
        Broken: when a download is not what is pinned or the world does not build.
    """
    with _locked(cache):
        packages = PackageCache(cache / "packages", download)
        program = anvil or _program(packages)
        folder = cache / "states" / _key()
        if not folder.is_dir():
            _build(program, packages, folder)
    return ReadyState(program, folder / _STATE, load_profile(folder / _PROFILE))


def _key() -> str:
    """A hash of everything that the built world depends on."""
    parts = [manifest(), vyper_version(), *vyper_sources().values()]
    code = resources.files("holdfast.devnet")
    parts += [code.joinpath(name).read_text() for name in _BUILDERS]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@contextmanager
def _locked(cache: Path) -> Generator[None]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / ".lock").open("w")
    except OSError as error:
        raise Rejected(
            "devnet.cache",
            f"cannot write to {cache}: {error.strerror}. Choose another cache folder",
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _program(packages: PackageCache) -> Path:
    package = node_package()
    program = packages.ensure((package,))[package.name] / package.files[0]
    program.chmod(0o755)
    return program


def _build(program: Path, packages: PackageCache, folder: Path) -> None:
    artifacts = _artifacts(packages)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".build-") as scratch:
        ready = Path(scratch) / "ready"
        ready.mkdir()
        node = start_node(program, ready / "build.log", NodeOptions(), state=None)
        try:
            _build_on(NodeRpc(node.url), artifacts, ready)
        finally:
            node.stop()
        ready.rename(folder)


def _build_on(rpc: NodeRpc, artifacts: dict[str, Artifact], folder: Path) -> None:
    genesis: str = rpc.block("0x0")["hash"]
    if genesis != GENESIS_HASH:
        raise Broken(
            "devnet.genesis",
            "this anvil makes another genesis block than the pinned release: use the pinned one",
            limit=GENESIS_HASH,
            value=genesis,
        )
    rpc.call("anvil_setBlockTimestampInterval", 1)  # else block times, and the dump, vary by run
    profile = WorldBuilder(rpc, artifacts).build(genesis)
    rpc.call("anvil_setNextBlockBaseFeePerGas", hex(_FIRST_BASE_FEE_WEI))
    rpc.call("evm_mine")
    dump: str = rpc.call("anvil_dumpState")
    (folder / _STATE).write_bytes(gzip.decompress(bytes.fromhex(dump[2:])))
    (folder / _PROFILE).write_text(dump_profile(profile))


def _artifacts(packages: PackageCache) -> dict[str, Artifact]:
    wanted = contract_packages()
    folders = packages.ensure(wanted)
    read = [_read(folders[package.name] / file) for package in wanted for file in package.files]
    return {artifact.name: artifact for artifact in read} | compile_vyper()


def _read(path: Path) -> Artifact:
    return read_artifact(path) if path.suffix == ".json" else read_multicall3(path)
