"""What redemption desks were asked for by this desk's deals, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import text

from holdfast.model.deal import DealStatus, HoldReason
from holdfast.model.leg import LegKind, LegStatus

if TYPE_CHECKING:
    from holdfast.common.db import Session
    from holdfast.common.evm import Address
    from holdfast.common.ids import ChainId


@dataclass(frozen=True, slots=True)
class Asked:
    """So many tokens, in base units, were to be redeemed so many times, and were paid or not."""

    units: int
    is_paid: bool
    times: int


# A claim that landed was paid in cash. What a deal holds while it waits for a thaw, or ended with,
# was not paid; a freeze that ended counts by what was paid after it, as a delay loses nothing.
_ASKED = text(f"""
    WITH claims AS (
        SELECT d.deal_id, d.usdtz_exposure, d.status
        FROM deals d JOIN plans p ON p.plan_hash = d.plan_hash
        WHERE d.chain_id = :chain_id
            AND p.plan -> 'envelope' -> 'calls' @> CAST(:asks AS jsonb)
            AND (d.status = '{DealStatus.COMPLETED_WITH_CLAIM}'
                OR d.status = '{DealStatus.HOLDING}'
                    AND d.hold_reason = '{HoldReason.REDEMPTION_FROZEN}'))
    SELECT units, is_paid, count(*) AS times FROM (
        SELECT amount AS units, true AS is_paid FROM legs
        WHERE chain_id = :chain_id AND target = :desk
            AND kind = '{LegKind.CLAIM_REDEMPTION}' AND status = '{LegStatus.LANDED}'
        UNION ALL
        SELECT usdtz_exposure, false FROM claims WHERE usdtz_exposure > 0
        UNION ALL
        SELECT l.amount, false FROM claims c JOIN legs l ON l.deal_id = c.deal_id
        WHERE c.status = '{DealStatus.COMPLETED_WITH_CLAIM}' AND l.token = :token
            AND l.kind = '{LegKind.RETURN_TOKEN}' AND l.status = '{LegStatus.LANDED}'
    ) AS asked
    GROUP BY units, is_paid ORDER BY is_paid DESC, units
""")  # noqa: S608 - constants


async def redemptions_asked(
    session: Session, chain_id: ChainId, desk: Address, token: str
) -> list[Asked]:
    """Everything that deals on the chain asked of the redemption desk at `desk`, equals together.

    `token` is the symbol of the discounted token.
    """
    asks = [{"kind": LegKind.CLAIM_REDEMPTION, "target": desk}]
    values = {"chain_id": chain_id, "desk": desk, "token": token}
    found = await session.execute(_ASKED, {**values, "asks": orjson.dumps(asks).decode()})
    return [Asked(int(row.units), row.is_paid, row.times) for row in found]
