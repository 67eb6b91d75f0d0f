"""Chain profiles: what is pinned, what is refused, and that nothing unknown is guessed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.bootstrap import limits_of
from holdfast.chain.profile_file import configured, dump_profile, load_profile, parse_profile
from holdfast.chain.profiles import FeeModel, ProfileKind, verify_keys, verify_node
from holdfast.common.errors import Rejected
from holdfast.config import Settings
from holdfast.model.leg import LegKind

GENESIS = "0x" + "ab" * 32
OTHER_GENESIS = "0x" + "cd" * 32
POOL = "0x87870Bca3F3fD6335C3F4ce8392D69350B4fA4E2"  # a right EIP-55 checksum

DEVNET = {
    "chain_id": 138,
    "name": "devnet",
    "kind": "devnet",
    "rpc_urls": ["http://127.0.0.1:8545"],
    "native": {"symbol": "ETH", "decimals": 18},
    "confirmations": 1,
    "block_time_seconds": 0,
    "fee_model": "eip1559",
    "gas_price_ceiling_wei": 300_000_000_000,
    "genesis_hash": GENESIS,
    "tokens": {"USDT": {"address": POOL, "decimals": 6}},
    "aave": dict.fromkeys(("pool", "addresses_provider", "data_provider", "oracle"), POOL),
    "uniswap": {
        **dict.fromkeys(("factory", "router", "quoter"), POOL),
        "weth_usdt_fee": 500,
        "usdtz_usdt_fee": 500,
    },
    "redemption_desk": POOL,
    "multicall3": POOL,
    "code_hashes": {POOL: OTHER_GENESIS},
    "accounts": dict.fromkeys(("core", "float", "treasury_return"), POOL),
}


def devnet(**changes):
    return parse_profile(json.dumps({**DEVNET, **changes}), is_toml=False, name="a test")


def rejected(code, action, *args, **kwargs):
    with pytest.raises(Rejected) as caught:
        action(*args, **kwargs)
    assert caught.value.code == code
    return caught.value


def test_production_profile_of_chain_138_pins_weth_with_18_decimals():
    profile = load_profile(138)
    assert profile.kind is ProfileKind.PRODUCTION
    assert profile.weth.address == "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
    assert profile.weth.decimals == 18  # the contract itself says 0 there
    assert profile.usdt.decimals == 6


def test_second_chain_is_packaged_with_its_own_native_token():
    profile = load_profile("651940")
    assert profile.name == "ALL Mainnet"
    assert profile.native.symbol == "ALL"
    assert profile.fee_model is FeeModel.LEGACY


def test_unknown_chain_is_rejected_and_the_known_ones_are_named():
    error = rejected("profile.unknown_chain", load_profile, 1)
    assert "138 or 651940" in error.message


@pytest.mark.parametrize(
    "part",
    ["require_aave", "require_uniswap", "require_redemption_desk", "require_multicall3"],
)
def test_protocol_absent_from_a_production_profile_is_refused_where_it_is_needed(part):
    error = rejected("profile.protocol_missing", getattr(load_profile(138), part))
    assert "DeFi Oracle Meta" in error.message


def test_token_absent_from_a_profile_is_refused_by_name():
    error = rejected("profile.token_missing", lambda: load_profile(138).usdtz)
    assert "USDTz" in error.message


def test_accounts_absent_from_a_profile_are_refused():
    error = rejected("profile.protocol_missing", load_profile(651940).require_accounts)
    assert "ALL Mainnet" in error.message


def test_devnet_profile_gives_every_part():
    profile = devnet()
    assert profile.is_devnet
    assert profile.usdt.address == POOL
    assert profile.require_aave().pool == POOL
    assert profile.require_uniswap().usdtz_usdt_fee == 500
    assert profile.require_uniswap().position_manager is None
    assert profile.require_redemption_desk() == POOL
    assert profile.require_multicall3() == POOL
    assert profile.require_accounts().float_ == POOL
    assert profile.code_hashes == {POOL: OTHER_GENESIS}


@pytest.mark.parametrize("profile", [devnet(), load_profile(138), load_profile(651940)])
def test_dumped_profile_reads_back_equal(profile):
    assert parse_profile(dump_profile(profile), is_toml=False, name="dump") == profile


def test_each_feed_may_be_as_old_as_its_heartbeat_with_a_margin():
    usual = devnet()
    assert (usual.eth_feed_max_age_seconds, usual.cash_feed_max_age_seconds) == (4_500, 90_000)
    own = devnet(cash_feed_max_age_seconds=3_600)
    limits = limits_of(Settings(state_dir=Path("/s")), own)
    assert (limits.oracle_max_age_seconds, limits.cash_oracle_max_age_seconds) == (4_500, 3_600)


def test_each_kind_of_leg_has_its_depth():
    profile = devnet(confirmations=2, leg_confirmations={"borrow": 5, "wrap": 1})
    assert profile.depths[LegKind.BORROW] == 5
    assert profile.depths[LegKind.WRAP] == 1
    assert profile.depths[LegKind.SWAP] == 2
    assert set(profile.depths) == set(LegKind)


@pytest.mark.parametrize(("finality", "depth"), [(None, 5), (3, 5), (9, 9)])
def test_finality_is_never_shallower_than_the_deepest_leg(finality, depth):
    profile = devnet(confirmations=2, leg_confirmations={"borrow": 5}, finality=finality)
    assert profile.final_depth == depth


def test_profile_file_is_loaded_by_path(tmp_path):
    path = tmp_path / "devnet.json"
    path.write_text(dump_profile(devnet()))
    assert load_profile(path) == devnet()
    assert load_profile(str(path)) == devnet()


def test_missing_profile_file_is_rejected_with_what_to_give(tmp_path):
    error = rejected("profile.unreadable", load_profile, tmp_path / "none.json")
    assert "devnet up" in error.message


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"chain_id": 0}, "chain_id"),
        ({"confirmations": 0}, "confirmations"),
        ({"leg_confirmations": {"borrow": 0}}, "leg_confirmations.borrow"),
        ({"leg_confirmations": {"lend": 2}}, "leg_confirmations.lend"),
        ({"finality": 0}, "finality"),
        ({"redemption_desk": POOL.lower().replace("0x87", "0X87")}, "redemption_desk"),
        ({"redemption_desk": POOL[:-1] + "3"}, "redemption_desk"),  # a typo fails its checksum
        ({"genesis_hash": "0x12"}, "genesis_hash"),
        ({"kind": "testnet"}, "kind"),
        ({"surprise": 1}, "surprise"),
        ({"tokens": {"USDT": {"address": POOL, "decimals": -1}}}, "tokens.USDT.decimals"),
    ],
)
def test_malformed_profile_is_rejected_and_the_field_named(changes, named):
    assert named in rejected("profile.invalid", devnet, **changes).message


def test_text_that_is_no_toml_is_rejected():
    error = rejected("profile.invalid", parse_profile, "chain_id = ", is_toml=True, name="broken")
    assert "broken" in error.message


def refusal(profile, *node):
    """The code that a node is refused with; None when it is accepted."""
    try:
        verify_node(profile, *node)
    except Rejected as error:
        return error.code
    return None


@pytest.mark.parametrize("genesis", [GENESIS, GENESIS.upper().replace("0X", "0x")])
def test_right_node_is_accepted_however_it_writes_the_hash(genesis):
    assert refusal(devnet(), 138, genesis, "anvil/v1.7.1") is None


def test_node_of_another_chain_is_rejected():
    error = rejected("node.chain_id", verify_node, devnet(), 1, GENESIS, "anvil/v1.7.1")
    assert (error.fields["limit"], error.fields["value"]) == (138, 1)


def test_node_with_the_same_id_and_another_genesis_is_rejected():
    rejected("node.genesis", verify_node, devnet(), 138, OTHER_GENESIS, "anvil/v1.7.1")


@pytest.mark.parametrize("client", ["anvil/v1.7.1", "Anvil/v1", "HardhatNetwork/2.22", "Ganache/7"])
def test_production_profile_refuses_a_test_node(client):
    production = replace(devnet(), kind=ProfileKind.PRODUCTION)
    rejected("node.test_node", verify_node, production, 138, GENESIS, client)


def test_production_profile_accepts_a_real_client():
    production = replace(devnet(), kind=ProfileKind.PRODUCTION)
    client = "besu/v24.1.0/linux-x86_64/openjdk-java-17"
    assert refusal(production, 138, GENESIS, client) is None


def test_production_chain_without_a_genesis_hash_must_be_configured_first():
    profile = load_profile(138)
    rejected("node.genesis_unpinned", verify_node, profile, 138, GENESIS, "besu/v24.1.0")
    pinned = configured(profile, genesis_hash=GENESIS)
    assert refusal(pinned, 138, GENESIS, "besu/v24.1.0") is None


def test_configured_nodes_replace_the_packaged_ones():
    profile = configured(load_profile(138), rpc_urls=("https://node.bank.example",))
    assert profile.rpc_urls == ("https://node.bank.example",)
    assert configured(load_profile(138)) == load_profile(138)


def test_pinned_genesis_hash_is_not_overridden_by_configuration():
    rejected("profile.genesis_pinned", configured, devnet(), genesis_hash=OTHER_GENESIS)
    assert configured(devnet(), genesis_hash=GENESIS) == devnet()


def test_devnet_keys_work_on_the_devnet_only():
    verify_keys(devnet(), devnet_marked=True)
    verify_keys(load_profile(138), devnet_marked=False)
    rejected("keys.devnet_only", verify_keys, load_profile(138), devnet_marked=True)
