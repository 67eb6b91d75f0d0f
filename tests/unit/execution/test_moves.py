"""Which legs a move has at a position, in the order they must be mined."""

from dataclasses import replace

import pytest

from holdfast.chain.multicall import Reverted
from holdfast.common.money import USD8, WAD, Usd8
from holdfast.execution import model as m
from holdfast.execution.envelope import require_inside
from holdfast.execution.errors import MoveRefused
from holdfast.execution.moves import legs_of
from holdfast.execution.task import DEADLINE_SECONDS, Task
from holdfast.model.deal import Funding, Ladder, Step
from holdfast.model.leg import LegKind as K
from holdfast.protocols.uniswap_v3.swaps import Quote
from tests.support.walk import record_of
from tests.unit.execution.scene import AT, CALLS, PLANS, deal, leg, plan, seen
from tests.unit.planning.world import AAVE, DEAL, FLOAT, ROUTER, TREASURY, USDT, WETH

TERMS = PLANS[Funding.BORROW].terms
BUCKET_TERMS = PLANS[Funding.BUCKET].terms
MILLION = 10**12  # USDT, 6 decimals
OWING = {"cash": 50_000 * 10**6, "debt": 600_000 * 10**6}


class Quotes:
    """A node that answers quotes, in the order in which they are asked, and fills nothing more."""

    def __init__(self, *amounts):
        self.answers = [
            one if isinstance(one, Reverted) else Quote(one, 0, 0, 0) for one in amounts
        ]
        self.asked = []

    async def read(self, reads, at):
        assert at == AT
        self.asked += reads
        answers, self.answers = self.answers[: len(reads)], self.answers[len(reads) :]
        return answers + [Reverted("no depth", b"")] * (len(reads) - len(answers))


def _answer(amount):
    return amount if isinstance(amount, Reverted) else Quote(amount, 0, 0, 0)


async def legs(move, *amounts, of=None, **held):
    node = Quotes(*amounts)
    of = of or deal()
    return await legs_of(node, Task(of, seen(**held), CALLS), move)


def kinds(made):
    return [one.kind for one in made]


async def test_funding_is_one_transfer_by_the_float():
    (fund,) = await legs(m.Fund())
    assert (fund.kind, fund.step, fund.sender) == (K.FUND, Step.SPLIT, FLOAT)
    assert fund.call.target == DEAL
    assert fund.call.value_wei == TERMS.split.moved.units == 2_500 * WAD
    assert fund.call.data == b""


async def test_opening_wraps_supplies_and_borrows_what_the_terms_say():
    made = await legs(m.Open(borrow=True), native=2_500 * WAD)
    assert kinds(made) == [K.WRAP, K.APPROVE, K.SUPPLY, K.BORROW]
    wrap, approve, supply, borrow = made
    assert wrap.call.value_wei == 1_500 * WAD
    assert approve.recipient == AAVE
    assert approve.amount.units == supply.amount.units == 1_500 * WAD
    assert borrow.amount.units == TERMS.borrow.units == 600_000 * 10**6


async def test_opening_wraps_only_what_is_missing():
    made = await legs(m.Open(borrow=False), weth=1_499 * WAD, native=WAD)
    assert kinds(made) == [K.WRAP, K.APPROVE, K.SUPPLY]
    assert made[0].call.value_wei == WAD
    enough = await legs(m.Open(borrow=False), weth=1_500 * WAD)
    assert kinds(enough) == [K.APPROVE, K.SUPPLY]


async def test_opening_again_after_the_loan_was_refused_only_borrows():
    supplied = deal(legs=(leg(K.SUPPLY),))
    made = await legs(m.Open(borrow=True), of=supplied, collateral=1_500 * WAD)
    assert kinds(made) == [K.BORROW]


async def test_the_loan_shrinks_with_ether_so_that_the_opening_ltv_holds():
    """1,500 ETH at $1,600 are $2.4M: 20 % of it is $480,000, not the planned $600,000."""
    cheaper = replace(seen(native=2_500 * WAD), eth_price=Usd8(1_600 * USD8))
    made = await legs_of(Quotes(), Task(deal(), cheaper, CALLS), m.Open(borrow=True))
    assert made[-1].amount.units == 480_000 * 10**6


async def test_the_purchase_asks_for_the_plans_least_or_the_quotes_whichever_is_more():
    spend, least = TERMS.spend.units, TERMS.min_tokens.units
    poor = least * 100 // 99  # 1 % of slippage below this is under the plan's least
    approve, buy = await legs(m.Purchase(sell_bucket=False), poor, cash=spend)
    assert (approve.kind, approve.recipient, approve.amount.units) == (K.APPROVE, ROUTER, spend)
    assert (buy.kind, buy.amount.units, buy.min_out.units) == (K.SWAP, spend, least)
    assert buy.deadline == AT.timestamp + DEADLINE_SECONDS
    rich = least * 2
    _, buy = await legs(m.Purchase(sell_bucket=False), rich, cash=spend)
    assert buy.min_out.units == rich * 99 // 100


