"""What a trial of an unwind goes through, and what it makes of legs that fail."""

from dataclasses import replace

import pytest

from holdfast.common.errors import Rejected
from holdfast.common.money import USD8, TokenAmount
from holdfast.execution.errors import MoveRefused
from holdfast.execution.exits import Exits, Refusal
from holdfast.execution.model import GoHome, Repay, ReturnNative
from holdfast.execution.moves import ALONE
from holdfast.model.deal import DealStatus, HoldReason, Step
from holdfast.model.leg import LegKind
from holdfast.reporting.exits import exit_view
from tests.unit.execution.scene import AT, CALLS, TOKENS, deal, seen

ETHER = 10**18
DEBT = 600_000 * 10**6
GAS = deal().plan.terms.gas_reserve.units
POSITION = {"native": 990 * ETHER, "collateral": 1_500 * ETHER, "debt": DEBT, "tokens": 10**12}


class World:
    """One account's balances, which each move of the way home changes as the chain would."""

    def __init__(self, *, is_sequential=True, gas=0, **held):
        self.held = {**POSITION, **held}
        self.sequential = is_sequential
        self.gas = gas
        self.refuses = {}
        self.fails_when_signed = []
        self.moves, self.states = [], []

    async def begin(self, count):
        return [self] * count

    async def is_sequential(self, account):
        return self.sequential

    async def observe(self, deal):
        return seen(gas=self.gas, **self.held)

    async def build(self, deal, move, seen):
        self.moves.append(type(move))
        self.states.append(deal)
        legs = getattr(self, f"_{type(move).__name__.lower()}")(deal)
        works = [leg for leg in legs if leg.kind not in self.refuses]
        for leg in legs:
            if not works or leg.kind not in ALONE:
                self._require(leg)
        return works

    async def apply(self, legs, seen):
        if self.fails_when_signed:
            raise MoveRefused(self.fails_when_signed.pop(), "not as it is signed")
        for leg in legs:
            self._land(leg)

    def _require(self, leg):
        if leg.kind in self.refuses:
            raise MoveRefused(leg.kind, self.refuses[leg.kind])

    def _repay(self, deal):
        held = self.held
        legs = [CALLS.repay_all(held["debt"])] if held["debt"] else []
        if held["collateral"]:
            legs.append(CALLS.withdraw_all(held["collateral"]))
        return legs

    def _gohome(self, deal):
        legs = [CALLS.unwrap(self.held["weth"])] if self.held["weth"] else []
        cash = self.held.get("cash", 0)
        return [*legs, CALLS.return_token(TOKENS.cash, cash)] if cash else legs

    def _returnnative(self, deal):
        keep = deal.plan.terms.gas_reserve.units if self.held["tokens"] else 0
        return [CALLS.return_native(self.held["native"] - keep)]

    def _land(self, leg):
        held, units = self.held, leg.amount.units
        match leg.kind:
            case LegKind.REPAY:  # 310 ether were sold for it
                held |= {"debt": 0, "native": held["native"] - 310 * ETHER}
            case LegKind.WITHDRAW:
                held |= {"collateral": 0, "weth": units}
            case LegKind.UNWRAP:
                held |= {"weth": 0, "native": held["native"] + units}
            case LegKind.RETURN_TOKEN:
                held["cash"] -= units
            case LegKind.RETURN_NATIVE:
                held["native"] -= units


async def tried(world, made=None):
    return await Exits(world.begin).check(made or deal(status=DealStatus.EXECUTING))


async def test_the_whole_way_home_is_tried_group_by_group():
    world = World()
    check = await tried(world)
    assert check.works is True
    assert world.moves == [Repay, GoHome, ReturnNative]
    kinds = [[leg.kind for leg in group] for group in check.groups]
    assert kinds == [[LegKind.REPAY, LegKind.WITHDRAW], [LegKind.UNWRAP], [LegKind.RETURN_NATIVE]]
    keep = check.deal.plan.terms.gas_reserve.units
    assert check.home == [TokenAmount(TOKENS.native, 2_180 * ETHER - keep)]
    assert check.after.position.claim == 10**12  # the claim and the ether for its gas stay
    # 310 ether at $2,000 paid a debt of $600,000: $20,000 of slippage.
    assert check.cost == 20_000 * USD8


async def test_the_wait_until_a_reorg_can_take_nothing_back_is_no_obstacle():
    world = World(tokens=0, blocks_to_final=64)
    check = await tried(world)
    assert check.works is True
    assert world.moves == [Repay, GoHome, ReturnNative]


async def test_redemption_counts_for_nothing_even_where_the_desk_is_open():
    world = World(queued=5 * 10**10, claimable=5 * 10**10)
    check = await tried(world)
    assert check.works is True
    assert check.after.position.claim == 11 * 10**11


async def test_a_deal_without_claim_keeps_no_ether():
    world = World(tokens=0)
    check = await tried(world)
    assert check.works is True
    assert check.home[0].units == 2_180 * ETHER


