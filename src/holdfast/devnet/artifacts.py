"""Contract bytecode ready to deploy: read from packages, linked, or compiled from our Vyper."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib import import_module, resources
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from holdfast.common.errors import Broken
from holdfast.common.evm import Address, address_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VYPER_CONTRACTS = ("TetherToken", "RedeemableToken", "PriceFeed", "RedemptionDesk")

_PLACEHOLDER_DIGITS = 40


@dataclass(frozen=True, slots=True)
class Artifact:
    """Creation code in hex, and where each library's address goes (offsets in bytes)."""

    name: str
    bytecode: str
    links: dict[str, tuple[int, ...]]

    def linked(self, libraries: dict[str, Address]) -> bytes:
        """The creation code with every library's address in place.

        Raises:
            Broken: `devnet.unlinked` when a library was not deployed before.
        """
        digits = self.bytecode
        for library, offsets in self.links.items():
            if library not in libraries:
                raise Broken("devnet.unlinked", f"{self.name} needs the library {library}")
            address = address_bytes(libraries[library]).hex()
            for offset in offsets:
                start = offset * 2
                digits = digits[:start] + address + digits[start + _PLACEHOLDER_DIGITS :]
        return bytes.fromhex(digits)


def read_artifact(path: Path) -> Artifact:
    """The artifact in a Hardhat or Truffle JSON file."""
    data: dict[str, Any] = json.loads(path.read_text())
    links = {
        library: tuple(int(place["start"]) for place in places)
        for by_library in data.get("linkReferences", {}).values()
        for library, places in by_library.items()
    }
    return Artifact(str(data["contractName"]), str(data["bytecode"]).removeprefix("0x"), links)


def read_multicall3(path: Path) -> Artifact:
    """Multicall3 from the TypeScript file in which viem keeps its creation code.

    Raises:
        Broken: `devnet.package_content` when the constant is not where it was.
    """
    found = re.search(r"multicall3Bytecode\s*=\s*'0x([0-9a-f]+)'", path.read_text())
    if found is None:
        raise Broken("devnet.package_content", f"{path} has no multicall3Bytecode")
    return Artifact("Multicall3", found[1], {})


def vyper_sources() -> dict[str, str]:
    """Source text of our own contracts by name."""
    folder = resources.files("holdfast.devnet").joinpath("contracts")
    return {name: folder.joinpath(f"{name}.vy").read_text() for name in VYPER_CONTRACTS}


def vyper_version() -> str:
    """The installed compiler's version; other versions make other bytecode."""
    return version("vyper")


def compile_vyper() -> dict[str, Artifact]:
    """Our own contracts, compiled (about a second, so the caller keeps what it deploys)."""
    # Imported here: it costs more time than a warm start, which needs no compiler. It has no types.
    compile_code: Callable[..., dict[str, str]] = import_module("vyper").compile_code
    return {
        name: Artifact(name, _creation_code(compile_code(source, output_formats=["bytecode"])), {})
        for name, source in vyper_sources().items()
    }


def _creation_code(compiled: dict[str, str]) -> str:
    return compiled["bytecode"].removeprefix("0x")
