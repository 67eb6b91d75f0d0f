import copy
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import pytest

from holdfast.authorization.model import Approval
from holdfast.authorization.policy import AuthorizedPlan, Rule, authorized, missing_approvals
from holdfast.common.errors import Broken, Rejected
from holdfast.common.ids import BankId, ChainId, DealId, PlanHash, PrincipalId

DEAL = DealId(UUID(int=1))
THIS = PlanHash("0x" + "11" * 32)
OLDER = PlanHash("0x" + "22" * 32)
ALICE, BOB, CAROL = (PrincipalId(name) for name in ("alice", "bob", "carol"))
FOUR_EYES = Rule(approvers=2, author_may_approve=False)
PLAN = SimpleNamespace(plan_hash=THIS)


def approval(who, plan_hash=THIS, deal=DEAL):
    return Approval(
        deal, plan_hash, who, BankId("BANK001"), ChainId(138), datetime(2026, 1, 2, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    ("rule", "approvals", "missing"),
    [
        (Rule(), [], 1),
        (Rule(), [approval(ALICE)], 0),
        (Rule(), [approval(ALICE, OLDER)], 1),
        (Rule(approvers=2), [approval(BOB), approval(BOB)], 1),
        (Rule(approvers=2), [approval(BOB), approval(ALICE)], 0),
        (FOUR_EYES, [approval(ALICE), approval(BOB)], 1),
        (FOUR_EYES, [approval(CAROL), approval(BOB)], 0),
        (FOUR_EYES, [approval(CAROL), approval(BOB, OLDER)], 1),
        (Rule(), [approval(ALICE), approval(BOB), approval(CAROL)], 0),
    ],
    ids=[
        "nobody",
        "the author, who may",
        "an older plan",
        "one person twice",
        "two people, one the author",
        "the author, who may not",
        "two others",
        "one for another plan",
        "more than needed",
    ],
)
def test_approvals_count_once_per_person_for_this_plan_only(rule, approvals, missing):
    assert missing_approvals(rule, approvals, THIS, ALICE) == missing


def test_an_approved_plan_is_authorized_with_the_names_that_counted():
    given = [approval(BOB), approval(ALICE), approval(CAROL, OLDER)]
    proof = authorized(Rule(), DEAL, PLAN, given, author=ALICE)
    assert (proof.deal_id, proof.plan, proof.approved_by) == (DEAL, PLAN, (ALICE, BOB))


def test_an_unapproved_plan_is_refused_with_what_is_missing():
    with pytest.raises(Rejected) as caught:
        authorized(FOUR_EYES, DEAL, PLAN, [approval(ALICE), approval(BOB)], author=ALICE)
    assert caught.value.code == "authorization.missing"
    assert caught.value.fields == {"plan_hash": THIS, "limit": 2, "value": 1}


def test_an_approval_of_the_same_plan_for_another_deal_does_not_count():
    with pytest.raises(Rejected):
        authorized(Rule(), DEAL, PLAN, [approval(BOB, deal=DealId(UUID(int=2)))], author=ALICE)


def test_nobody_else_can_make_the_evidence():
    with pytest.raises(Broken) as caught:
        AuthorizedPlan(DEAL, PLAN, (ALICE,), seal=object())
    assert caught.value.code == "authorization.forged"


def test_evidence_for_one_plan_cannot_be_edited_into_evidence_for_another():
    proof = authorized(Rule(), DEAL, PLAN, [approval(BOB)], author=ALICE)
    with pytest.raises((Broken, ValueError, TypeError)):
        replace(proof, plan=SimpleNamespace(plan_hash=OLDER))
    assert copy.copy(proof) == proof
