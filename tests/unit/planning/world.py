"""A market that quotes like a constant-product pool, and the deal of ten million dollars."""

from dataclasses import dataclass, field, replace

from holdfast.common.evm import BlockRef, address, block_hash
from holdfast.common.ids import BankId, ChainId, ModuleId
from holdfast.common.money import BPS, RAY, USD8, WAD, Bps, Token, TokenAmount, Usd8
from holdfast.model.deal import DealRequest
from holdfast.model.plan import Accounts
from holdfast.planning.draft import draft
from holdfast.planning.model import PlanPolicy, Setting
from holdfast.planning.quoting import Probing
from holdfast.planning.snapshot import (
    AnchorState,
    CollateralReserve,
    Desk,
    Gas,
    LoanReserve,
    MarketSnapshot,
    Pool,
    Prices,
    Quote,
    Tokens,
)
from holdfast.protocols.aave_v3.oracle import AaveOracle
from holdfast.protocols.aave_v3.pool import AavePool
from holdfast.protocols.aave_v3.rates import RateStrategy
from holdfast.protocols.erc20 import Erc20
from holdfast.protocols.redemption.desk import RedemptionDesk
from holdfast.protocols.suite import Protocols
from holdfast.protocols.uniswap_v3.pools import Route, UniswapPool
from holdfast.protocols.uniswap_v3.swaps import Quoter, SwapRouter
from holdfast.protocols.weth import Weth
from holdfast.risk.gate import Trial
from holdfast.risk.price_sources import FeedPrice, PriceSources

GWEI = 10**9
GAS = Gas(GWEI, GWEI, 300 * GWEI, emergency_wei=1_000 * GWEI)
FEE_PIPS = 500


def place(number):
    return address("0x" + f"{number:040x}")


CHAIN = ChainId(138)
CORE, FLOAT, DEAL, TREASURY = (place(number) for number in (1, 2, 3, 4))
AAVE, ORACLE, ROUTER, QUOTER, DESK, ETH_POOL, USDTZ_POOL = (
    place(number) for number in range(0x10, 0x17)
)
ETH = Token(CHAIN, "ETH", 18)
WETH = Token(CHAIN, "WETH", 18, place(0x20))
USDT = Token(CHAIN, "USDT", 6, place(0x21))
USDTZ = Token(CHAIN, "USDTz", 6, place(0x22))
TOKENS = Tokens(ETH, WETH, USDT, USDTZ)
ACCOUNTS = Accounts(CORE, FLOAT, DEAL, TREASURY, deal_number=1)
SELL_ETH = Route(WETH.require_address(), USDT.require_address(), FEE_PIPS)
BUY_USDTZ = Route(USDT.require_address(), USDTZ.require_address(), FEE_PIPS)
VENUES = Protocols(
    weth=Weth(SELL_ETH.token_in),
    weth_token=Erc20(SELL_ETH.token_in),
    usdt=Erc20(BUY_USDTZ.token_in),
    usdtz=Erc20(BUY_USDTZ.token_out),
    aave=AavePool(AAVE),
    oracle=AaveOracle(ORACLE),
    router=SwapRouter(ROUTER),
    quoter=Quoter(QUOTER),
    sell_eth=SELL_ETH,
    buy_usdtz=BUY_USDTZ,
    eth_pool=UniswapPool(ETH_POOL),
    usdtz_pool=UniswapPool(USDTZ_POOL),
    desk=RedemptionDesk(DESK),
)
CODE = {
    contract: "0x" + f"{index:064x}"
    for index, contract in enumerate(
        (*(token.require_address() for token in (WETH, USDT, USDTZ)), AAVE, ROUTER, DESK), start=1
    )
}
STRATEGY = RateStrategy(
    base_rate=0,
    slope_1=RAY * 6 // 100,
    slope_2=RAY * 60 // 100,
    optimal_usage=RAY * 9 // 10,
)

REQUEST = DealRequest(
    total_eth_value=Usd8(10_000_000 * USD8),
    bank=BankId("BANK001"),
    module=ModuleId("MODULE001"),
    chain_id=CHAIN,
)


@dataclass(frozen=True)
class ConstantProduct:
    """A pool of two reserves in base units, with a fee of 0.05 %."""

    reserve_in: int
    reserve_out: int

    def quote(self, amount, bought):
        units = amount.units * (1_000_000 - FEE_PIPS) // 1_000_000
        out = self.reserve_out * units // (self.reserve_in + units)
        spot = self.reserve_out * amount.units // self.reserve_in
        return Quote(amount, TokenAmount(bought, out), TokenAmount(bought, spot))


