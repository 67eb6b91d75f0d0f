"""Many reads in one call: encoded as Multicall3 wants them, decoded one by one."""

import pytest
from eth_abi.abi import encode as general
from hypothesis import given
from hypothesis import strategies as st

from holdfast.chain import abi
from holdfast.chain.multicall import (
    MULTICALL3,
    Read,
    Reverted,
    block_timestamp,
    decode_aggregate,
    encode_aggregate,
    eth_balance,
    within_gas,
)
from holdfast.common.errors import Broken, Rejected
from holdfast.common.evm import Address, checksummed

TARGET = checksummed(b"\x11" * 20)
CALLS = st.lists(
    st.tuples(st.binary(min_size=20, max_size=20), st.binary(max_size=100)), max_size=8
)


def read(data=b"", **options):
    return Read(TARGET, data, abi.uint, **options)


@given(CALLS)
def test_the_call_equals_that_of_a_general_encoder(calls):
    reads = [Read(checksummed(target), data, abi.uint) for target, data in calls]
    expected = general(
        ["(address,bool,bytes)[]"], [[(target, True, data) for target, data in calls]]
    )
    # Source: 0x82ad56cb is aggregate3 in Multicall3's published ABI.
    assert encode_aggregate(reads) == bytes.fromhex("82ad56cb") + expected


@given(st.lists(st.integers(min_value=0, max_value=2**256 - 1), max_size=8))
def test_each_answer_is_decoded_by_its_own_read(numbers):
    answers = [(True, number.to_bytes(32)) for number in numbers]
    data = general(["(bool,bytes)[]"], [answers])
    assert decode_aggregate([read() for _ in numbers], data) == numbers


def test_a_revert_among_them_is_an_answer_where_that_is_allowed():
    reason = bytes.fromhex("08c379a0") + general(["string"], ["frozen"])
    data = general(["(bool,bytes)[]"], [[(True, (7).to_bytes(32)), (False, reason)]])
    first, second = decode_aggregate([read(), read(allow_failure=True)], data)
    assert first == 7
    assert second == Reverted("frozen", reason)


def test_a_revert_is_an_error_where_it_is_not_allowed():
    data = general(["(bool,bytes)[]"], [[(False, b"")]])
    with pytest.raises(Rejected) as caught:
        decode_aggregate([read(b"\xde\xad\xbe\xef")], data)
    assert caught.value.code == "chain.read_reverted"
    assert caught.value.fields == {"target": TARGET, "selector": "0xdeadbeef"}


def test_another_number_of_answers_is_no_answer():
    data = general(["(bool,bytes)[]"], [[(True, bytes(32))]])
    with pytest.raises(Broken) as caught:
        decode_aggregate([read(), read()], data)
    assert caught.value.code == "chain.bad_answer"


def test_no_code_at_multicalls_address_is_no_answer():
    with pytest.raises(Broken) as caught:
        decode_aggregate([read()], b"")
    assert caught.value.code == "abi.short"


@given(st.lists(st.integers(min_value=1, max_value=50), max_size=30))
def test_parts_keep_order_and_stay_under_the_gas_limit_unless_one_read_alone_exceeds_it(gas):
    reads = [read(bytes([index]), gas=one) for index, one in enumerate(gas)]
    parts = list(within_gas(reads, limit=40))
    assert [one for part in parts for one in part] == reads
    assert all(len(part) == 1 or sum(one.gas for one in part) <= 40 for part in parts)


def test_parts_are_as_few_as_the_order_allows():
    # 20 + 20 fill 40; 20 + 25 would pass it; 25 + 10 fit.
    parts = list(within_gas([read(gas=gas) for gas in (20, 20, 25, 10)], limit=40))
    assert [[one.gas for one in part] for part in parts] == [[20, 20], [25, 10]]


def test_the_block_itself_can_be_read():
    multicall3, account = Address(MULTICALL3), TARGET
    # Source: Multicall3's published ABI.
    assert eth_balance(multicall3, account).data == bytes.fromhex(
        "4d2301cc" + "00" * 12 + "11" * 20
    )
    assert block_timestamp(multicall3).data == bytes.fromhex("0f28c97d")
