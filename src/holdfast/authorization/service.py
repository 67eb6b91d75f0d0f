"""Approving a plan, and proving that it is approved."""

from datetime import datetime

from holdfast.authorization import store
from holdfast.authorization.model import Approval
from holdfast.authorization.policy import AuthorizedPlan, Rule, authorized
from holdfast.common.db import Session
from holdfast.common.ids import DealId, PrincipalId
from holdfast.model.plan import Plan


class Authorization:
    """Approvals under one rule."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule

    async def approve(
        self, session: Session, deal: DealId, plan: Plan, *, principal: PrincipalId, at: datetime
    ) -> Approval:
        """Record that `principal` approves exactly this plan; again is the same as once."""
        approval = Approval(
            deal_id=deal,
            plan_hash=plan.plan_hash,
            principal=principal,
            bank=plan.envelope.request.bank,
            chain_id=plan.envelope.request.chain_id,
            at=at,
        )
        await store.add(session, approval)
        return approval

    async def authorize(
        self, session: Session, deal: DealId, plan: Plan, *, author: PrincipalId
    ) -> AuthorizedPlan:
        """The evidence that `plan`, written by `author`, may run for the deal.

        Raises:
            Rejected: `authorization.missing`; nothing was done.
        """
        approvals = await store.approvals_of(session, deal, plan.plan_hash)
        return authorized(self._rule, deal, plan, approvals, author=author)
