"""The reason of a revert, in words."""

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from holdfast.chain.reverts import revert_reason

ERROR = bytes.fromhex("08c379a0")  # Error(string)
PANIC = bytes.fromhex("4e487b71")  # Panic(uint256)


@given(st.text(max_size=100))
def test_the_text_of_a_require_is_the_reason(text):
    assert revert_reason(ERROR + encode(["string"], [text])) == text


def test_aaves_numeric_codes_are_texts_and_stay_as_they_are():
    # "36" is COLLATERAL_CANNOT_COVER_NEW_BORROW in aave core-v3's Errors library.
    assert revert_reason(ERROR + encode(["string"], ["36"])) == "36"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (0x11, "panic: arithmetic overflow"),
        (0x12, "panic: division by zero"),
        (0x99, "panic: 0x99"),
    ],
)
def test_a_panic_is_named(code, reason):
    assert revert_reason(PANIC + encode(["uint256"], [code])) == reason


def test_no_data_is_said_so():
    assert revert_reason(b"") == "reverted without a reason"


def test_a_custom_error_is_shown_as_its_bytes():
    assert revert_reason(bytes.fromhex("deadbeef")) == "reverted with 0xdeadbeef"


@given(st.binary(max_size=200))
def test_any_bytes_give_some_reason(data):
    assert revert_reason(data)
    assert revert_reason(ERROR + data)
    assert revert_reason(PANIC + data)
