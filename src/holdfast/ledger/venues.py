"""What each venue's own event says a landed leg did, on the account opposite the wallet; pure."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from holdfast.common.errors import Broken
from holdfast.common.evm import Address, EventLog
from holdfast.common.money import Token, TokenAmount
from holdfast.ledger.landed import Landed
from holdfast.ledger.model import Account, Posting, TokenBook, moved
from holdfast.model.leg import LegKind
from holdfast.protocols.aave_v3 import events as aave
from holdfast.protocols.aave_v3.math import scaled
from holdfast.protocols.erc20 import TRANSFER, decode_transfer
from holdfast.protocols.events import EventName
from holdfast.protocols.redemption.desk import (
    REDEEM_REQUEST,
    WITHDRAW,
    decode_claim,
    decode_request,
)
from holdfast.protocols.uniswap_v3.pools import SWAP, decode_swap
from holdfast.protocols.weth import DEPOSIT, WITHDRAWAL, decode_deposit, decode_withdrawal


def _nothing(_: Landed) -> tuple[Posting, ...]:
    return ()


def _fund(done: Landed) -> tuple[Posting, ...]:
    return moved(Account.WALLET, Account.CONTRIBUTED, _sent(done, done.deal))


def _return_native(done: Landed) -> tuple[Posting, ...]:
    treasury = done.book.accounts.treasury_return
    return moved(Account.RETURNED, Account.WALLET, _sent(done, treasury))


def _sent(done: Landed, to: Address) -> TokenAmount:
    """A plain transfer has no event; its value is fixed by the transaction's hash."""
    if done.leg.call.target != to:
        raise Broken(
            "ledger.recipient",
            f"leg {done.leg.leg_id} ({done.leg.kind}) sent to {done.leg.call.target}, not to {to}",
            leg_id=str(done.leg.leg_id),
        )
    return TokenAmount(done.tokens.native, done.leg.call.value_wei)


def _wrap(done: Landed) -> tuple[Posting, ...]:
    expected = DEPOSIT.expected(done.tokens.weth.require_address(), done.deal)
    return _wrapped(done.tokens, decode_deposit(done.event(expected)).amount_wei)


def _unwrap(done: Landed) -> tuple[Posting, ...]:
    expected = WITHDRAWAL.expected(done.tokens.weth.require_address(), done.deal)
    return _wrapped(done.tokens, -decode_withdrawal(done.event(expected)).amount_wei)


def _wrapped(tokens: TokenBook, wei: int) -> tuple[Posting, ...]:
    """WETH9 reports a wrap by its own event and no transfer, so the wallet's sides are here too."""
    return (
        *moved(Account.TRADE_WRAP, Account.WALLET, TokenAmount(tokens.native, wei)),
        *moved(Account.WALLET, Account.TRADE_WRAP, TokenAmount(tokens.weth, wei)),
    )


def _supply(done: Landed) -> tuple[Posting, ...]:
    log = _pool_event(done, aave.SUPPLY, done.tokens.weth)
    return _collateral(done, aave.decode_supply(log).amount)


def _withdraw(done: Landed) -> tuple[Posting, ...]:
    log = _pool_event(done, aave.WITHDRAW, done.tokens.weth)
    return _collateral(done, -aave.decode_withdraw(log).amount)


def _borrow(done: Landed) -> tuple[Posting, ...]:
    log = _pool_event(done, aave.BORROW, done.tokens.usdt)
    return _debt(done, -aave.decode_borrow(log).amount)


def _repay(done: Landed) -> tuple[Posting, ...]:
    log = _pool_event(done, aave.REPAY, done.tokens.usdt)
    return _debt(done, aave.decode_repay(log).amount)


def _pool_event(done: Landed, event: EventName, reserve: Token) -> EventLog:
    """The pool's event about the deal's own position in `reserve`; the leg called the pool."""
    return done.event(event.expected(done.leg.call.target, reserve.require_address(), done.deal))


def _collateral(done: Landed, units: int) -> tuple[Posting, ...]:
    amount = TokenAmount(done.tokens.weth, units)
    return _position(Account.COLLATERAL, amount, _updated(done, amount.token).liquidity_index)


def _debt(done: Landed, units: int) -> tuple[Posting, ...]:
    amount = TokenAmount(done.tokens.usdt, units)
    return _position(Account.DEBT, amount, _updated(done, amount.token).variable_borrow_index)


