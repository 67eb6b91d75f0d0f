import pytest
from eth_account import Account
from eth_account.hdaccount import key_from_seed
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.common.errors import Rejected
from holdfast.signing.derivation import account_root, deal_key

SEED = bytes(range(32))


@settings(max_examples=25)
@given(seed=st.binary(min_size=32, max_size=64), index=st.integers(0, 2**31 - 1))
def test_deal_keys_are_those_of_the_bip44_path(seed, index):
    expected = key_from_seed(seed, f"m/44'/60'/{index}'/0/0")
    assert deal_key(account_root(seed), index).secret == expected


def test_the_first_key_of_the_well_known_phrase_is_its_published_address():
    Account.enable_unaudited_hdwallet_features()
    phrase = "test test test test test test test test test test test junk"
    account = Account.from_mnemonic(phrase, account_path="m/44'/60'/0'/0/0")
    assert account.address == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


def test_the_deal_level_is_hardened():
    # With m/44'/60'/1/0/0 one leaked deal key and the public parent would give the parent away.
    assert deal_key(account_root(SEED), 1).secret != key_from_seed(SEED, "m/44'/60'/1/0/0")


@pytest.mark.parametrize("index", [-1, 2**31])
def test_an_index_outside_the_hardened_range_is_refused(index):
    with pytest.raises(Rejected) as caught:
        deal_key(account_root(SEED), index)
    assert caught.value.code == "signing.index"
