"""What became of a group, told by its outcomes alone."""

from dataclasses import replace

from holdfast.execution.model import Trouble
from holdfast.execution.settlement import is_ambiguous, refused, reopened, settle
from holdfast.model.leg import LegKind, LegStatus
from holdfast.transactions.model import IntentStatus
from tests.unit.execution.scene import GWEI, deal, leg, outcome, receipt


def sent(kind):
    return leg(kind, status=LegStatus.SENT)


def test_landed_legs_carry_their_receipts_and_end_all_trouble():
    wrap, supply = sent(LegKind.WRAP), sent(LegKind.SUPPLY)
    before = deal(
        legs=(wrap, supply),
        group_id=wrap.group_id,
        trouble=Trouble(LegKind.WRAP, 2),
        trouble_text="wrap: no",
        last_block=80,
    )
    made = settle(
        before,
        [outcome(wrap, mined=receipt(91)), outcome(supply, mined=receipt(92, gas_used=7))],
    )
    assert [one.status for one in made.deal.legs] == [LegStatus.LANDED, LegStatus.LANDED]
    assert [one.block_number for one in made.deal.legs] == [91, 92]
    assert made.deal.legs[1].fee_wei == 7 * GWEI
    assert (made.deal.group_id, made.deal.last_block) == (None, 92)
    assert (made.deal.trouble, made.deal.trouble_text) == (None, None)
    assert [(one.kind, got.block.number) for one, got in made.receipts] == [
        (LegKind.WRAP, 91),
        (LegKind.SUPPLY, 92),
    ]


def test_the_first_leg_that_did_not_land_is_the_trouble_and_is_counted_while_it_repeats():
    state = deal()
    for times in (1, 2):
        wrap, approve, supply = map(sent, (LegKind.WRAP, LegKind.APPROVE, LegKind.SUPPLY))
        reverted = receipt(93, succeeded=False)
        state = settle(
            replace(state, legs=(*state.legs, wrap, approve, supply)),
            [
                outcome(wrap, mined=receipt()),
                outcome(approve, IntentStatus.REVERTED, reverted),
                outcome(supply, IntentStatus.REVERTED, reverted),
            ],
        ).deal
        assert state.trouble == Trouble(LegKind.APPROVE, times)
        assert state.trouble_text == "approve something: reverted in block 93"


def test_another_legs_trouble_starts_to_count_anew():
    supply = sent(LegKind.SUPPLY)
    before = deal(legs=(supply,), trouble=Trouble(LegKind.WRAP, 2))
    made = settle(before, [outcome(supply, IntentStatus.REVERTED, receipt())])
    assert made.deal.trouble == Trouble(LegKind.SUPPLY, 1)


def test_a_cancelled_leg_without_a_receipt_keeps_what_is_unknown_unknown():
    swap = sent(LegKind.SWAP)
    made = settle(deal(legs=(swap,)), [outcome(swap, IntentStatus.CANCELLED)])
    (after,) = made.deal.legs
    assert (after.status, after.block_number, after.fee_wei) == (LegStatus.CANCELLED, None, None)
    assert made.receipts == []
    assert made.deal.last_block == 0


def test_a_no_op_that_filled_a_gap_is_no_leg_of_the_group_but_its_receipt_is_kept():
    swap = sent(LegKind.SWAP)
    no_op = leg(LegKind.SWAP)  # nothing that the deal knows
    paid = receipt(90, gas_used=21_000)
    made = settle(
        deal(legs=(swap,)),
        [
            outcome(no_op, IntentStatus.CANCELLED, paid),
            outcome(leg(LegKind.SWAP), IntentStatus.DISPLACED),
            outcome(swap, mined=receipt(91)),
        ],
    )
    assert made.no_ops == (paid,)
    assert list(made.settled) == [swap.leg_id]
    assert not made.is_displaced  # that of a filler is no leg's


def test_nothing_under_way_changes_nothing_but_the_group():
    before = deal(trouble=Trouble(LegKind.SWAP, 1), trouble_text="swap: dry", last_block=7)
    made = settle(before, [])
    assert made.deal == before
    assert (made.settled, made.legs) == ({}, ())


