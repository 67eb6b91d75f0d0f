"""A PostgreSQL server of our own, run from the wheel's binaries when no database is given."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from holdfast.common.errors import Broken, Rejected
from holdfast.common.postgres_files import (
    ServerUser,
    install_server,
    make_folders,
    require_reachable,
    server_user,
)

if TYPE_CHECKING:
    from collections.abc import Generator

DATABASE = "holdfast"
ROLE = "holdfast"
_SOCKET_NAME = "/.s.PGSQL.5432"
_SOCKET_PATH_MAX = 103  # bytes; sun_path holds 104 on macOS and 108 on Linux, with the final zero
_START_SECONDS = 60
_STOP_SECONDS = 30
_CONNECT_SECONDS = 10
_LOG_TAIL = 2_000

_SETTINGS = {
    "listen_addresses": "",  # the socket's folder is the access control; nothing listens on TCP
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "jit": "off",  # compiling a plan costs more than any of our queries takes
    "io_method": "sync",  # three I/O worker processes fewer; our data fits in memory
    "dynamic_shared_memory_type": "mmap",  # /dev/shm is tiny in containers, and outlives crashes
    "log_line_prefix": "%m [%p] ",
}
_FAST_AND_LOSSY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where one server keeps its things."""

    home: Path
    socket_folder: Path

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "server.log"


