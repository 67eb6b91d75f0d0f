"""A nonce before a group's own is nobody's: the no-op that fills it is a cost of the deal."""

from dataclasses import replace

from sqlalchemy import text

from holdfast.bootstrap import opened
from holdfast.execution import model as m
from holdfast.transactions.loop import ChainLoop
from tests.support.deals import settings_for
from tests.support.onchain import OnChain
from tests.support.scenes import Meddler, assert_nothing_left, ended, loops, started

_SKIP_ONE = text("UPDATE signers SET next_nonce = next_nonce + 1 WHERE address = :address")
_NO_OPS = text("SELECT count(*) FROM ledger_entries WHERE kind = 'no_op' AND leg_id IS NULL")


def hasty(loop):
    """The chain loop, which finds a gap after a second."""
    parts = loop._parts
    patience = replace(parts.patience, seconds=1.0)
    return ChainLoop(replace(parts, patience=patience), loop._leadership, loop._announcements)


async def test_the_gas_of_a_no_op_that_fills_a_gap_is_booked_and_the_deal_goes_through(
    devnet, database_url, tmp_path
):
    async with opened(settings_for(devnet, database_url, tmp_path)) as real:

        async def skip_a_nonce(deal):  # as after a foreign use that a reorg took back
            async with real.db.begin() as session:
                await session.execute(_SKIP_ONE, {"address": deal.plan.accounts.deal})

        meddler = Meddler(real.advance.builder, after={m.Purchase: skip_a_nonce})
        system = replace(
            real,
            advance=replace(real.advance, builder=meddler),
            chain_loops=[hasty(loop) for loop in real.chain_loops],
        )
        async with loops(system):
            deal, report = await ended(system, await started(system, devnet))
        async with system.db.begin() as session:
            booked = (await session.execute(_NO_OPS)).scalar_one()
    assert booked == 1
    assert_nothing_left(OnChain(devnet), deal, report)
