"""Creates deals all along the storm, so that there is always one for it to hit."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from holdfast.common.errors import HoldfastError
from holdfast.common.ids import BankId, ModuleId, PrincipalId
from holdfast.common.money import USD8, Bps, Usd8
from holdfast.model.deal import DealRequest

DOLLARS = 1_000_000
_SLIPPAGE = Bps(200)  # all deals buy in one pool: together they move its price
_REFILL = 10  # deals after which the pool is traded back to its first price
_PRICE = Decimal("0.6")
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
                if self.created % _REFILL == 0:
                    await self._refill()
                await self.system.desk.create(self._request(), author=_AUTHOR, approve_as=_APPROVER)
            except HoldfastError as error:
                self.refused[error.code] += 1
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self.created += 1
                return

    async def _refill(self):
        async with self.stage.node_lock:
            await asyncio.to_thread(self.stage.devnet.control.set_token_price, _PRICE)

    def _request(self):
        return DealRequest(
            total_eth_value=Usd8(DOLLARS * USD8),
            bank=BankId("BANK001"),
            module=ModuleId("MODULE001"),
            chain_id=self.stage.devnet.profile.chain_id,
            slippage=_SLIPPAGE,
        )
