"""An approval: one person's word for one exact plan of one deal."""

from dataclasses import dataclass
from datetime import datetime

from holdfast.common.ids import BankId, ChainId, DealId, PlanHash, PrincipalId


@dataclass(frozen=True, slots=True)
class Approval:
    """`principal` approved the plan with `plan_hash` for the deal, and no other."""

    deal_id: DealId
    plan_hash: PlanHash
    principal: PrincipalId
    bank: BankId
    chain_id: ChainId
    at: datetime
