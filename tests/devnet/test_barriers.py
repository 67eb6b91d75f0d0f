"""Legs that share a block may revert in any combination: none may break I2-I6.

For every move of the loop, in both fundings and through a freeze, every subset of its legs is
tried on the very state the move meets; a leg that is left out stands for one that reverted. From
every state that comes of it the deal must also find its way on: no allowance stays, and with
nothing further going wrong everything comes home.
"""

from dataclasses import dataclass, field, replace
from itertools import combinations

import pytest

from holdfast.chain.node import Node
from holdfast.chain.rpc import Rpc
from holdfast.common.money import Bps, Usd8, mul_div
from holdfast.execution import model as m
from holdfast.execution.breaches import Exposure, stress_of
from holdfast.execution.calls import DealCalls
from holdfast.execution.errors import MoveRefused
from holdfast.execution.script import play
from holdfast.model.deal import TERMINAL, DealStatus, Funding, Step
from holdfast.model.leg import LegKind
from holdfast.risk.checks import at_most
from holdfast.risk.formulas import ltv
from holdfast.risk.invariants import Facts, Lending, Moment, Spending, evaluate
from tests.support.walk import Walk, settled

HOMEWARD_MOVES = 30  # more than any way home has, however often legs are tried again


@dataclass
class Findings:
    """What was tried and what was found wrong: (move, legs kept, what)."""

    subsets: int = 0
    worlds: int = 0
    moves: set = field(default_factory=set)
    broken: list = field(default_factory=list)

    @property
    def codes(self):
        return {what for _, _, what in self.broken}


@pytest.fixture
async def walk(devnet):
    node = Node(Rpc.over_http(devnet.url), devnet.profile)
    await node.connect()
    yield Walk(devnet, node)
    await node.close()


async def explore(group, findings):
    """Try every subset of the group's legs."""
    findings.moves.add(type(group.move))
    for size in range(len(group.legs) + 1):
        for kept in combinations(group.legs, size):
            findings.subsets += 1
            world = group.imagine(kept)
            if not all(result.ok for result in await world.ran()):
                continue  # what fails by itself is as good as left out: that is another subset
            findings.worlds += 1
            kinds = tuple(str(leg.kind) for leg in kept)
            async for what in wrong_with(group, kept, world):
                findings.broken.append((type(group.move).__name__, kinds, what))


async def wrong_with(group, kept, world):
    seen = await group.walk.observer(world).observe(group.deal)
    for check in checks(group, seen):
        if check.is_violation:
            yield check.code
    deal = settled(group.deal, group.legs, [leg in kept for leg in group.legs])
    async for what in unrevoked(group, deal, world, seen):
        yield what
    async for what in never_home(group, deal, world):
        yield what


def checks(group, seen):
    """I2-I6 of the position; the token counts for nothing but in I4."""
    deal, limits = group.deal, group.walk.limits
    envelope, terms = deal.plan.envelope, deal.plan.terms
    exposure = Exposure(
        position=seen.position,
        eth_price=seen.eth_price,
        cash_price=seen.cash_price,
        cash_decimals=terms.borrow.token.decimals,
        borrow_rate=seen.borrow_rate,
        threshold=group.threshold,
    )
    sheet = exposure.sheet(seen.balances.core)
    facts = Facts(
        sheet=sheet,
        stress=stress_of(deal, exposure, limits),
        gas_reserve=exposure.eth_value(terms.gas_reserve.units),
        token_at_venue=at_venue(group.walk.parts, seen),
        lending=Lending(most=envelope.max_ltv, threshold=group.threshold),
    )
    yield from evaluate(facts, limits, Moment.PRE_TRADE)
    if isinstance(group.move, m.Open):
        # Right after the loan, not later: interest adds to it. The venue keeps debt in scaled
        # units and may round it up by one of USDT, which is worth 100 here.
        drawn = Usd8(max(0, sheet.debt - 100))
        yield at_most("I6.opening_ltv", envelope.opening_ltv, ltv(drawn, sheet.collateral), "LTV")
    if isinstance(group.move, m.Open | m.Purchase):
        spent = spending(group, seen, exposure, sheet)
        yield from evaluate(spent, limits, Moment.PRE_TRADE)


