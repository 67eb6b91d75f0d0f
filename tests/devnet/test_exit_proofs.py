"""A slice of `make exit-proofs`, and cells that were made wrong on the chain itself."""

import contextlib
import json

import pytest

from holdfast.common.money import TokenAmount
from holdfast.devnet.accounts import ADMIN
from holdfast.execution import model as m
from holdfast.model.deal import HoldReason
from tests.exits.cells import DISCLOSED, At, Cell, Freeze, Made
from tests.exits.home import Home, Start
from tests.exits.proof import Proof, Verdict, prove
from tests.support.deals import settings_for
from tests.support.onchain import OnChain
from tests.support.scenes import HOLD, Orders, holding, meddled, started
from tests.support.witness import Chain

SLICE = [
    Cell(Freeze.REDEMPTION_FROZEN, At.PURCHASE),
    Cell(Freeze.BORROWING_OFF, At.LIQUIDITY),
    Cell(Freeze.POOL_DRAINED, At.QUEUED),
    Cell(Freeze.USDT_PAUSED, At.MONETISATION),
    Cell(Freeze.USDT_PAUSED, At.RETURN),
    Cell(Freeze.REDEMPTION_FROZEN, At.MONETISATION, Made.BUCKET),
    Cell(Freeze.POOL_DRAINED, At.PURCHASE, Made.LADDER),
]


@pytest.fixture
def world(start_devnet, new_database):
    """Opens worlds for one cell: each attempt has a devnet, a database and a folder of its own."""

    @contextlib.contextmanager
    def opened():
        devnet = start_devnet()
        yield devnet, new_database(), devnet.folder

    return opened


@pytest.mark.slow
@pytest.mark.parametrize("cell", SLICE, ids=str)
async def test_a_freeze_leaves_core_and_collateral_whole(cell, world):
    proof = await prove(cell, world)
    wanted = Verdict.DISCLOSED if cell.freeze in DISCLOSED else Verdict.HOME
    assert proof.verdict is wanted, proof.why
    assert proof.end.loss_usd8 <= proof.bound


async def test_a_deal_that_never_comes_home_is_no_proof_whatever_froze(
    devnet, database_url, tmp_path
):
    """It stands still with its loan open, and then some core leaves: the judge sees both."""
    chain, orders = Chain(devnet.url), Orders()
    profile = json.loads(devnet.profile_path.read_text())
    start = Start.read(chain, profile)
    settings = settings_for(devnet, database_url, tmp_path)
    async with meddled(settings, after={m.Redeem: orders.give(HOLD)}) as system:
        orders.system = system
        made = await started(system, devnet)
        deal = await holding(system, made, HoldReason.OPERATOR)
    account, bound = deal.plan.accounts.deal, deal.plan.envelope.worst_case_loss

    def judged(freeze):
        seen = Home.read(chain, profile, account, start)
        return Proof(Cell(freeze, At.MONETISATION), "", "", seen, seen, 10**18, bound)

    stuck = judged(Freeze.USDT_PAUSED)
    assert stuck.verdict is Verdict.BROKEN
    assert any("USDT owed" in problem for problem in stuck.why)
    assert any("at the venue" in problem for problem in stuck.why)
    assert stuck.during.is_core_whole
    OnChain(devnet).send_as(devnet.profile.require_accounts().core, ADMIN, value=1)
    assert any("core moved by" in problem for problem in judged(Freeze.ORACLE_STALE).why)
    devnet.control.give(TokenAmount(devnet.profile.usdt, 1), account)
    assert any("USDT not returned" in problem for problem in judged(Freeze.ORACLE_STALE).why)