def test_legs_of_earlier_groups_stay_as_they_were():
    done, new = leg(LegKind.FUND, block_number=50), sent(LegKind.WRAP)
    made = settle(deal(legs=(done, new)), [outcome(new, mined=receipt())])
    assert made.deal.legs[0] is done
    assert [one.kind for one in made.legs] == [LegKind.WRAP]


def test_a_refusal_counts_like_a_revert_and_says_why():
    first = refused(deal(), LegKind.SWAP, "swap: Too little received")
    assert first.trouble == Trouble(LegKind.SWAP, 1)
    assert refused(first, LegKind.SWAP, "again").trouble == Trouble(LegKind.SWAP, 2)
    assert refused(first, LegKind.BORROW, "no").trouble == Trouble(LegKind.BORROW, 1)
    assert first.trouble_text == "swap: Too little received"


def test_one_disputed_leg_makes_the_group_ambiguous():
    fine, disputed = (
        outcome(sent(LegKind.WRAP)),
        outcome(sent(LegKind.WRAP), IntentStatus.AMBIGUOUS),
    )
    assert is_ambiguous([fine, disputed])
    assert not is_ambiguous([fine])
    assert not is_ambiguous([])


def test_a_refusal_that_goes_on_for_months_still_fits_its_column():
    """A look every five minutes passes 32,767, the most a smallint holds, after 113 days."""
    patient = refused(deal(trouble=Trouble(LegKind.WITHDRAW, 1_000)), LegKind.WITHDRAW, "locked")
    assert patient.trouble == Trouble(LegKind.WITHDRAW, 1_000)


def landed(kind, block):
    fields = {"status": LegStatus.LANDED, "block_number": block, "gas_used": 5, "fee_wei": 6}
    return leg(kind, **fields)


def test_reopened_legs_are_under_way_again_and_the_others_as_they_were():
    wrap, supply = landed(LegKind.WRAP, 90), landed(LegKind.SUPPLY, 91)
    borrow = sent(LegKind.BORROW)
    before = deal(legs=(wrap, supply, borrow), group_id=borrow.group_id, last_block=91)
    after = reopened(before, {supply.leg_id})
    again = after.legs[1]
    assert (again.status, again.block_number, again.tx_hash) == (LegStatus.SENT, None, None)
    assert (again.gas_used, again.fee_wei) == (None, None)
    assert (after.legs[0], after.legs[2]) == (wrap, borrow)
    assert (after.group_id, after.last_block) == (borrow.group_id, 90)


def test_a_deal_with_nothing_under_way_waits_for_the_reopened_group():
    wrap = landed(LegKind.WRAP, 90)
    after = reopened(deal(legs=(wrap,), last_block=90), {wrap.leg_id})
    assert (after.group_id, after.last_block) == (wrap.group_id, 0)


def test_a_reopened_leg_that_settles_again_leaves_the_deal_as_it_was():
    wrap, supply = sent(LegKind.WRAP), sent(LegKind.SUPPLY)
    outcomes = [outcome(wrap, mined=receipt(91)), outcome(supply, mined=receipt(92))]
    first = settle(deal(legs=(wrap, supply), group_id=wrap.group_id), outcomes).deal
    again = settle(reopened(first, {wrap.leg_id, supply.leg_id}), outcomes).deal
    assert again == first


def test_a_failure_that_was_taken_back_no_longer_counts():
    supply = leg(LegKind.SUPPLY, status=LegStatus.REVERTED, block_number=91)
    for times, left in ((1, None), (2, Trouble(LegKind.SUPPLY, 1))):
        before = deal(legs=(supply,), trouble=Trouble(LegKind.SUPPLY, times))
        assert reopened(before, {supply.leg_id}).trouble == left
    other = deal(legs=(supply,), trouble=Trouble(LegKind.SWAP, 2))
    assert reopened(other, {supply.leg_id}).trouble == Trouble(LegKind.SWAP, 2)
