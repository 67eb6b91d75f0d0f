from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from holdfast.authorization.policy import Rule
from holdfast.authorization.service import Authorization
from holdfast.common.errors import Rejected
from holdfast.common.ids import BankId, ChainId, DealId, PlanHash, PrincipalId

DEAL, OTHER = DealId(UUID(int=1)), DealId(UUID(int=2))
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ALICE, BOB = PrincipalId("alice"), PrincipalId("bob")
ANYONE = Rule()
REQUEST = SimpleNamespace(bank=BankId("BANK001"), chain_id=ChainId(138))


def plan(digit):
    envelope = SimpleNamespace(request=REQUEST)
    return SimpleNamespace(plan_hash=PlanHash("0x" + digit * 64), envelope=envelope)


async def approve(database, deal, what, who, rule=ANYONE):
    async with database.begin() as session:
        await Authorization(rule).approve(session, deal, what, principal=who, at=NOON)


async def authorize(database, deal, what, rule=ANYONE):
    async with database.begin() as session:
        return await Authorization(rule).authorize(session, deal, what, author=ALICE)


async def test_a_plan_is_authorized_by_an_approval_of_that_very_plan(database):
    await approve(database, DEAL, plan("1"), ALICE)
    proof = await authorize(database, DEAL, plan("1"))
    assert (proof.deal_id, proof.approved_by) == (DEAL, (ALICE,))


@pytest.mark.parametrize(("deal", "digit"), [(DEAL, "2"), (OTHER, "1")])
async def test_a_changed_plan_or_another_deal_needs_its_own_approval(database, deal, digit):
    await approve(database, DEAL, plan("1"), ALICE)
    with pytest.raises(Rejected) as caught:
        await authorize(database, deal, plan(digit))
    assert caught.value.code == "authorization.missing"


async def test_one_person_approving_twice_is_one_approval(database):
    rule = Rule(approvers=2)
    await approve(database, DEAL, plan("1"), BOB)
    await approve(database, DEAL, plan("1"), BOB)
    with pytest.raises(Rejected):
        await authorize(database, DEAL, plan("1"), rule)
    await approve(database, DEAL, plan("1"), ALICE)
    assert (await authorize(database, DEAL, plan("1"), rule)).approved_by == (ALICE, BOB)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE authorization_approvals SET plan_hash = '0x22'",
        "DELETE FROM authorization_approvals",
        "TRUNCATE authorization_approvals",
    ],
)
async def test_an_approval_cannot_be_moved_to_another_plan_or_removed(database, statement):
    await approve(database, DEAL, plan("1"), ALICE)
    with pytest.raises(IntegrityError, match="append-only"):
        async with database.begin() as session:
            await session.execute(text(statement))
