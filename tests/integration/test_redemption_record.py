"""What redemption desks did, read from the deals' own rows and legs."""

import pytest

from holdfast.common.ids import new_group_id
from holdfast.common.money import USD8, Usd8
from holdfast.execution.experience import Experience
from holdfast.execution.store.legs import record_legs, settle_legs
from holdfast.model.leg import LegStatus
from holdfast.risk.gate import Trial
from tests.integration.test_execution_store import load, stored
from tests.unit.execution.scene import CALLS
from tests.unit.planning import world as market

UNIT = 10**6


def dollars(amount):
    return Usd8(amount * USD8)


async def ended(database, deal, *legs, status=LegStatus.LANDED):
    """Legs of the deal that were sent and ended so."""
    before = await load(database, deal.deal_id)
    async with database.begin() as session:
        await record_legs(session, before, new_group_id(), legs)
        await settle_legs(session, {leg.leg_id: (status, None) for leg in legs})


@pytest.fixture
def trials(database):
    async def found(desk=market.DESK, chain=market.CHAIN):
        return await Experience(database, chain).trials(desk, market.USDTZ)

    return found


async def test_a_desk_that_nobody_asked_has_no_record(database, trials):
    await stored(database, 1, status="executing", usdtz_exposure=UNIT)
    assert await trials() == ()


async def test_claims_that_landed_were_paid_and_equal_ones_count_together(database, trials):
    for number in (1, 2):
        deal = await stored(database, number, status="completed")
        claims = [CALLS.claim(50_000 * UNIT), CALLS.claim(250_000 * UNIT)]
        await ended(database, deal, CALLS.request(50_000 * UNIT), *claims)
    await ended(database, deal, CALLS.claim(UNIT), status=LegStatus.REVERTED)
    assert await trials() == (
        Trial(dollars(50_000), is_paid=True, times=2),
        Trial(dollars(250_000), is_paid=True, times=2),
    )


async def test_what_a_frozen_desk_owes_was_not_paid_until_it_thaws(database, trials):
    frozen = {"status": "holding", "hold_reason": "redemption_frozen"}
    deal = await stored(database, 1, **frozen, usdtz_exposure=900_000 * UNIT)
    await stored(database, 2, status="holding", hold_reason="operator", usdtz_exposure=UNIT)
    await ended(database, deal, CALLS.claim(50_000 * UNIT))
    assert await trials() == (
        Trial(dollars(50_000), is_paid=True),
        Trial(dollars(900_000), is_paid=False),
    )


async def test_a_claim_that_went_to_the_treasury_was_not_paid(database, trials):
    kept = {"status": "completed_with_claim"}
    deal = await stored(database, 1, **kept, usdtz_exposure=0)
    back = CALLS.return_token(market.USDT, UNIT), CALLS.return_token(market.USDTZ, 7 * UNIT)
    await ended(database, deal, *back)
    await stored(database, 2, **kept, usdtz_exposure=3 * UNIT)  # still inside the desk's queue
    assert await trials() == (
        Trial(dollars(3), is_paid=False),
        Trial(dollars(7), is_paid=False),
    )


async def test_another_desk_and_another_chain_have_their_own_record(database, trials):
    frozen = {"status": "holding", "hold_reason": "redemption_frozen"}
    deal = await stored(database, 1, **frozen, usdtz_exposure=UNIT)
    await ended(database, deal, CALLS.claim(UNIT))
    assert len(await trials()) == 2
    assert await trials(desk=market.place(0x99)) == ()
    assert await trials(chain=1) == ()