@dataclass(frozen=True)
class World:
    """What the market is made of; everything a test may want to change."""

    eth: Usd8 = Usd8(2_000 * USD8)
    usdt: Usd8 = Usd8(USD8)
    token_price_bps: Bps = Bps(6_000)
    token_depth: int = 600_000_000 * 10**6
    eth_depth: int = 500_000_000 * 10**6
    eth_pool_off: Bps = Bps(0)
    eth_average_off: Bps = Bps(0)
    oracle_age: int = 0
    cash_age: int = 0
    gas: Gas = GAS
    threshold: Bps = Bps(8_300)
    venue_ltv: Bps = Bps(8_000)
    supply_cap: int = 0
    borrow_cap: int = 0
    available: int = 400_000_000 * 10**6
    is_collateral_open: bool = True
    is_loan_open: bool = True
    is_frozen: bool = False
    desk_cash: int = 2_000_000_000 * 10**6
    redemption_fee: Bps = Bps(25)
    core_wei: int = 10**6 * WAD
    float_wei: int = 10**6 * WAD
    allowances: int = 0
    core_debt: Usd8 = Usd8(0)
    code: dict = field(default_factory=lambda: dict(CODE))
    pinned_code: dict = field(default_factory=lambda: dict(CODE))

    @property
    def purchase_pool(self):
        return ConstantProduct(self.token_depth, self.token_depth * BPS // self.token_price_bps)

    @property
    def sale_pool(self):
        """As much ETH as `eth_depth` buys at the oracle's price, moved by `eth_pool_off`."""
        cash = self.eth_depth * (BPS + self.eth_pool_off) // BPS
        return ConstantProduct(self.eth_depth * 10**12 * self.usdt // self.eth, cash)

    def snapshot(self, sizes):
        prices = Prices(self.eth, self.usdt)
        probe = sizes(TOKENS, prices, self.gas)
        at = BlockRef(75, block_hash("0x" + "ab" * 32), 1_800_000_000)
        return MarketSnapshot(
            at=at,
            chain_id=CHAIN,
            genesis_hash="0x" + "cd" * 32,
            tokens=TOKENS,
            prices=prices,
            sources=PriceSources(
                now=at.timestamp,
                eth=FeedPrice(self.eth, at.timestamp - self.oracle_age),
                cash=FeedPrice(self.usdt, at.timestamp - self.cash_age),
                pool=Usd8(self.eth * (BPS + self.eth_average_off) // BPS),
            ),
            gas=self.gas,
            collateral=CollateralReserve(
                self.threshold, self.venue_ltv, 0, self.supply_cap, self.is_collateral_open
            ),
            loan=LoanReserve(
                self.available,
                600_000_000 * 10**6,
                self.borrow_cap,
                STRATEGY,
                RAY * 4 // 100,
                self.is_loan_open,
            ),
            purchase_pool=Pool(USDTZ_POOL, FEE_PIPS, TokenAmount(USDT, self.token_depth // 200)),
            purchases=tuple(self.purchase_pool.quote(one, USDTZ) for one in probe.purchases),
            sale_pool=Pool(ETH_POOL, FEE_PIPS, TokenAmount(USDT, self.eth_depth // 200)),
            sales=tuple(self.sale_pool.quote(one, USDT) for one in probe.sales),
            desk=Desk(self.is_frozen, self.redemption_fee, 0, TokenAmount(USDT, self.desk_cash)),
            anchor=AnchorState(self.core_wei, self.allowances, self.core_debt, Usd8(0)),
            float_wei=self.float_wei,
            code=self.code,
            pinned_code=self.pinned_code,
        )

    async def read(self, accounts, sizes):
        """The world as a `MarketSource`."""
        return self.snapshot(sizes)


class Recorded:
    """A record of the one desk that may be asked."""

    def __init__(self, *trials):
        self.found = trials

    async def trials(self, desk, token):
        assert (desk, token) == (DESK, TOKENS.discounted)
        return self.found


MILLIONS = Recorded(Trial(Usd8(3_000_000 * USD8), is_paid=True, times=6))
"""A desk that paid as much, often, as the bucket of the ten million buys."""


def setting(request, world, policy=None, booked=0, accounts=ACCOUNTS, trials=()):
    policy = policy or PlanPolicy()
    market = world.snapshot(Probing((request,), policy))
    return Setting(market, VENUES, policy, accounts, booked, trials=trials)


def drafted(request=REQUEST, world=None, policy=None, **kwargs):
    return draft(request, setting(request, world or World(), policy, **kwargs))


def asking(**changes):
    return replace(REQUEST, **changes)


def broken(made):
    return {check.code for check in made.violations}
