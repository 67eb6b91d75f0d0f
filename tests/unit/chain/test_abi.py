"""Words packed by hand equal those of the general encoder."""

import pytest
from eth_abi.abi import encode as general
from hypothesis import given
from hypothesis import strategies as st

from holdfast.chain import abi
from holdfast.common.errors import Broken
from holdfast.common.evm import Address, checksummed

NUMBERS = st.integers(min_value=0, max_value=2**256 - 1)
SIGNED = st.integers(min_value=-(2**255), max_value=2**255 - 1)
ADDRESSES = st.binary(min_size=20, max_size=20).map(checksummed)


@given(NUMBERS, ADDRESSES, st.booleans(), st.binary(min_size=32, max_size=32))
def test_arguments_are_packed_as_a_general_encoder_packs_them(number, account, flag, raw):
    packed = abi.encode(b"\x01\x02\x03\x04", number, account, flag, raw)
    expected = general(["uint256", "address", "bool", "bytes32"], [number, account, flag, raw])
    assert packed == b"\x01\x02\x03\x04" + expected


@given(NUMBERS, SIGNED, ADDRESSES, st.booleans())
def test_results_are_read_back_from_their_words(number, signed, account, flag):
    data = general(["uint256", "int256", "address", "bool"], [number, signed, account, flag])
    assert abi.uint(data) == number
    assert abi.sint(data, 1) == signed
    assert abi.address_at(data, 2) == account
    assert abi.boolean(data, 3) is flag


@given(SIGNED)
def test_a_negative_argument_is_twos_complement(value):
    assert abi.word(value) == general(["int256"], [value])


def test_an_indexed_address_makes_the_round_trip():
    account = Address("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2")
    assert abi.topic_address(abi.address_topic(account)) == account
    assert abi.address_of_hex(account.lower()) == account


def test_selector_and_topic_are_those_of_the_erc20_standard():
    # Source: EIP-20's transfer, as every explorer shows it.
    assert abi.selector("transfer(address,uint256)").hex() == "a9059cbb"
    assert (
        abi.topic("Transfer(address,address,uint256)").hex()
        == "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    )


@pytest.mark.parametrize("value", [2**256, -(2**255) - 1, b"\x00" * 31])
def test_a_value_that_does_not_fit_a_word_is_refused(value):
    with pytest.raises(Broken) as caught:
        abi.word(value)
    assert caught.value.code == "abi.range"


def test_an_answer_that_ends_early_is_no_zero():
    # A call to an address without code answers nothing at all.
    with pytest.raises(Broken) as caught:
        abi.uint(b"")
    assert caught.value.code == "abi.short"
    with pytest.raises(Broken):
        abi.uint(bytes(40), 1)


@given(st.text(max_size=80))
def test_text_is_read_from_its_length_word(text):
    assert abi.text_at(general(["string"], [text]), 32) == text


def test_text_longer_than_the_data_is_refused():
    with pytest.raises(Broken) as caught:
        abi.text_at((33).to_bytes(32) + bytes(32), 0)
    assert caught.value.code == "abi.short"
