"""`holdfast devnet` from up to down."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from typer.testing import CliRunner

from holdfast.chain.profile_file import load_profile
from holdfast.common.errors import Rejected
from holdfast.devnet.node import is_node
from holdfast.devnet.service import Devnet
from holdfast.entry.cli.devnet import app


class Command:
    """The command with its folders given."""

    def __init__(self, folder, cache):
        self.folder = folder
        self.cache = cache

    def __call__(self, name, *args):
        folders = ["--state-dir", str(self.folder)]
        if name in {"up", "reset"}:
            folders += ["--cache-dir", str(self.cache)]
        # No standalone mode: errors come out as they are, as the main program sees them.
        result = CliRunner().invoke(app, [name, *args, *folders, "--json"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
def command(tmp_path, ready):
    yield Command(tmp_path, ready.dump.parents[2])
    with suppress(Rejected):  # the test itself stopped it
        Devnet.attach(tmp_path).stop()


def test_up_starts_a_devnet_that_outlives_the_command(command):
    said = command("up", "--port", "0")
    assert load_profile(said["profile"]).rpc_urls == (said["url"],)
    assert command("status")["desk"] == "open"


def test_freeze_and_thaw_show_the_desk(command):
    command("up", "--port", "0")
    assert command("freeze") == {"desk": "frozen"}
    assert command("status")["desk"] == "frozen"
    assert command("thaw") == {"desk": "open"}


def test_price_takes_dollars_and_cents(command):
    command("up", "--port", "0")
    assert command("price", "1234.56")["eth_usd"] == "1234.56"


@pytest.mark.parametrize("text", ["0", "NaN", "1.123456789", "much"])
def test_price_that_is_no_price_is_rejected(command, text):
    command("up", "--port", "0")
    with pytest.raises(Rejected) as caught:
        command("price", text)
    assert caught.value.code == "devnet.price"


def test_mine_adds_blocks(command):
    command("up", "--port", "0")
    before = command("status")["block_number"]
    assert command("mine", "7") == {"block_number": before + 7}


def test_block_time_mines_by_the_clock(command):
    assert command("up", "--port", "0", "--block-time", "1")["block_time_seconds"] == 1
    before = command("status")["block_number"]
    deadline = time.monotonic() + 60
    while command("status")["block_number"] < before + 2:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_reset_starts_over_at_the_same_address(command):
    url = command("up", "--port", "0")["url"]
    command("freeze")
    assert command("reset")["url"] == url
    assert command("status")["desk"] == "open"


def test_down_ends_the_node(command):
    pid = command("up", "--port", "0")["pid"]
    command("down")
    assert not is_node(pid)
    with pytest.raises(Rejected) as caught:
        command("status")
    assert caught.value.code == "devnet.not_running"


def test_interrupt_ends_a_devnet_in_the_foreground(tmp_path, ready):
    folders = ["--state-dir", str(tmp_path), "--cache-dir", str(ready.dump.parents[2])]
    program = "from holdfast.entry.cli.devnet import app; app()"
    with subprocess.Popen(
        [sys.executable, "-u", "-c", program, "up", "--port", "0", "--foreground", *folders],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as foreground:
        assert "Ctrl-C" in foreground.stderr.readline()
        pid = Devnet.attach(tmp_path).node.pid
        foreground.send_signal(signal.SIGINT)
        assert foreground.wait(10) == 0
    assert not is_node(pid)
