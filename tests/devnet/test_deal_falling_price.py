"""ETH falls between plan and loan: the loan shrinks so that LTV never opens above the plan's."""

import asyncio
from decimal import Decimal

from holdfast.model.deal import DealStatus
from holdfast.model.leg import LegKind
from tests.support.deals import ALICE, request_for, running, settings_for, until


async def test_a_fall_before_the_loan_shrinks_the_loan_and_the_purchase(
    devnet, database_url, tmp_path
):
    async with running(settings_for(devnet, database_url, tmp_path)) as system:
        made = await system.desk.create(request_for(devnet), author=ALICE, approve_as=None)
        await asyncio.to_thread(devnet.control.set_price, Decimal(1900))
        await system.desk.approve(made.deal_id, ALICE, made.plan.plan_hash)
        deal = await until(system, made.deal_id, lambda d: d.status is DealStatus.COMPLETED)
        report = await system.reporter.report(made.deal_id)
    loan = next(leg for leg in deal.legs if leg.kind is LegKind.BORROW)
    bought = next(leg for leg in deal.legs if leg.kind is LegKind.SWAP)
    # 1,500 ether at $1,900 carry 20 % of $2,850,000 instead of 20 % of $3,000,000
    assert loan.amount == bought.amount == 570_000 * 10**6
    assert report["ledger"]["mismatch_wei"] == "0"
