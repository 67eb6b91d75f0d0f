"""What an operator or a test may do to the devnet's world, through its owners' transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.common.evm import Address, address
from holdfast.common.money import USD8, TokenAmount, amount_of
from holdfast.devnet.accounts import ADMIN, LIQUIDITY_PROVIDER
from holdfast.devnet.sender import Sender
from holdfast.devnet.uniswap import (
    Pool,
    Uniswap,
    price_x96,
    remove_liquidity,
    sqrt_price_x96,
    trade_to_price,
)
from holdfast.devnet.world import USDTZ_USDT_POSITION, WETH_USDT_POSITION

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.chain.profiles import ChainProfile
    from holdfast.common.money import Token
    from holdfast.devnet.rpc import NodeRpc

_DEEP_POCKET = 10_000_000_000  # whole tokens the price mover can trade with: ten times a pool


class DevnetControl:
    """Controls of one running devnet; each returns when its effect is mined.

    Raises, all of them: `devnet.unreachable`, `devnet.rpc`, `devnet.reverted` (the effect did not
    happen) or `devnet.not_mined`.
    """

    def __init__(self, rpc: NodeRpc, profile: ChainProfile) -> None:
        self.rpc = rpc
        self._profile = profile
        self._admin = Sender(rpc, ADMIN)
        self._provider = Sender(rpc, LIQUIDITY_PROVIDER)

    # The redemption desk

    def freeze(self) -> None:
        """Stop the desk: no requests, no claims."""
        self._on_desk("freeze()")

    def freeze_after(self, claims: int) -> None:
        """Let the desk freeze by itself right after `claims` more claims."""
        self._on_desk("freezeAfter(uint256)", claims)

    def thaw(self) -> None:
        """Open the desk again."""
        self._on_desk("thaw()")

    def is_frozen(self) -> bool:
        """Whether the desk is frozen."""
        return bool(self.rpc.view(self._profile.require_redemption_desk(), "frozen()", "bool"))

    def set_queue_delay(self, seconds: int) -> None:
        """Make requests from now on wait `seconds`; 0 lets a claim follow in the same block."""
        self._on_desk("setQueueDelay(uint256)", seconds)

    def set_fee(self, bps: int) -> None:
        """Charge `bps` hundredths of a percent on requests from now on."""
        self._on_desk("setFee(uint256)", bps)

    def take_desk_reserves(self, amount: TokenAmount) -> None:
        """Take USDT away from the desk, so that claims may fail for lack of it."""
        self._on_desk("sweep(address,uint256)", amount.token.require_address(), amount.units)

    # Markets

    def set_price(self, usd: Decimal, *, move_pool: bool = True) -> None:
        """Set the price of ETH in the lending market's oracle and, as traders would, the pool."""
        self.as_owner(self._feed(self._profile.weth), "setAnswer(int256)", int(usd * USD8))
        if move_pool:
            self._move_pool(self._profile.weth, usd)

    def oracle_price(self) -> int:
        """The lending market's price of ETH, in USD times 1e8."""
        weth = self._profile.weth.require_address()
        oracle = self._profile.require_aave().oracle
        return int(self.rpc.view(oracle, "getAssetPrice(address)", "uint256", weth))

    def set_usdt_price(self, usd: Decimal) -> None:
        """Set the price of USDT in the lending market's oracle; pools keep theirs."""
        self.as_owner(self._feed(self._profile.usdt), "setAnswer(int256)", int(usd * USD8))

    def set_token_price(self, usdt: Decimal) -> None:
        """Trade the USDTz pool to a price, such as back to 0.60 after many purchases."""
        self._move_pool(self._profile.usdtz, usdt)

    def set_price_staleness(self, seconds: int) -> None:
        """Let the oracle's ETH price look `seconds` old; 0 makes it fresh again."""
        self.as_owner(self._feed(self._profile.weth), "setStaleness(uint256)", seconds)

    def drain_token_pool(self, bps: int) -> None:
        """Take `bps` hundredths of a percent of the USDTz pool's liquidity away."""
        pool = self._pool(self._profile.usdtz)
        remove_liquidity(self.rpc, self._provider, self._uniswap(), pool, bps=bps)

    def remember_prices(self, observations: int) -> None:
        """Let both pools keep so many observations from their next swap on, not only the newest."""
        for token in (self._profile.weth, self._profile.usdtz):
            pool = self._pool(token).address
            self._provider.execute(pool, "increaseObservationCardinalityNext(uint16)", observations)

    def set_borrowing(self, *, allowed: bool) -> None:
        """Let the lending market lend USDT, or refuse to."""
        self._on_reserve("setReserveBorrowing(address,bool)", allowed)

    def set_reserve_frozen(self, *, frozen: bool) -> None:
        """Freeze the USDT reserve: repaying works, borrowing and supplying do not."""
        self._on_reserve("setReserveFreeze(address,bool)", frozen)

    # Tether

    def pause_usdt(self) -> None:
        """Stop every USDT transfer."""
        self._on_usdt("pause()")

    def unpause_usdt(self) -> None:
        """Let USDT move again."""
        self._on_usdt("unpause()")

    def blacklist(self, account: Address) -> None:
        """Stop USDT transfers from `account`."""
        self._on_usdt("addBlackList(address)", account)

    def unblacklist(self, account: Address) -> None:
        """Let `account` send USDT again."""
        self._on_usdt("removeBlackList(address)", account)

    def set_usdt_fee(self, bps: int, *, most_dollars: int) -> None:
        """Turn the fee switch of USDT: `bps` of each transfer, up to `most_dollars`."""
        self._on_usdt("setParams(uint256,uint256)", bps, most_dollars)

    def give(self, amount: TokenAmount, to: Address) -> None:
        """Make USDT or USDTz out of nothing and send it to `to`."""
        token = amount.token.require_address()
        if amount.token == self._profile.usdt:
            self._admin.execute(token, "issue(uint256)", amount.units)
            self._admin.execute(token, "transfer(address,uint256)", to, amount.units)
        else:
            self._admin.execute(token, "mint(address,uint256)", to, amount.units)

    # The node

    def set_balance(self, account: Address, wei: int) -> None:
        """Give `account` exactly `wei` of ether, without a block."""
        self.rpc.call("anvil_setBalance", account, hex(wei))

    def balance(self, account: Address) -> int:
        """The ether of `account`, in wei."""
        return int(self.rpc.call("eth_getBalance", account, "latest"), 16)

    def mine(self, blocks: int = 1) -> None:
        """Mine `blocks` blocks now."""
        self.rpc.call("anvil_mine", hex(blocks))

    def block_number(self) -> int:
        """The number of the latest block."""
        return int(self.rpc.call("eth_blockNumber"), 16)

    def chain_time(self) -> int:
        """The latest block's timestamp, in seconds."""
        return int(self.rpc.block()["timestamp"], 16)

    def advance_time(self, seconds: int) -> None:
        """Move the chain's clock on and mine a block there."""
        self.rpc.call("evm_increaseTime", seconds)
        self.mine()

    def set_automine(self) -> None:
        """Mine a block for each transaction."""
        self.rpc.call("evm_setIntervalMining", 0)
        self.rpc.call("evm_setAutomine", True)  # noqa: FBT003 - a JSON-RPC parameter

    def set_interval(self, seconds: int) -> None:
        """Mine a block every `seconds`."""
        self.rpc.call("evm_setAutomine", False)  # noqa: FBT003
        self.rpc.call("evm_setIntervalMining", seconds)

    def set_manual_mining(self) -> None:
        """Mine only when `mine` is called."""
        self.rpc.call("evm_setIntervalMining", 0)
        self.rpc.call("evm_setAutomine", False)  # noqa: FBT003

    def snapshot(self) -> str:
        """A mark to `revert` to."""
        return str(self.rpc.call("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Go back to a mark; the mark and all later ones are used up."""
        self.rpc.call("evm_revert", snapshot)

    def as_owner(self, target: Address, signature: str, *args: object) -> None:
        """Call any owner's function as the administrator, for effects that have no control here."""
        self._admin.execute(target, signature, *args)

    def _on_desk(self, signature: str, *args: object) -> None:
        self._admin.execute(self._profile.require_redemption_desk(), signature, *args)

    def _on_usdt(self, signature: str, *args: object) -> None:
        self._admin.execute(self._profile.usdt.require_address(), signature, *args)

    def _on_reserve(self, signature: str, value: object) -> None:
        provider = self._profile.require_aave().addresses_provider
        configurator = address(self.rpc.view(provider, "getPoolConfigurator()", "address"))
        self._admin.execute(configurator, signature, self._profile.usdt.require_address(), value)

    def _feed(self, token: Token) -> Address:
        oracle = self._profile.require_aave().oracle
        return address(
            self.rpc.view(oracle, "getSourceOfAsset(address)", "address", token.require_address())
        )

    def _uniswap(self) -> Uniswap:
        pinned = self._profile.require_uniswap()
        positions = pinned.position_manager or pinned.factory
        return Uniswap(pinned.factory, pinned.router, pinned.quoter, positions)

    def _pool(self, token: Token) -> Pool:
        usdt = self._profile.usdt
        pinned = self._profile.require_uniswap()
        low, high = sorted(
            (token.require_address(), usdt.require_address()), key=lambda text: int(text, 16)
        )
        is_token_pool = token == self._profile.usdtz
        fee = pinned.usdtz_usdt_fee if is_token_pool else pinned.weth_usdt_fee
        pool = self.rpc.view(
            pinned.factory, "getPool(address,address,uint24)", "address", low, high, fee
        )
        position = USDTZ_USDT_POSITION if is_token_pool else WETH_USDT_POSITION
        return Pool(address(pool), low, high, position)

    def _move_pool(self, token: Token, price_usdt: Decimal) -> None:
        pool = self._pool(token)
        usdt = self._profile.usdt
        target = sqrt_price_x96(
            amount_of(token, 1_000_000), amount_of(usdt, price_usdt * 1_000_000)
        )
        self.give(amount_of(usdt, _DEEP_POCKET), LIQUIDITY_PROVIDER)
        if token == self._profile.usdtz:
            self.give(amount_of(token, _DEEP_POCKET), LIQUIDITY_PROVIDER)
        else:
            self._wrap(amount_of(token, 5_000_000))
        trade_to_price(
            self._provider,
            self._uniswap(),
            pool,
            now=price_x96(self.rpc, pool),
            target=target,
        )

    def _wrap(self, amount: TokenAmount) -> None:
        spare = self.balance(LIQUIDITY_PROVIDER) + 2 * amount.units
        self.set_balance(LIQUIDITY_PROVIDER, spare)
        self._provider.execute(amount.token.require_address(), "deposit()", value_wei=amount.units)
