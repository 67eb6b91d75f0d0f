"""Whose doing an event is, and what to tell about those that are not ours; pure.

An event is ours when our journal holds the signed bytes of its transaction: they are committed
before anything is sent, so a transaction of ours is known before any block can hold it, whether or
not its receipt was read yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from holdfast.common.alerts import Alert, Severity
from holdfast.monitoring.decoding import decoded
from holdfast.monitoring.events import AccountEvent, EventKind, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from holdfast.chain.logs import MinedLog
    from holdfast.common.evm import Address, TxHash
    from holdfast.common.ids import ChainId
    from holdfast.monitoring.decoding import Contracts
    from holdfast.monitoring.events import Effect, Watched
    from holdfast.transactions.model import Cause


class _Told(NamedTuple):
    code: str
    severity: Severity
    text: str


_LOSSES: Final[Mapping[EventKind, _Told]] = {
    EventKind.APPROVAL: _Told(
        "account.approval", Severity.CRITICAL, "gave somebody an allowance that we did not give"
    ),
    EventKind.DELEGATION: _Told(
        "account.approval", Severity.CRITICAL, "let somebody borrow on it, which we did not allow"
    ),
    EventKind.OPERATOR: _Told(
        "account.approval", Severity.CRITICAL, "gave an operator rights that we did not give"
    ),
    EventKind.LIQUIDATION: _Told("account.liquidation", Severity.CRITICAL, "was liquidated"),
    EventKind.BORROW: _Told("account.debt", Severity.CRITICAL, "owes a loan that we did not take"),
    EventKind.DEBT: _Told("account.debt", Severity.CRITICAL, "owes more by no doing of ours"),
}
_OUTFLOW: Final = _Told(
    "account.outflow", Severity.CRITICAL, "lost assets in a transaction that is not ours"
)
_POSITION: Final = _Told(
    "account.position", Severity.WARNING, "had its lending position changed by somebody else"
)
_INFLOW: Final = _Told("account.inflow", Severity.INFO, "received assets that we did not expect")
_NOTHING: Final = _Told(
    "account.nothing_moved", Severity.INFO, "is named by transfers of nothing, as poisoners make"
)
_POSITION_GAINS: Final = frozenset({EventKind.SUPPLY, EventKind.REPAY, EventKind.DEBT})
_TRANSFERS: Final = frozenset({EventKind.TRANSFER, EventKind.DEBT})


def events_of(
    logs: Iterable[MinedLog],
    contracts: Contracts,
    watched: Mapping[Address, Watched],
    causes: Mapping[TxHash, Cause],
) -> list[AccountEvent]:
    """The logs that are about a watched account, each with our part in it."""
    found: list[AccountEvent] = []
    for mined in logs:
        effect = decoded(mined.log, contracts)
        account = None if effect is None else _account(effect, watched)
        if effect is None or account is None:
            continue
        event = AccountEvent(
            block_number=mined.block_number,
            block_hash=mined.block_hash,
            log_index=mined.log.log_index,
            tx_hash=mined.tx_hash,
            contract=mined.log.address,
            effect=effect,
            account=account,
            cause=causes.get(mined.tx_hash),
        )
        found.append(event)
    return found


def alert_about(event: AccountEvent, chain_id: ChainId) -> Alert | None:
    """What to raise about an event; None when we caused it."""
    if event.cause is not None:
        return None
    told, account, effect = _told(event), event.account, event.effect
    # Gains and transfers of nothing come by the thousand: they count up on their account.
    is_told_alone = event.is_loss and not _is_of_nothing(effect)
    subject = f"{event.tx_hash} {account.address}" if is_told_alone else account.address
    return Alert(
        code=told.code,
        severity=told.severity,
        subject=subject,
        text=f"The {account.role} account {account.address} {told.text}: look at the transaction.",
        chain_id=chain_id,
        deal_id=account.deal_id,
        bank_id=account.bank_id,
        fields={
            "event": str(effect.kind),
            "tx_hash": event.tx_hash,
            "block": event.block_number,
            "contract": event.contract,
            "giver": effect.giver,
            "taker": effect.taker,
            "token": effect.token,
            "amount_units": str(effect.amount),
        },
    )


def _account(effect: Effect, watched: Mapping[Address, Watched]) -> Watched | None:
    """The account of ours that the event is about: whoever loses by it comes first."""
    for party in (effect.giver, effect.taker):
        if party is not None and party in watched:
            return watched[party]
    return None


def _is_of_nothing(effect: Effect) -> bool:
    """Whether it is a transfer of 0, which anybody can make from anybody's account."""
    return effect.kind in _TRANSFERS and effect.amount == 0


def _told(event: AccountEvent) -> _Told:
    if _is_of_nothing(event.effect):
        return _NOTHING
    if not event.is_loss:
        return _POSITION if event.effect.kind in _POSITION_GAINS else _INFLOW
    told = _LOSSES.get(event.effect.kind, _OUTFLOW)
    # The treasury's key is the bank's own: what it sends is recorded and no alarm.
    is_banks_own = event.account.role is Role.TREASURY
    return told._replace(severity=Severity.INFO) if is_banks_own else told
