"""The event listener on a real chain: everything once, whose doing it was, and what is raised."""

import json
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from eth_abi.abi import encode

from holdfast.chain.abi import selector
from holdfast.common.errors import Transient
from holdfast.common.money import amount_of
from holdfast.model.deal import DealStatus
from holdfast.monitoring.hearing import Hearing
from holdfast.monitoring.store import events as store
from tests.support.deals import ALICE, request_for, running, settings_for, until
from tests.support.fake_chain import SetClock
from tests.support.heard import told_by_the_chain
from tests.support.onchain import OnChain
from tests.support.witness import Chain, Places, observe

SOMEBODY = "0x00000000000000000000000000000000005EbD1E"


@pytest.fixture
async def system(devnet, database_url, tmp_path):
    async with running(settings_for(devnet, database_url, tmp_path)) as made:
        yield made


@pytest.fixture
def chain(devnet):
    return OnChain(devnet)


async def begun(system):
    # By a clock that stands still no look has taken any time, so that each step looks again.
    return await Hearing.begun(replace(system.listener._parts, clock=SetClock()))


async def heard(hearing):
    """Listen until there is nothing more to hear."""
    while await hearing.step():
        pass


async def kept(system, **options):
    async with system.db.begin() as session:
        wanted = {"deal": None, "only_foreign": False, "limit": 10_000, **options}
        return await store.recent(session, **wanted)


async def raised(system):
    """The codes of the open alerts, each with how often it was raised."""
    async with system.db.begin() as session:
        found = await system.notices.alerts.listed(session)
    return Counter({alert.code: alert.count for alert in found})


async def planned(system, devnet):
    return await system.desk.create(request_for(devnet), author=ALICE, approve_as=None)


def standing(devnet):
    accounts = devnet.profile.require_accounts()
    return [accounts.core, accounts.float_, accounts.treasury_return]


async def test_every_event_of_a_deal_is_found_once_and_linked_to_its_leg(
    system, devnet, database_url
):
    hearing, start = await begun(system), devnet.control.block_number()
    made = await system.desk.create(request_for(devnet), author=ALICE, approve_as=ALICE)
    account = made.plan.accounts.deal
    await until(system, made.deal_id, lambda deal: len(deal.legs) > 6)
    await heard(hearing)  # in the middle of it, whatever has its receipt by now
    deal = await until(system, made.deal_id, lambda one: one.status is DealStatus.COMPLETED)
    await heard(hearing)
    found = await kept(system)
    places = [(event.block_hash, event.log_index) for event in found]
    assert len(places) == len(set(places))
    assert set(places) == told_by_the_chain(devnet, [account, *standing(devnet)], after=start)
    legs = {leg.tx_hash: leg.leg_id for leg in deal.legs}
    assert [event.leg_id for event in found] == [legs[event.tx_hash] for event in found]
    assert not any(event.is_foreign or event.is_orphaned for event in found)
    assert await raised(system) == {}
    profile = json.loads(devnet.profile_path.read_text())
    witnessed = observe(Chain(devnet.url), Places.of(profile, account), start)
    told = Counter(effect.kind for effect in witnessed.effects)
    ours = Counter(str(event.effect.kind) for event in found)
    for kind, name in (
        ("wrap", "wrap"),
        ("unwrap", "unwrap"),
        ("supply", "supply"),
        ("withdraw", "withdraw"),
        ("borrow", "borrow"),
        ("repay", "repay"),
        ("request_redemption", "redemption_request"),
        ("claim_redemption", "redemption_claim"),
    ):
        assert told[kind] == ours[name] > 0, kind


async def test_a_listener_that_dies_between_reading_and_writing_leaves_no_gap_and_no_double(
    system, devnet, chain, monkeypatch
):
    """It dies in its transaction at every other page, and another begins from the cursor."""
    deal = await planned(system, devnet)
    account = deal.plan.accounts.deal
    await heard(await begun(system))
    start = devnet.control.block_number()

    class Died(BaseException):
        """Nothing of ours runs after it, as after SIGKILL."""

    real, deaths = store.remember, []

    async def dying(session, *arguments, **options):
        await real(session, *arguments, **options)
        if len(deaths) % 2 == 0:
            deaths.append(1)
            raise Died
        deaths.append(0)

    monkeypatch.setattr("holdfast.monitoring.hearing.store.remember", dying)
    monkeypatch.setattr("holdfast.monitoring.hearing.CHUNK", 2)
    for units in range(1, 8):
        devnet.control.give(amount_of(devnet.profile.usdt, units), account)
    hearing = await begun(system)
    while True:
        try:
            if not await hearing.step():
                break
        except Died:
            hearing = await begun(system)
    assert sum(deaths) >= 3
    found = await kept(system)
    assert {(event.block_hash, event.log_index) for event in found} == told_by_the_chain(
        devnet, [account], after=start
    )
    assert sorted(event.effect.amount for event in found) == [n * 10**6 for n in range(1, 8)]


