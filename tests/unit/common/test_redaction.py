import base64

import pytest

from holdfast.common.redaction import Redactor
from holdfast.common.secret import Secret

PHRASE = 'correct "horse" \\ battery\nstäple'
SEED = bytes.fromhex("9f" * 16 + "01" * 16)


@pytest.fixture
def redactor():
    redactor = Redactor()
    redactor.register(Secret(PHRASE))
    redactor.register(Secret(SEED))
    return redactor


@pytest.mark.parametrize(
    "shown",
    [
        PHRASE,
        repr(PHRASE),
        PHRASE.upper(),
        SEED.hex(),
        "0x" + SEED.hex().upper(),
        base64.b64encode(SEED).decode(),
        repr(SEED),
        str(int.from_bytes(SEED, "big")),
    ],
)
def test_a_registered_value_is_masked_in_every_form(redactor, shown):
    masked = redactor.text(f"before {shown} after")
    assert "***" in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    for part in ("horse", "9f9f9f9f", "\\x9f\\x9f"):
        assert part not in masked.lower()


def test_a_short_value_is_left_alone_because_it_would_mask_ordinary_words():
    redactor = Redactor()
    redactor.register(Secret("deal"))
    assert redactor.text("deal.planned") == "deal.planned"


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        (
            "https://mainnet.example/v3/0123456789abcdef0123",
            "https://mainnet.example/v3/***",
        ),
        ("wss://node.example/ws?apikey=abc", "wss://node.example/ws?***"),
        ("https://user:pass@node.example:8545/", "https://***@node.example:8545/"),
        (
            "postgresql+psycopg://holdfast:pw@db/holdfast?host=/run/pg",
            "postgresql+psycopg://***@db/holdfast?host=/run/pg",
        ),
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("https://eth.example/v1/rpc/main", "https://eth.example/v1/rpc/main"),
    ],
)
def test_what_a_url_proves_identity_with_is_masked(url, masked):
    assert Redactor().text(f"cannot reach '{url}' now") == f"cannot reach '{masked}' now"


def test_signed_bytes_are_shortened_and_hashes_are_kept():
    tx_hash = "0x" + "ab" * 32
    # 3 + 107 = 110 bytes, 220 digits: about the shortest signed transfer
    raw = "0x02f86b" + "cd" * 107
    assert Redactor().text(f"{tx_hash} {raw}") == f"{tx_hash} 0x02f86bcd...(110 bytes)"


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "keystore_passphrase",
        "mnemonic",
        "seed",
        "hd_seed",
        "private_key",
        "privkey",
        "api_key",
        "Authorization",
        "access_token",
        "raw",
        "raw_tx",
        "signed_bytes",
        "client_secret",
    ],
)
def test_a_field_with_a_secret_name_is_masked_at_every_depth(name):
    deep = {"outer": [{name: "plain"}], name: 7}
    assert Redactor().fields(deep) == {"outer": [{name: "***"}], name: "***"}


@pytest.mark.parametrize("name", ["token", "key_ref", "tx_hash", "tokens", "deal_key_address"])
def test_a_field_with_an_everyday_name_is_kept(name):
    assert Redactor().fields({name: "plain"}) == {name: "plain"}


def test_bytes_are_counted_and_not_shown():
    assert Redactor().fields({"data": b"\x01\x02"}) == {"data": "2 bytes"}


def test_nothing_said_is_nothing_masked():
    assert Redactor().fields({"password": None}) == {"password": None}
