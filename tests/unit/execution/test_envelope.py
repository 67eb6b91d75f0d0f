"""Nothing outside what was approved is ever signed."""

from dataclasses import replace

import pytest

from holdfast.common.evm import Address
from holdfast.common.money import TokenAmount
from holdfast.execution.envelope import require_inside
from holdfast.execution.errors import MoveRefused
from holdfast.model.deal import Funding, Ladder, Step
from holdfast.model.leg import LegKind, LegStatus
from holdfast.protocols.uniswap_v3.swaps import ExactInput
from tests.unit.execution.scene import CALLS, PLANS, TOKENS, deal, leg, plan
from tests.unit.planning.world import BUY_USDTZ, DEAL, FLOAT, ROUTER, SELL_ETH

STRANGER = Address("0x00000000000000000000000000000000000000EE")
BORROW, BUCKET = PLANS[Funding.BORROW].envelope, PLANS[Funding.BUCKET].envelope
TERMS = BORROW.terms


def purchase(spend=TERMS.spend.units, least=TERMS.min_tokens.units, calls=CALLS):
    return calls.buy(ExactInput(BUY_USDTZ, spend, least, calls.owner, 1_800_000_300))


def sale(sold, least):
    return CALLS.sell_eth(ExactInput(SELL_ETH, sold, least, DEAL, 1_800_000_300))


def refusal(envelope, one, record=None):
    """The code by which the envelope refuses a call; None when it lets it pass."""
    try:
        require_inside(envelope, record or deal(), [one])
    except MoveRefused as error:
        refused = error
    else:
        return None
    assert refused.kind is one.kind
    return refused.code


ALLOWED = {
    "funding": CALLS.fund(TERMS.split.moved.units),
    "collateral": CALLS.supply(TERMS.split.working.units),
    "the loan": CALLS.borrow(TERMS.borrow.units),
    "a smaller loan": CALLS.borrow(1),
    "the purchase": purchase(),
    "a smaller purchase at the same price": purchase(
        TERMS.spend.units // 2, TERMS.min_tokens.units // 2 + 1
    ),
    "an allowance": CALLS.approve(Step.PURCHASE, TOKENS.cash, ROUTER, 5),
    "taking it back": CALLS.revoke(Step.CLOSE, TOKENS.cash, ROUTER),
    "cash to the treasury": CALLS.return_token(TOKENS.cash, 5),
    "the claim to the treasury": CALLS.return_token(TOKENS.discounted, 5),
    "ether to the treasury": CALLS.return_native(5),
}


@pytest.mark.parametrize("one", ALLOWED.values(), ids=ALLOWED)
def test_what_was_approved_passes(one):
    assert refusal(BORROW, one) is None