async def test_a_second_listener_that_believes_it_leads_writes_nothing(system, devnet):
    deal = await planned(system, devnet)
    await heard(await begun(system))
    first, second = await begun(system), await begun(system)
    devnet.control.give(amount_of(devnet.profile.usdt, 1), deal.plan.accounts.deal)
    await heard(first)
    with pytest.raises(Transient) as lost:
        await second.step()
    assert lost.value.code == "events.moved_on"
    assert len(await kept(system)) == 1
    assert await raised(system) == {"account.inflow": 1}


async def test_a_new_account_is_looked_up_from_its_first_block(system, devnet, chain):
    """Its deal was made, and somebody paid it, while the listener read past those blocks."""
    hearing = await begun(system)
    await heard(hearing)
    deal = await planned(system, devnet)
    devnet.control.give(amount_of(devnet.profile.usdt, 5), deal.plan.accounts.deal)
    devnet.control.mine(3)
    await heard(hearing)
    (event,) = await kept(system)
    assert (event.deal_id, event.effect.amount) == (deal.deal_id, 5 * 10**6)
    await heard(hearing)
    assert len(await kept(system)) == 1


async def test_a_listener_started_late_looks_up_the_deals_there_are(system, devnet):
    deal = await planned(system, devnet)
    devnet.control.give(amount_of(devnet.profile.usdt, 5), deal.plan.accounts.deal)
    await heard(await begun(system))
    assert [event.effect.amount for event in await kept(system)] == [5 * 10**6]


async def test_what_a_reorg_took_is_marked_and_found_again(system, devnet, chain):
    deal = await planned(system, devnet)
    account, usdt = deal.plan.accounts.deal, devnet.profile.usdt
    hearing = await begun(system)
    await heard(hearing)
    devnet.control.give(amount_of(usdt, 5), account)
    devnet.control.mine(2)
    await heard(hearing)
    assert [event.is_orphaned for event in await kept(system)] == [False]
    devnet.control.rpc.call("anvil_reorg", 4, [])
    await heard(hearing)
    assert [event.is_orphaned for event in await kept(system)] == [True]
    devnet.control.give(amount_of(usdt, 5), account)
    await heard(hearing)
    found = await kept(system)
    assert sorted(event.is_orphaned for event in found) == [False, True]
    valid = {(one.block_hash, one.log_index) for one in found if not one.is_orphaned}
    assert valid == told_by_the_chain(devnet, [account])


async def test_a_reorg_while_the_listener_was_away_is_found_from_the_remembered_blocks(
    system, devnet
):
    deal = await planned(system, devnet)
    hearing = await begun(system)
    await heard(hearing)
    devnet.control.give(amount_of(devnet.profile.usdt, 5), deal.plan.accounts.deal)
    await heard(hearing)
    devnet.control.rpc.call("anvil_reorg", 2, [])
    devnet.control.mine(5)
    await heard(await begun(system))
    assert [event.is_orphaned for event in await kept(system)] == [True]
    assert told_by_the_chain(devnet, [deal.plan.accounts.deal]) == set()


async def test_tokens_that_leave_a_deal_by_no_doing_of_ours_are_raised(system, devnet, chain):
    deal = await planned(system, devnet)
    account = deal.plan.accounts.deal
    hearing = await begun(system)
    devnet.control.give(amount_of(devnet.profile.usdt, 5), account)
    devnet.control.set_balance(account, 10**18)
    await heard(hearing)
    assert await raised(system) == {"account.inflow": 1}
    receipt = chain.transfer_as(account, "USDT", SOMEBODY, 3 * 10**6)
    await heard(hearing)
    # its gas was paid from the account too, with a nonce that we never gave out
    assert set(await raised(system)) == {
        "account.inflow",
        "account.outflow",
        "account.foreign_nonce",
    }
    (event,) = [one for one in await kept(system, only_foreign=True) if one.effect.giver == account]
    assert (event.tx_hash, event.effect.amount) == (receipt["transactionHash"], 3 * 10**6)
    async with system.db.begin() as session:
        alerts = await system.notices.alerts.listed(session)
    (alert,) = [one for one in alerts if one.code == "account.outflow"]
    assert (str(alert.severity), alert.deal_id) == ("critical", deal.deal_id)
    assert alert.fields["amount_units"] == str(3 * 10**6)


