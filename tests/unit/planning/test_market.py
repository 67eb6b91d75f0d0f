"""Reading the market: which answers become which facts, all of one block."""

from collections import defaultdict
from types import SimpleNamespace

import pytest
from eth_abi import encode

from holdfast.chain.multicall import Reverted
from holdfast.chain.profiles import ChainProfile, FeeModel, ProfileKind
from holdfast.chain.receipts import Head
from holdfast.common.errors import Rejected
from holdfast.common.evm import BlockRef, block_hash, keccak256
from holdfast.common.money import RAY, USD8, WAD, Bps, TokenAmount, Usd8
from holdfast.planning.market import ChainMarket
from holdfast.planning.snapshot import Gas, Probe
from tests.unit.planning.world import (
    ACCOUNTS,
    CHAIN,
    CODE,
    CORE,
    ETH,
    ETH_POOL,
    FLOAT,
    GWEI,
    USDT,
    USDTZ,
    USDTZ_POOL,
    VENUES,
    WETH,
    place,
)

HEAD = Head(
    ref=BlockRef(75, block_hash("0x" + "ab" * 32), 1_800_000_000),
    parent=block_hash("0x" + "aa" * 32),
    base_fee_wei=3 * GWEI,
    gas_limit=30_000_000,
    gas_used=0,
)
MULTICALL3, FEED = place(0x30), place(0x31)
A_WETH, A_USDT, DEBT_WETH, DEBT_USDT, STRATEGY = (place(n) for n in range(0x32, 0x37))
Q96 = 1 << 96
PROFILE = ChainProfile(
    chain_id=CHAIN,
    name="devnet",
    kind=ProfileKind.DEVNET,
    rpc_urls=(),
    native=ETH,
    confirmations=1,
    block_time_seconds=0,
    fee_model=FeeModel.EIP1559,
    gas_price_ceiling_wei=300 * GWEI,
    genesis_hash=block_hash("0x" + "cd" * 32),
    tokens={"WETH": WETH, "USDT": USDT, "USDTz": USDTZ},
    multicall3=MULTICALL3,
    code_hashes=CODE,
)


def words(*values):
    return b"".join(encode(["uint256"], [value]) for value in values)


def places(*values):
    return b"".join(encode(["address"], [value]) for value in values)


def settings(ltv=8_000, threshold=8_300, borrow_cap=0, supply_cap=0, flags=0b101, decimals=18):
    """A reserve's bit map: active and borrowing on by default. Source: ReserveConfigurationMap."""
    return (
        ltv | threshold << 16 | decimals << 48 | flags << 56 | borrow_cap << 80 | supply_cap << 116
    )


