"""How a group becomes intents: who signs what, at which price, and what proves it."""

from dataclasses import replace

import pytest

from holdfast.common.errors import Transient
from holdfast.common.ids import new_group_id
from holdfast.common.money import WAD
from holdfast.execution import packaging
from holdfast.execution.packaging import EoaAccount
from holdfast.model.deal import DealStatus, Step
from holdfast.model.leg import LegKind
from holdfast.signing.model import KeyRef
from holdfast.transactions.fees import exact
from tests.unit.execution.scene import CALLS, FEES, TOKENS, deal, seen
from tests.unit.planning.world import DEAL, FLOAT, ROUTER

FLOAT_KEY = KeyRef("hd", "0")


class Keys:
    async def create(self, deal_id, number):
        return KeyRef("hd", str(number))


class Recorder:
    def __init__(self, promised=0):
        self.calls = []
        self.promised = promised

    async def record(self, session, intents, fees, nonces):
        self.calls.append((session, intents, fees, nonces))

    async def live_value(self, session, chain_id, sender):
        return self.promised


DEPTHS = dict.fromkeys(LegKind, 1) | {
    LegKind.REQUEST_REDEMPTION: 2,
    LegKind.CLAIM_REDEMPTION: 3,
}


@pytest.fixture
def recorded(monkeypatch):
    """The legs that were stored beside the intents."""
    stored = []

    async def record_legs(session, of, group_id, legs):
        stored.append((session, of.deal_id, group_id, legs))

    async def record_snapshot(session, of, group_id, observed):
        assert observed.deal_nonce == 0

    monkeypatch.setattr(packaging, "record_legs", record_legs)
    monkeypatch.setattr(packaging, "record_snapshot", record_snapshot)
    return stored


async def sent(legs, of=None, promised=0):
    transactions, group = Recorder(promised), new_group_id()
    account = EoaAccount(transactions, Keys(), FLOAT_KEY, DEPTHS)
    await account.send("session", of or deal(), group, legs, seen=seen())
    (call,) = transactions.calls
    return group, call


async def test_each_leg_is_one_intent_in_the_callers_transaction(recorded):
    of = deal()
    legs = [CALLS.approve(Step.PURCHASE, TOKENS.cash, ROUTER, 5), CALLS.request(5), CALLS.claim(5)]
    group, (session, intents, fees, nonces) = await sent(legs, of)
    assert [one.leg_id for one in intents] == [one.leg_id for one in legs]
    assert [one.call for one in intents] == [one.call for one in legs]
    assert [one.expected for one in intents] == [one.expected for one in legs]
    assert {one.group_id for one in intents} == {group}
    assert {one.deal_id for one in intents} == {of.deal_id}
    assert [one.depth for one in intents] == [1, 2, 3]
    assert {one.fee_ceiling_wei for one in intents} == {of.plan.envelope.gas_price_ceiling_wei}
    assert (session, fees) == ("session", FEES)
    assert nonces == {DEAL: 0, FLOAT: 0}
    assert recorded == [("session", of.deal_id, group, legs)]


async def test_the_float_signs_the_funding_and_the_deals_own_key_the_rest(recorded):
    _, (_, intents, *_) = await sent([CALLS.fund(5), CALLS.claim(5)])
    assert [(one.sender, one.key) for one in intents] == [
        (FLOAT, FLOAT_KEY),
        (DEAL, KeyRef("hd", "1")),
    ]


async def test_a_sweep_pays_exactly_its_cap_and_is_marked(recorded):
    _, (_, intents, fees, _) = await sent([CALLS.return_native(5)])
    assert intents[0].is_sweep
    assert fees == exact(FEES)
    assert fees.tip_wei == fees.cap_wei
    _, (_, intents, fees, _) = await sent([CALLS.return_token(TOKENS.cash, 5)])
    assert not intents[0].is_sweep


async def test_a_float_that_is_sending_its_money_elsewhere_makes_the_deal_wait(recorded):
    """It holds 1,000,000 ETH; 2,500 more are wanted beside what others were promised."""
    fund = replace(CALLS.fund(2_500 * WAD), gas_limit=21_000)
    gas = 21_000 * FEES.cap_wei
    await sent([fund], promised=10**24 - 2_500 * WAD - gas)
    with pytest.raises(Transient) as postponed:
        await sent([fund], promised=10**24 - 2_500 * WAD - gas + 1)
    assert postponed.value.code == "float.busy"


@pytest.mark.parametrize(
    ("status", "leg", "is_safer"),
    [
        (DealStatus.EXECUTING, CALLS.repay(Step.LIQUIDITY, 5), True),
        (DealStatus.EXECUTING, CALLS.repay(Step.CLOSE, 5), True),
        (DealStatus.EXECUTING, CALLS.supply(5), False),
        (DealStatus.EXECUTING, CALLS.request(5), False),
        (DealStatus.HOLDING, CALLS.request(5), True),
        (DealStatus.CLOSING, CALLS.unwrap(5), True),
    ],
)
async def test_what_lowers_risk_may_be_replaced_up_to_the_emergencys_ceiling(
    recorded, status, leg, is_safer
):
    of = deal(status=status)
    _, (_, intents, _, _) = await sent([leg], of)
    envelope = of.plan.envelope
    assert envelope.homeward_gas_price_wei == 1_000 * 10**9 > envelope.gas_price_ceiling_wei
    wanted = envelope.homeward_gas_price_wei if is_safer else envelope.gas_price_ceiling_wei
    assert [one.fee_ceiling_wei for one in intents] == [wanted]
