"""The monitor over a falling market: each alarm told, each cure on chain, by its wake-ups alone."""

from tests.devnet.test_cures import DOLLAR, alerts, cured, told, waiting
from tests.devnet.test_monitor import SLEEPS, monitored
from tests.support.deals import running, settings_for

TICK_BLOCKS = 5  # a tick is five seconds, a block here one


async def test_a_deal_that_never_looks_by_itself_is_cured_when_a_tick_sees_the_fall(
    interval_devnet, database_url, tmp_path
):
    devnet = interval_devnet
    settings = settings_for(devnet, database_url, tmp_path, **SLEEPS)
    async with running(settings) as system, monitored(system):
        fall = await waiting(system, devnet)
        await fall.to(1_500, cures=1)
        assert fall.held().usdt > 611_000 * DOLLAR
        deal = await fall.to(1_300, cures=2)
        assert fall.ltv() <= 0.20
        looks = [detail["block"] for detail in await told(system, deal.deal_id, "deal.cure")]
        for look, legs in zip(looks, cured(deal), strict=True):
            assert {leg.block_number - look for leg in legs} <= {1, 2}
        async with system.db.begin() as session:
            kept = await system.notices.alerts.listed(session, with_closed=True)
        (thin,) = [one for one in kept if one.code == "risk.warning.I3.debt_cover_warning"]
        assert 0 <= looks[0] - thin.fields["block"] <= TICK_BLOCKS
        assert "deal.cure" in {one.code for one in kept}
        assert not [one for one in kept if one.code.startswith("risk.breach.I9")]
        assert "deal.cure" not in await alerts(system)  # over by itself