def reserve(configuration, a_token, debt_token, number):
    """The answer of getReserveData."""
    rates = words(configuration, RAY, 0, RAY, RAY * 4 // 100, 0, HEAD.ref.timestamp, number)
    return rates + places(a_token, place(0x3F), debt_token, STRATEGY) + words(0, 0, 0)


def root(price_numerator, price_denominator):
    """sqrt(price) as Q64.96 for a price whose root is a fraction."""
    return Q96 * price_numerator // price_denominator


class FakeNode:
    """Answers each read by its selector and target, and notes at which block it was asked."""

    def __init__(self):
        self.profile = PROFILE
        self.blocks = set()
        self.exchanges = 0
        self.answers = defaultdict(dict)
        self._lending()
        self._exchange()
        self.put("getEthBalance(address)", words(7 * WAD), argument=CORE)
        self.put("getEthBalance(address)", words(9 * WAD), argument=FLOAT)
        self.put("allowance(address,address)", words(0))
        self.put("frozen()", words(1))
        self.put("feeBps()", words(25))
        self.put("queueDelay()", words(3_600))
        self.put("reserves()", words(77 * 10**6))

    def _lending(self):
        weth, usdt = WETH.require_address(), USDT.require_address()
        self.put("getAssetPrice(address)", words(2_000 * USD8), argument=weth)
        self.put("getAssetPrice(address)", words(USD8), argument=usdt)
        self.put("getSourceOfAsset(address)", places(FEED))
        self.put("POOL_REVISION()", words(1))
        self.put(
            "getReserveData(address)",
            reserve(settings(supply_cap=5_000), A_WETH, DEBT_WETH, 0),
            argument=weth,
        )
        self.put(
            "getReserveData(address)",
            reserve(settings(borrow_cap=900, decimals=6), A_USDT, DEBT_USDT, 1),
            argument=usdt,
        )
        self.put("latestRoundData()", words(1, 2_000 * USD8, 0, HEAD.ref.timestamp - 60, 1))
        self.put("getUserAccountData(address)", words(5, 3, 0, 0, 0, 0))
        self.put("scaledTotalSupply()", words(100 * WAD), target=A_WETH)
        self.put("scaledTotalSupply()", words(600 * 10**6), target=DEBT_USDT)
        self.put("getReserveNormalizedIncome(address)", words(RAY * 11 // 10))
        self.put("getReserveNormalizedVariableDebt(address)", words(RAY * 12 // 10))
        self.put("balanceOf(address)", words(400 * 10**6))
        self.put("getBaseVariableBorrowRate()", words(1))
        self.put("getVariableRateSlope1()", words(2))
        self.put("getVariableRateSlope2()", words(3))
        self.put("OPTIMAL_USAGE_RATIO()", words(4))

    def _exchange(self):
        # token0 is WETH (the lower address): 2,000 USDT (6) for one WETH (18) is 2e-9 units a unit
        self.put("slot0()", words(root(44_721_359, 10**12), 0) + words(*[0] * 5), target=ETH_POOL)
        # token0 is USDT: 1.5625 USDTz for one USDT, whose root is 1.25
        self.put("slot0()", words(root(5, 4), 0) + words(*[0] * 5), target=USDTZ_POOL)
        self.put("liquidity()", words(10**18))
        self.put("observe(uint32[])", Reverted("OLD", b""), target=ETH_POOL)
        self.quoted("quoteExactInputSingle((address,address,uint256,uint24,uint160))")

    def put(self, signature, answer, *, argument=None, target=None):
        self.answers[keccak256(signature.encode())[:4]][argument or target] = answer

    def quoted(self, signature):
        self.put(signature, words(1_990 * 10**6, 0, 0, 0), argument=WETH.require_address())
        self.put(signature, words(160 * 10**6, 0, 0, 0), argument=USDT.require_address())

    async def head(self):
        return HEAD

    async def suggest_tip_wei(self):
        return 2 * GWEI

    async def read(self, reads, at):
        self.blocks.add(at)
        self.exchanges += 1
        return [self._answer(read) for read in reads]

    async def code_hashes(self, contracts, at):
        self.blocks.add(at)
        return {contract: CODE[contract] for contract in contracts}

    def _answer(self, read):
        named = self.answers[read.data[:4]]
        first = "0x" + read.data[16:36].hex()
        for key, answer in named.items():
            if key is None or key == read.target or key.lower() == first:
                return answer if isinstance(answer, Reverted) else read.decode(answer)
        raise AssertionError(f"nothing answers {read.data[:4].hex()} of {read.target}")


def sizes(tokens, prices, gas):
    assert (prices.eth, prices.cash) == (2_000 * USD8, USD8)
    assert gas == Gas(3 * GWEI, 2 * GWEI, 300 * GWEI, emergency_wei=1_000 * GWEI)
    return Probe((TokenAmount(USDT, 100 * 10**6),), (TokenAmount(WETH, WAD),))


async def read(node):
    return await ChainMarket(node, VENUES).read(ACCOUNTS, sizes)


async def test_two_exchanges_read_everything_at_one_block():
    node = FakeNode()
    snapshot = await read(node)
    assert node.exchanges == 2
    assert node.blocks == {HEAD.ref}
    assert snapshot.at == HEAD.ref


async def test_the_lending_venue_is_read_with_its_interest():
    snapshot = await read(FakeNode())
    # 100 WETH scaled at an index of 1.1; 600 USDT scaled at 1.2
    assert snapshot.collateral.supplied == 110 * WAD
    assert snapshot.loan.total_debt == 720 * 10**6
    assert snapshot.loan.available == 400 * 10**6
    assert (snapshot.collateral.supply_cap, snapshot.loan.borrow_cap) == (5_000 * WAD, 900 * 10**6)
    assert (snapshot.collateral.threshold, snapshot.collateral.venue_ltv) == (8_300, 8_000)
    strategy = snapshot.loan.strategy
    assert (strategy.base_rate, strategy.slope_1, strategy.slope_2, strategy.optimal_usage) == (
        (1, 2, 3, 4)
    )
    assert snapshot.loan.rate_ray == RAY * 4 // 100
    assert snapshot.collateral.is_open
    assert snapshot.loan.is_open


@pytest.mark.parametrize(
    ("flags", "can_supply", "can_borrow"),
    [(0b00101, True, True), (0b00001, True, False), (0b00111, False, False),
     (0b10101, False, False), (0b00100, False, False)],
)  # fmt: skip
async def test_a_frozen_paused_or_inactive_reserve_is_closed(flags, can_supply, can_borrow):
    node = FakeNode()
    for token, debt, number in ((WETH, DEBT_WETH, 0), (USDT, DEBT_USDT, 1)):
        answer = reserve(settings(flags=flags), place(0x32 + number), debt, number)
        node.put("getReserveData(address)", answer, argument=token.require_address())
    snapshot = await read(node)
    assert (snapshot.collateral.is_open, snapshot.loan.is_open) == (can_supply, can_borrow)


async def test_quotes_stand_beside_the_price_before_them():
    snapshot = await read(FakeNode())
    (sale,), (purchase,) = snapshot.sales, snapshot.purchases
    assert (sale.amount_in.units, sale.amount_out.units) == (WAD, 1_990 * 10**6)
    assert sale.spot_out.token == USDT
    assert abs(sale.spot_out.units - 2_000 * 10**6) < 100  # the root above has eight digits
    # 100 USDT at 1.5625
    assert purchase.spot_out == TokenAmount(USDTZ, 156_250_000)


async def test_depth_is_the_cash_that_moves_the_price_by_a_percent():
    snapshot = await read(FakeNode())
    # the cash is token0 there: L / root * (1 - 1 / sqrt(1.01)) = 1e18 / 1.25 * 0.00496281
    assert snapshot.purchase_pool.depth.units // 10**11 == 39_702
    # and token1 here: L * root * (sqrt(1.01) - 1) = 1e18 * 4.4721359e-5 * 0.00498756
    assert snapshot.sale_pool.depth.units // 10**9 == 223
    assert snapshot.sale_pool.fee_pips == 500


async def test_a_quote_that_the_pool_cannot_fill_gives_nothing():
    node = FakeNode()
    node.put(
        "quoteExactInputSingle((address,address,uint256,uint24,uint160))",
        Reverted("SPL", b""),
        argument=USDT.require_address(),
    )
    (purchase,) = (await read(node)).purchases
    assert purchase.amount_out.units == 0
    assert purchase.price_impact(500) == 10_000


async def test_the_anchor_the_float_the_desk_and_the_feed_are_read():
    snapshot = await read(FakeNode())
    anchor, desk = snapshot.anchor, snapshot.desk
    assert (anchor.balance_wei, anchor.debt, anchor.collateral) == (7 * WAD, Usd8(3), Usd8(5))
    assert anchor.allowances == 0
    assert snapshot.float_wei == 9 * WAD
    assert (desk.is_frozen, desk.fee, desk.queue_delay_seconds) == (True, Bps(25), 3_600)
    assert desk.cash == TokenAmount(USDT, 77 * 10**6)
    assert (snapshot.sources.cash_age_seconds, snapshot.sources.eth_age_seconds) == (60, 60)

    assert (snapshot.code, snapshot.pinned_code) == (CODE, CODE)


async def test_each_allowance_of_the_anchor_counts():
    node = FakeNode()
    node.put("allowance(address,address)", words(1))
    # three tokens, five spenders: pool, router, desk, float and the deal's key
    assert (await read(node)).anchor.allowances == 15


async def test_a_lending_pool_of_another_revision_is_refused():
    node = FakeNode()
    node.put("POOL_REVISION()", words(2))
    with pytest.raises(Rejected) as caught:
        await read(node)
    assert caught.value.code == "aave.revision"


@pytest.mark.parametrize("token", [WETH, USDT])
async def test_an_oracle_without_a_price_is_refused(token):
    node = FakeNode()
    node.put("getAssetPrice(address)", words(0), argument=token.require_address())
    with pytest.raises(Rejected) as caught:
        await read(node)
    assert caught.value.code == "market.no_price"


def test_the_fake_answers_only_what_it_knows():
    with pytest.raises(AssertionError):
        FakeNode()._answer(SimpleNamespace(data=b"\x00" * 36, target=CORE))


async def test_the_second_source_is_the_average_of_the_pool_that_sells_the_bucket():
    assert (await read(FakeNode())).sources.deviation <= 1
    node = FakeNode()
    # 1,800 s at the tick -200,000: 1.0001**-200,000 * 1e12 = $2,063.22 for one ether
    node.put("observe(uint32[])", words(64, 160, 2, 0, 2**256 - 200_000 * 1_800), target=ETH_POOL)
    assert (await read(node)).sources.deviation == 317
