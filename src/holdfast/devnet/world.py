"""Builds the devnet's world on an empty node: tokens, protocols, liquidity, funded accounts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from holdfast.chain.profiles import (
    USDT,
    USDTZ,
    WETH,
    ChainProfile,
    FeeModel,
    ProfileKind,
    UniswapAddresses,
)
from holdfast.common.evm import Address, block_hash, keccak256
from holdfast.common.ids import chain_id
from holdfast.common.money import MAX_UINT256, USD8, WAD, Token, TokenAmount, amount_of
from holdfast.devnet.aave import AaveDeployment, AaveMarket, Reserve
from holdfast.devnet.accounts import ADMIN, DEAL_ACCOUNTS, LIQUIDITY_PROVIDER, WHALE
from holdfast.devnet.rpc import arguments
from holdfast.devnet.sender import Sender
from holdfast.devnet.uniswap import POOL_FEE, Uniswap, deploy_uniswap, open_pool

if TYPE_CHECKING:
    from holdfast.devnet.artifacts import Artifact
    from holdfast.devnet.rpc import NodeRpc

CHAIN_ID = chain_id(138)
WETH_USDT_POSITION = 1
USDTZ_USDT_POSITION = 2

_MULTICALL3 = Address("0xcA11bde05977b3631167028862bE2a173976CA11")
_MULTICALL3_DEPLOYER = Address("0x05f32B3cC3888453ff71B01135B34FF8e41263F2")
"""Whoever deploys from this address at nonce 0 makes the canonical one. Source: mds1/multicall."""

_ETH_PRICE_USD = 2_000
_DESK_FEE_BPS = 25
_VARIABLE_RATE = 2  # Source: aave core-v3 DataTypes.InterestRateMode


@dataclass(frozen=True, slots=True)
class Tokens:
    """The three tokens of the world."""

    weth: Token
    usdt: Token
    usdtz: Token


@dataclass(frozen=True, slots=True)
class _Built:
    tokens: Tokens
    market: AaveMarket
    uniswap: Uniswap
    desk: Address


class WorldBuilder:
    """Deploys and funds everything; the same calls in the same order give the same addresses."""

    def __init__(self, rpc: NodeRpc, artifacts: dict[str, Artifact]) -> None:
        self._rpc = rpc
        self._artifacts = artifacts
        self._admin = Sender(rpc, ADMIN)
        self._provider = Sender(rpc, LIQUIDITY_PROVIDER)
        self._whale = Sender(rpc, WHALE)

    def build(self, genesis_hash: str) -> ChainProfile:
        """Build the world and return its profile, still without a node's URL."""
        self._fund()
        self._multicall3()
        tokens = self._tokens()
        built = _Built(tokens, self._market(tokens), self._exchange(tokens), self._desk(tokens))
        return self._with_code_hashes(_profile(genesis_hash, built))

    def _fund(self) -> None:
        million = 1_000_000 * WAD
        for account, balance_wei in {
            ADMIN: million,
            LIQUIDITY_PROVIDER: 10 * million,
            WHALE: 10 * million,
            DEAL_ACCOUNTS.float_: million,
            DEAL_ACCOUNTS.core: million,
            DEAL_ACCOUNTS.treasury_return: 0,
        }.items():
            self._rpc.call("anvil_setBalance", account, hex(balance_wei))

    def _multicall3(self) -> None:
        deployer = Sender(self._rpc, _MULTICALL3_DEPLOYER)
        self._rpc.call("anvil_setBalance", deployer.account, hex(WAD))
        self._rpc.call("anvil_impersonateAccount", deployer.account)
        deployer.deploy(self._artifacts["Multicall3"])
        self._rpc.call("anvil_stopImpersonatingAccount", deployer.account)

    def _tokens(self) -> Tokens:
        deploy = self._admin.deploy
        return Tokens(
            weth=Token(CHAIN_ID, WETH, 18, deploy(self._artifacts["WETH9"])),
            usdt=Token(CHAIN_ID, USDT, 6, deploy(self._artifacts["TetherToken"])),
            usdtz=Token(CHAIN_ID, USDTZ, 6, deploy(self._artifacts["RedeemableToken"])),
        )

    def _market(self, tokens: Tokens) -> AaveMarket:
        weth = Reserve(
            *(WETH, tokens.weth.require_address(), tokens.weth.decimals),
            self._feed("ETH / USD", _ETH_PRICE_USD),
            optimal_usage_bps=8_000,
            slope1_bps=270,
            slope2_bps=8_000,
        )
        usdt = Reserve(
            *(USDT, tokens.usdt.require_address(), tokens.usdt.decimals),
            self._feed("USDT / USD", 1),
            optimal_usage_bps=9_000,
            slope1_bps=600,
            slope2_bps=6_000,
        )
        deployment = AaveDeployment(self._rpc, self._admin, self._artifacts)
        market = deployment.run((weth, usdt))
        deployment.allow_collateral(market.configurator, weth.asset)
        self._lend(market.addresses.pool, tokens)
        return market

    def _feed(self, name: str, usd: int) -> Address:
        return self._admin.deploy(
            self._artifacts["PriceFeed"], arguments("(string,int256)", name, usd * USD8)
        )

    def _lend(self, pool: Address, tokens: Tokens) -> None:
        """A billion USDT to borrow, 60 % of it lent out: 4 % a year; 5 % of the WETH lent out."""
        self._issue(amount_of(tokens.usdt, 1_000_000_000))
        self._supply(self._provider, pool, amount_of(tokens.usdt, 1_000_000_000))
        self._wrap(self._whale, amount_of(tokens.weth, 1_000_000))
        self._supply(self._whale, pool, amount_of(tokens.weth, 1_000_000))
        for loan in (amount_of(tokens.usdt, 600_000_000), amount_of(tokens.weth, 50_000)):
            self._whale.execute(
                pool,
                "borrow(address,uint256,uint256,uint16,address)",
                *(loan.token.require_address(), loan.units, _VARIABLE_RATE, 0, WHALE),
            )

    def _supply(self, supplier: Sender, pool: Address, amount: TokenAmount) -> None:
        _approve(supplier, amount.token, pool, amount.units)
        supplier.execute(
            pool,
            "supply(address,uint256,address,uint16)",
            *(amount.token.require_address(), amount.units, supplier.account, 0),
        )

    def _exchange(self, tokens: Tokens) -> Uniswap:
        """Both pools over the full range: buying for $1M moves USDTz by about 0.3 %."""
        uniswap = deploy_uniswap(self._admin, self._artifacts, tokens.weth.require_address())
        for token in (tokens.weth, tokens.usdt, tokens.usdtz):
            for spender in (uniswap.positions, uniswap.router):
                _approve(self._provider, token, spender, MAX_UINT256)
        weth = amount_of(tokens.weth, 250_000)
        usdtz = amount_of(tokens.usdtz, 1_000_000_000)
        self._wrap(self._provider, weth)
        self._issue(amount_of(tokens.usdt, 1_100_000_000))
        self._admin.execute(
            usdtz.token.require_address(), "mint(address,uint256)", LIQUIDITY_PROVIDER, usdtz.units
        )
        # In this order: the positions are numbered as they are opened.
        for deposit in (
            (weth, amount_of(tokens.usdt, 500_000_000)),
            (usdtz, amount_of(tokens.usdt, 600_000_000)),
        ):
            open_pool(self._provider, uniswap, deposit)
        return uniswap

    def _desk(self, tokens: Tokens) -> Address:
        share, asset = tokens.usdtz.require_address(), tokens.usdt.require_address()
        desk = self._admin.deploy(
            self._artifacts["RedemptionDesk"],
            arguments("(address,address,uint256)", share, asset, _DESK_FEE_BPS),
        )
        reserves = amount_of(tokens.usdt, 2_000_000_000)
        self._admin.execute(asset, "issue(uint256)", reserves.units)
        self._admin.execute(asset, "transfer(address,uint256)", desk, reserves.units)
        return desk

    def _issue(self, amount: TokenAmount) -> None:
        usdt = amount.token.require_address()
        self._admin.execute(usdt, "issue(uint256)", amount.units)
        self._admin.execute(usdt, "transfer(address,uint256)", LIQUIDITY_PROVIDER, amount.units)

    @staticmethod
    def _wrap(owner: Sender, amount: TokenAmount) -> None:
        owner.execute(amount.token.require_address(), "deposit()", value_wei=amount.units)

    def _with_code_hashes(self, profile: ChainProfile) -> ChainProfile:
        contracts = {
            *(token.require_address() for token in profile.tokens.values()),
            profile.require_aave().pool,
            profile.require_uniswap().router,
            profile.require_redemption_desk(),
            profile.require_multicall3(),
        }
        hashes = {contract: self._code_hash(contract) for contract in sorted(contracts)}
        return replace(profile, code_hashes=MappingProxyType(hashes))

    def _code_hash(self, contract: Address) -> str:
        code: str = self._rpc.call("eth_getCode", contract, "latest")
        return "0x" + keccak256(bytes.fromhex(code[2:])).hex()


