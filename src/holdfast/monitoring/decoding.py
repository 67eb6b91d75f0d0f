"""Logs of every protocol in the words of `Effect`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from holdfast.chain.abi import address_topic
from holdfast.chain.logs import LogFilter
from holdfast.common.errors import Broken
from holdfast.monitoring.events import Effect, EventKind
from holdfast.protocols import erc20, weth
from holdfast.protocols.aave_v3 import events as aave
from holdfast.protocols.redemption import desk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from holdfast.common.evm import Address, EventLog
    from holdfast.protocols.events import EventName

Decoder: TypeAlias = "Callable[[EventLog], Effect]"

_INDEXED_PLACES: Final = (1, 2, 3)  # where an event may name an account; topic 0 is its own name
_MOST_TOPICS: Final = 500  # in one list; nodes refuse long ones, most of them at 1,000


@dataclass(frozen=True, slots=True)
class Contracts:
    """The contracts that deals use; `debts` are those whose balance is owed, not owned."""

    all: tuple[Address, ...]
    debts: frozenset[Address]


def filters(contracts: Contracts, accounts: Collection[Address]) -> list[LogFilter]:
    """Every event that we know, of these contracts, that names one of the accounts."""
    names = tuple(_DECODERS)
    topics = [address_topic(one) for one in sorted(accounts)]
    parts = [tuple(topics[at : at + _MOST_TOPICS]) for at in range(0, len(topics), _MOST_TOPICS)]
    return [
        LogFilter(contracts.all, (names, *(None,) * (place - 1), part))
        for part in parts
        for place in _INDEXED_PLACES
    ]


def decoded(log: EventLog, contracts: Contracts) -> Effect | None:
    """What `log` says; None when its shape is none that we know, as an ERC-721's transfer."""
    decode = _DECODERS.get(log.topics[0])
    if decode is None:
        return None
    try:
        effect = decode(log)
    except Broken:
        return None  # the same name with other indexed arguments: not of a contract that we use
    return _owed(effect) if log.address in contracts.debts else effect


def _owed(effect: Effect) -> Effect:
    """A debt token's transfer: who receives it owes more."""
    if effect.kind is not EventKind.TRANSFER:
        return effect
    return replace(effect, kind=EventKind.DEBT, giver=effect.taker, taker=effect.giver)


def _transfer(log: EventLog) -> Effect:
    told = erc20.decode_transfer(log)
    return Effect(EventKind.TRANSFER, told.sender, told.recipient, told.token, told.amount)


def _approval(log: EventLog) -> Effect:
    told = erc20.decode_approval(log)
    return Effect(EventKind.APPROVAL, told.owner, told.spender, told.token, told.amount)


def _wrap(log: EventLog) -> Effect:
    told = weth.decode_deposit(log)
    return Effect(EventKind.WRAP, None, told.account, log.address, told.amount_wei)


def _unwrap(log: EventLog) -> Effect:
    told = weth.decode_withdrawal(log)
    return Effect(EventKind.UNWRAP, told.account, None, log.address, told.amount_wei)


def _supply(log: EventLog) -> Effect:
    told = aave.decode_supply(log)
    return Effect(EventKind.SUPPLY, told.user, told.on_behalf_of, told.reserve, told.amount)


def _withdraw(log: EventLog) -> Effect:
    told = aave.decode_withdraw(log)
    return Effect(EventKind.WITHDRAW, told.user, told.to, told.reserve, told.amount)


def _borrow(log: EventLog) -> Effect:
    told = aave.decode_borrow(log)
    return Effect(EventKind.BORROW, told.on_behalf_of, told.user, told.reserve, told.amount)


def _repay(log: EventLog) -> Effect:
    told = aave.decode_repay(log)
    return Effect(EventKind.REPAY, told.repayer, told.user, told.reserve, told.amount)


def _liquidation(log: EventLog) -> Effect:
    told = aave.decode_liquidation(log)
    return Effect(EventKind.LIQUIDATION, told.user, told.liquidator, told.collateral, told.seized)


def _delegation(log: EventLog) -> Effect:
    told = aave.decode_borrow_allowance(log)
    return Effect(EventKind.DELEGATION, told.delegator, told.delegatee, told.asset, told.amount)


def _request(log: EventLog) -> Effect:
    told = desk.decode_request(log)
    return Effect(
        EventKind.REDEMPTION_REQUEST, told.owner, told.controller, log.address, told.shares
    )


def _claim(log: EventLog) -> Effect:
    told = desk.decode_claim(log)
    return Effect(
        EventKind.REDEMPTION_CLAIM, told.controller, told.receiver, log.address, told.assets
    )


def _operator(log: EventLog) -> Effect:
    told = desk.decode_operator(log)
    return Effect(
        EventKind.OPERATOR, told.controller, told.operator, log.address, int(told.approved)
    )


_BY_NAME: Final[tuple[tuple[EventName, Decoder], ...]] = (
    (erc20.TRANSFER, _transfer),
    (erc20.APPROVAL, _approval),
    (weth.DEPOSIT, _wrap),
    (weth.WITHDRAWAL, _unwrap),
    (aave.SUPPLY, _supply),
    (aave.WITHDRAW, _withdraw),
    (aave.BORROW, _borrow),
    (aave.REPAY, _repay),
    (aave.LIQUIDATION_CALL, _liquidation),
    (aave.BORROW_ALLOWANCE, _delegation),
    (desk.REDEEM_REQUEST, _request),
    (desk.WITHDRAW, _claim),
    (desk.OPERATOR_SET, _operator),
)
_DECODERS: Final[Mapping[bytes, Decoder]] = {name.topic: decode for name, decode in _BY_NAME}
