"""Runs the whole system in this process, on a devnet and a database of the test's own."""

import asyncio
import contextlib

from holdfast.bootstrap import opened
from holdfast.common.ids import BankId, ModuleId, PrincipalId
from holdfast.common.money import USD8, Usd8
from holdfast.config import load
from holdfast.model.deal import DealRequest, Funding, Ladder

ALICE = PrincipalId("alice")


def settings_for(devnet, database_url, tmp_path, **extra):
    return load(
        {
            "HOLDFAST_STATE_DIR": str(tmp_path),
            "HOLDFAST_DATABASE_URL": database_url,
            "HOLDFAST_PROFILE": str(devnet.profile_path),
            "HOLDFAST_SWEEP_SECONDS": "0.5",
            "HOLDFAST_HOLDING_CHECK_SECONDS": "0.5",
            **extra,
        }
    )


def usual_dollars(funding=Funding.BORROW, ladder=Ladder.REDEMPTION, **_):
    """Ten million; half where its whole bucket pays, which would buy beyond the loss budget."""
    buys_the_bucket = funding is Funding.BUCKET and ladder is Ladder.REDEMPTION
    return 5_000_000 if buys_the_bucket else 10_000_000


def request_for(devnet, dollars=None, **fields):
    return DealRequest(
        total_eth_value=Usd8((dollars or usual_dollars(**fields)) * USD8),
        bank=BankId("BANK001"),
        module=ModuleId("MODULE001"),
        chain_id=devnet.profile.chain_id,
        **fields,
    )


@contextlib.asynccontextmanager
async def running(settings, **options):
    """The system with its worker loops running."""
    async with opened(settings, **options) as system:
        loops = [
            asyncio.create_task(system.queue.run(system.advance)),
            asyncio.create_task(system.chain_loops[0].run()),
            asyncio.create_task(system.sweep.run()),
        ]
        try:
            yield system
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)


async def until(system, deal_id, wanted, seconds=180):
    """The deal once `wanted(deal)` is true."""
    async with asyncio.timeout(seconds):
        while True:
            deal = await system.desk.find(deal_id)
            if wanted(deal):
                return deal
            await asyncio.sleep(0.05)
