"""How an account sends the legs of a group: for a plain account, pipelined transactions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.common.errors import Transient
from holdfast.common.ids import new_intent_id
from holdfast.execution.records import lowers_risk
from holdfast.execution.store.legs import record_legs
from holdfast.execution.store.snapshots import record_snapshot
from holdfast.model.leg import LegKind
from holdfast.transactions.fees import exact
from holdfast.transactions.model import NewIntent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.common.db import Session
    from holdfast.common.evm import Address
    from holdfast.common.ids import GroupId
    from holdfast.execution.observation import Seen
    from holdfast.execution.ports import DealKeys
    from holdfast.execution.records import DealRecord
    from holdfast.model.leg import Leg
    from holdfast.signing.model import KeyRef
    from holdfast.transactions.service import Transactions


@dataclass(frozen=True, slots=True)
class EoaAccount:
    """A plain account: one transaction a leg, with consecutive nonces.

    So a group takes one block. `depths` is how many blocks must hold the receipt of each kind of
    leg before it counts.
    """

    transactions: Transactions
    keys: DealKeys
    float_key: KeyRef
    depths: Mapping[LegKind, int]

    async def send(
        self,
        session: Session,
        deal: DealRecord,
        group_id: GroupId,
        legs: Sequence[Leg],
        *,
        seen: Seen,
    ) -> None:
        """Record the legs, their intents and the signed bytes; sent once `session` commits.

        Raises:
            Transient: `float.busy` when the float cannot pay this beside what it sends already.
        """
        await self._require_float(session, deal, legs, seen)
        await record_legs(session, deal, group_id, legs)
        await record_snapshot(session, deal, group_id, seen)
        ceiling = _ceiling_wei(deal, legs)
        intents = [await self._intent(deal, group_id, leg, ceiling) for leg in legs]
        sweeps = any(intent.is_sweep for intent in intents)
        accounts = deal.plan.accounts
        await self.transactions.record(
            session,
            intents,
            exact(seen.fees) if sweeps else seen.fees,
            {accounts.deal: seen.deal_nonce, accounts.float: seen.float_nonce},
        )

    async def _require_float(
        self, session: Session, deal: DealRecord, legs: Sequence[Leg], seen: Seen
    ) -> None:
        """The float serves all deals: a transfer it cannot pay would block those after it."""
        sender = deal.plan.accounts.float
        own = [leg for leg in legs if leg.sender == sender]
        if not own:
            return
        wanted = sum(leg.call.value_wei + leg.gas_limit * seen.fees.cap_wei for leg in own)
        promised = await self.transactions.live_value(session, deal.chain_id, sender)
        if promised + wanted > seen.float_wei:
            raise Transient(
                "float.busy",
                f"the float holds {seen.float_wei} wei and is sending {promised} already: "
                f"{wanted} more have to wait",
                limit=seen.float_wei - promised,
                value=wanted,
            )

    async def _intent(
        self, deal: DealRecord, group_id: GroupId, leg: Leg, ceiling_wei: int
    ) -> NewIntent:
        return NewIntent(
            intent_id=new_intent_id(),
            leg_id=leg.leg_id,
            deal_id=deal.deal_id,
            group_id=group_id,
            chain_id=deal.chain_id,
            participant_bank_id=deal.bank,
            sender=leg.sender,
            key=await self._key(deal, leg.sender),
            call=leg.call,
            gas_limit=leg.gas_limit,
            expected=leg.expected,
            deadline=leg.deadline,
            depth=self.depths[leg.kind],
            fee_ceiling_wei=ceiling_wei,
            is_sweep=leg.kind is LegKind.RETURN_NATIVE,
        )

    async def _key(self, deal: DealRecord, sender: Address) -> KeyRef:
        if sender == deal.plan.accounts.float:
            return self.float_key
        return await self.keys.create(deal.deal_id, deal.deal_number)


def _ceiling_wei(deal: DealRecord, legs: Sequence[Leg]) -> int:
    """The most that a unit of gas may cost, replacements included; more where risk is lowered."""
    envelope = deal.plan.envelope
    is_safer = lowers_risk(deal.status, legs)
    return envelope.homeward_gas_price_wei if is_safer else envelope.gas_price_ceiling_wei
