import multiprocessing
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from holdfast.common import embedded_postgres
from holdfast.common.db import libpq_url
from holdfast.common.embedded_postgres import EmbeddedPostgres
from holdfast.common.errors import Broken, Rejected

MEMORY_NEEDED = 2**30
AS_ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not AS_ROOT, reason="only root has to become somebody else")


@pytest.fixture(scope="module")
def state():
    """A state folder that the server's own user can reach, unlike pytest's temporary folder."""
    base = Path(tempfile.mkdtemp(prefix="holdfast-pg-"))
    base.chmod(0o755)
    yield base / "state"
    shutil.rmtree(base)


@pytest.fixture
def folder():
    """A place for one test's data, in memory where there is enough."""
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp makes the name ours
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > MEMORY_NEEDED
    base = Path(tempfile.mkdtemp(prefix="holdfast-pg-", dir=memory if roomy else None))
    base.chmod(0o755)
    yield base
    shutil.rmtree(base)


@pytest.fixture
def server(state, folder):
    embedded = EmbeddedPostgres(state, durable=False, home=folder / "postgres")
    yield embedded
    embedded.stop(immediate=True)


@pytest.fixture
def durable_server(state, folder):
    embedded = EmbeddedPostgres(state, home=folder / "postgres")
    yield embedded
    embedded.stop(immediate=True)


def rows(url, query, *parameters):
    with psycopg.connect(libpq_url(url)) as connection:
        cursor = connection.execute(query, parameters)
        return cursor.fetchall() if cursor.description else []


def setting(url, name):
    return rows(url, "SELECT current_setting(%s)", name)[0][0]


def modes(path):
    return {str(each): stat.S_IMODE(each.stat().st_mode) for each in [path, *path.parents]}


def test_start_gives_the_address_of_a_database_that_works(server):
    url = server.start()
    assert rows(url, "SELECT current_database(), current_user") == [("holdfast", "holdfast")]
    assert rows(url, "SHOW server_encoding") == [("UTF8",)]


def test_start_and_stop_change_the_mode_of_no_folder_that_was_there(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o711)
    before, binaries = modes(closed), modes(Path(sys.prefix))
    server = EmbeddedPostgres(closed / "deep" / "state", durable=False)
    server.start()
    server.stop()
    assert modes(closed) == before
    assert modes(Path(sys.prefix)) == binaries


def test_data_and_socket_are_closed_to_everybody_else(server, folder):
    server.start()
    home = folder / "postgres"
    for private in (home, home / "data", home / "run"):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700


def test_nothing_listens_on_the_network(server):
    assert setting(server.start(), "listen_addresses") == ""


def test_starting_a_server_that_runs_attaches_to_it(server, state, folder):
    url = server.start()
    since = rows(url, "SELECT pg_postmaster_start_time()")
    again = EmbeddedPostgres(state, durable=False, home=folder / "postgres")
    assert again.start() == url
    assert rows(url, "SELECT pg_postmaster_start_time()") == since


def start_in_child(state, home, answers):
    answers.put(EmbeddedPostgres(state, durable=False, home=home).start())


def test_processes_that_start_it_at_once_share_one_server(server, state, folder):
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    children = [
        context.Process(target=start_in_child, args=(state, folder / "postgres", answers))
        for _ in range(3)
    ]
    for child in children:
        child.start()
    urls = {answers.get(timeout=60) for _ in children}
    for child in children:
        child.join(timeout=60)
    answers.close()
    answers.join_thread()
    assert urls == {server.url}
    assert server.is_running()


def test_one_that_starts_while_another_makes_the_folders_waits_for_it(
    server, state, folder, monkeypatch
):
    given = os.chown

    def slowly(*arguments):
        time.sleep(0.3)
        given(*arguments)

    monkeypatch.setattr(embedded_postgres.os, "chown", slowly)
    other = EmbeddedPostgres(state, durable=False, home=folder / "postgres")
    with ThreadPoolExecutor(2) as both:
        assert (
            len({each.result() for each in [both.submit(server.start), both.submit(other.start)]})
            == 1
        )


def test_the_server_outlives_the_process_that_started_it(server, state, folder):
    script = (
        "import os, signal, sys; from pathlib import Path;"
        "from holdfast.common.embedded_postgres import EmbeddedPostgres;"
        "EmbeddedPostgres(Path(sys.argv[1]), durable=False, home=Path(sys.argv[2])).start();"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script, state, folder / "postgres"], check=False)
    assert done.returncode == -signal.SIGKILL
    assert server.is_running()


def test_the_second_start_is_quick_and_finds_the_data(server):
    began = time.monotonic()
    url = server.start()
    first = time.monotonic() - began
    rows(url, "CREATE TABLE kept AS SELECT 7 AS number")
    server.stop()
    assert not server.is_running()
    began = time.monotonic()
    server.start()
    assert time.monotonic() - began < first  # which made a cluster
    assert rows(url, "SELECT number FROM kept") == [(7,)]


