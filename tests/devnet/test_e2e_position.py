"""What runs on a public testnet, run on the devnet's real Aave and Uniswap."""

import json
from dataclasses import replace

import pytest
from coincurve import PrivateKey

from holdfast.common.secret import Secret
from holdfast.protocols.erc20 import Erc20
from tests.e2e import exchange
from tests.e2e.exchange import exchange_of
from tests.e2e.position import Failed, OneKey, run
from tests.e2e.settings import Settings
from tests.support.onchain import OnChain

ETHER = 10**18
OPENED = ["wrap", "revoke collateral", "approve collateral", "supply", "borrow"]
SOLD = ["wrap", "revoke to sell", "approve to sell", "sell"]
SWAPPED = [*SOLD, "revoke to buy back", "approve to buy back", "buy back"]
CLOSED = ["revoke debt", "approve debt", "repay", "withdraw"]
SECRET = Secret(PrivateKey(bytes(31) + b"\x07").secret)


@pytest.fixture
def settings(devnet, database_url):
    devnet.control.set_balance(OneKey(SECRET).signer.address, ETHER)
    pool = exchange_of(devnet.profile)
    return Settings(devnet.profile, SECRET, database_url, 10**15, 100_000, 10**14, pool)


async def test_a_position_is_opened_and_closed(settings):
    done = await run(settings)
    assert [one["leg"] for one in done["legs"]] == [*OPENED, *SWAPPED, *CLOSED]
    assert {one["status"] for one in done["legs"]} == {"landed"}
    json.dumps(done)


async def test_a_second_run_goes_on_where_the_account_stands(settings):
    await run(settings)
    # The first left 99 % of the collateral and what the swaps gave back of their 10 %: enough to
    # supply again without a wrap, too little to swap again without one.
    again = [one["leg"] for one in (await run(settings))["legs"]]
    assert again == [*OPENED[1:], *SWAPPED, *CLOSED]


async def test_dollars_that_an_earlier_run_left_allowed_stop_nothing(settings, devnet):
    """Debt is rounded: a repayment may take a unit less than was borrowed and approved."""
    profile, account = settings.profile, OneKey(SECRET).signer.address
    left = Erc20(profile.usdt.require_address()).approve(profile.require_aave().pool, 1)
    OnChain(devnet).send_as(account, left.target, left.data)
    done = await run(settings)
    assert {one["status"] for one in done["legs"]} == {"landed"}


async def test_without_an_exchange_there_is_no_swap(settings):
    done = await run(replace(settings, exchange=None))
    assert [one["leg"] for one in done["legs"]] == [*OPENED, *CLOSED]


async def test_a_swap_that_gives_less_than_its_bound_ends_the_run(settings, monkeypatch):
    monkeypatch.setattr(exchange, "SLIPPAGE_BPS", -1)  # wants more than the pool gives
    with pytest.raises(Failed, match="sell ended as reverted"):
        await run(settings)


async def test_a_pool_that_quotes_nothing_ends_the_run_before_anything_is_sold(settings):
    elsewhere = replace(settings.exchange, fee=100)
    with pytest.raises(Failed, match="sell: no quote"):
        await run(replace(settings, exchange=elsewhere))


async def test_a_leg_that_does_not_land_ends_the_run(settings, devnet):
    too_much = Settings(devnet.profile, SECRET, settings.database_url, 10**15, 10**9)
    with pytest.raises(Failed, match="borrow ended as reverted"):
        await run(too_much)