class EmbeddedPostgres:
    """One PostgreSQL server under a state folder; every process that starts it shares it.

    The server is detached: it outlives the process that started it, until `stop`. As root it runs
    as an operating system user of its own, from a copy of its binaries, and the mode of no folder
    that existed before is changed.

    Args:
        state_dir: made when missing; as root it must be reachable for the server's user.
        durable: False turns fsync off, for tests alone: a power cut then loses everything.
        home: where data, log and socket go when not under `state_dir`, such as another volume.
    """

    def __init__(self, state_dir: Path, *, durable: bool = True, home: Path | None = None) -> None:
        self._state_dir = state_dir.absolute()
        self._durable = durable
        self._user = server_user()
        place = (home or self._state_dir / "postgres").absolute()
        self._layout = _Layout(place, _socket_folder(place))

    @property
    def url(self) -> str:
        """The address of the product's database on this server, as SQLAlchemy reads it."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """The address of another database on this server."""
        return f"postgresql+psycopg://{ROLE}@/{database}?host={self._layout.socket_folder}"

    def start(self) -> str:
        """The database's address, once the server answers; starts it unless it runs already.

        Raises:
            Rejected: `postgres.state_dir` or `postgres.version`, when the folder cannot be used.
            Broken: `postgres.failed` with the end of the server's log.
        """
        with _explained(self._state_dir):
            self._make_folders()
            with self._locked():
                self._own_folders()
                if not self.is_running():
                    self._start()
                self._create_database()
        return self.url

    def is_running(self) -> bool:
        """Whether the server accepts connections now."""
        try:
            with self._connection():
                return True
        except psycopg.OperationalError:
            return False

    def stop(self, *, immediate: bool = False) -> None:
        """Stop the server if it runs; `immediate` is a crash, repaired at the next start."""
        if not (self._layout.data / "postmaster.pid").exists():
            return
        mode = "immediate" if immediate else "fast"
        with self._locked():
            try:
                wait = ("-w", "-t", str(_STOP_SECONDS))
                self._run("pg_ctl", "stop", *wait, "-m", mode, *self._data())
            except Broken:
                # A killed server (or machine) leaves its pid file behind: nothing is left to stop.
                if self._is_alive():
                    raise

    def _is_alive(self) -> bool:
        """Whether the process that the pid file names exists, in any state."""
        try:
            self._run("pg_ctl", "status", *self._data())
        except Broken:
            return False
        return True

    def _make_folders(self) -> None:
        as_root = self._user is not None
        for folder in (self._state_dir, self._layout.home.parent):
            make_folders(folder, mode=0o711 if as_root else 0o700)
            if self._user is not None:
                require_reachable(folder, self._user)

    def _own_folders(self) -> None:
        # Locked: another process that starts the server would find them made and not yet given
        # to the server's user, and take them for somebody else's.
        for folder in (self._layout.home, self._layout.socket_folder):
            _own_folder(folder, self._user)

    def _start(self) -> None:
        if not (self._layout.data / "PG_VERSION").exists():
            self._initialise()
        self._require_version()
        options = {"unix_socket_directories": str(self._layout.socket_folder), **_SETTINGS}
        if not self._durable:
            options |= _FAST_AND_LOSSY
        flags = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        log = str(self._layout.log)
        wait = ("-w", "-t", str(_START_SECONDS))
        self._run("pg_ctl", "start", *wait, "-s", "-l", log, "-o", flags, *self._data())

    def _initialise(self) -> None:
        # Beside its place and moved there whole: a crash in between leaves no half-made cluster.
        with tempfile.TemporaryDirectory(prefix="new-", dir=self._layout.home) as folder:
            if self._user is not None:
                os.chown(folder, self._user.uid, self._user.gid)
            fresh = Path(folder) / "data"
            locale = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
            access = (f"--username={ROLE}", "--auth-local=trust", "--auth-host=reject")
            sync = () if self._durable else ("--no-sync",)
            flags = ("--locale=C", "--no-instructions", "-D", str(fresh))
            self._run("initdb", *locale, *access, *sync, *flags)
            fresh.rename(self._layout.data)

    def _require_version(self) -> None:
        found = (self._layout.data / "PG_VERSION").read_text().strip()
        offered = install_server(self._state_dir, self._user).major_version
        if found != offered:
            raise Rejected(
                "postgres.version",
                f"{self._layout.data} was written by PostgreSQL {found} and this is {offered}: "
                "move it with pg_upgrade, or set HOLDFAST_DATABASE_URL to a server of your own",
                found=found,
                offered=offered,
            )

    def _create_database(self) -> None:
        with self._connection() as connection:
            known = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)
            ).fetchone()
            if known is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _connection(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self._layout.socket_folder),
            user=ROLE,
            dbname="postgres",
            autocommit=True,
            connect_timeout=_CONNECT_SECONDS,
        )

    def _data(self) -> tuple[str, str]:
        return "-D", str(self._layout.data)

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        with (self._state_dir / "postgres.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of the server's programs as its user.

        Output goes to a file: the server inherits a pipe and would keep it open for ever.
        """
        server = install_server(self._state_dir, self._user)
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(  # noqa: S603 - our own binaries, no shell
                [str(server.binaries / program), *arguments],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C"},
                user=None if self._user is None else self._user.uid,
                group=None if self._user is None else self._user.gid,
                extra_groups=None if self._user is None else (),
            )
            output.seek(0)
            if done.returncode != 0:
                raise self._failure(program, output.read())

    def _failure(self, program: str, output: str) -> Broken:
        log = self._layout.log
        tail = log.read_text(errors="replace")[-_LOG_TAIL:] if log.exists() else ""
        return Broken(
            "postgres.failed",
            f"the embedded PostgreSQL could not run {program}: {output.strip()}\n{tail}".strip(),
            program=program,
            log=str(log),
        )


def _socket_folder(home: Path) -> Path:
    """A folder whose socket path is short enough for the operating system."""
    folder = home / "run"
    if len(os.fsencode(f"{folder}{_SOCKET_NAME}")) <= _SOCKET_PATH_MAX:
        return folder
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return Path("/tmp") / f"holdfast-{os.geteuid()}-{digest}"  # noqa: S108 - owner is checked


def _own_folder(folder: Path, user: ServerUser | None) -> None:
    """Make `folder` private to the server's user; refuse one that somebody else made."""
    uid, gid = (os.geteuid(), os.getegid()) if user is None else (user.uid, user.gid)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if folder.is_symlink() or folder.stat().st_uid != uid:
            raise Rejected(
                "postgres.state_dir",
                f"{folder} belongs to somebody else: give another HOLDFAST_STATE_DIR",
            ) from None
        return
    os.chown(folder, uid, gid)


@contextlib.contextmanager
def _explained(state_dir: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise Rejected(
            "postgres.state_dir",
            f"the embedded PostgreSQL cannot use {state_dir}: {error.strerror} "
            f"({error.filename}). Give another folder in HOLDFAST_STATE_DIR, or a database of "
            "your own in HOLDFAST_DATABASE_URL",
        ) from error
