"""The testnet run refuses to start with anything missing, too much or too real."""

import pytest

from holdfast.common.errors import Rejected, Transient
from holdfast.common.evm import address
from tests.e2e import __main__ as program
from tests.e2e.__main__ import main
from tests.e2e.position import Failed
from tests.e2e.settings import EXCHANGES, SEPOLIA, settings_of

KEY = "11" * 32


@pytest.fixture
def given(tmp_path):
    key = tmp_path / "key"
    key.write_text(KEY + "\n")
    key.chmod(0o600)
    return {
        "HOLDFAST_E2E_RPC_URL": "https://sepolia.example.test/v1",
        "HOLDFAST_E2E_KEY_FILE": str(key),
        "HOLDFAST_E2E_DATABASE_URL": "postgresql+psycopg://e2e@localhost/e2e",
    }


def refused(environment):
    with pytest.raises(Rejected) as caught:
        settings_of(environment)
    return caught.value.code


def test_the_packaged_profile_covers_the_position_and_says_what_is_missing(given):
    settings = settings_of(given)
    assert settings.profile.chain_id == 11155111
    assert settings.profile.rpc_urls == ("https://sepolia.example.test/v1",)
    assert settings.covered == {
        "1 wrap, supply, borrow": [],
        "2 discount purchase": ["uniswap", "USDTz"],
        "3 redemption": ["redemption_desk", "USDTz"],
        "4 repay, withdraw": [],
        "2 swap within a bound, and back": [],
    }


@pytest.mark.parametrize("name", ["RPC_URL", "KEY_FILE", "DATABASE_URL"])
def test_nothing_starts_without_explicit_settings(given, name):
    del given[f"HOLDFAST_E2E_{name}"]
    assert refused(given) == "e2e.missing"


@pytest.mark.parametrize("chain_id", [1, 10, 56, 137, 138, 8453, 42161, 651940])
def test_a_chain_with_real_money_is_refused(given, tmp_path, chain_id):
    profile = tmp_path / "mainnet.toml"
    text = SEPOLIA.read_text().replace("chain_id = 11155111", f"chain_id = {chain_id}")
    profile.write_text(text)
    assert refused({**given, "HOLDFAST_E2E_PROFILE": str(profile)}) == "e2e.chain"


def test_an_address_with_a_typo_is_refused(given, tmp_path):
    profile = tmp_path / "typo.toml"
    profile.write_text(SEPOLIA.read_text().replace("0x6Ae43d", "0x6aE43d"))
    assert refused({**given, "HOLDFAST_E2E_PROFILE": str(profile)}) == "profile.invalid"


def test_a_profile_without_its_genesis_is_refused(given, tmp_path):
    lines = SEPOLIA.read_text().splitlines()
    profile = tmp_path / "unpinned.toml"
    profile.write_text("\n".join(one for one in lines if not one.startswith("genesis_hash")))
    assert refused({**given, "HOLDFAST_E2E_PROFILE": str(profile)}) == "e2e.genesis"


@pytest.mark.parametrize("url", ["http://sepolia.example.test", "ws://localhost", "sepolia"])
def test_a_node_is_only_asked_over_an_encrypted_line(given, url):
    assert refused({**given, "HOLDFAST_E2E_RPC_URL": url}) == "e2e.rpc_url"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COLLATERAL_WEI", "1000000000000000000"),
        ("BORROW_UNITS", "1"),
        ("BORROW_UNITS", "much"),
        ("SWAP_WEI", "0"),
    ],
)
def test_amounts_stay_small(given, name, value):
    assert refused({**given, f"HOLDFAST_E2E_{name}": value}) == "e2e.amount"


@pytest.mark.parametrize(("text", "mode"), [(KEY, 0o644), ("00" * 32, 0o600), ("word", 0o600)])
def test_a_key_file_that_others_read_or_that_is_no_key_is_refused(given, tmp_path, text, mode):
    key = tmp_path / "other"
    key.write_text(text)
    key.chmod(mode)
    assert refused({**given, "HOLDFAST_E2E_KEY_FILE": str(key)}) == "e2e.key_file"


def test_the_check_needs_no_network_and_shows_no_key(given, capsys):
    assert main(["--check"], given) == 0
    assert main(["--check"], {}) == 2
    said = capsys.readouterr()
    assert KEY not in said.out + said.err
    assert "HOLDFAST_E2E_RPC_URL" in said.err


def test_an_option_that_does_not_exist_starts_no_run(given, capsys):
    assert main(["--chek"], given) == 2
    assert "--chek" in capsys.readouterr().err


def test_the_packaged_exchange_is_the_pool_that_the_factory_made(given):
    # As Sepolia's explorer lists it: WETH/USDC, 0.3 %.
    pool = settings_of(given).exchange.pool
    assert pool.address == "0x6Ce0896eAE6D4BD668fDe41BB784548fb8F59b50"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("chain_id = 11155111", "chain_id = 1"),
        ("fee = 3000", "fee = 3001"),
        ("quoter = ", "quota = "),
        ("chain_id", "chain id"),
    ],
)
def test_an_exchange_file_that_is_wrong_is_refused(given, tmp_path, old, new):
    path = tmp_path / "exchange.toml"
    path.write_text(EXCHANGES[11155111].read_text().replace(old, new))
    assert refused({**given, "HOLDFAST_E2E_EXCHANGE": str(path)}) == "e2e.exchange"


def test_an_exchange_with_a_typo_in_an_address_or_no_file_is_refused(given, tmp_path):
    path = tmp_path / "exchange.toml"
    path.write_text(EXCHANGES[11155111].read_text().replace("0x3bFA4769", "0x3BFA4769"))
    assert refused({**given, "HOLDFAST_E2E_EXCHANGE": str(path)}) == "address.checksum"
    assert refused({**given, "HOLDFAST_E2E_EXCHANGE": "/nowhere"}) == "e2e.exchange"


def test_router02_gets_the_limit_and_the_deadline_in_its_own_words(given):
    exchange = settings_of(given).exchange
    me = address("0x" + "11" * 20)
    call = exchange.swap(exchange.sell_eth, 10**14, 300_000, me, 1_700_000_000)
    words = [call.data[4 + 32 * at : 36 + 32 * at] for at in range(5)]
    # multicall(uint256 deadline, bytes[]): the list starts after two words and has one entry of
    # 4 + 7 * 32 = 228 bytes.
    assert call.data[:4].hex() == "5ae401dc"
    assert [int.from_bytes(word, "big") for word in words] == [1_700_000_000, 64, 1, 32, 228]
    sale = call.data[4 + 32 * 5 :][:228]
    assert sale[:4].hex() == "04e45aaf"
    numbers = [int.from_bytes(sale[4 + 32 * at : 36 + 32 * at], "big") for at in range(7)]
    # Fee 0.3 %, to ourselves, exactly 10^14 in, at least 99 % of the quote, no price limit.
    assert numbers[2:] == [3_000, int(me, 16), 10**14, 297_000, 0]


@pytest.mark.parametrize(
    "error", [Transient("rpc.unreachable", "no answer"), Failed("sell ended"), TimeoutError()]
)
def test_what_fails_on_the_way_is_not_told_as_if_nothing_was_sent(
    given, monkeypatch, capsys, error
):
    async def broken(settings):
        raise error

    monkeypatch.setattr(program, "run", broken)
    assert main([], given) == 1
    assert "What was sent is recorded" in capsys.readouterr().err


def test_help_starts_no_run(given, capsys):
    assert main(["--help"], given) == 0
    assert "--check" in capsys.readouterr().out