def test_what_was_committed_survives_a_crash_of_the_server(durable_server):
    url = durable_server.start()
    rows(url, "CREATE TABLE kept AS SELECT 7 AS number")
    durable_server.stop(immediate=True)
    durable_server.start()
    assert rows(url, "SELECT number FROM kept") == [(7,)]


def test_the_product_never_gives_up_durability(durable_server):
    url = durable_server.start()
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        assert setting(url, name) == "on"


def test_stopping_a_server_that_does_not_run_is_no_error(server):
    server.stop()
    server.start()
    server.stop()
    server.stop()
    assert not server.is_running()


def test_a_server_killed_with_its_machine_is_stopped_and_starts_again(server, folder):
    server.start()
    pid_file = folder / "postgres" / "data" / "postmaster.pid"
    _, left_behind = pid_file.read_text().split("\n", 1)
    server.stop(immediate=True)
    with subprocess.Popen(["true"]) as ended:
        pass
    pid_file.write_text(f"{ended.pid}\n{left_behind}")  # a power cut has no time to remove it
    server.stop()
    assert rows(server.start(), "SELECT 1") == [(1,)]


def test_a_server_that_does_not_stop_is_told(server, folder, monkeypatch):
    server.start()
    pid_file = folder / "postgres" / "data" / "postmaster.pid"
    pid = int(pid_file.read_text().splitlines()[0])
    monkeypatch.setattr(embedded_postgres, "_STOP_SECONDS", 1)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(Broken, match="does not shut down"):
            server.stop()
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_long_folder_still_gets_a_socket(state, folder):
    deep = folder / ("x" * 100)
    server = EmbeddedPostgres(state, durable=False, home=deep)
    url = server.start()
    socket_folder = Path(url.partition("?host=")[2])
    try:
        assert rows(url, "SELECT 1") == [(1,)]
        assert deep not in socket_folder.parents
        assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
    finally:
        server.stop(immediate=True)
        shutil.rmtree(socket_folder)


def test_data_of_another_version_is_refused_with_what_to_do(server, folder):
    server.start()
    server.stop()
    (folder / "postgres" / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(Rejected) as caught:
        server.start()
    assert caught.value.code == "postgres.version"
    assert "pg_upgrade" in caught.value.message


def test_a_server_that_cannot_start_tells_the_end_of_its_log(server, folder):
    server.start()
    server.stop()
    with (folder / "postgres" / "data" / "postgresql.conf").open("a") as conf:
        conf.write("nonsense = true\n")
    with pytest.raises(Broken) as caught:
        server.start()
    assert caught.value.code == "postgres.failed"
    assert "nonsense" in caught.value.message


def test_a_state_folder_that_is_a_file_is_refused_with_what_to_do(folder):
    (folder / "state").write_text("in the way")
    with pytest.raises(Rejected) as caught:
        EmbeddedPostgres(folder / "state" / "deeper").start()
    assert caught.value.code == "postgres.state_dir"
    assert "HOLDFAST_DATABASE_URL" in caught.value.message


@as_root
def test_root_runs_it_as_a_user_of_its_own(server, state, folder):
    url = server.start()
    data = folder / "postgres" / "data"
    pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    owner = Path("/proc", str(pid)).stat().st_uid
    assert owner == pwd.getpwnam("holdfast").pw_uid
    program = Path("/proc", str(pid), "exe").resolve()
    assert state in program.parents
    assert rows(url, "SELECT 1") == [(1,)]


@as_root
def test_root_is_refused_a_folder_in_a_closed_home_which_stays_closed(folder):
    home = folder / "home"
    home.mkdir(mode=0o700)
    with pytest.raises(Rejected) as caught:
        EmbeddedPostgres(home / "state").start()
    assert caught.value.code == "postgres.state_dir"
    assert str(home) in caught.value.message
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


@as_root
def test_an_ordinary_user_needs_no_other_user(folder):
    someone = pwd.getpwnam("holdfast")
    home = folder / "home"
    home.mkdir(mode=0o700)
    os.chown(home, someone.pw_uid, someone.pw_gid)
    script = (
        "import sys, pathlib; from holdfast.common.embedded_postgres import EmbeddedPostgres;"
        "server = EmbeddedPostgres(pathlib.Path(sys.argv[1]), durable=False);"
        "print(server.start()); server.stop(immediate=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, home / "state"],
        check=False,
        capture_output=True,
        text=True,
        user=someone.pw_uid,
        group=someone.pw_gid,
        extra_groups=(),
        cwd="/",
    )
    assert done.stdout.strip().endswith(f"?host={home}/state/postgres/run"), done.stderr
    assert stat.S_IMODE((home / "state").stat().st_mode) == 0o700
    assert not (home / "state" / "postgres-server.lock").exists()
