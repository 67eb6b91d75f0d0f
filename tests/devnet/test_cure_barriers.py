"""The legs of a cure may revert in any combination, as those of every move: see test_barriers."""

from decimal import Decimal

import pytest

from holdfast.execution import model as m
from holdfast.model.deal import Funding
from holdfast.model.leg import LegKind
from tests.devnet.test_barriers import Findings, checks, explore, walk

__all__ = ["walk"]


async def queued(walk, funding=Funding.BORROW):
    """The deal with its first tranche in the desk's queue."""
    await walk.plan(funding)
    walk.control.set_queue_delay(60)
    while (group := await walk.step()) is not None:
        await walk.carry_out(group.legs)
    return walk


async def cure_at(walk, dollars):
    """The group that the deal sends when ETH falls to that."""
    walk.control.set_price(Decimal(dollars))
    return await walk.step()


def broken_already(group):
    return {check.code for check in checks(group, group.seen) if check.is_violation}


async def explored(group):
    """What is wrong in some subset and was not so before any of the legs."""
    findings = Findings()
    await explore(group, findings)
    assert findings.worlds > len(group.legs)
    return findings.codes - broken_already(group)


async def test_no_subset_of_a_conversion_breaks_a_rule(walk):
    group = await cure_at(await queued(walk), 1_500)
    assert isinstance(group.move, m.Convert)
    assert [leg.kind for leg in group.legs] == [
        LegKind.WRAP, LegKind.APPROVE, LegKind.SWAP, LegKind.REVOKE,
    ]  # fmt: skip
    assert broken_already(group) == set()
    assert await explored(group) == set()
    await walk.carry_out(group.legs)
    assert await walk.step() is None


@pytest.mark.parametrize("funding", Funding)
async def test_no_subset_of_a_repayment_breaks_a_rule_that_held(walk, funding):
    """With the bucket sold cash pays; with the loan spent, ether of the bucket."""
    group = await cure_at(await queued(walk, funding), 1_300)
    assert isinstance(group.move, m.RepayPart)
    sale = [LegKind.WRAP, LegKind.APPROVE, LegKind.SWAP, LegKind.REVOKE]
    paying = [LegKind.APPROVE, LegKind.REPAY, LegKind.REVOKE]
    sells = funding is Funding.BORROW
    assert [leg.kind for leg in group.legs] == [*(sale if sells else []), *paying]
    assert "I6.ltv" in broken_already(group)
    assert {code.partition(".")[0] for code in broken_already(group)} == {"I6"}
    assert await explored(group) == set()
    await walk.carry_out(group.legs)
    assert await walk.step() is None
    seen = await walk.observer(walk.node).observe(walk.deal)
    assert seen.ltv_bps <= 2_000
    assert seen.venues.breaches == ()