def spending(group, seen, exposure, sheet):
    """I4's facts with the tokens held at what they cost."""
    terms, envelope = group.deal.plan.terms, group.deal.plan.envelope
    share = mul_div(terms.spend.units, seen.position.tokens, terms.min_tokens.units)
    cost = Usd8(mul_div(min(share, terms.spend.units), exposure.cash_price, 10**6))
    bucket = exposure.eth_value(terms.split.bucket.units)
    charges = exposure.eth_value(envelope.max_fee.units)
    return Facts(
        sheet=replace(sheet, token_cost=cost, token_market=cost),
        spending=Spending(terms.funding, bucket, charges),
        max_exposure=envelope.max_exposure,
    )


def at_venue(parts, seen):
    forbidden = m.Leftover(parts.usdtz.address, parts.aave.address)
    return int(forbidden in seen.position.leftovers)


async def unrevoked(group, deal, world, seen):
    """An allowance that is left over is what the very next decision takes back, all of it.

    But for one whose own taking back failed: debt is not kept waiting for it (I7), and `never_home`
    sees that it is gone in the end.
    """
    left = seen.position.leftovers
    if not left or (deal.trouble is not None and deal.trouble.kind is LegKind.REVOKE):
        return
    script = play(deal, seen.position, seen.venues)
    if script.outcome != m.Send(m.Revoke(left)):
        yield f"allowances stay: next is {script.outcome}"
        return
    try:
        legs = await group.walk.builder(world).build(script.deal, script.outcome.move, seen)
    except MoveRefused as error:
        yield f"allowances stay: {error.message}"
        return
    after = await group.walk.observer(world.then(legs)).observe(deal)
    if after.position.leftovers:
        yield "allowances are not back to zero"


async def never_home(group, deal, world):
    """What keeps the deal from coming to rest with nothing owed and nothing locked."""
    ends = await group.walk.to_rest(deal, world, HOMEWARD_MOVES)
    position = ends.seen.position
    if position.queued and ends.outcome == m.Wait(m.WaitFor.QUEUE):
        return  # no time passes here: with the tranche in the queue the loan rightly stays
    if position.debt or position.collateral or position.leftovers:
        yield f"ends {ends.deal.status} with {position}"
    is_over = ends.deal.status in TERMINAL and position.claim == 0
    waits = ends.deal.status is DealStatus.HOLDING and ends.outcome == m.Wait(m.WaitFor.THAW)
    if not (is_over or waits):
        yield f"ends {ends.deal.status}: {ends.outcome}"


async def explore_all(walk, findings):
    """Every group of the deal until it waits; each is mined whole before the next."""
    while (group := await walk.step()) is not None:
        await explore(group, findings)
        await walk.carry_out(group.legs)


BORROW = pytest.param(Funding.BORROW, Bps(2_000), id="borrow")
BORROW_MORE = pytest.param(Funding.BORROW, Bps(2_500), id="borrow-25")
BUCKET = pytest.param(Funding.BUCKET, Bps(2_000), id="bucket")
NO_LOAN = pytest.param(Funding.BUCKET, Bps(0), id="bucket-no-loan")
LOOP = {m.Fund, m.Open, m.Purchase, m.Redeem, m.Repay, m.GoHome, m.ReturnNative}


@pytest.mark.parametrize(("funding", "ltv"), [BORROW, BUCKET, NO_LOAN])
async def test_no_subset_of_a_groups_legs_breaks_a_rule(walk, funding, ltv):
    await walk.plan(funding, opening_ltv=ltv)
    findings = Findings()
    await explore_all(walk, findings)
    assert findings.broken == []
    assert walk.deal.status is DealStatus.COMPLETED
    assert findings.moves == LOOP
    # Four tranches of three legs, 2^3 each; opening has three legs or four, closing four.
    assert findings.subsets >= 4 * 8 + 8 + 4


