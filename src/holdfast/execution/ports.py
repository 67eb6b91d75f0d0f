"""What execution needs from planning, keys, the queue and the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from holdfast.common.db import Session
    from holdfast.common.evm import Address
    from holdfast.common.ids import BankId, ChainId, DealId, GroupId
    from holdfast.common.money import Token
    from holdfast.execution.model import Move
    from holdfast.execution.observation import Seen
    from holdfast.execution.records import DealRecord
    from holdfast.model.deal import DealRequest
    from holdfast.model.leg import Leg
    from holdfast.model.plan import Accounts, Plan
    from holdfast.risk.book import OpenBook
    from holdfast.risk.gate import Trial
    from holdfast.risk.tightening import InForce
    from holdfast.risk.trading import Trading
    from holdfast.signing.model import KeyRef
    from holdfast.signing.ports import Signer
    from holdfast.transactions.model import Place


class PlanMaker(Protocol):
    """Turns a request into a plan, or refuses it."""

    async def plan(self, request: DealRequest, accounts: Accounts, booked_core_wei: int) -> Plan:
        """The sized plan, read at one block.

        Args:
            request: what is asked for.
            accounts: the deal's addresses.
            booked_core_wei: anchor ETH already booked over open deals.

        Raises:
            Rejected: `plan.refused` with every violated rule.
        """
        ...


class Admission(Protocol):
    """Says whether the open book has room for one more deal."""

    async def admit(self, session: Session, deal: DealRecord) -> None:
        """Return when it has; no other deal joins before the transaction of `session` ends.

        Raises:
            Rejected: `caps.` and the cap that would break.
        """
        ...


class Standing(Protocol):
    """The limits in force."""

    async def in_force(self) -> InForce:
        """The published limits and what tightens them; `Transient` without the database."""
        ...


class TrackRecord(Protocol):
    """What redemption desks did before."""

    async def trials(self, desk: Address, token: Token) -> Sequence[Trial]:
        """What the redemption desk at `desk` was asked to pay for `token`, and whether it did."""
        ...


class DealKeys(Protocol):
    """The key of each deal."""

    async def create(self, deal_id: DealId, deal_number: int) -> KeyRef:
        """The reference of the deal's key."""
        ...

    async def open(self, ref: KeyRef) -> Signer:
        """The signer of a key."""
        ...


class Wakes(Protocol):
    """Asks for a deal to be advanced."""

    async def wake(self, session: Session, *deals: DealId, at: datetime | None = None) -> None:
        """Wake the deals when the transaction of `session` commits."""
        ...


class Groups(Protocol):
    """The groups of legs that are under way."""

    async def cancel_group(self, session: Session, group_id: GroupId) -> int:
        """Have what is not mined yet replaced by no-ops; returns how many legs that is."""
        ...


class TradingStates(Protocol):
    """Whether risk may be taken on."""

    async def glance(self, session: Session, bank: BankId, chain: ChainId) -> Trading:
        """The state in force for a deal of `bank` on `chain`; it may change at any time."""
        ...

    async def held(self, session: Session, bank: BankId, chain: ChainId) -> Trading:
        """The same, and it does not change before the transaction ends."""
        ...


class Observer(Protocol):
    """Reads the chain for one deal at one block."""

    async def observe(self, deal: DealRecord) -> Seen:
        """What the deal holds and owes, and what the venues allow, at the newest block.

        Raises:
            Transient: when the chain does not answer.
        """
        ...

    async def has_lost(self, place: Place, followed: int) -> bool:
        """Whether that block is gone, and was not final for whoever followed up to `followed`.

        How far the chain has come since says nothing: a loop that was away sees both at once.

        Raises:
            Transient: when the chain does not answer.
        """
        ...


class BookSource(Protocol):
    """All open deals of a chain as stress sees them."""

    async def read(self) -> OpenBook:
        """The open deals and their exit pool at one block.

        Raises:
            Transient: when the chain or the database does not answer.
        """
        ...


class Builder(Protocol):
    """Turns moves into legs."""

    async def build(self, deal: DealRecord, move: Move, seen: Seen) -> Sequence[Leg]:
        """The legs of `move`, tried on top of the observed block and with gas limits set.

        Raises:
            MoveRefused: when a leg would fail; its kind is in the fields.
        """
        ...


class Future(Protocol):
    """One chain as it would be after groups of legs that nobody sends."""

    async def is_sequential(self, account: Address) -> bool:
        """Whether the node can try calls one on top of the other, those of `account` too.

        Raises:
            Transient: when the chain does not answer, as all of these do.
        """
        ...

    async def observe(self, deal: DealRecord) -> Seen:
        """What the deal would hold and owe, and what the venues would allow."""
        ...

    async def build(self, deal: DealRecord, move: Move, seen: Seen) -> Sequence[Leg]:
        """The legs of `move`, tried on top of what was applied; raises as `Builder.build`."""
        ...

    async def apply(self, legs: Sequence[Leg], seen: Seen) -> None:
        """Have the legs, built at `seen`, mined in the next block.

        Raises:
            MoveRefused: when one would fail as it is signed; nothing was applied.
        """
        ...
