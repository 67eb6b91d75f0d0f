"""Redemption freezes in the middle of a deal: the principal is home in wei before it thaws."""

from dataclasses import dataclass

import pytest

from holdfast.ledger.model import Account
from holdfast.model.deal import DealStatus, Funding, HoldReason
from holdfast.model.leg import LegKind, LegStatus
from tests.support.deals import ALICE, request_for, running, settings_for, until
from tests.support.onchain import BORROW, REPAY, SUPPLY, Holdings, OnChain

NOTHING = Holdings(0, 0, 0, 0, 0, 0)
FIRST_TRANCHE = 50_000 * 10**6  # USDTz, 6 decimals: $50k at par


@dataclass(frozen=True)
class Moment:
    """One deal on the chain and in the reports, at one time."""

    account: Holdings
    allowances: dict
    home_native: int
    gas_paid: int
    report: dict

    def booked(self, account):
        """The units of one ledger account, by token."""
        rows = self.report["ledger"]["balances"]
        return {row["token"]: int(row["units"]) for row in rows if row["account"] == account}


async def moment(chain, system, deal):
    accounts = deal.plan.accounts
    return Moment(
        account=chain.holdings(accounts.deal),
        allowances=chain.allowances(accounts.deal),
        home_native=chain.native(accounts.treasury_return),
        gas_paid=chain.gas_paid(accounts.deal),
        report=await system.reporter.report(deal.deal_id),
    )


def is_home(deal):
    """Holding, nothing under way, and the native token has gone back."""
    returned = any(
        leg.kind is LegKind.RETURN_NATIVE and leg.status is LegStatus.LANDED for leg in deal.legs
    )
    return deal.status is DealStatus.HOLDING and deal.group_id is None and returned


def assert_principal_is_home(chain, deal, held, home_before):
    """No debt, no collateral, no cash, no allowance: the claim and the ether for its gas are left.

    Ether to the wei: what was moved in, less what was sold and burnt, is home or kept for gas.
    """
    account, terms = deal.plan.accounts.deal, deal.plan.terms
    working, moved = terms.split.working.units, terms.split.moved.units
    claim = chain.moved("USDTz", sender=chain.pool_with_usdt("USDTz"), receiver=account)
    claim -= FIRST_TRANCHE
    assert held.account == Holdings(terms.gas_reserve.units, 0, 0, claim, 0, 0)
    assert held.allowances == {}
    assert chain.supplied(account) == working
    assert chain.withdrawn(account) >= working
    sold = chain.moved("WETH", sender=account, receiver=chain.pool_with_usdt("WETH"))
    earned = chain.withdrawn(account) - working
    kept = held.home_native - home_before + held.account.native
    assert kept + held.gas_paid == moved - sold + earned
    assert held.booked(Account.CLAIM_HELD) == {"USDTz": claim}
    assert held.report["pnl"]["claim"]["tokens"]["units"] == str(claim)
    assert held.report["ledger"]["mismatch_wei"] == "0"


def assert_profit_is_booked(chain, deal, done):
    """Everything redeemed, each leg once; bought near 0.60, so 60 % of the spend is profit."""
    account = deal.plan.accounts.deal
    assert (done.account, done.allowances, chain.in_desk(account)) == (NOTHING, {}, 0)
    assert done.booked(Account.CLAIM_HELD).get("USDTz", 0) == 0
    assert done.report["ledger"]["mismatch_wei"] == "0"
    assert float(done.report["pnl"]["total_usd"]) * 10**6 > deal.plan.terms.spend.units * 6 // 10
    assert all(row["ok"] for row in done.report["invariants"] if row["severity"] == "hard")
    once = ((SUPPLY, None, account), (BORROW, None, account), (REPAY, None, account))
    assert [chain.count(*event) for event in once] == [1, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("funding", Funding)
async def test_a_freeze_at_the_second_tranche_brings_the_principal_home_and_a_thaw_the_profit(
    devnet, database_url, tmp_path, funding
):
    chain, standing = OnChain(devnet), devnet.profile.require_accounts()
    core, home = chain.holdings(standing.core), chain.native(standing.treasury_return)
    float_ = chain.native(standing.float_)
    devnet.control.freeze_after(1)
    async with running(settings_for(devnet, database_url, tmp_path)) as system:
        request = request_for(devnet, funding=funding)
        made = await system.desk.create(request, author=ALICE, approve_as=ALICE)
        deal = await until(system, made.deal_id, is_home)
        held = await moment(chain, system, deal)
        devnet.control.thaw()
        deal = await until(system, made.deal_id, lambda d: d.status is DealStatus.COMPLETED)
        done = await moment(chain, system, deal)
    assert held.report["hold_reason"] == HoldReason.REDEMPTION_FROZEN
    assert_principal_is_home(chain, deal, held, home)
    assert_profit_is_booked(chain, deal, done)
    assert chain.holdings(standing.core) == core
    (funded,) = [leg for leg in deal.legs if leg.kind is LegKind.FUND]
    spent = deal.plan.terms.split.moved.units + funded.fee_wei
    assert float_ - chain.native(standing.float_) == spent