async def test_less_cash_buys_less_at_no_worse_a_price():
    half = TERMS.spend.units // 2
    _, buy = await legs(m.Purchase(sell_bucket=False), 1, cash=half)
    assert buy.amount.units == half
    # The plan's least, in proportion and rounded against the seller.
    assert buy.min_out.units == -(-TERMS.min_tokens.units * half // TERMS.spend.units)


async def test_the_bucket_is_sold_before_the_purchase():
    terms = BUCKET_TERMS
    sale_quote = terms.bucket_sale_min.units * 2
    made = await legs(
        m.Purchase(sell_bucket=True),
        terms.min_tokens.units,
        sale_quote,
        of=deal(Funding.BUCKET),
        native=1_000 * WAD,
        cash=TERMS.borrow.units,
    )
    assert kinds(made) == [K.WRAP, K.APPROVE, K.SWAP, K.APPROVE, K.SWAP]
    wrap, allow, sell, _, buy = made
    assert wrap.call.value_wei == allow.amount.units == sell.amount.units
    assert sell.amount.units == terms.bucket_sale.units
    assert sell.amount.token == WETH
    assert sell.min_out.units == sale_quote * 99 // 100
    assert buy.amount.units == terms.spend.units


async def test_the_bucket_that_is_wrapped_already_is_not_wrapped_again():
    made = await legs(
        m.Purchase(sell_bucket=True),
        BUCKET_TERMS.min_tokens.units,
        BUCKET_TERMS.bucket_sale_min.units,
        of=deal(Funding.BUCKET),
        weth=1_000 * WAD,
    )
    assert kinds(made) == [K.APPROVE, K.SWAP, K.APPROVE, K.SWAP]


async def test_a_pool_that_cannot_fill_the_purchase_refuses_the_move():
    with pytest.raises(MoveRefused) as refused:
        await legs(m.Purchase(sell_bucket=False), Reverted("SPL", b""), cash=1)
    assert refused.value.kind is K.SWAP
    assert "SPL" in refused.value.message


async def test_a_tranche_is_claimed_in_the_same_group_only_without_a_queue():
    now = await legs(m.Redeem(5, claim_now=True), tokens=5)
    later = await legs(m.Redeem(5, claim_now=False), tokens=5)
    assert kinds(now) == [K.APPROVE, K.REQUEST_REDEMPTION, K.CLAIM_REDEMPTION]
    assert kinds(later) == [K.APPROVE, K.REQUEST_REDEMPTION]
    assert {one.amount.units for one in now} == {5}
    (claim,) = await legs(m.Claim(7), claimable=7)
    assert (claim.kind, claim.amount.units) == (K.CLAIM_REDEMPTION, 7)


async def test_cash_that_covers_the_debt_repays_without_selling():
    made = await legs(m.Repay(), cash=MILLION, debt=600_000 * 10**6, collateral=1_500 * WAD)
    assert kinds(made) == [K.APPROVE, K.REPAY, K.REVOKE, K.WITHDRAW]
    # 600,000 and 0.01 % of it for interest until the block, and a unit.
    assert made[0].amount.units == 600_060 * 10**6 + 1
    assert made[2].amount.units == 0
    assert made[2].recipient == AAVE


async def test_what_cash_lacks_is_raised_from_the_reserve_within_the_oracles_price():
    """550,060 USDT are missing: at $2,000 and 3 % of exit slippage at most 283.54 ETH."""
    made = await legs(m.Repay(), 276 * WAD, **OWING, native=900 * WAD, collateral=1)
    assert kinds(made) == [
        K.WRAP, K.APPROVE, K.SWAP, K.REVOKE, K.APPROVE, K.REPAY, K.REVOKE, K.WITHDRAW,
    ]  # fmt: skip
    wrap, allow, swap, revoke, *_ = made
    short = 550_060 * 10**6 + 1
    assert (swap.min_out.units, swap.step) == (short, Step.CLOSE)
    most = swap.amount.units
    assert wrap.call.value_wei == allow.amount.units == most
    # 550,060.000001 / 2,000 / 0.97
    assert most == pytest.approx(283.536082475 * WAD, rel=1e-9)
    assert (revoke.recipient, revoke.call.target) == (ROUTER, WETH.address)


POOR = {"cash": 5_999 * 10**6, "debt": 600_000 * 10**6}  # under a hundredth of the debt


async def test_a_pool_dearer_than_the_oracle_allows_is_not_sold_into():
    with pytest.raises(MoveRefused) as refused:
        await legs(m.Repay(), 330 * WAD, **POOR, native=900 * WAD)
    assert refused.value.code == "leg.price_bound"


@pytest.mark.parametrize("move", [m.Repay(), m.RepayPart(560_000 * 10**6)])
@pytest.mark.parametrize("cash", [6_000, 50_000, 559_000])
async def test_what_cannot_be_sold_for_does_not_keep_the_cash_from_paying(move, cash):
    """Debt 600,000, and a pool 5 % under the oracle: what cash there is goes at once."""
    held = {"cash": cash * 10**6, "debt": 600_000 * 10**6, "collateral": 1}
    made = await legs(move, 330 * WAD, **held, native=900 * WAD)
    assert kinds(made) == [K.APPROVE, K.REPAY, K.REVOKE]
    assert made[1].amount.units == cash * 10**6


async def test_an_emergency_sells_as_deep_as_the_envelope_allows_and_hardly_deeper_than_asked():
    """594,061 missing at $2,000: 306.2 ETH at the ordinary 3 %, 337.5 at the deepest 12 %."""
    held = {**POOR, "native": 900 * WAD, "venue_changes": {"is_emergency": True}}
    short = 594_061 * 10**6 + 1
    for asked, most in ((306, 306.216), (320, 323.2), (337, 337.535)):
        made = await legs(m.Repay(), asked * WAD, **held)
        assert made[2].min_out.units == short
        # the ordinary bound; what the pool asks and the request's 1 %; the deepest bound
        assert made[2].amount.units == pytest.approx(most * WAD, rel=1e-4)
    with pytest.raises(MoveRefused) as refused:
        await legs(m.Repay(), 338 * WAD, **held)
    assert refused.value.code == "leg.price_bound"


async def test_a_plan_from_before_emergencies_sells_no_deeper_in_one():
    plan = PLANS[Funding.BORROW]
    old = replace(plan, envelope=replace(plan.envelope, emergency_slippage=0))
    with pytest.raises(MoveRefused):
        await legs(
            m.Repay(),
            320 * WAD,
            of=record_of(old),
            **POOR,
            native=900 * WAD,
            venue_changes={"is_emergency": True},
        )


DEEP = Reverted("no depth", b"")
DEAR = 300 * WAD  # for 275,030 USDT and a half of it: over the bound at any price near $2,000


async def test_where_the_pool_takes_a_part_only_that_part_is_sold_and_paid_and_nothing_unlocked():
    """550,060 USDT are missing; the pool is too dear for that and for a half, a quarter fits."""
    held = {**OWING, "native": 900 * WAD, "collateral": 1}
    made = await legs(m.Repay(), DEAR, 150 * WAD, 69 * WAD, 35 * WAD, **held)
    assert kinds(made) == [K.WRAP, K.APPROVE, K.SWAP, K.REVOKE, K.APPROVE, K.REPAY, K.REVOKE]
    swap, repay = made[2], made[5]
    quarter = (550_060 * 10**6 + 1) // 4
    assert swap.min_out.units == quarter
    assert repay.amount.units == 50_000 * 10**6 + quarter
    assert {one.step for one in made} == {Step.CLOSE}
    # A pool that cannot even fill the whole is asked for parts all the same.
    thin = await legs(m.Repay(), DEEP, 137 * WAD, **held)
    assert thin[2].min_out.units == (550_060 * 10**6 + 1) // 2


async def test_a_cure_takes_the_part_that_the_pool_takes_too():
    part = await legs(m.RepayPart(210_000 * 10**6), DEAR, 41 * WAD, **OWING, native=900 * WAD)
    assert kinds(part) == [K.WRAP, K.APPROVE, K.SWAP, K.REVOKE, K.APPROVE, K.REPAY, K.REVOKE]
    assert part[2].min_out.units == 80_000 * 10**6
    assert part[5].amount.units == (50_000 + 80_000) * 10**6
    converts = await legs(m.Convert(600_000 * 10**6), 400 * WAD, DEEP, 76 * WAD, native=900 * WAD)
    assert kinds(converts) == [K.WRAP, K.APPROVE, K.SWAP, K.REVOKE]
    assert converts[2].min_out.units == 150_000 * 10**6
    # The least part is a 64th.
    dear = [400 * WAD] * 6
    least = await legs(m.Convert(640_000 * 10**6), *dear, 5 * WAD, native=900 * WAD)
    assert least[2].min_out.units == 10_000 * 10**6


async def test_a_part_paid_after_a_payment_failed_leaves_the_tokens_own_fee():
    of = deal(trouble=m.Trouble(K.REPAY, 1))
    made = await legs(m.Repay(sells=False), of=of, cash=100_250 * 10**6, debt=MILLION)
    assert [one.amount.units for one in made[:2]] == [100_250 * 10**6, 100_000 * 10**6]


async def test_a_reserve_that_is_too_small_is_said_to_be():
    """299 ETH are needed; of 300 the gas reserve of 1.755 stays."""
    with pytest.raises(MoveRefused) as refused:
        await legs(m.Repay(), 299 * WAD, **POOR, native=300 * WAD)
    assert refused.value.code == "reserve.short"


async def test_a_reserve_that_is_too_small_pays_what_it_always_fetches():
    """298.245 ETH at $2,000 and 3 % under it are 578,595 USDT, whatever the pool asks for more."""
    made = await legs(m.Repay(), 299 * WAD, 298 * WAD, **POOR, native=300 * WAD, collateral=1)
    assert kinds(made) == [K.WRAP, K.APPROVE, K.SWAP, K.REVOKE, K.APPROVE, K.REPAY, K.REVOKE]
    fetched = made[2].min_out.units
    assert fetched == pytest.approx(578_595 * 10**6, rel=1e-4)
    assert made[5].amount.units == fetched + 5_999 * 10**6


async def test_collateral_without_debt_is_just_withdrawn():
    made = await legs(m.Repay(), collateral=9)
    assert kinds(made) == [K.WITHDRAW]


async def test_a_debt_without_collateral_withdraws_nothing():
    made = await legs(m.Repay(), cash=MILLION, debt=5)
    assert kinds(made) == [K.APPROVE, K.REPAY, K.REVOKE]


async def test_what_cash_there_is_pays_a_part_of_the_debt_without_selling_or_unlocking():
    made = await legs(m.Repay(sells=False), cash=50_000 * 10**6, debt=MILLION, collateral=9)
    assert kinds(made) == [K.APPROVE, K.REPAY, K.REVOKE]
    assert [one.amount.units for one in made[:2]] == [50_000 * 10**6] * 2
    assert {one.step for one in made} == {Step.CLOSE}


async def test_a_repayment_that_failed_is_tried_with_room_for_the_tokens_own_fee():
    """600,000 and 0.25 % of it, and a unit; Tether keeps 0.19 % of a transfer at most."""
    of = deal(trouble=m.Trouble(K.REPAY, 1))
    made = await legs(m.Repay(), of=of, cash=MILLION, debt=600_000 * 10**6)
    assert made[0].amount.units == 601_500 * 10**6 + 1


async def test_a_part_of_the_debt_is_repaid_from_cash_and_the_collateral_stays():
    made = await legs(m.RepayPart(210_000 * 10**6), **OWING | {"cash": MILLION}, collateral=9)
    assert kinds(made) == [K.APPROVE, K.REPAY, K.REVOKE]
    allow, repay, revoke = made
    assert allow.amount.units == repay.amount.units == 210_000 * 10**6
    assert (allow.recipient, revoke.recipient, revoke.amount.units) == (AAVE, AAVE, 0)
    assert {one.step for one in made} == {Step.LIQUIDITY}
    # The pool is asked for that much and not for all: its second word is the amount.
    assert int.from_bytes(repay.call.data[36:68]) == 210_000 * 10**6


async def test_a_part_that_cash_does_not_pay_takes_just_what_is_missing_from_the_bucket():
    """160,000 USDT: at $2,000 and 3 % of exit slippage at most 82.4742 ETH."""
    made = await legs(m.RepayPart(210_000 * 10**6), 81 * WAD, **OWING, native=900 * WAD)
    assert kinds(made) == [K.WRAP, K.APPROVE, K.SWAP, K.REVOKE, K.APPROVE, K.REPAY, K.REVOKE]
    swap = made[2]
    assert swap.min_out.units == 160_000 * 10**6
    assert swap.amount.units == pytest.approx(82.474226804 * WAD, rel=1e-9)
    assert {one.step for one in made} == {Step.LIQUIDITY}


async def test_a_part_that_could_not_be_paid_is_tried_with_room_for_the_tokens_own_fee():
    """210,000 and 0.25 % of it, of which 50,000 are there."""
    of = deal(trouble=m.Trouble(K.REPAY, 1))
    made = await legs(m.RepayPart(210_000 * 10**6), 81 * WAD, of=of, **OWING, native=900 * WAD)
    assert made[2].min_out.units == 160_525 * 10**6
    assert made[4].amount.units == 210_525 * 10**6
    assert made[5].amount.units == 210_000 * 10**6


async def test_a_conversion_sells_for_exactly_the_cash_that_is_missing_and_keeps_it():
    made = await legs(m.Convert(300_000 * 10**6), 151 * WAD, **OWING, native=900 * WAD, weth=WAD)
    assert kinds(made) == [K.WRAP, K.APPROVE, K.SWAP, K.REVOKE]
    wrap, allow, swap, revoke = made
    assert swap.min_out.units == 300_000 * 10**6
    # 300,000 / 2,000 / 0.97, of which one ether is wrapped already
    assert swap.amount.units == allow.amount.units == pytest.approx(154.639175 * WAD, rel=1e-6)
    assert wrap.call.value_wei == swap.amount.units - WAD
    assert (revoke.recipient, revoke.call.target) == (ROUTER, WETH.address)
    assert {one.step for one in made} == {Step.LIQUIDITY}


@pytest.mark.parametrize("move", [m.Convert(550_060 * 10**6 + 1), m.RepayPart(556_059 * 10**6 + 1)])
async def test_a_cure_sells_no_worse_than_the_way_home_and_keeps_the_gas(move):
    with pytest.raises(MoveRefused) as dear:
        await legs(move, 300 * WAD, **POOR, native=900 * WAD)
    assert dear.value.code == "leg.price_bound"
    with pytest.raises(MoveRefused) as short:
        await legs(move, 276 * WAD, **POOR, native=277 * WAD)
    assert short.value.code == "reserve.short"


@pytest.mark.parametrize("funding", Funding)
async def test_what_cures_call_is_inside_what_was_approved_even_when_gas_has_cost_it_all(funding):
    envelope = PLANS[funding].envelope
    spent = deal(funding, legs=(leg(fee_wei=envelope.max_fee.units + 1),))
    for move in (m.Convert(300_000 * 10**6), m.RepayPart(210_000 * 10**6)):
        made = await legs(move, 1 * WAD, of=spent, **OWING, native=900 * WAD)
        assert made
        require_inside(envelope, spent, made)


async def test_everything_goes_home_to_the_treasury():
    made = await legs(m.GoHome(with_claim=True), weth=3, cash=4, tokens=5)
    assert kinds(made) == [K.UNWRAP, K.RETURN_TOKEN, K.RETURN_TOKEN]
    assert [one.amount.units for one in made] == [3, 4, 5]
    assert {one.recipient for one in made[1:]} == {TREASURY}
    without = await legs(m.GoHome(with_claim=False), cash=4, tokens=5)
    assert [(one.kind, one.amount.token) for one in without] == [(K.RETURN_TOKEN, USDT)]


async def test_the_native_token_goes_home_but_for_what_is_kept():
    (back,) = await legs(m.ReturnNative(keep=4), native=10)
    assert (back.kind, back.recipient, back.call.value_wei) == (K.RETURN_NATIVE, TREASURY, 6)


async def test_every_leftover_is_taken_back():
    left = (m.Leftover(USDT.address, ROUTER), m.Leftover(WETH.address, AAVE))
    made = await legs(m.Revoke(left))
    assert [(one.kind, one.call.target, one.recipient) for one in made] == [
        (K.REVOKE, USDT.address, ROUTER),
        (K.REVOKE, WETH.address, AAVE),
    ]
    assert {one.amount.units for one in made} == {0}


async def test_legs_that_leave_an_event_say_which_one_proves_them():
    made = await legs(m.Open(borrow=True), native=2_500 * WAD)
    made += await legs(m.Redeem(5, claim_now=True), tokens=5)
    made += await legs(m.GoHome(with_claim=True), weth=3, cash=4, tokens=5)
    assert all(one.expected is not None for one in made)
    plain = [*await legs(m.Fund()), *await legs(m.ReturnNative(keep=0), native=1)]
    assert [one.expected for one in plain] == [None, None]


async def test_a_lot_is_bought_at_the_plans_price_in_its_turn():
    of_lots = plan(ladder=Ladder.POSITION)
    terms = of_lots.terms
    first = leg(K.SWAP, Step.PURCHASE, token=USDT.symbol, amount=terms.lots[0].units)
    for number, done in enumerate([(), (first,)]):
        record = replace(deal(legs=done), plan=of_lots)
        _, buy = await legs(m.Purchase(sell_bucket=False), 1, of=record, cash=terms.spend.units)
        assert buy.amount == terms.lots[number]
        # a unit more or less than the tranche, by the rounding of the lot's own cost
        assert abs(buy.min_out.units - terms.tranches[number].units) <= 2
