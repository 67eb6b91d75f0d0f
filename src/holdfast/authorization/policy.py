"""The rule that approvals must meet, and the evidence that they met it; pure."""

from collections.abc import Iterable
from dataclasses import InitVar, dataclass

from holdfast.authorization.model import Approval
from holdfast.common.errors import Broken, Rejected
from holdfast.common.ids import DealId, PlanHash, PrincipalId
from holdfast.model.plan import Plan

_SEAL = object()


@dataclass(frozen=True, slots=True)
class Rule:
    """How many people must approve, and whether the plan's author may be one of them.

    By default one person suffices and it may be the author: for now naming an approver when the
    deal is run is the only rule there is.
    """

    approvers: int = 1
    author_may_approve: bool = True


@dataclass(frozen=True, slots=True)
class AuthorizedPlan:
    """A plan whose approvals met the rule; only `authorized` can make one."""

    deal_id: DealId
    plan: Plan
    approved_by: tuple[PrincipalId, ...]
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise Broken("authorization.forged", "an authorized plan was made without a check")


def missing_approvals(
    rule: Rule, approvals: Iterable[Approval], plan_hash: PlanHash, author: PrincipalId
) -> int:
    """How many approvals are still missing.

    An approval counts once per person, and only for this exact plan hash.
    """
    return max(0, rule.approvers - len(_approvers(rule, approvals, plan_hash, author)))


def authorized(
    rule: Rule, deal: DealId, plan: Plan, approvals: Iterable[Approval], *, author: PrincipalId
) -> AuthorizedPlan:
    """The evidence that `plan` may run for the deal.

    Raises:
        Rejected: `authorization.missing` with how many approvals are wanted and how many count.
    """
    given = [approval for approval in approvals if approval.deal_id == deal]
    who = _approvers(rule, given, plan.plan_hash, author)
    if len(who) < rule.approvers:
        raise Rejected(
            "authorization.missing",
            f"plan {plan.plan_hash} has {len(who)} of {rule.approvers} approvals: "
            "approve this very plan first",
            plan_hash=plan.plan_hash,
            limit=rule.approvers,
            value=len(who),
        )
    return AuthorizedPlan(deal, plan, tuple(sorted(who)), _SEAL)


def _approvers(
    rule: Rule, approvals: Iterable[Approval], plan_hash: PlanHash, author: PrincipalId
) -> set[PrincipalId]:
    who = {approval.principal for approval in approvals if approval.plan_hash == plan_hash}
    return who if rule.author_may_approve else who - {author}