OUTSIDE = {
    "another contract": replace(ALLOWED["collateral"], call=replace(
        ALLOWED["collateral"].call, target=STRANGER)),
    "another function": replace(ALLOWED["collateral"], call=replace(
        ALLOWED["collateral"].call, data=b"\xff\xff\xff\xff")),
    "another recipient": replace(ALLOWED["cash to the treasury"], recipient=STRANGER),
    "a call under a leg's wrong name": replace(ALLOWED["an allowance"], kind=LegKind.REVOKE,
        recipient=STRANGER),
    "ether to a stranger": replace(ALLOWED["ether to the treasury"], recipient=STRANGER),
    "an allowance for a stranger": CALLS.approve(Step.PURCHASE, TOKENS.cash, STRANGER, 5),
    "the token allowed to the lending venue": CALLS.approve(
        Step.PURCHASE, TOKENS.discounted, CALLS.protocols.aave.address, 5),
    "more funding": CALLS.fund(TERMS.split.moved.units + 1),
    "more collateral": CALLS.supply(TERMS.split.working.units + 1),
    "a larger loan": CALLS.borrow(TERMS.borrow.units + 1),
    "a larger purchase": purchase(spend=TERMS.spend.units + 1, least=TERMS.min_tokens.units + 9),
    "a dearer purchase": purchase(least=TERMS.min_tokens.units - 1),
    "a smaller purchase at a worse price": purchase(
        TERMS.spend.units // 2, TERMS.min_tokens.units // 2 - 1),
    "a purchase without a limit": replace(ALLOWED["the purchase"], min_out=None),
    "a purchase of an unknown amount": replace(ALLOWED["the purchase"], amount=None),
}  # fmt: skip


@pytest.mark.parametrize("one", OUTSIDE.values(), ids=OUTSIDE)
def test_what_was_not_approved_is_refused(one):
    assert refusal(BORROW, one) == "envelope.outside"


def test_one_leg_outside_refuses_the_group():
    with pytest.raises(MoveRefused):
        require_inside(BORROW, deal(), [ALLOWED["funding"], OUTSIDE["a larger loan"]])


def test_the_buckets_sale_has_its_own_limits():
    terms = BUCKET.terms
    sold, least = terms.bucket_sale.units, terms.bucket_sale_min.units
    record = deal(Funding.BUCKET)
    assert refusal(BUCKET, sale(sold, least), record) is None
    # Half of it may be sold for half as much, not for less.
    assert refusal(BUCKET, sale(sold // 2, least // 2 + 1), record) is None
    for wrong in (sale(sold + 1, least + 9), sale(sold, least - 1)):
        assert refusal(BUCKET, wrong, record) == "envelope.outside"


def test_a_sale_of_ether_is_outside_where_the_funding_needs_none():
    assert refusal(BORROW, sale(1, 1)) == "envelope.outside"


def test_selling_the_reserve_to_repay_is_bounded_by_the_oracle_not_here():
    assert TERMS.bucket_sale.units == 0
    closing = replace(sale(5, 5), step=Step.CLOSE)
    assert refusal(BORROW, closing) is None


def test_fees_stop_a_deal_from_going_on_but_never_from_going_home():
    most = BORROW.max_fee.units
    spent = deal(legs=(leg(fee_wei=most), leg(fee_wei=1), leg(fee_wei=None)))
    assert refusal(BORROW, purchase(), spent) == "envelope.fees"
    home = CALLS.return_token(TOKENS.cash, 5)
    assert refusal(BORROW, home, spent) is None
    assert refusal(BORROW, purchase(), deal(legs=(leg(fee_wei=most),))) is None


def test_an_amount_in_words_is_in_the_refusal():
    with pytest.raises(MoveRefused) as refused:
        require_inside(BORROW, deal(), [CALLS.borrow(TERMS.borrow.units + 1)])
    assert str(TokenAmount(TOKENS.cash, TERMS.borrow.units + 1)) in refused.value.message
    assert FLOAT not in refused.value.message


IN_LOTS = plan(ladder=Ladder.POSITION).envelope
FIRST, SECOND, LARGEST = (lot.units for lot in IN_LOTS.terms.lots)


def at_price(spend, more=0):
    """A purchase of `spend` units at the plan's price, of `more` tokens than that."""
    terms = IN_LOTS.terms
    return purchase(spend, -(-terms.min_tokens.units * spend // terms.spend.units) + more)


def bought(*units):
    spent = (
        leg(LegKind.SWAP, Step.PURCHASE, token=TOKENS.cash.symbol, amount=one) for one in units
    )
    return deal(legs=tuple(spent))


def test_a_lot_is_at_most_the_largest_and_at_the_plans_price():
    assert refusal(IN_LOTS, at_price(LARGEST)) is None
    assert refusal(IN_LOTS, at_price(FIRST)) is None
    assert refusal(IN_LOTS, at_price(LARGEST + 1)) == "envelope.outside"
    assert refusal(IN_LOTS, at_price(FIRST, more=-1)) == "envelope.outside"


def test_all_lots_together_spend_no_more_than_was_approved():
    assert refusal(IN_LOTS, at_price(LARGEST), bought(FIRST, SECOND)) is None
    assert refusal(IN_LOTS, at_price(LARGEST), bought(FIRST, SECOND, 1)) == "envelope.outside"
    assert refusal(BORROW, purchase(), bought(TERMS.spend.units)) == "envelope.outside"
    failed = replace(bought(LARGEST).legs[0], status=LegStatus.REVERTED)
    assert refusal(BORROW, purchase(), deal(legs=(failed,))) is None
