import rlp as reference
from hypothesis import given
from hypothesis import strategies as st

from holdfast.signing.rlp import rlp

items = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=6))


@given(items)
def test_encoding_agrees_with_the_reference_package(item):
    assert rlp(item) == reference.encode(item)


def test_the_yellow_papers_borders_are_kept():
    assert rlp(b"\x7f") == b"\x7f"  # a byte under 0x80 is itself
    assert rlp(b"\x80") == b"\x81\x80"
    assert rlp(bytes(55))[:1] == b"\xb7"  # 0x80 + 55: the last short string
    assert rlp(bytes(56))[:2] == b"\xb8\x38"  # 0xb7 + 1, then the length 56
    assert rlp([]) == b"\xc0"
    assert rlp([bytes(56)])[:2] == b"\xf8\x3a"  # 58 bytes of payload
