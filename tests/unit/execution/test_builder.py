"""Legs are tried before they are signed, and given the gas that the trial used."""

from dataclasses import replace

import pytest

from holdfast.chain.simulation import SimResult
from holdfast.common.money import WAD
from holdfast.execution import model as m
from holdfast.execution.builder import GAS_ROOM, TRIAL_GAS, LegBuilder
from holdfast.execution.errors import MoveRefused
from holdfast.model.leg import LegKind as K
from tests.unit.execution.scene import AT, FEES, TOKENS, deal, leg, seen
from tests.unit.planning.world import VENUES


class Trial:
    """A node that runs every call for `gas`, but for the ones that fail."""

    def __init__(self, gas=100_000, fails=None, why="no"):
        self.gas, self.fails, self.why = gas, fails, why
        self.tried = []

    async def simulate(self, steps, at):
        assert at == AT
        self.tried += steps
        return [self._result(index) for index in range(len(steps))]

    def _result(self, index):
        fails = self.fails if isinstance(self.fails, set) else {self.fails}
        ok = index not in fails
        return SimResult(ok, self.gas, b"", "" if ok else self.why, ())


def built(node, move, *, of=None, **held):
    builder = LegBuilder(node, VENUES, TOKENS)
    return builder.build(of or deal(), move, seen(**held))


async def test_every_leg_of_a_group_is_tried_in_order_on_the_observed_block():
    node = Trial()
    legs = await built(node, m.Redeem(5, claim_now=True), tokens=5)
    assert [step.call for step in node.tried] == [one.call for one in legs]
    assert {step.gas_limit for step in node.tried} == {TRIAL_GAS}


async def test_the_gas_limit_leaves_room_over_what_the_trial_used():
    legs = await built(Trial(gas=100_000), m.Redeem(5, claim_now=True), tokens=5)
    # 60 % more for refunds and moved state, and 20,000.
    assert {one.gas_limit for one in legs} == {160_000 + GAS_ROOM} == {180_000}


async def test_the_first_leg_that_fails_refuses_the_move_and_is_named():
    with pytest.raises(MoveRefused) as refused:
        await built(Trial(fails=1, why="frozen"), m.Redeem(5, claim_now=True), tokens=5)
    assert refused.value.kind is K.REQUEST_REDEMPTION
    assert refused.value.code == "leg.would_fail"
    assert refused.value.message == "request_redemption: frozen"
    assert refused.value.fields == {"leg": "request_redemption", "reason": "frozen"}


HOMEWARD = {"weth": 5, "cash": 6, "tokens": 7}


@pytest.mark.parametrize(
    ("fails", "sent"),
    [
        ({0}, [K.RETURN_TOKEN, K.RETURN_TOKEN]),
        ({1}, [K.UNWRAP, K.RETURN_TOKEN]),
        ({1, 2}, [K.UNWRAP]),
        ({0, 2}, [K.RETURN_TOKEN]),
    ],
)
async def test_what_goes_home_does_not_wait_for_a_token_that_keeps_something_back(fails, sent):
    """I7: with the debt token paused the ether comes home all the same."""
    legs = await built(Trial(fails=fails), m.GoHome(with_claim=True), **HOMEWARD)
    assert [one.kind for one in legs] == sent


async def test_a_group_of_which_nothing_works_is_refused():
    with pytest.raises(MoveRefused) as refused:
        await built(Trial(fails={0, 1, 2}), m.GoHome(with_claim=True), **HOMEWARD)
    assert refused.value.kind is K.UNWRAP


OWING = {"cash": 10**12, "debt": 6 * 10**11, "collateral": 9}
PAID = [K.APPROVE, K.REPAY, K.REVOKE, K.WITHDRAW]


async def test_the_debt_is_paid_though_the_venue_keeps_the_collateral_or_an_allowance_stays():
    """I7: with all WETH lent out the withdrawal is refused, and is tried alone later."""
    assert [one.kind for one in await built(Trial(), m.Repay(), **OWING)] == PAID
    locked = await built(Trial(fails=3), m.Repay(), **OWING)
    assert [one.kind for one in locked] == PAID[:3]
    stubborn = await built(Trial(fails={2, 3}), m.Repay(), **OWING)
    assert [one.kind for one in stubborn] == PAID[:2]


async def test_a_leg_that_others_rest_on_refuses_the_move_whatever_else_fails():
    with pytest.raises(MoveRefused) as refused:
        await built(Trial(fails={1, 2, 3}), m.Repay(), **OWING)
    assert refused.value.kind is K.REPAY
    with pytest.raises(MoveRefused) as first:
        await built(Trial(fails={0, 3}), m.Repay(), **OWING)
    assert first.value.kind is K.APPROVE


async def test_what_lies_outside_the_approval_is_not_even_tried():
    node = Trial()
    spent = deal(legs=(leg(fee_wei=WAD * 100),))
    with pytest.raises(MoveRefused) as refused:
        await built(node, m.Redeem(5, claim_now=True), of=spent, tokens=5)
    assert refused.value.code == "envelope.fees"
    assert node.tried == []


async def test_a_sweep_sends_all_but_what_is_kept_and_exactly_its_own_gas():
    node = Trial(gas=21_000)
    (back,) = await built(node, m.ReturnNative(keep=WAD), native=3 * WAD)
    assert back.gas_limit == 21_000
    fee = 21_000 * FEES.cap_wei
    assert back.call.value_wei == back.amount.units == 2 * WAD - fee
    assert back.call.value_wei + fee + WAD == 3 * WAD
    # It is tried without value: how much it may carry is known only after the trial.
    assert node.tried[0].call.value_wei == 0


async def test_dust_that_costs_more_to_send_than_it_is_worth_stays():
    fee = 21_000 * FEES.cap_wei
    with pytest.raises(MoveRefused) as refused:
        await built(Trial(gas=21_000), m.ReturnNative(keep=0), native=fee)
    assert refused.value.code == "leg.dust"
    (back,) = await built(Trial(gas=21_000), m.ReturnNative(keep=0), native=fee + 1)
    assert back.call.value_wei == 1


async def test_other_legs_keep_their_value():
    node = Trial()
    (fund,) = await built(node, m.Fund())
    assert node.tried[0].call == fund.call
    assert fund == replace(fund, gas_limit=180_000)
