"""The Uniswap adapter against the deployed contracts: quotes, limits, deadlines, events."""

from decimal import Decimal

import pytest
import pytest_asyncio

from holdfast.chain.multicall import Reverted
from holdfast.chain.node import Node
from holdfast.chain.rpc import Rpc
from holdfast.chain.simulation import SimCall
from holdfast.common.money import WAD, amount_of
from holdfast.protocols.erc20 import Erc20
from holdfast.protocols.registry import protocols
from holdfast.protocols.uniswap_v3.pools import SWAP, decode_swap
from holdfast.protocols.uniswap_v3.swaps import ExactInput, ExactOutput
from holdfast.protocols.uniswap_v3.ticks import sqrt_ratio_at
from holdfast.protocols.weth import Weth
from tests.support.actor import ALICE, Actor

USDT = 10**6


class Exchange:
    """The devnet's pools as one account trades in them."""

    def __init__(self, devnet, node):
        self.devnet, self.node, self.actor = devnet, node, Actor(devnet, node)
        self.known = protocols(devnet.profile)
        self.router, self.quoter = self.known.router, self.known.quoter
        self.buy, self.pool = self.known.buy_usdtz, self.known.usdtz_pool

    async def prepare(self):
        self.devnet.control.give(amount_of(self.devnet.profile.usdt, 2_000_000), ALICE)
        await self.actor.run(self.known.usdt.approve(self.router.address, 2_000_000 * USDT))

    async def read(self, *reads):
        return await self.node.read(reads, await self.actor.head())

    async def deadline(self):
        return (await self.actor.head()).timestamp + 60


@pytest_asyncio.fixture
async def exchange(devnet):
    node = Node(Rpc.over_http(devnet.url), devnet.profile)
    exchange = Exchange(devnet, node)
    await exchange.prepare()
    yield exchange
    await node.close()


def swapped(receipt):
    (found,) = [decode_swap(log) for log in receipt.logs if SWAP.is_in(log)]
    return found


async def test_pools_are_where_the_factory_says(devnet, exchange):
    for route, pool in (
        (exchange.known.sell_eth, exchange.known.eth_pool),
        (exchange.known.buy_usdtz, exchange.known.usdtz_pool),
    ):
        found = devnet.control.rpc.view(
            devnet.profile.require_uniswap().factory,
            "getPool(address,address,uint24)",
            "address",
            route.token_in,
            route.token_out,
            route.fee,
        )
        assert found == pool.address.lower()


async def test_an_exact_input_gives_what_was_quoted_at_the_same_block(exchange):
    spend = 1_000_000 * USDT
    quote, before = await exchange.read(
        exchange.quoter.exact_input(exchange.buy, spend), exchange.pool.slot0()
    )
    swap = ExactInput(exchange.buy, spend, quote.amount, ALICE, await exchange.deadline())
    receipt = await exchange.actor.prove(
        exchange.router.exact_input(swap),
        exchange.pool.expected_swap(exchange.router.address, ALICE),
    )
    event = swapped(receipt)
    assert (event.amount_in, event.amount_out) == (spend, quote.amount)
    assert event.sqrt_price_x96 == quote.sqrt_price_after_x96
    held, after, liquidity = await exchange.read(
        exchange.known.usdtz.balance_of(ALICE), exchange.pool.slot0(), exchange.pool.liquidity()
    )
    assert held == quote.amount
    assert (after.sqrt_price_x96, after.tick) == (event.sqrt_price_x96, event.tick)
    assert liquidity == event.liquidity
    # At 0.60 a million buys 1,666,667; 0.05 % fee and 0.17 % impact (1M in 600M) cost about 3,600.
    assert before.out_at_spot(exchange.buy, spend) // USDT == pytest.approx(1_666_666, abs=2)
    assert 3_000 * USDT < before.out_at_spot(exchange.buy, spend) - held < 4_500 * USDT


async def test_an_exact_output_costs_what_was_quoted(exchange):
    want = 100_000 * USDT
    (quote,) = await exchange.read(exchange.quoter.exact_output(exchange.buy, want))
    swap = ExactOutput(exchange.buy, want, quote.amount, ALICE, await exchange.deadline())
    receipt = await exchange.actor.prove(
        exchange.router.exact_output(swap),
        exchange.pool.expected_swap(exchange.router.address, ALICE),
    )
    event = swapped(receipt)
    assert (event.amount_in, event.amount_out) == (quote.amount, want)