async def test_a_deal_that_has_nothing_has_nothing_to_fail():
    world = World(**dict.fromkeys(POSITION, 0))
    check = await tried(world, deal(status=DealStatus.APPROVED))
    assert (check.works, check.groups, check.cost) == (True, (), 0)


@pytest.mark.parametrize("kind", [LegKind.REPAY, LegKind.UNWRAP, LegKind.RETURN_NATIVE])
async def test_a_leg_that_fails_twice_is_what_the_unwind_fails_at(kind):
    world = World()
    world.refuses[kind] = "paused"
    check = await tried(world)
    assert check.works is False
    assert check.failing == Refusal(kind, "leg.would_fail", "paused")
    # What does not rest on it went home in between, so an unwrap is tried a third time.
    assert [one.leg for one in check.refusals] == [kind] * (3 if kind is LegKind.UNWRAP else 2)


async def test_a_venue_that_keeps_the_collateral_does_not_keep_the_debt_from_being_paid():
    world = World()
    world.refuses[LegKind.WITHDRAW] = "no liquidity"
    check = await tried(world)
    assert check.works is False
    assert check.failing.leg is LegKind.WITHDRAW
    assert (check.after.position.debt, check.after.position.collateral) == (0, 1_500 * ETHER)

    # And everything else is home, but for the ether that the rest needs for gas.
    assert check.home == [TokenAmount(TOKENS.native, 680 * ETHER - GAS)]


async def test_cash_that_its_token_keeps_back_does_not_keep_the_ether():
    """The debt token is paused between repaying and returning; 5 USDT are left over."""
    world = World(cash=5 * 10**6)
    world.refuses[LegKind.RETURN_TOKEN] = "paused"
    check = await tried(world)
    assert check.failing == Refusal(LegKind.RETURN_TOKEN, "leg.would_fail", "paused")
    left = check.after.position
    assert (left.cash, left.weth, left.collateral, left.native) == (5 * 10**6, 0, 0, GAS)


async def test_a_leg_that_works_at_the_second_try_is_told_and_fails_nothing():
    world = World()
    world.fails_when_signed = [LegKind.REPAY]
    check = await tried(world)
    assert check.works is True
    assert check.failing is None
    assert [one.reason for one in check.refusals] == ["not as it is signed"]


async def test_it_begins_with_a_clean_record_whatever_the_deal_is_at():
    world = World()
    stuck = deal(status=DealStatus.HOLDING, hold_reason=HoldReason.OPERATOR, keep_claim=True)
    check = await tried(world, replace(stuck, trouble_text="an old one"))
    assert check.works is True
    assert world.states[0].trouble is None
    assert world.states[0].hold_reason is HoldReason.REDEMPTION_FROZEN


async def test_gas_that_is_too_dear_is_in_the_way_without_a_failing_leg():
    check = await tried(World(gas=2))
    assert (check.works, check.failing) == (False, None)
    assert exit_view(check)["gas_is_too_dear"] is True


async def test_a_node_that_cannot_simulate_leaves_it_unknown():
    world = World(is_sequential=False)
    check = await tried(world)
    assert check.works is None
    assert world.moves == []
    assert exit_view(check)["works"] is None


@pytest.mark.parametrize("status", [DealStatus.COMPLETED, DealStatus.AWAITING_APPROVAL])
async def test_a_deal_that_is_not_open_is_refused(status):
    with pytest.raises(Rejected) as caught:
        await tried(World(), deal(status=status))
    assert caught.value.code == "exits.not_open"


async def test_of_many_each_is_tried_by_itself_and_what_one_cannot_be_is_its_own_error():
    world = World()
    asked = []

    async def begin(count):
        asked.append(count)
        return [World(), World(is_sequential=False), world]

    deals = [deal(status=status) for status in (DealStatus.EXECUTING, DealStatus.HOLDING)]
    works, unknown, over = await Exits(begin).checks([*deals, deal(status=DealStatus.COMPLETED)])
    assert asked == [3]
    assert (works.works, unknown.works) == (True, None)
    assert (type(over), over.code) == (Rejected, "exits.not_open")
    assert world.moves == []


async def test_the_document_has_exact_amounts_and_nothing_that_is_zero():
    world = World()
    world.refuses[LegKind.RETURN_NATIVE] = "no"
    document = exit_view(await tried(world))
    assert document["works"] is False
    assert document["block"]["number"] == AT.number
    assert document["failing"] == {"leg": "return_native", "code": "leg.would_fail", "reason": "no"}
    assert [one["what"] for one in document["left"]] == ["native", "claim"]
    assert document["left"][0]["amount"] == "2180.000000000000000000"
    assert document["home"] == []
    first = document["groups"][0][0]
    assert first == {"leg": "repay", "label": CALLS.repay_all(DEBT).label}
    assert CALLS.repay_all(DEBT).step is Step.CLOSE
