"""Bundles ask exactly what `multicall` would ask, and find the same words in the answer."""

import pytest
from eth_abi.abi import encode as general
from hypothesis import given
from hypothesis import strategies as st

from holdfast.chain import abi
from holdfast.chain.bundles import bundle, decode_bundles, encode_bundles
from holdfast.chain.multicall import MULTICALL3, Read, block_timestamp, encode_aggregate, within_gas
from holdfast.common.errors import Broken, Rejected
from holdfast.common.evm import checksummed

TARGET = checksummed(b"\x11" * 20)
TIME = block_timestamp(MULTICALL3)
CALLS = st.lists(st.lists(st.binary(max_size=100), min_size=1, max_size=4), max_size=5)
WORDS = st.lists(st.lists(st.integers(0, 2**256 - 1), min_size=1, max_size=4), max_size=5)


def read(data=b"", gas=1):
    return Read(TARGET, data, abi.uint, gas=gas)


def answer(*answers):
    return general(["(bool,bytes)[]"], [answers])


@given(CALLS)
def test_the_call_is_the_one_that_the_same_reads_would_make(calls):
    reads = [[read(data) for data in each] for each in calls]
    flat = [TIME, *(one for each in reads for one in each)]
    assert encode_bundles(TIME, [bundle(each) for each in reads]) == encode_aggregate(flat)


@given(WORDS)
def test_each_bundle_gets_its_own_words(words):
    flat = [77, *(word for each in words for word in each)]
    data = answer(*((True, word.to_bytes(32)) for word in flat))
    bundles = [bundle([read()] * len(each)) for each in words]
    assert decode_bundles(TIME, bundles, data) == (77, words)


def test_a_revert_is_told_with_the_read_that_reverted():
    bundles = [bundle([read(), read(b"\xde\xad\xbe\xef")])]
    data = answer((True, bytes(32)), (True, bytes(32)), (False, bytes(32)))
    with pytest.raises(Rejected) as caught:
        decode_bundles(TIME, bundles, data)
    assert caught.value.code == "chain.read_reverted"
    assert caught.value.fields["selector"] == "0xdeadbeef"


def test_an_answer_of_more_than_a_word_is_understood_all_the_same():
    data = answer((True, (5).to_bytes(32)), (True, (6).to_bytes(32) + bytes(32)))
    assert decode_bundles(TIME, [bundle([read()])], data) == (5, [[6]])


def test_an_answer_to_another_number_of_reads_is_broken():
    with pytest.raises(Broken) as caught:
        decode_bundles(TIME, [bundle([read()])], answer((True, bytes(32))))
    assert caught.value.code == "chain.bad_answer"


def test_parts_hold_whole_bundles_within_the_gas_of_one_call():
    bundles = [bundle([read(gas=3), read(gas=3)]) for _ in range(5)]
    parts = list(within_gas(bundles, limit=13))  # 6 each: two fit, a third would make 18
    assert [len(part) for part in parts] == [2, 2, 1]


def test_a_bundle_over_the_gas_of_one_call_is_asked_alone():
    assert [len(part) for part in within_gas([bundle([read(gas=9)])] * 2, limit=5)] == [1, 1]
    assert list(within_gas([], limit=5)) == []