async def test_ether_is_sold_for_cash_and_cash_buys_ether_back(exchange):
    known, actor = exchange.known, exchange.actor
    await actor.run(Weth(known.weth.address).deposit(10 * WAD))
    await actor.run(known.weth_token.approve(exchange.router.address, 10 * WAD))
    (quote,) = await exchange.read(exchange.quoter.exact_input(known.sell_eth, 10 * WAD))
    # 10 ETH at $2,000 less 0.05 %.
    assert 19_980 * USDT < quote.amount < 20_000 * USDT
    swap = ExactInput(known.sell_eth, 10 * WAD, quote.amount, ALICE, await exchange.deadline())
    await actor.prove(
        exchange.router.exact_input(swap),
        known.eth_pool.expected_swap(exchange.router.address, ALICE),
    )
    back = ExactInput(
        known.sell_eth.reverse, quote.amount, 9 * WAD, ALICE, await exchange.deadline()
    )
    receipt = await actor.run(exchange.router.exact_input(back))
    # Two fees of 0.05 % and a little impact.
    assert 9_985 * WAD < swapped(receipt).amount_out * 1_000 < 10_000 * WAD


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"min_out_more": 1}, "Too little received"),
        ({"deadline": 1}, "Transaction too old"),
    ],
)
async def test_a_swap_outside_its_limits_reverts(exchange, change, reason):
    spend = 1_000 * USDT
    (quote,) = await exchange.read(exchange.quoter.exact_input(exchange.buy, spend))
    swap = ExactInput(
        exchange.buy,
        spend,
        quote.amount + change.get("min_out_more", 0),
        ALICE,
        change.get("deadline", await exchange.deadline()),
    )
    call = exchange.router.exact_input(swap)
    (result,) = await exchange.node.simulate(
        [SimCall(ALICE, call, 500_000)], await exchange.actor.head()
    )
    assert (result.ok, result.error) == (False, reason)
    receipt = await exchange.actor.run(call)
    assert not receipt.succeeded


async def test_a_quote_that_the_pool_cannot_fill_is_an_answer_where_allowed(exchange):
    impossible = exchange.quoter.exact_output(exchange.buy, 10**12 * USDT, allow_failure=True)
    possible = exchange.quoter.exact_output(exchange.buy, USDT)
    first, second = await exchange.read(impossible, possible)
    assert isinstance(first, Reverted)
    # One token costs 0.60 and the fee, which is rounded up.
    assert second.amount == pytest.approx(600_300, abs=5)


async def test_a_shallower_pool_shows_in_liquidity_and_quote(exchange):
    spend = 1_000_000 * USDT
    reads = (exchange.pool.liquidity(), exchange.quoter.exact_input(exchange.buy, spend))
    deep, good = await exchange.read(*reads)
    exchange.devnet.control.drain_token_pool(9_000)
    shallow, bad = await exchange.read(*reads)
    assert shallow == pytest.approx(deep // 10, rel=1e-9)
    assert bad.amount < good.amount


async def test_the_allowance_is_used_up(exchange):
    spend = 2_000_000 * USDT
    swap = ExactInput(exchange.buy, spend, 1, ALICE, await exchange.deadline())
    await exchange.actor.run(exchange.router.exact_input(swap))
    left, held = await exchange.read(
        exchange.known.usdt.allowance(ALICE, exchange.router.address),
        Erc20(exchange.known.usdt.address).balance_of(ALICE),
    )
    assert (left, held) == (0, 0)


async def eth_price(exchange, slot0):
    """Dollars for one ETH at `slot0`, in USDT base units."""
    return slot0.out_at_spot(exchange.known.sell_eth, WAD)


async def test_the_root_of_a_tick_is_under_the_price_that_has_it(exchange):
    for pool in (exchange.known.eth_pool, exchange.known.usdtz_pool):
        (slot0,) = await exchange.read(pool.slot0())
        assert sqrt_ratio_at(slot0.tick) <= slot0.sqrt_price_x96 < sqrt_ratio_at(slot0.tick + 1)


async def test_a_quiet_pool_has_the_same_average_as_price(exchange):
    exchange.devnet.control.advance_time(3_600)
    average, now = await exchange.read(
        exchange.known.eth_pool.average(1_800), exchange.known.eth_pool.slot0()
    )
    assert (average.window_seconds, average.tick) == (1_800, now.tick)
    # $2,000, less at most the tick's own width of 0.01 %.
    assert 1_999 * USDT < await eth_price(exchange, average.price()) <= 2_000 * USDT


async def test_a_pool_that_does_not_remember_so_far_says_so(exchange):
    """A fresh pool keeps one observation, which the first swap of a block replaces."""
    control, pool = exchange.devnet.control, exchange.known.eth_pool
    control.advance_time(3_600)
    control.set_price(Decimal(1_500))
    control.advance_time(600)
    long, short = await exchange.read(pool.average(1_800), pool.average(300))
    assert isinstance(long, Reverted)
    assert long.reason == "OLD"
    assert 1_499 * USDT < await eth_price(exchange, short.price()) <= 1_500 * USDT


async def test_the_average_follows_the_price_only_slowly(exchange):
    control, pool = exchange.devnet.control, exchange.known.eth_pool
    control.remember_prices(100)
    control.advance_time(3_600)
    control.set_price(Decimal(1_000))
    control.advance_time(600)
    average, now = await exchange.read(pool.average(1_800), pool.slot0())
    assert await eth_price(exchange, now) == pytest.approx(1_000 * USDT, rel=1e-4)
    # A third of the window at half the price: 2,000 * (1/2)^(1/3) = 1,587.40, within a few seconds.
    assert await eth_price(exchange, average.price()) == pytest.approx(1_587.4 * USDT, rel=0.005)
