"""The desk's own experience with redemption desks, as planning's gate weighs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.common.money import USD8, Usd8, mul_div
from holdfast.execution.store.redemptions import redemptions_asked
from holdfast.risk.gate import Trial

if TYPE_CHECKING:
    from holdfast.common.db import Database
    from holdfast.common.evm import Address
    from holdfast.common.ids import ChainId
    from holdfast.common.money import Token


@dataclass(frozen=True, slots=True)
class Experience:
    """What deals of one chain recorded (`planning.ports.TrackRecord`)."""

    db: Database
    chain_id: ChainId

    async def trials(self, desk: Address, token: Token) -> tuple[Trial, ...]:
        """What the redemption desk at `desk` was asked to pay for `token`, and whether it did.

        Sizes are face values: a dollar for a whole token.
        """
        async with self.db.begin() as session:
            asked = await redemptions_asked(session, self.chain_id, desk, token.symbol)
        unit = 10**token.decimals
        return tuple(
            Trial(Usd8(mul_div(one.units, USD8, unit)), one.is_paid, one.times) for one in asked
        )
