"""What runs on a public testnet, run on the devnet's real Aave."""

import json

import pytest
from coincurve import PrivateKey

from holdfast.common.secret import Secret
from tests.e2e.position import Failed, OneKey, run
from tests.e2e.settings import Settings

ETHER = 10**18
SECRET = Secret(PrivateKey(bytes(31) + b"\x07").secret)


@pytest.fixture
def settings(devnet, database_url):
    devnet.control.set_balance(OneKey(SECRET).signer.address, ETHER)
    return Settings(devnet.profile, SECRET, database_url, 10**15, 100_000)


async def test_a_position_is_opened_and_closed(settings):
    done = await run(settings)
    names = ["wrap", "approve collateral", "supply", "borrow", "approve debt", "repay", "withdraw"]
    assert [one["leg"] for one in done["legs"]] == names
    assert {one["status"] for one in done["legs"]} == {"landed"}
    json.dumps(done)


async def test_a_second_run_goes_on_where_the_account_stands(settings):
    await run(settings)
    assert len((await run(settings))["legs"]) == 7


async def test_a_leg_that_does_not_land_ends_the_run(settings, devnet):
    too_much = Settings(devnet.profile, SECRET, settings.database_url, 10**15, 10**9)
    with pytest.raises(Failed, match="borrow ended as reverted"):
        await run(too_much)