def _approve(owner: Sender, token: Token, spender: Address, units: int) -> None:
    owner.execute(token.require_address(), "approve(address,uint256)", spender, units)


def _profile(genesis_hash: str, built: _Built) -> ChainProfile:
    tokens = (built.tokens.weth, built.tokens.usdt, built.tokens.usdtz)
    return ChainProfile(
        chain_id=CHAIN_ID,
        name="devnet",
        kind=ProfileKind.DEVNET,
        rpc_urls=(),
        native=Token(CHAIN_ID, "ETH", 18),
        confirmations=1,
        block_time_seconds=0,
        fee_model=FeeModel.EIP1559,
        gas_price_ceiling_wei=300 * 10**9,
        genesis_hash=block_hash(genesis_hash),
        tokens=MappingProxyType({token.symbol: token for token in tokens}),
        aave=built.market.addresses,
        uniswap=_pinned(built.uniswap),
        redemption_desk=built.desk,
        multicall3=_MULTICALL3,
        accounts=DEAL_ACCOUNTS,
    )


def _pinned(uniswap: Uniswap) -> UniswapAddresses:
    return UniswapAddresses(
        factory=uniswap.factory,
        router=uniswap.router,
        quoter=uniswap.quoter,
        weth_usdt_fee=POOL_FEE,
        usdtz_usdt_fee=POOL_FEE,
        position_manager=uniswap.positions,
    )
