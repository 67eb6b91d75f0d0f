import json
import stat

import pytest
from eth_account import Account

from holdfast.chain.profiles import ChainProfile, FeeModel, ProfileKind
from holdfast.common.errors import Broken, Rejected
from holdfast.common.ids import ChainId, new_deal_id
from holdfast.common.money import Token
from holdfast.common.secret import Secret
from holdfast.signing import backend
from holdfast.signing import keystore as keystore_module
from holdfast.signing.hd import FLOAT_INDEX, HdKeyProvider
from holdfast.signing.keystore import KeyNetwork, new_seed, open_seed, seal_seed
from holdfast.signing.model import KeyRef

WORD = Secret("correct horse")
SEED = Secret(bytes(range(1, 33)))


def profile(kind):
    chain = ChainId(138)
    return ChainProfile(
        chain_id=chain,
        name=str(kind),
        kind=kind,
        rpc_urls=(),
        native=Token(chain, "ETH", 18),
        confirmations=1,
        block_time_seconds=0,
        fee_model=FeeModel.EIP1559,
        gas_price_ceiling_wei=10**11,
    )


@pytest.fixture
def keystore(tmp_path):
    path = tmp_path / "keys.json"
    seal_seed(path, SEED, WORD, KeyNetwork.DEVNET)
    return path


def code_of(action, *arguments):
    with pytest.raises(Rejected) as caught:
        action(*arguments)
    return caught.value.code


def test_a_sealed_seed_opens_with_its_passphrase(keystore):
    opened = open_seed(keystore, WORD)
    assert opened.seed.use() == SEED.use()
    assert opened.network is KeyNetwork.DEVNET


def test_a_seed_of_64_bytes_opens_whole(tmp_path):
    seed = Secret(bytes(range(1, 65)))
    seal_seed(tmp_path / "long.json", seed, WORD, KeyNetwork.DEVNET)
    assert open_seed(tmp_path / "long.json", WORD).seed.use() == seed.use()


def test_the_file_is_the_owners_alone_and_holds_neither_seed_nor_passphrase(keystore):
    assert stat.S_IMODE(keystore.stat().st_mode) == 0o600
    text = keystore.read_text()
    assert SEED.use().hex() not in text
    assert WORD.use() not in text


def test_a_wrong_passphrase_is_refused(keystore):
    assert code_of(open_seed, keystore, Secret("wrong")) == "keystore.passphrase"


def test_a_devnet_mark_that_was_edited_away_makes_the_file_unreadable(keystore):
    content = json.loads(keystore.read_text())
    content["network"] = "production"
    keystore.write_text(json.dumps(content))
    assert code_of(open_seed, keystore, WORD) == "keystore.passphrase"


def test_an_existing_keystore_is_never_overwritten(keystore):
    before = keystore.read_bytes()
    assert code_of(seal_seed, keystore, SEED, WORD, KeyNetwork.DEVNET) == "keystore.exists"
    assert keystore.read_bytes() == before


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"network": "moon", "sealed": []}', '{"network": "devnet"}']
)
def test_a_file_that_is_no_keystore_says_so(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    assert code_of(open_seed, path, WORD) == "keystore.malformed"


def test_a_part_that_lacks_its_cipher_says_so(keystore):
    content = json.loads(keystore.read_text())
    del content["sealed"][0]["crypto"]
    keystore.write_text(json.dumps(content))
    assert code_of(open_seed, keystore, WORD) == "keystore.malformed"


def test_a_missing_keystore_says_where_it_was_looked_for(tmp_path):
    assert code_of(open_seed, tmp_path / "none.json", WORD) == "keystore.missing"


def test_a_seed_of_another_length_is_refused(tmp_path):
    short = Secret(bytes(16))
    assert code_of(seal_seed, tmp_path / "k", short, WORD, KeyNetwork.DEVNET) == "keystore.seed"


def test_fresh_seeds_differ():
    assert new_seed().use() != new_seed().use()
    assert len(new_seed().use()) == 32


def test_devnet_keys_refuse_a_production_chain(keystore):
    production = profile(ProfileKind.PRODUCTION)
    assert code_of(HdKeyProvider.from_keystore, keystore, WORD, production) == "keys.devnet_only"


def test_production_keys_refuse_the_devnet_whose_chain_id_is_a_real_ones(tmp_path, monkeypatch):
    monkeypatch.setitem(
        keystore_module._WORK_FACTOR, KeyNetwork.PRODUCTION, 2**10
    )  # the real one takes 0.7 s
    path = tmp_path / "real.json"
    seal_seed(path, SEED, WORD, KeyNetwork.PRODUCTION)
    devnet = profile(ProfileKind.DEVNET)
    assert code_of(HdKeyProvider.from_keystore, path, WORD, devnet) == "keys.production_only"
    HdKeyProvider.from_keystore(path, WORD, profile(ProfileKind.PRODUCTION))


@pytest.fixture
def provider(keystore):
    return HdKeyProvider.from_keystore(keystore, WORD, profile(ProfileKind.DEVNET))


async def test_the_key_of_a_deal_is_the_one_of_its_number(provider):
    ref = await provider.create(new_deal_id(), 7)
    again = await provider.create(new_deal_id(), 7)
    signer = await provider.open(ref)
    assert ref == again == provider.ref(7)
    assert signer.address == Account.from_key(signer._key.secret).address
    assert SEED.use().hex() not in repr(ref)


async def test_opening_a_key_again_gives_the_signer_in_memory(provider):
    first = await provider.open(provider.ref(3))
    assert await provider.open(provider.ref(3)) is first
    await provider.retire(provider.ref(3))
    derived_anew = await provider.open(provider.ref(3))
    assert derived_anew is not first
    assert derived_anew.address == first.address


async def test_no_deal_gets_the_floats_key(provider):
    with pytest.raises(Rejected) as caught:
        await provider.create(new_deal_id(), FLOAT_INDEX)
    assert caught.value.code == "signing.float_index"


@pytest.mark.parametrize("ref", [KeyRef("hd", "0000/1"), KeyRef("aws_kms", "x/1")])
async def test_a_key_of_another_seed_or_backend_is_refused(provider, ref):
    with pytest.raises(Rejected) as caught:
        await provider.open(ref)
    assert caught.value.code == "signing.foreign_key"


async def test_a_signer_does_not_show_its_key(provider):
    signer = await provider.open(provider.ref(1))
    assert signer._key.secret.hex() not in repr(signer)


def test_a_pure_python_curve_stops_the_start(monkeypatch):
    monkeypatch.setenv("ECC_BACKEND_CLASS", "eth_keys.backends.NativeECCBackend")
    with pytest.raises(Broken) as caught:
        backend.assert_native_backend()
    assert caught.value.code == "signing.backend"


def test_a_library_that_recovers_another_key_stops_the_start(monkeypatch):
    real = backend.recoverable_signature
    monkeypatch.setattr(backend, "_PROBE_DIGEST", bytes(32))
    monkeypatch.setattr(
        backend, "recoverable_signature", lambda key, digest: real(key, b"\x01" * 32)
    )
    with pytest.raises(Broken, match="own signature"):
        backend.assert_native_backend()
