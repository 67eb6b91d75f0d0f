"""One whole deal on real protocols and a real database."""

import pytest

from holdfast.model.deal import DealStatus, Funding
from holdfast.model.leg import LegKind, LegStatus
from tests.support.deals import ALICE, request_for, running, settings_for, until


@pytest.mark.parametrize("funding", Funding)
async def test_a_deal_completes_and_its_ledger_equals_the_chain(
    devnet, database_url, tmp_path, funding
):
    async with running(settings_for(devnet, database_url, tmp_path)) as system:
        made = await system.desk.create(
            request_for(devnet, funding=funding), author=ALICE, approve_as=ALICE
        )
        deal = await until(system, made.deal_id, lambda d: d.status is DealStatus.COMPLETED)
        report = await system.reporter.report(made.deal_id)
    assert all(leg.status is LegStatus.LANDED for leg in deal.legs)
    assert sum(leg.kind is LegKind.FUND for leg in deal.legs) == 1
    assert report["ledger"]["mismatch_wei"] == "0"
    assert all(row["ok"] for row in report["invariants"] if row["severity"] == "hard")
    assert float(report["pnl"]["total_usd"]) > 300_000