def _position(account: Account, amount: TokenAmount, index_ray: int) -> tuple[Posting, ...]:
    """The position as the pool books it: the amount, and what it scales to at this very index."""
    size = scaled(abs(amount.units), index_ray)
    return (Posting(account, amount, size if amount.units >= 0 else -size),)


def _updated(done: Landed, reserve: Token) -> aave.ReserveDataUpdated:
    """The reserve's indexes after the change; the pool reports them once in each change."""
    pool, token = done.leg.call.target, reserve.require_address()
    return aave.decode_reserve_data(done.event(aave.RESERVE_DATA_UPDATED.expected(pool, token)))


def _swap(done: Landed) -> tuple[Posting, ...]:
    """What the pool says it got and gave, for the tokens that are seen to leave and to come."""
    given = {token for token, transfer in done.transfers if transfer.sender == done.deal}
    taken = {(t, one.sender) for t, one in done.transfers if one.recipient == done.deal}
    if len(given) != 1 or len(taken) != 1:
        raise Broken(
            "ledger.swap",
            f"{done.receipt.tx_hash} is no swap of one token of the deal for another",
            tx_hash=done.receipt.tx_hash,
        )
    (paid,), ((got, pool),) = given, taken
    account = _trade(done.tokens, paid, got)
    # The router may be any; the pool is whoever paid the deal.
    swapped = decode_swap(done.event(SWAP.expected(pool, None, done.deal)))
    return (
        _posting(account, paid, swapped.amount_in),
        _posting(account, got, -swapped.amount_out),
    )


def _trade(tokens: TokenBook, paid: Token, got: Token) -> Account:
    if (paid, got) == (tokens.usdt, tokens.usdtz):
        return Account.TRADE_PURCHASE
    if {paid, got} == {tokens.weth, tokens.usdt}:
        return Account.TRADE_ETH
    raise Broken("ledger.swap", f"no deal swaps {paid.symbol} for {got.symbol}")


def _request(done: Landed) -> tuple[Posting, ...]:
    expected = REDEEM_REQUEST.expected(done.leg.call.target, done.deal, done.deal)
    requested = decode_request(done.event(expected))
    return (_posting(Account.QUEUE, done.tokens.usdtz, requested.shares),)


def _claim(done: Landed) -> tuple[Posting, ...]:
    desk = done.leg.call.target
    claimed = decode_claim(done.event(WITHDRAW.expected(desk, done.deal, done.deal, done.deal)))
    tokens = TokenAmount(done.tokens.usdtz, claimed.shares)
    return (
        *moved(Account.TRADE_REDEMPTION, Account.QUEUE, tokens),
        _posting(Account.TRADE_REDEMPTION, done.tokens.usdt, -claimed.assets),
    )


def _returned(done: Landed) -> tuple[Posting, ...]:
    """To the treasury's address and no other: the transfer that counts is the one to it."""
    contract, treasury = done.leg.call.target, done.book.accounts.treasury_return
    transfer = decode_transfer(done.event(TRANSFER.expected(contract, done.deal, treasury)))
    known = {token.address: token for token in done.tokens.contracts}
    if contract not in known:
        raise Broken("ledger.token", f"{contract} is no token of this deal", token=contract)
    return (_posting(Account.RETURNED, known[contract], transfer.amount),)


def _posting(account: Account, token: Token, units: int) -> Posting:
    return Posting(account, TokenAmount(token, units))


VENUE_POSTINGS: Mapping[LegKind, Callable[[Landed], tuple[Posting, ...]]] = MappingProxyType(
    {
        LegKind.FUND: _fund,
        LegKind.WRAP: _wrap,
        LegKind.APPROVE: _nothing,
        LegKind.REVOKE: _nothing,
        LegKind.SUPPLY: _supply,
        LegKind.BORROW: _borrow,
        LegKind.SWAP: _swap,
        LegKind.REQUEST_REDEMPTION: _request,
        LegKind.CLAIM_REDEMPTION: _claim,
        LegKind.REPAY: _repay,
        LegKind.WITHDRAW: _withdraw,
        LegKind.UNWRAP: _unwrap,
        LegKind.RETURN_TOKEN: _returned,
        LegKind.RETURN_NATIVE: _return_native,
    }
)
"""For every kind of leg, the postings of its own event."""