@pytest.mark.parametrize(("funding", "ltv"), [BORROW, BORROW_MORE, BUCKET])
async def test_no_subset_breaks_a_rule_while_a_frozen_deal_unwinds_or_after_it_thawed(
    walk, funding, ltv
):
    await walk.plan(funding, opening_ltv=ltv)
    walk.control.freeze_after(1)
    findings = Findings()
    await explore_all(walk, findings)
    assert findings.broken == []
    assert (walk.deal.status, walk.deal.hold_reason) == (DealStatus.HOLDING, "redemption_frozen")
    assert findings.moves == LOOP
    if funding is Funding.BORROW:  # wrap, approve, sell, revoke, approve, repay, revoke, withdraw
        assert findings.subsets > 2**8
    walk.control.thaw()
    await explore_all(walk, findings)
    assert findings.broken == []
    assert walk.deal.status is DealStatus.COMPLETED


async def test_no_subset_breaks_a_rule_while_tranches_wait_in_the_queue(walk):
    await walk.plan(Funding.BORROW)
    walk.control.set_queue_delay(60)
    findings = Findings()
    while walk.deal.status is not DealStatus.COMPLETED:
        await explore_all(walk, findings)
        walk.control.advance_time(61)
    assert findings.broken == []
    assert findings.moves == LOOP | {m.Claim}


async def test_no_subset_breaks_a_rule_when_the_claim_is_given_up(walk):
    await walk.plan(Funding.BORROW)
    walk.control.freeze_after(2)
    findings = Findings()
    await explore_all(walk, findings)
    walk.deal = replace(walk.deal, status=DealStatus.CLOSING, hold_reason=None, keep_claim=True)
    await explore_all(walk, findings)
    assert findings.broken == []
    assert walk.deal.status is DealStatus.COMPLETED_WITH_CLAIM


def planted_return(calls, position):
    """Cash that leaves for the treasury in the block that repays."""
    spare = position.cash - position.debt - position.debt // 1_000
    return calls.return_token(calls.tokens.cash, spare)


def planted_withdrawal(calls, position):
    """Four tenths of the collateral, taken without waiting for the debt to be gone."""
    pool, weth = calls.protocols.aave, calls.protocols.weth.address
    part = position.collateral * 4 // 10
    leg = calls.withdraw_all(part)
    return replace(leg, call=pool.withdraw(weth, part, calls.owner))


def planted_collateral(calls, position):
    """The token, offered to the lending venue."""
    token, pool = calls.tokens.discounted, calls.protocols.aave.address
    return calls.approve(Step.CLOSE, token, pool, position.tokens + 1)


@pytest.mark.parametrize(
    ("plant", "code"),
    [
        (planted_return, "I3.debt_cover"),
        (planted_return, "I2.repayment"),
        (planted_withdrawal, "I6.ltv"),
        (planted_collateral, "I5.token_at_venue"),
    ],
)
async def test_a_leg_that_belongs_behind_a_barrier_is_found(walk, plant, code):
    """The same search finds a planted fault: so it could find a real one."""
    await walk.plan(Funding.BUCKET)
    findings = Findings()
    while not isinstance((group := await walk.step()).move, m.Repay):
        await walk.carry_out(group.legs)
        if isinstance(group.move, m.Purchase):
            walk.control.freeze()
    calls = DealCalls(walk.parts, walk.tokens, group.deal.plan.accounts)
    leg = replace(plant(calls, group.seen.position), gas_limit=500_000)
    await explore(replace(group, legs=(*group.legs, leg)), findings)
    assert code in findings.codes
    assert all(str(leg.kind) in kinds for _, kinds, what in findings.broken if what == code)
    honest = Findings()
    await explore(group, honest)
    assert honest.broken == []
