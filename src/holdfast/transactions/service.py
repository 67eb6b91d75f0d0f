"""What execution does with transactions: record intents, read outcomes, ask to cancel."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import structlog

from holdfast.common.alerts import LoggedAlarm
from holdfast.common.boundary import Boundary, unobserved
from holdfast.transactions.alerts import foreign_use
from holdfast.transactions.attempts import Signing, signed
from holdfast.transactions.errors import (
    ForeignNonce,
    fee_above_ceiling,
    mixed_group,
    nonces_unsettled,
    unknown_chain_nonce,
)
from holdfast.transactions.model import Purpose, Recorded
from holdfast.transactions.store import causes, reading, recording, updating

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from holdfast.common.alerts import Alarm
    from holdfast.common.db import Session
    from holdfast.common.evm import Address, TxHash
    from holdfast.common.ids import ChainId, DealId, GroupId, LegId
    from holdfast.signing.model import Fees
    from holdfast.signing.ports import KeyProvider
    from holdfast.transactions.model import Attempt, Cause, IntentOutcome, NewIntent, Place

log = structlog.get_logger()


class Transactions:
    """Records intents in the caller's transaction; the chain loop does the rest."""

    def __init__(
        self, keys: KeyProvider, boundary: Boundary = unobserved, *, alarm: Alarm | None = None
    ) -> None:
        self._keys = keys
        self._boundary = boundary
        self._alarm = alarm or LoggedAlarm()

    async def record(
        self,
        session: Session,
        intents: Sequence[NewIntent],
        fees: Fees,
        chain_nonces: Mapping[Address, int],
    ) -> list[Recorded]:
        """Give a group's intents their nonces and signed bytes; sent once `session` commits.

        Args:
            session: the transaction that also holds the caller's own changes.
            intents: one group, in the order in which they must be mined.
            fees: what all of them offer for gas.
            chain_nonces: each sender's account nonce at the decision's block.

        Raises:
            Rejected: `tx.leg_has_intent`, `tx.mixed_group` or `tx.chain_nonce`; roll back.
            Transient: `tx.fee_ceiling` when the fees exceed an intent's ceiling.
            ForeignNonce: the sender's key is used elsewhere; roll back and see `catch_up`.
            Broken: `tx.wrong_sender` or `signing.wrong_key`.
        """
        _require_one_group(intents)
        _require_affordable(intents, fees)
        numbered = await self._numbered(session, intents, chain_nonces)
        made = [(new, nonce, await self._signed(new, nonce, fees)) for new, nonce in numbered]
        self._boundary("tx.after_sign")
        await recording.insert_intents(session, made)
        return [
            Recorded(new.intent_id, new.leg_id, nonce, attempt.tx_hash)
            for new, nonce, attempt in made
        ]

    async def catch_up(
        self, session: Session, chain_id: ChainId, sender: Address, on_chain: int
    ) -> int:
        """Number the account's next transactions after those that others sent with its key.

        Returns:
            How many nonces were used elsewhere since the last one of ours; 0 and nothing done when
            there are none.

        Args:
            session: the caller's transaction.
            chain_id: the account's chain.
            sender: the account.
            on_chain: its count at the decision's block. Should a reorg take the foreign
                transactions back, the chain loop fills the gap with no-ops.

        Raises:
            Transient: `tx.nonces_unsettled` while an intent of ours at a used nonce is live: the
                chain loop has to prove first who used it. One that lacks only its event did, so
                it holds up its own deal and no other number of the account.
        """
        next_nonce = await recording.lock_signer(session, chain_id, sender)
        if next_nonce is None or next_nonce >= on_chain:
            return 0
        unsettled = await reading.count_unsettled_below(session, chain_id, sender, on_chain)
        if unsettled:
            raise nonces_unsettled(sender, unsettled)
        await recording.skip_to(session, chain_id, sender, on_chain)
        await self._alarm.raised(session, foreign_use(chain_id, sender, next_nonce, on_chain))
        log.error("tx.foreign_use", sender=sender, signed=next_nonce, on_chain=on_chain)
        return on_chain - next_nonce

    async def outcomes(
        self, session: Session, deal_id: DealId, legs: Collection[LegId] | None = None
    ) -> list[IntentOutcome]:
        """How the deal's intents stand, final or not.

        When `legs` are given, only theirs and those of no leg: no-ops that fill gaps.
        """
        return await reading.outcomes_of(session, deal_id, legs)

    async def last_block(self, session: Session, deal_id: DealId) -> Place | None:
        """The newest block that holds a transaction of the deal; None before the first."""
        return await reading.last_block_of(session, deal_id)

    async def followed(self, session: Session, chain_id: ChainId) -> int:
        """The newest block up to which a loop of the chain has settled all; 0 before the first."""
        return await reading.followed_to(session, chain_id)

    async def live_value(self, session: Session, chain_id: ChainId, sender: Address) -> int:
        """The native token, in wei, that the sender's live intents will send along."""
        return await reading.live_value_of(session, chain_id, sender)

    async def causes(self, session: Session, hashes: Collection[TxHash]) -> Mapping[TxHash, Cause]:
        """What those of the transactions were for that we signed, whether or not they were sent."""
        return await causes.causes_of(session, hashes)

    async def next_nonces(
        self, session: Session, chain_id: ChainId, addresses: Collection[Address]
    ) -> Mapping[Address, int]:
        """The nonce after the last given out, of those addresses that we ever signed for."""
        return await causes.next_nonces(session, chain_id, addresses)

    async def cancel_group(self, session: Session, group_id: GroupId) -> int:
        """Ask for the group's live intents to be replaced by no-ops; returns how many there are.

        One that is mined meanwhile stays as it is: its outcome tells.
        """
        return await updating.request_cancel(session, group_id)

    async def _numbered(
        self, session: Session, intents: Sequence[NewIntent], chain_nonces: Mapping[Address, int]
    ) -> list[tuple[NewIntent, int]]:
        by_sender: dict[Address, list[NewIntent]] = defaultdict(list)
        for new in intents:
            by_sender[new.sender].append(new)
        nonces: dict[Address, int] = {}
        # Always in the same order, so that two groups with the same senders cannot deadlock.
        for sender in sorted(by_sender):
            nonces[sender] = await _first_nonce(session, by_sender[sender], chain_nonces)
        numbered: list[tuple[NewIntent, int]] = []
        for new in intents:
            numbered.append((new, nonces[new.sender]))
            nonces[new.sender] += 1
        return numbered

    async def _signed(self, new: NewIntent, nonce: int, fees: Fees) -> Attempt:
        attempt = await signed(self._keys, new, Signing(nonce, 1, Purpose.CALL, fees))
        log.info("tx.signed", **new.log_ids, nonce=nonce, tx=attempt.tx_hash)
        return attempt


async def _first_nonce(
    session: Session, intents: Sequence[NewIntent], chain_nonces: Mapping[Address, int]
) -> int:
    first = intents[0]
    on_chain = chain_nonces.get(first.sender)
    if on_chain is None:
        raise unknown_chain_nonce(first.sender)
    nonce = await recording.allocate(
        session, first.chain_id, first.sender, first.key, on_chain=on_chain, count=len(intents)
    )
    if nonce < on_chain:
        raise ForeignNonce(first.sender, nonce, on_chain)
    return nonce


def _require_one_group(intents: Sequence[NewIntent]) -> None:
    if len({(new.chain_id, new.group_id, new.deal_id) for new in intents}) != 1:
        raise mixed_group(len(intents))


def _require_affordable(intents: Sequence[NewIntent], fees: Fees) -> None:
    ceiling = min(new.fee_ceiling_wei for new in intents)
    if fees.cap_wei > ceiling:
        raise fee_above_ceiling(fees.cap_wei, ceiling)
