"""What is pinned about a chain: identity, fees, tokens and protocol addresses.

Every other part learns about the chain from a `ChainProfile`; nothing reads decimals, addresses
or the chain's identity from the chain itself without comparing them with this.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from holdfast.common.errors import Rejected
from holdfast.model.leg import LegKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.common.evm import Address, BlockHash
    from holdfast.common.ids import ChainId
    from holdfast.common.money import Token

WETH = "WETH"
USDT = "USDT"
USDTZ = "USDTz"

EMERGENCY_GAS_WEI = 1_000 * 10**9
"""Where a profile names no other: the 700 gwei that every deal is stressed with, and room for three
blocks that each raise the base fee by an eighth."""

_TEST_NODES = ("anvil", "hardhat", "ganache")


class ProfileKind(StrEnum):
    """Whether real money is on the chain."""

    PRODUCTION = "production"
    DEVNET = "devnet"


class FeeModel(StrEnum):
    """How the chain charges for gas."""

    EIP1559 = "eip1559"
    LEGACY = "legacy"
    ZERO_GAS = "zero_gas"


@dataclass(frozen=True, slots=True)
class AaveAddresses:
    """One Aave V3 market."""

    pool: Address
    addresses_provider: Address
    data_provider: Address
    oracle: Address


@dataclass(frozen=True, slots=True)
class UniswapAddresses:
    """One Uniswap V3 deployment and the fee tiers of the pools that deals trade in.

    Fees are in hundredths of a basis point, as the factory keys pools by them. Deals never call
    the position manager; the devnet's controls do.
    """

    factory: Address
    router: Address
    quoter: Address
    weth_usdt_fee: int
    usdtz_usdt_fee: int
    position_manager: Address | None = None


@dataclass(frozen=True, slots=True)
class DealAccounts:
    """The standing addresses around a deal's own key.

    `core` is watch-only, `float_` is the funding key, `treasury_return` is where everything goes.
    """

    core: Address
    float_: Address
    treasury_return: Address


@dataclass(frozen=True, slots=True)
class ChainProfile:
    """Everything pinned about one chain; what is unknown is None and refused where it is needed.

    The first of `rpc_urls` is preferred; raw transactions go to `private_rpc_urls` alone where
    there are any; `ws_urls` tell of new blocks.
    `confirmations` is how many blocks, its own included, must hold the receipt of a leg before it
    counts, and `leg_confirmations` the same for the kinds of leg that need more or fewer.
    `finality` is how many must hold it before no reorg is expected to take it back; never fewer
    than the deepest leg needs. `block_time_seconds` is 0 where a block is mined for
    each transaction. `gas_price_ceiling_wei` is the most that a unit of gas may cost;
    `emergency_gas_price_wei` the same for what lowers a deal's risk, `EMERGENCY_GAS_WEI` where a
    profile names none. `eth_feed_max_age_seconds` and `cash_feed_max_age_seconds` are how old the
    prices of ETH and of the debt currency may be: each feed's heartbeat (3,600 s and 86,400 s on
    Ethereum) with a margin. `code_hashes` maps a contract to the keccak-256 of its code.
    """

    chain_id: ChainId
    name: str
    kind: ProfileKind
    rpc_urls: tuple[str, ...]
    native: Token
    confirmations: int
    block_time_seconds: int
    fee_model: FeeModel
    gas_price_ceiling_wei: int
    leg_confirmations: Mapping[LegKind, int] = field(default_factory=lambda: MappingProxyType({}))
    finality: int | None = None
    private_rpc_urls: tuple[str, ...] = ()
    ws_urls: tuple[str, ...] = ()
    genesis_hash: BlockHash | None = None
    explorer_url: str | None = None
    tokens: Mapping[str, Token] = field(default_factory=lambda: MappingProxyType({}))
    aave: AaveAddresses | None = None
    uniswap: UniswapAddresses | None = None
    redemption_desk: Address | None = None
    multicall3: Address | None = None
    code_hashes: Mapping[Address, str] = field(default_factory=lambda: MappingProxyType({}))
    accounts: DealAccounts | None = None
    emergency_gas_price_wei: int | None = None
    eth_feed_max_age_seconds: int = 4_500
    cash_feed_max_age_seconds: int = 90_000

    @property
    def most_gas_price_wei(self) -> int:
        """The most that a unit of gas may cost where waiting would risk more than gas costs."""
        named = self.emergency_gas_price_wei
        return max(self.gas_price_ceiling_wei, EMERGENCY_GAS_WEI if named is None else named)

    @property
    def is_devnet(self) -> bool:
        """Whether the chain is a local devnet without real money."""
        return self.kind is ProfileKind.DEVNET

    @property
    def final_depth(self) -> int:
        """How many blocks must hold a receipt before no reorg is expected to take it back."""
        return max(self.finality or 1, self.confirmations, *self.leg_confirmations.values())

    @property
    def depths(self) -> Mapping[LegKind, int]:
        """How many blocks must hold the receipt of each kind of leg before it counts."""
        return dict.fromkeys(LegKind, self.confirmations) | dict(self.leg_confirmations)

    def token(self, symbol: str) -> Token:
        """The token called `symbol` on this chain.

        Raises:
            Rejected: `profile.token_missing` when the profile pins no such token.
        """
        token = self.tokens.get(symbol)
        if token is None:
            raise self._missing("token_missing", f"token {symbol}")
        return token

    @property
    def weth(self) -> Token:
        """Wrapped ether; `profile.token_missing` where the chain has none."""
        return self.token(WETH)

    @property
    def usdt(self) -> Token:
        """The debt currency; `profile.token_missing` where the chain has none."""
        return self.token(USDT)

    @property
    def usdtz(self) -> Token:
        """The discounted redeemable token; `profile.token_missing` where the chain has none."""
        return self.token(USDTZ)

    def require_aave(self) -> AaveAddresses:
        """The lending market; `profile.protocol_missing` when none is pinned."""
        if self.aave is None:
            raise self._missing("protocol_missing", "an Aave V3 market (`aave`)")
        return self.aave

    def require_uniswap(self) -> UniswapAddresses:
        """The exchange; `profile.protocol_missing` when none is pinned."""
        if self.uniswap is None:
            raise self._missing("protocol_missing", "a Uniswap V3 deployment (`uniswap`)")
        return self.uniswap

    def require_redemption_desk(self) -> Address:
        """The redemption desk; `profile.protocol_missing` when none is pinned."""
        if self.redemption_desk is None:
            raise self._missing("protocol_missing", "a redemption desk (`redemption_desk`)")
        return self.redemption_desk

    def require_multicall3(self) -> Address:
        """The Multicall3 contract; `profile.protocol_missing` when none is pinned."""
        if self.multicall3 is None:
            raise self._missing("protocol_missing", "Multicall3 (`multicall3`)")
        return self.multicall3

    def require_accounts(self) -> DealAccounts:
        """The standing accounts; `profile.protocol_missing` when none are pinned."""
        if self.accounts is None:
            raise self._missing("protocol_missing", "core, float and treasury_return (`accounts`)")
        return self.accounts

    def _missing(self, code: str, what: str) -> Rejected:
        return Rejected(
            f"profile.{code}",
            f"the profile of {self.name} (chain {self.chain_id}) does not pin {what}: "
            "add it to the profile, or choose a chain that has it",
            chain_id=self.chain_id,
        )


def verify_node(
    profile: ChainProfile, chain_id: int, genesis_hash: str, client_version: str
) -> None:
    """Check that a node serves the chain of `profile`; called at every connect.

    Args:
        profile: the chain that is meant.
        chain_id: what the node's eth_chainId says.
        genesis_hash: the hash of the block 0 that the node serves.
        client_version: what the node's web3_clientVersion says.

    Raises:
        Rejected: `node.chain_id`, `node.genesis_unpinned`, `node.genesis` or `node.test_node`.
    """
    _verify_chain_id(profile, chain_id)
    if not profile.is_devnet and client_version.lower().startswith(_TEST_NODES):
        raise Rejected(
            "node.test_node",
            f"{profile.name} is a production chain, but the node is {client_version}: "
            "give a real node, or use the devnet's own profile",
            value=client_version,
        )
    _verify_genesis(profile, genesis_hash)


def verify_keys(profile: ChainProfile, *, devnet_marked: bool) -> None:
    """Check that keys marked as devnet's are used on the devnet only.

    Raises:
        Rejected: `keys.devnet_only` when devnet keys meet a production chain.
    """
    if devnet_marked and not profile.is_devnet:
        raise Rejected(
            "keys.devnet_only",
            f"devnet keys are public and must never hold money on {profile.name}: "
            "create a production keystore",
            chain_id=profile.chain_id,
        )


def _verify_chain_id(profile: ChainProfile, chain_id: int) -> None:
    if chain_id != profile.chain_id:
        raise Rejected(
            "node.chain_id",
            f"the node serves chain {chain_id}, {profile.name} is chain {profile.chain_id}: "
            "check the node's address",
            limit=profile.chain_id,
            value=chain_id,
        )


def _verify_genesis(profile: ChainProfile, genesis_hash: str) -> None:
    if profile.genesis_hash is None:
        raise Rejected(
            "node.genesis_unpinned",
            f"the profile of {profile.name} pins no genesis hash: read block 0 from a node you "
            "trust and configure its hash before use",
            chain_id=profile.chain_id,
        )
    if genesis_hash.lower() != profile.genesis_hash:
        raise Rejected(
            "node.genesis",
            f"the node's genesis block {genesis_hash} is not that of {profile.name}: "
            "it serves another chain with the same id",
            limit=profile.genesis_hash,
            value=genesis_hash,
        )
