"""Ticks are packed small and read back exactly, whatever the machine's byte order."""

import zlib
from array import array
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.errors import Broken
from holdfast.common.ids import ChainId
from holdfast.monitoring import ticks
from holdfast.monitoring.ticks import COLUMNS, FORMAT, MOST, Tick, columns, pack, unpack
from tests.unit.execution.scene import AT

WIDTH = len(COLUMNS[FORMAT])
ROWS = st.lists(st.lists(st.integers(0, MOST), min_size=WIDTH, max_size=WIDTH), max_size=20)


@given(ROWS)
def test_what_is_packed_is_read_back(rows):
    made = columns(rows)
    assert list(made) == list(COLUMNS[FORMAT])
    assert unpack(pack(made), FORMAT) == made
    assert [list(row) for row in zip(*made.values(), strict=True)] == rows


def test_a_number_beyond_the_column_is_its_largest():
    made = columns([[2**256 - 1] * WIDTH])
    assert set(made["cover_bps"]) == {MOST}


def test_a_column_is_little_endian_for_whoever_reads_it():
    raw = zlib.decompress(pack(columns([list(range(WIDTH)), [258] * WIDTH])))
    assert np.frombuffer(raw, "<u4").tolist()[:4] == [0, 258, 1, 258]


def test_a_machine_of_the_other_byte_order_packs_the_same(monkeypatch):
    made = columns([list(range(WIDTH))])
    usual = pack(made)
    swapped = {name: array("I", column) for name, column in made.items()}
    for column in swapped.values():
        column.byteswap()
    monkeypatch.setattr(ticks, "_IS_BIG_ENDIAN", True)
    assert pack(swapped) == usual
    assert unpack(usual, FORMAT) == swapped


@pytest.mark.parametrize(
    ("packed", "number"),
    [
        (b"", 99),
        (b"no zlib", FORMAT),
        (zlib.compress(b"12345"), FORMAT),
        (zlib.compress(bytes(WIDTH)), FORMAT),
    ],
)
def test_what_is_no_tick_is_broken(packed, number):
    with pytest.raises(Broken) as caught:
        unpack(packed, number)
    assert caught.value.code == "ticks.format"


def test_a_tick_shows_each_deal_by_itself():
    made = columns([[1, *[0] * (WIDTH - 1)], [2, *[5] * (WIDTH - 1)]])
    tick = Tick(ChainId(138), AT, datetime(2026, 1, 1, tzinfo=UTC), 0.1, {}, made)
    assert tick.count == 2
    assert [row["number"] for row in tick.rows()] == [1, 2]
    assert tick.rows()[1]["debt_usd"] == 5