async def test_an_approval_by_no_doing_of_ours_is_raised(system, devnet, chain):
    deal = await planned(system, devnet)
    account = deal.plan.accounts.deal
    hearing = await begun(system)
    devnet.control.set_balance(account, 10**18)
    approve = selector("approve(address,uint256)") + encode(["address", "uint256"], [SOMEBODY, 7])
    chain.send_as(account, chain.tokens["USDT"], approve)
    await heard(hearing)
    assert "account.approval" in await raised(system)


async def test_a_liquidation_is_raised(system, devnet, chain):
    """A position that somebody opened with the deal's key, liquidated when the price falls."""
    deal = await planned(system, devnet)
    account, pool = deal.plan.accounts.deal, devnet.profile.require_aave().pool
    weth, usdt = chain.tokens["WETH"], chain.tokens["USDT"]
    devnet.control.set_balance(account, 100 * 10**18)
    hearing = await begun(system)

    def send(sender, target, signature, values, value=0):
        types = signature[signature.index("(") + 1 : -1].split(",")
        data = selector(signature) + (encode(types, values) if values else b"")
        receipt = chain.send_as(sender, target, data, value, gas=2_000_000)
        assert receipt["status"] == "0x1", signature

    send(account, weth, "deposit()", [], 10 * 10**18)
    send(account, weth, "approve(address,uint256)", [pool, 10 * 10**18])
    supply = [weth, 10 * 10**18, account, 0]
    send(account, pool, "supply(address,uint256,address,uint16)", supply)
    borrow = [usdt, 10_000 * 10**6, 2, 0, account]  # 10 ETH at $2,000 carry $20,000
    send(account, pool, "borrow(address,uint256,uint256,uint16,address)", borrow)
    devnet.control.set_price(Decimal(1_000), move_pool=False)
    devnet.control.give(amount_of(devnet.profile.usdt, 10_000), SOMEBODY)
    devnet.control.set_balance(SOMEBODY, 10**18)
    send(SOMEBODY, usdt, "approve(address,uint256)", [pool, 10_000 * 10**6])
    seize = [weth, usdt, account, 2_000 * 10**6, False]
    send(SOMEBODY, pool, "liquidationCall(address,address,address,uint256,bool)", seize)
    await heard(hearing)
    codes = await raised(system)
    assert codes["account.liquidation"] == 1
    assert codes["account.debt"] >= 1
    kinds = Counter(str(event.effect.kind) for event in await kept(system, only_foreign=True))
    assert kinds["liquidation"] == kinds["supply"] == kinds["borrow"] == 1


async def test_a_fall_of_core_is_raised(system, devnet, chain):
    core = devnet.profile.require_accounts().core
    hearing = await begun(system)
    await heard(hearing)
    devnet.control.mine()
    await heard(hearing)
    assert await raised(system) == {}
    devnet.control.set_balance(core, chain.native(core) - 1)
    devnet.control.mine()
    await heard(hearing)
    assert await raised(system) == {"core.fell": 1}


async def test_core_below_what_deals_have_booked_is_raised_also_by_a_new_listener(
    system, devnet, chain
):
    made = await system.desk.create(request_for(devnet), author=ALICE, approve_as=ALICE)
    await until(system, made.deal_id, lambda deal: deal.legs)
    devnet.control.set_balance(devnet.profile.require_accounts().core, 10**18)
    hearing = await begun(system)
    await heard(hearing)
    devnet.control.mine()
    await heard(hearing)
    assert "core.below_booked" in await raised(system)


async def test_ether_sent_with_a_deals_key_is_raised_and_our_own_gas_is_not(system, devnet, chain):
    deal = await planned(system, devnet)
    account = deal.plan.accounts.deal
    devnet.control.set_balance(account, 10**18)
    hearing = await begun(system)
    await heard(hearing)
    devnet.control.mine()
    await heard(hearing)
    chain.send_as(account, SOMEBODY, value=10**17, gas=21_000)
    await heard(hearing)
    assert await raised(system) == {"account.foreign_nonce": 1}
