"""The controls change the world the way their names say."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from holdfast.common.errors import Broken, Rejected
from holdfast.common.evm import Address
from holdfast.common.money import WAD
from holdfast.devnet.sender import Sender

ACTOR = Address("0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65")  # an account the node can sign for


def quote(devnet, sold, bought, units):
    """What the pool gives for `units` of `sold`."""
    return devnet.control.rpc.view(
        devnet.profile.require_uniswap().quoter,
        "quoteExactInputSingle((address,address,uint256,uint24,uint160))",
        "uint256,uint160,uint32,uint256",
        (sold.require_address(), bought.require_address(), units, 500, 0),
    )[0]


def test_price_moves_the_oracle_and_the_pool_both_ways(devnet):
    profile = devnet.profile
    for usd in (1_000, 3_000):
        devnet.control.set_price(Decimal(usd))
        assert devnet.control.oracle_price() == usd * 10**8
        # one WETH at the price less the pool's fee of 0.05 %; its own impact is negligible
        expected = usd * 10**6 * 9_995 // 10_000
        assert expected - 20_000 < quote(devnet, profile.weth, profile.usdt, WAD) <= expected


def test_oracle_alone_can_move(devnet):
    before = quote(devnet, devnet.profile.weth, devnet.profile.usdt, WAD)
    devnet.control.set_price(Decimal(500), move_pool=False)
    assert devnet.control.oracle_price() == 500 * 10**8
    assert quote(devnet, devnet.profile.weth, devnet.profile.usdt, WAD) == before


def test_token_price_goes_where_it_is_set(devnet):
    usdt, usdtz = devnet.profile.usdt, devnet.profile.usdtz
    devnet.control.set_token_price(Decimal("0.80"))
    # 800 USDT buy 1,000 USDTz less the fee of 0.05 %
    assert 999_400_000 < quote(devnet, usdt, usdtz, 800 * 10**6) <= 999_500_000
    devnet.control.set_token_price(Decimal("0.60"))
    assert 999_400_000 < quote(devnet, usdt, usdtz, 600 * 10**6) <= 999_500_000


def test_purchase_of_a_ten_million_deal_moves_the_price_by_under_half_a_percent(devnet):
    usdt, usdtz = devnet.profile.usdt, devnet.profile.usdtz
    bought = quote(devnet, usdt, usdtz, 1_800_000 * 10**6)
    fair = 3_000_000 * 10**6  # 1,800,000 / 0.60
    assert fair * 995 // 1_000 < bought < fair


def test_drained_pool_gives_much_less(devnet):
    usdt, usdtz = devnet.profile.usdt, devnet.profile.usdtz
    devnet.control.drain_token_pool(9_990)
    # 600,000 USDT of reserves are left: buying for as much halves what a deep pool would give
    bought = quote(devnet, usdt, usdtz, 600_000 * 10**6)
    assert 490_000 * 10**6 < bought < 510_000 * 10**6


def test_stale_price_shows_its_age(devnet):
    feed = devnet.control._feed(devnet.profile.weth)
    devnet.control.set_price_staleness(7_200)
    answer = devnet.control.rpc.view(
        feed, "latestRoundData()", "uint80,int256,uint256,uint256,uint80"
    )
    assert answer[1] == 2_000 * 10**8
    assert devnet.control.chain_time() - answer[3] == 7_200


@pytest.mark.parametrize("switch", ["borrowing", "frozen"])
def test_refused_borrowing_leaves_repayment_open(devnet, switch):
    profile, control = devnet.profile, devnet.control
    weth, usdt = profile.weth.require_address(), profile.usdt.require_address()
    pool = profile.require_aave().pool
    actor = Sender(control.rpc, ACTOR)
    actor.execute(weth, "deposit()", value_wei=10 * WAD)
    actor.execute(weth, "approve(address,uint256)", pool, 10 * WAD)
    actor.execute(pool, "supply(address,uint256,address,uint16)", weth, 10 * WAD, ACTOR, 0)
    loan = (usdt, 1_000 * 10**6, 2, 0, ACTOR)
    actor.execute(pool, "borrow(address,uint256,uint256,uint16,address)", *loan)
    if switch == "borrowing":
        control.set_borrowing(allowed=False)
    else:
        control.set_reserve_frozen(frozen=True)
    with pytest.raises(Broken):
        actor.execute(pool, "borrow(address,uint256,uint256,uint16,address)", *loan)
    actor.execute(usdt, "approve(address,uint256)", pool, 1_000 * 10**6)
    actor.execute(pool, "repay(address,uint256,uint256,address)", usdt, 1_000 * 10**6, 2, ACTOR)


def test_borrowing_costs_a_few_percent_a_year_at_any_deal_size(devnet):
    aave, usdt = devnet.profile.require_aave(), devnet.profile.usdt.require_address()
    rate = devnet.control.rpc.view(
        aave.data_provider, "getReserveData(address)", ",".join(["uint256"] * 12), usdt
    )[6]
    # 60 % of the USDT is lent out, 90 % is optimal at 6 %: 6 % * 60 / 90 = 4 %
    assert 39 * 10**24 < rate < 42 * 10**24


def test_snapshot_is_gone_back_to(devnet):
    mark = devnet.control.snapshot()
    devnet.control.freeze()
    devnet.control.revert(mark)
    assert not devnet.control.is_frozen()


def test_nothing_is_mined_on_demand_until_asked(devnet):
    devnet.control.set_manual_mining()
    before = devnet.control.block_number()
    devnet.control.rpc.call("eth_sendTransaction", {"from": ACTOR, "to": ACTOR})
    assert devnet.control.block_number() == before
    devnet.control.mine(3)
    assert devnet.control.block_number() == before + 3


def test_interval_mode_mines_without_transactions(interval_devnet):
    control = interval_devnet.control
    began, before = time.monotonic(), control.block_number()
    mined = until_block(control, before + 2) - before
    assert mined <= time.monotonic() - began + 1
    assert interval_devnet.profile.block_time_seconds == 1


def test_heartbeat_keeps_the_head_fresh_and_transactions_immediate(start_devnet):
    control = start_devnet(heartbeat_seconds=4).control
    began = time.monotonic()
    before = control.block_number()
    control.freeze()
    assert control.block_number() == before + 1
    assert time.monotonic() - began < 4  # before the heartbeat
    until_block(control, before + 2)


def until_block(control, wanted, seconds=60):
    """The block number once nobody but the node has made it `wanted`."""
    deadline = time.monotonic() + seconds
    while (number := control.block_number()) < wanted:
        assert time.monotonic() < deadline, number
        time.sleep(0.1)
    return number


def test_controls_wait_until_their_block_in_interval_mode(interval_devnet):
    interval_devnet.control.freeze()
    assert interval_devnet.control.is_frozen()


def test_balance_is_set_to_the_wei(devnet):
    devnet.control.set_balance(ACTOR, 12_345)
    assert devnet.control.balance(ACTOR) == 12_345


def test_node_error_is_rejected_with_its_words(devnet):
    with pytest.raises(Rejected) as caught:
        devnet.control.rpc.call("eth_noSuchMethod")
    assert caught.value.code == "devnet.rpc"
    assert "eth_noSuchMethod" in caught.value.message
