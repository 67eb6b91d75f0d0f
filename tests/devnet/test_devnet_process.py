"""The node as a process: ports, files, who stops it, and what it starts from."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from holdfast.chain.profile_file import load_profile
from holdfast.common.errors import Broken, Rejected, Transient
from holdfast.common.system_clock import SystemClock
from holdfast.devnet.accounts import DEAL_ACCOUNTS
from holdfast.devnet.node import GENESIS_HASH, NodeOptions, is_node, start_node
from holdfast.devnet.service import Devnet
from holdfast.devnet.state import ready_state

STARTS_AND_WAITS = """
import sys, time
from pathlib import Path
from holdfast.devnet.service import Devnet
from holdfast.devnet.state import ready_state
devnet = Devnet.start(ready_state(Path(sys.argv[1])), Path(sys.argv[2]))
print(devnet.node.pid, flush=True)
time.sleep(60)
"""


def ended_within(seconds, pid):
    deadline = time.monotonic() + seconds
    while is_node(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_node(pid)


@pytest.fixture
def taken_port():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_profile_on_file_is_the_running_devnets(devnet):
    profile = load_profile(devnet.profile_path)
    assert profile == devnet.profile
    assert profile.rpc_urls == (devnet.url,)


def test_genesis_block_is_the_pinned_one(devnet):
    assert devnet.control.rpc.block("0x0")["hash"] == GENESIS_HASH
    assert devnet.profile.genesis_hash == GENESIS_HASH
    devnet.verify()


def test_packaged_production_profile_refuses_the_devnet(devnet):
    with pytest.raises(Rejected) as caught:
        devnet.__class__.verify(_with_profile(devnet, load_profile(138)))
    assert caught.value.code == "node.test_node"


def _with_profile(devnet, profile):
    return Devnet(devnet.url, profile, devnet.control, devnet.folder, devnet.options, devnet.node)


def test_latest_block_is_as_old_as_the_wall_clock_says(devnet):
    assert abs(devnet.control.chain_time() - SystemClock().now().timestamp()) < 10


def test_funded_accounts_have_their_ether(devnet):
    million = 1_000_000 * 10**18
    assert devnet.control.balance(DEAL_ACCOUNTS.core) == million
    assert devnet.control.balance(DEAL_ACCOUNTS.float_) == million
    assert devnet.control.balance(DEAL_ACCOUNTS.treasury_return) == 0


def test_gas_limit_is_the_one_asked_for_although_a_state_is_loaded(start_devnet):
    devnet = start_devnet(gas_limit=1_000_000_000)
    devnet.control.mine()
    assert int(devnet.control.rpc.block()["gasLimit"], 16) == 1_000_000_000


def test_state_is_readable_so_many_blocks_back_and_no_further(start_devnet):
    devnet = start_devnet(kept_states=20)
    start = devnet.control.rpc.block()["number"]
    read = ("eth_getBalance", DEAL_ACCOUNTS.core, start)
    devnet.control.mine(15)
    assert int(devnet.control.rpc.call(*read), 16) > 0
    devnet.control.mine(30)
    with pytest.raises(Rejected):
        devnet.control.rpc.call(*read)


def test_taken_port_is_refused_with_what_to_do(start_devnet, taken_port):
    with pytest.raises(Rejected) as caught:
        start_devnet(port=taken_port)
    assert caught.value.code == "devnet.port_busy"
    assert f"port {taken_port}" in caught.value.message
    assert "--port" in caught.value.message


def test_program_that_is_no_node_is_reported_with_its_last_words(tmp_path):
    impostor = tmp_path / "impostor"
    impostor.write_text("#!/bin/sh\necho cannot do that\nexit 1\n")
    impostor.chmod(0o755)
    with pytest.raises(Broken) as caught:
        start_node(impostor, tmp_path / "log", NodeOptions(), state=None)
    assert caught.value.code == "devnet.node_failed"
    assert "cannot do that" in caught.value.message


def test_a_node_whose_start_is_interrupted_is_not_left_behind(tmp_path):
    """As by Ctrl-C while the command waits for the node's first words, which never come."""
    silent, log = tmp_path / "anvil", tmp_path / "log"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o755)

    def interrupt(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        with pytest.raises(KeyboardInterrupt):
            start_node(silent, log, NodeOptions(), state=None)
    finally:
        signal.signal(signal.SIGALRM, before)
    # The shell that guards it may add that it was terminated.
    (process,) = re.findall(r"node is process (\d+)", log.read_text())
    assert ended_within(5, int(process))


def test_stopped_devnet_no_longer_answers(devnet):
    devnet.stop()
    assert not is_node(devnet.node.pid)
    with pytest.raises(Transient) as caught:
        devnet.control.block_number()
    assert caught.value.code == "devnet.unreachable"


def test_attached_devnet_is_the_same_one(devnet):
    devnet.control.freeze()
    attached = Devnet.attach(devnet.folder)
    assert attached.profile == devnet.profile
    assert attached.control.is_frozen()
    attached.stop()
    assert ended_within(5, devnet.node.pid)


def test_folder_without_a_devnet_cannot_be_attached(tmp_path):
    with pytest.raises(Rejected) as caught:
        Devnet.attach(tmp_path)
    assert caught.value.code == "devnet.not_running"


def test_folder_of_a_running_devnet_takes_no_second_one(devnet, ready):
    with pytest.raises(Rejected) as caught:
        Devnet.start(ready, devnet.folder)
    assert caught.value.code == "devnet.running"
    assert devnet.url in caught.value.message


def test_folder_of_a_killed_devnet_takes_a_new_one(devnet, ready):
    os.kill(devnet.node.pid, signal.SIGKILL)
    assert ended_within(5, devnet.node.pid)
    with Devnet.start(ready, devnet.folder) as again:
        assert again.control.block_number() > 0


def test_process_id_of_a_stranger_is_never_taken_for_a_node():
    assert not is_node(os.getpid())


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_node_ends_with_the_process_that_started_it(tmp_path, ready, end):
    cache = ready.dump.parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_AND_WAITS, str(cache), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        pid = int(parent.stdout.readline())
        assert is_node(pid)
        parent.send_signal(end)
        parent.wait()
        assert ended_within(5, pid)


def test_detached_node_stays_until_it_is_stopped(tmp_path, ready):
    started = Devnet.start(ready, tmp_path, detached=True)
    found = Devnet.attach(tmp_path)
    assert found.control.block_number() > 0
    found.stop()
    assert ended_within(5, started.node.pid)


def test_world_built_again_is_the_same_to_the_block_hash(tmp_path, ready, devnet):
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "packages").symlink_to(ready.dump.parents[2] / "packages")
    again = ready_state(tmp_path / "again")
    assert again.dump != ready.dump
    assert again.profile == ready.profile
    with Devnet.start(again, tmp_path / "other") as other:
        built = hex(int(other.control.rpc.block()["number"], 16) - 1)
        assert other.control.rpc.block(built)["hash"] == devnet.control.rpc.block(built)["hash"]


def test_other_genesis_than_the_pinned_one_is_not_built_on(tmp_path, ready, monkeypatch):
    monkeypatch.setattr("holdfast.devnet.state.GENESIS_HASH", "0x" + "00" * 32)
    (tmp_path / "packages").symlink_to(ready.dump.parents[2] / "packages")
    with pytest.raises(Broken) as caught:
        ready_state(tmp_path)
    assert caught.value.code == "devnet.genesis"
    assert list((tmp_path / "states").iterdir()) == []
