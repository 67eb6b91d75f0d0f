"""The saga's state, computed from what was recorded."""

from holdfast.execution.model import Leftover, Trouble
from holdfast.model.deal import DealStatus, Funding, HoldReason, Step
from holdfast.model.leg import LegKind, LegStatus
from tests.unit.execution.scene import deal, leg, position
from tests.unit.planning.world import ROUTER, USDT


def swap(token, status=LegStatus.LANDED, step=Step.PURCHASE):
    return leg(LegKind.SWAP, step, status, token=token)


def test_only_final_legs_count_as_landed():
    state = deal(
        legs=(
            leg(LegKind.CLAIM_REDEMPTION),
            leg(LegKind.CLAIM_REDEMPTION),
            leg(LegKind.CLAIM_REDEMPTION, status=LegStatus.REVERTED),
            leg(LegKind.SUPPLY, status=LegStatus.SENT),
            leg(LegKind.BORROW, status=LegStatus.CANCELLED),
        )
    ).state()
    assert state.landed[LegKind.CLAIM_REDEMPTION] == 2
    assert not state.has(LegKind.SUPPLY)
    assert not state.has(LegKind.BORROW)


def test_the_two_swaps_of_a_purchase_are_told_apart_by_what_they_sell():
    sold = deal(Funding.BUCKET, legs=(swap("WETH"),)).state()
    assert (sold.sold, sold.bought) == (True, False)
    bought = deal(Funding.BUCKET, legs=(swap("USDT"),)).state()
    assert (bought.sold, bought.bought) == (False, True)
    failed = deal(Funding.BUCKET, legs=(swap("USDT", LegStatus.REVERTED),)).state()
    assert (failed.sold, failed.bought) == (False, False)


def test_selling_the_reserve_to_repay_is_no_part_of_the_purchase():
    state = deal(legs=(swap("WETH", step=Step.CLOSE),)).state()
    assert (state.sold, state.bought) == (False, False)


def test_a_returned_claim_is_told_from_returned_cash():
    cash, tokens = (leg(LegKind.RETURN_TOKEN, Step.CLOSE, token=name) for name in ("USDT", "USDTz"))
    assert not deal(legs=(cash,)).state().claim_returned
    assert deal(legs=(cash, tokens)).state().claim_returned


def test_money_that_started_to_go_back_is_unwinding():
    for kind in (LegKind.REPAY, LegKind.WITHDRAW, LegKind.UNWRAP, LegKind.RETURN_NATIVE):
        assert deal(legs=(leg(kind, Step.CLOSE),)).state().is_unwinding
    for kind in (LegKind.FUND, LegKind.BORROW, LegKind.REVOKE, LegKind.RETURN_TOKEN):
        assert not deal(legs=(leg(kind),)).state().is_unwinding


def test_a_cure_that_repaid_a_part_is_no_way_home():
    state = deal(legs=(leg(LegKind.REPAY, Step.LIQUIDITY), swap("WETH", step=Step.LIQUIDITY)))
    assert not state.state().is_unwinding
    assert (state.state().sold, state.state().bought) == (False, False)


def test_a_waived_loan_is_not_wanted():
    assert deal().state().wants_debt
    assert not deal(borrow_waived=True).state().wants_debt


def test_what_was_recorded_is_in_the_state():
    trouble = Trouble(LegKind.SWAP, 2)
    state = deal(
        status=DealStatus.HOLDING,
        hold_reason=HoldReason.OPERATOR,
        keep_claim=True,
        trouble=trouble,
    ).state()
    assert (state.status, state.hold_reason) == (DealStatus.HOLDING, HoldReason.OPERATOR)
    assert (state.keep_claim, state.trouble) == (True, trouble)


def test_tokens_are_a_claim_wherever_they_are():
    assert position(tokens=1, queued=2, claimable=4).claim == 7
    assert position(leftovers=(Leftover(USDT.address, ROUTER),)).claim == 0
