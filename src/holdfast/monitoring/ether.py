"""Looks at the ether of every account at one block, and says what fell by no doing of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from holdfast.monitoring.balances import (
    Anchor,
    Where,
    changed,
    core_alerts,
    core_ended,
    key_alert,
    to_question,
)
from holdfast.monitoring.events import Role
from holdfast.monitoring.store import accounts as store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.common.alerts import Alert, Ended
    from holdfast.common.db import Session
    from holdfast.common.evm import Address, BlockRef
    from holdfast.common.ids import ChainId
    from holdfast.execution.store.deals import DealStore
    from holdfast.monitoring.events import Watched
    from holdfast.monitoring.ports import AccountBook, Chain, OwnTransactions


class News(NamedTuple):
    """What one look found to be so, and to be so no longer."""

    alerts: list[Alert]
    over: list[Ended]


@dataclass(frozen=True, slots=True)
class Look:
    """What accounts hold at one block, in wei, and the nonces of those in question."""

    watch: EtherWatch
    watched: Mapping[Address, Watched]
    at: BlockRef
    before: Mapping[Address, int]
    now: Mapping[Address, int]
    nonces: Mapping[Address, int]

    async def written(self, session: Session) -> News:
        """Write down what changed; returns what to tell."""
        watch = self.watch
        where = Where(watch.chain_id, self.at)
        await watch.accounts.note_balances(session, watch.chain_id, changed(self.before, self.now))
        # Read after the nonces on chain, so that none of ours is missing.
        given = await watch.own.next_nonces(session, watch.chain_id, self.nonces)
        found = [
            key_alert(
                self.watched[one],
                nonce,
                given.get(one),
                where,
                is_first_look=one not in self.before,
            )
            for one, nonce in self.nonces.items()
        ]
        over: list[Ended] = []
        booked = await watch.deals.booked_core(session, watch.chain_id)
        for one in self.watched.values():
            if one.role is Role.CORE:
                anchor = Anchor(self.before.get(one.address), self.now[one.address], booked)
                found += core_alerts(one, anchor, where)
                over += core_ended(one, anchor)
        return News([alert for alert in found if alert is not None], over)


class EtherWatch:
    """Looks at the ether of one chain's accounts."""

    def __init__(
        self,
        chain: Chain,
        chain_id: ChainId,
        own: OwnTransactions,
        deals: DealStore,
        *,
        accounts: AccountBook = store,
    ) -> None:
        self._chain = chain
        self.chain_id = chain_id
        self.own = own
        self.deals = deals
        self.accounts = accounts

    async def look(
        self, watched: Mapping[Address, Watched], before: Mapping[Address, int], at: BlockRef
    ) -> Look:
        """What the accounts hold at block `at`, having held `before` at the last look."""
        now = await self._chain.native_balances(list(watched), at)
        # Core has no key, so that its nonce tells nothing.
        asked = [one for one in to_question(before, now) if watched[one].role is not Role.CORE]
        nonces: Mapping[Address, int] = await self._chain.nonces(asked, at) if asked else {}
        return Look(self, watched, at, before, now, nonces)
