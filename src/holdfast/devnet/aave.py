"""Deploys one Aave V3 market with two reserves: WETH as collateral, USDT to borrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.chain.profiles import AaveAddresses
from holdfast.common.evm import Address, address
from holdfast.common.money import RAY, USD8
from holdfast.devnet.rpc import arguments

if TYPE_CHECKING:
    from holdfast.devnet.artifacts import Artifact
    from holdfast.devnet.rpc import NodeRpc
    from holdfast.devnet.sender import Sender

_NOBODY = "0x0000000000000000000000000000000000000000"
_LIBRARIES = (
    "SupplyLogic", "BridgeLogic", "EModeLogic", "LiquidationLogic", "PoolLogic",
    "ConfiguratorLogic", "BorrowLogic", "FlashLoanLogic",
)  # fmt: skip # in the order they link: FlashLoanLogic needs BorrowLogic
_INIT_RESERVES = (
    "initReserves((address,address,address,uint8,address,address,address,address,"
    "string,string,string,string,string,string,bytes)[])"
)
_STRATEGY_ARGUMENTS = (
    "(address,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256)"
)


@dataclass(frozen=True, slots=True)
class Reserve:
    """One asset of the market and its rates (ray a year, variable; stable borrowing is off).

    `optimal_usage_bps` is the utilisation at which the second, steep slope begins.
    """

    symbol: str
    asset: Address
    decimals: int
    price_feed: Address
    optimal_usage_bps: int
    slope1_bps: int
    slope2_bps: int


@dataclass(frozen=True, slots=True)
class AaveMarket:
    """The addresses that deals use, and the one that the controls use."""

    addresses: AaveAddresses
    configurator: Address


class AaveDeployment:
    """Deploys and configures a market in the order that its contracts ask for.

    Source: aave deploy-v3, deploy/00-core and deploy/02-market.
    """

    def __init__(self, rpc: NodeRpc, admin: Sender, artifacts: dict[str, Artifact]) -> None:
        self._rpc = rpc
        self._admin = admin
        self._artifacts = artifacts

    def run(self, reserves: tuple[Reserve, ...]) -> AaveMarket:
        """Deploy the market with `reserves`, all of them open to borrow."""
        provider = self._deploy("PoolAddressesProvider", "(string,address)", "Devnet", self._me)
        self._access(provider)
        oracle = self._oracle(provider, reserves)
        pool, configurator = self._proxies(provider)
        data_provider = self._deploy("AaveProtocolDataProvider", "(address)", provider)
        self._admin.execute(provider, "setPoolDataProvider(address)", data_provider)
        self._reserves(provider, pool, configurator, reserves)
        return AaveMarket(AaveAddresses(pool, provider, data_provider, oracle), configurator)

    def allow_collateral(self, configurator: Address, asset: Address) -> None:
        """Let `asset` back loans: LTV 80 %, liquidation from 83 %, at a bonus of 5 %."""
        self._admin.execute(
            configurator,
            "configureReserveAsCollateral(address,uint256,uint256,uint256)",
            *(asset, 8_000, 8_300, 10_500),
        )

    @property
    def _me(self) -> Address:
        return self._admin.account

    def _deploy(self, name: str, types: str = "()", *args: object) -> Address:
        return self._admin.deploy(self._artifacts[name], arguments(types, *args))

    def _access(self, provider: Address) -> None:
        self._admin.execute(provider, "setACLAdmin(address)", self._me)
        acl = self._deploy("ACLManager", "(address)", provider)
        self._admin.execute(provider, "setACLManager(address)", acl)
        for grant in ("addPoolAdmin", "addAssetListingAdmin", "addEmergencyAdmin", "addRiskAdmin"):
            self._admin.execute(acl, f"{grant}(address)", self._me)

    def _oracle(self, provider: Address, reserves: tuple[Reserve, ...]) -> Address:
        oracle = self._deploy(
            "AaveOracle",
            "(address,address[],address[],address,address,uint256)",
            provider,
            [reserve.asset for reserve in reserves],
            [reserve.price_feed for reserve in reserves],
            *(_NOBODY, _NOBODY, USD8),
        )
        self._admin.execute(provider, "setPriceOracle(address)", oracle)
        return oracle

    def _proxies(self, provider: Address) -> tuple[Address, Address]:
        libraries: dict[str, Address] = {}
        for name in _LIBRARIES:
            libraries[name] = self._admin.deploy(self._artifacts[name], b"", libraries)
        pool = self._admin.deploy(
            self._artifacts["Pool"], arguments("(address)", provider), libraries
        )
        configurator = self._admin.deploy(self._artifacts["PoolConfigurator"], b"", libraries)
        for implementation in (pool, configurator):  # else anyone could initialise them
            self._admin.execute(implementation, "initialize(address)", provider)
        self._admin.execute(provider, "setPoolImpl(address)", pool)
        self._admin.execute(provider, "setPoolConfiguratorImpl(address)", configurator)
        return self._proxy(provider, "getPool()"), self._proxy(provider, "getPoolConfigurator()")

    def _proxy(self, provider: Address, getter: str) -> Address:
        return address(self._rpc.view(provider, getter, "address"))

    def _reserves(
        self,
        provider: Address,
        pool: Address,
        configurator: Address,
        reserves: tuple[Reserve, ...],
    ) -> None:
        tokens = tuple(
            self._deploy(name, "(address)", pool)
            for name in ("AToken", "StableDebtToken", "VariableDebtToken")
        )
        inputs = [(*tokens, *self._reserve_input(provider, reserve)) for reserve in reserves]
        self._admin.execute(configurator, _INIT_RESERVES, inputs)
        for reserve in reserves:
            self._admin.execute(
                configurator,
                "setReserveBorrowing(address,bool)",
                reserve.asset,
                True,  # noqa: FBT003
            )
            self._admin.execute(
                configurator, "setReserveFactor(address,uint256)", reserve.asset, 1_000
            )

    def _reserve_input(self, provider: Address, reserve: Reserve) -> tuple[object, ...]:
        symbol = reserve.symbol
        return (
            reserve.decimals,
            self._strategy(provider, reserve),
            reserve.asset,
            *(self._me, _NOBODY),  # treasury of the reserve factor, no incentives
            *(f"Aave {symbol}", f"a{symbol}"),
            *(f"Aave variable debt {symbol}", f"variableDebt{symbol}"),
            *(f"Aave stable debt {symbol}", f"stableDebt{symbol}"),
            b"",
        )

    def _strategy(self, provider: Address, reserve: Reserve) -> Address:
        bps = RAY // 10_000
        return self._deploy(
            "DefaultReserveInterestRateStrategy",
            _STRATEGY_ARGUMENTS,
            provider,
            reserve.optimal_usage_bps * bps,
            0,
            reserve.slope1_bps * bps,
            reserve.slope2_bps * bps,
            *(reserve.slope1_bps * bps, reserve.slope2_bps * bps),  # stable slopes, unused
            *(100 * bps, 500 * bps, 2_000 * bps),  # stable offsets and share, unused
        )
