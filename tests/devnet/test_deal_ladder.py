"""The position as a ladder on real protocols: bought lot by lot, and a freeze costs one."""

import pytest

from holdfast.common.money import USD8, Usd8
from holdfast.execution import model as m
from holdfast.model.deal import DealStatus, Funding, HoldReason, Ladder
from holdfast.model.leg import LegKind, LegStatus
from holdfast.model.plan import Accounts
from holdfast.risk.gate import GateState
from tests.support.deals import settings_for, until
from tests.support.onchain import OnChain
from tests.support.scenes import (
    Principal,
    assert_nothing_left,
    ended,
    holding,
    meddled,
    started,
)


def landed(deal, *kinds):
    """The kinds of the deal's landed legs that are among `kinds`, in the order sent."""
    return [leg.kind for leg in deal.legs if leg.kind in kinds and leg.status is LegStatus.LANDED]


def lost(report):
    """Dollars, were the tokens that are held worth nothing."""
    pnl = report["pnl"]
    return int(pnl["claim"]["at_cost"]["units"]) / 10**6 - float(pnl["total_usd"])


STEPS = LegKind.SWAP, LegKind.CLAIM_REDEMPTION


@pytest.mark.slow
@pytest.mark.parametrize("funding", Funding)
async def test_every_lot_pays_cash_before_the_next_is_bought(
    devnet, database_url, tmp_path, funding
):
    chain = OnChain(devnet)
    principal = Principal.of(chain)
    async with meddled(settings_for(devnet, database_url, tmp_path)) as system:
        made = await started(system, devnet, funding=funding, ladder=Ladder.POSITION)
        deal, report = await ended(system, made)
    lots = len(deal.plan.terms.lots)
    assert lots == (3 if funding is Funding.BORROW else 5)
    sale = [LegKind.SWAP] if funding is Funding.BUCKET else []
    assert landed(deal, *STEPS) == [*sale, *STEPS * lots]
    principal.assert_whole(chain, deal)
    assert_nothing_left(chain, deal, report)
    assert lost(report) < -300_000


@pytest.mark.slow
async def test_a_freeze_after_the_second_lot_costs_that_lot_and_a_thaw_brings_it_back(
    devnet, database_url, tmp_path
):
    chain = OnChain(devnet)
    principal, after = Principal.of(chain), {}
    after[m.Purchase] = lambda deal: after.update(
        {m.Purchase: lambda deal: devnet.control.freeze()}
    )
    async with meddled(settings_for(devnet, database_url, tmp_path), after=after) as system:
        made = await started(system, devnet, ladder=Ladder.POSITION)
        deal = await holding(system, made, HoldReason.REDEMPTION_FROZEN)
        deal = await waiting(system, deal)
        frozen = await system.reporter.report(deal.deal_id)
        stuck = await record(system)
        account, lots = deal.plan.accounts.deal, deal.plan.terms.lots
        held = chain.holdings(account)
        principal.assert_whole(chain, deal)
        devnet.control.thaw()
        deal, report = await ended(system, made)
        assert [trial.is_paid for trial in await record(system)] == [True, True]
    assert [trial.is_paid for trial in stuck] == [True, False]
    assert stuck[1].size == held.usdtz * (USD8 // 10**6)
    # only the second lot's tokens are stuck: no debt, no collateral, no cash
    tranche = deal.plan.terms.tranches[1].units
    assert (held.debt, held.collateral, held.usdt, held.weth) == (0, 0, 0, 0)
    assert tranche <= held.usdtz <= tranche * 105 // 100
    assert 0 < lost(frozen) < lots[1].units / 10**6
    assert lost(frozen) < deal.plan.envelope.worst_case_loss / USD8
    # after the thaw it is redeemed, and nothing more is bought
    assert landed(deal, LegKind.CLAIM_REDEMPTION) == [LegKind.CLAIM_REDEMPTION] * 2
    principal.assert_whole(chain, deal)
    assert_nothing_left(chain, deal, report)
    assert lost(report) < 0


async def record(system):
    """What the gate knows of the desk; a lot of $2.5M is more than it lets pass on that."""
    treasury = system.desk.treasury
    accounts = Accounts(treasury.core, treasury.float, treasury.float, treasury.treasury_return, 0)
    report = await system.gatekeeper.report(accounts, [Usd8(2_500_000 * USD8)])
    assert report.verdicts[0].state is GateState.SHUT
    return report.trials


async def waiting(system, deal):
    """The deal once everything but the claim has gone home."""

    def is_home(one):
        last = [leg.kind for leg in one.legs if leg.status is LegStatus.LANDED][-1]
        return (one.status, one.group_id, last) == (
            DealStatus.HOLDING,
            None,
            LegKind.RETURN_NATIVE,
        )

    return await until(system, deal.deal_id, is_home)
