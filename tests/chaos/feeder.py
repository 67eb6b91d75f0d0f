"""Creates deals all along the storm, so that there is always one for it to hit.

Each buys in the same pool and makes the token a little dearer for the next, by about 6 % over 500
deals. Trading the price back would let open deals buy more than they planned, and so redeem the
rest in a tranche that others do not have.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from holdfast.common.errors import HoldfastError
from holdfast.common.ids import BankId, ModuleId, PrincipalId
from holdfast.common.money import USD8, Bps, Usd8
from holdfast.model.deal import DealRequest

DOLLARS = 1_000_000
_SLIPPAGE = Bps(200)  # all deals buy in one pool: together they move its price
_AUTHOR, _APPROVER = PrincipalId("author"), PrincipalId("approver")
_RETRY_SECONDS = 0.3


@dataclass
class Feeder:
    """Creates deals on a running desk."""

    stage: object
    system: object
    created: int = 0
    refused: Counter = field(default_factory=Counter)

    async def create(self):
        """One deal, approved; tried again as a person would, when the desk could not take it."""
        while True:
            try:
                await self.system.desk.create(self._request(), author=_AUTHOR, approve_as=_APPROVER)
            except HoldfastError as error:
                self.refused[error.code] += 1
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self.created += 1
                return

    def _request(self):
        return DealRequest(
            total_eth_value=Usd8(DOLLARS * USD8),
            bank=BankId("BANK001"),
            module=ModuleId("MODULE001"),
            chain_id=self.stage.devnet.profile.chain_id,
            slippage=_SLIPPAGE,
        )
