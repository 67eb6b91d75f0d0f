"""Whom to listen for: the standing accounts, and the account of every deal that matters still."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from holdfast.execution.store.accounts import accounts_of, deals_not_over_since
from holdfast.monitoring.events import Role, Watched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.profiles import DealAccounts
    from holdfast.common.clock import Clock
    from holdfast.common.db import Session
    from holdfast.common.ids import ChainId

AFTERMATH: Final = timedelta(days=30)
"""How long the account of a deal that is over is listened for: what is left open shows soon."""


@dataclass(frozen=True, slots=True)
class Watchlist:
    """The accounts of one chain."""

    chain_id: ChainId
    standing: DealAccounts
    clock: Clock

    async def now(
        self, session: Session, known: Sequence[Watched], block: int
    ) -> tuple[list[Watched], list[Watched]]:
        """Those of the `known` accounts to listen for still, and those that are new.

        Args:
            session: to read deals in.
            known: every account that was ever listened for.
            block: from where standing accounts are new.
        """
        since = self.clock.now() - AFTERMATH
        wanted = set(await deals_not_over_since(session, self.chain_id, since))
        unknown = wanted - {each.deal_id for each in known}
        fresh = await accounts_of(session, unknown) if unknown else []
        addresses = {each.address for each in known}
        new = [each for each in self._standing(block) if each.address not in addresses]
        new += [
            Watched(each.address, Role.DEAL, each.block, each.deal_id, each.bank_id)
            for each in fresh
        ]
        return [one for one in known if one.deal_id is None or one.deal_id in wanted], new

    def _standing(self, block: int) -> list[Watched]:
        accounts = self.standing
        return [
            Watched(accounts.core, Role.CORE, block),
            Watched(accounts.float_, Role.FLOAT, block),
            Watched(accounts.treasury_return, Role.TREASURY, block),
        ]
