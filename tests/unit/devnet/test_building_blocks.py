"""Encoding, linking, prices and accounts of the devnet, against worked values."""

import pytest
from eth_account import Account

from holdfast.common.errors import Broken, Rejected
from holdfast.common.evm import Address
from holdfast.common.ids import ChainId
from holdfast.common.money import Token, TokenAmount
from holdfast.devnet.accounts import DEAL_ACCOUNTS, DEVNET_MNEMONIC, FLOAT, devnet_seed, keyless
from holdfast.devnet.artifacts import Artifact, read_artifact, read_multicall3
from holdfast.devnet.rpc import arguments, calldata
from holdfast.devnet.state import ready_state
from holdfast.devnet.uniswap import sqrt_price_x96
from holdfast.signing.derivation import account_root, deal_key

LOW = Address("0x" + "11" * 20)
HIGH = Address("0x" + "22" * 20)


def amount(units, address):
    return TokenAmount(Token(ChainId(138), "T", 6, address), units)


def test_call_is_selector_and_words():
    # a9059cbb is the well-known selector of ERC-20 transfer
    expected = "a9059cbb" + "00" * 12 + "11" * 20 + "00" * 31 + "05"
    assert calldata("transfer(address,uint256)", LOW, 5).hex() == expected


def test_call_without_arguments_is_its_selector():
    assert calldata("deposit()").hex() == "d0e30db0"


def test_struct_in_a_signature_is_one_argument():
    # two static words inside, and one beside: three words
    assert arguments("f((uint256,address),uint8)", (1, LOW), 2) == arguments(
        "f(uint256,address,uint8)", 1, LOW, 2
    )


def test_library_addresses_go_to_every_offset():
    artifact = Artifact("Pool", "aa" + "00" * 20 + "bb" + "00" * 20, {"Logic": (1, 22)})
    linked = artifact.linked({"Logic": LOW, "Unused": HIGH})
    assert linked.hex() == "aa" + "11" * 20 + "bb" + "11" * 20


def test_artifact_with_an_undeployed_library_is_not_linked():
    with pytest.raises(Broken) as caught:
        Artifact("Pool", "00" * 20, {"Logic": (0,)}).linked({})
    assert caught.value.code == "devnet.unlinked"


def test_hardhat_artifact_is_read_with_its_links(tmp_path):
    path = tmp_path / "Pool.json"
    path.write_text(
        '{"contractName": "Pool", "bytecode": "0x6001",'
        '"linkReferences": {"a.sol": {"Logic": [{"start": 7, "length": 20}]}}}'
    )
    assert read_artifact(path) == Artifact("Pool", "6001", {"Logic": (7,)})


def test_multicall3_that_moved_in_its_package_is_noticed(tmp_path):
    path = tmp_path / "contracts.ts"
    path.write_text("export const multicall3Bytecode =\n  '0x6080'\n")
    assert read_multicall3(path).bytecode == "6080"
    path.write_text("export const other = '0x'")
    with pytest.raises(Broken):
        read_multicall3(path)


def test_pool_price_is_the_root_of_token1_per_token0():
    # token0 is the lower address; 4 of token1 for 1 of token0: sqrt(4) = 2, as Q64.96 2 * 2^96
    assert sqrt_price_x96(amount(1, LOW), amount(4, HIGH)) == 2 * 2**96
    assert sqrt_price_x96(amount(4, HIGH), amount(1, LOW)) == 2 * 2**96
    # 1 of token1 for 4 of token0: sqrt(1/4) = 1/2
    assert sqrt_price_x96(amount(4, LOW), amount(1, HIGH)) == 2**95


def test_float_is_the_first_key_of_the_devnet_seed():
    Account.enable_unaudited_hdwallet_features()
    derived = Account.from_mnemonic(DEVNET_MNEMONIC, account_path="m/44'/60'/0'/0/0")
    assert derived.address == FLOAT
    assert deal_key(account_root(devnet_seed()), 0).secret == bytes(derived.key)


def test_core_and_treasury_are_fixed_and_derive_from_no_key():
    # keccak-256 of a text, cut to 20 bytes: a key for it is as far as any preimage
    assert DEAL_ACCOUNTS.core == "0xA8A0AFF2EFdC36eF98e4be1449Ad1c332A9Ab471"
    assert DEAL_ACCOUNTS.treasury_return == "0x27F52E126f63602E79315BD58ec5CECa709A1D5A"
    assert keyless("core") == DEAL_ACCOUNTS.core


def test_cache_that_cannot_be_written_is_rejected(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Rejected) as caught:
        ready_state(tmp_path / "file" / "cache")
    assert caught.value.code == "devnet.cache"
