"""The transition table: what may follow what, and what never may."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.errors import Rejected
from holdfast.model.deal import TERMINAL, ChainFacts, DealEvent, DealStatus, transition

CLEAN = ChainFacts()
FACTS = st.builds(ChainFacts, st.booleans(), st.booleans(), st.booleans(), st.booleans())


def walk(*events: DealEvent) -> DealStatus:
    status = DealStatus.DRAFT
    for event in events:
        status = transition(status, event, CLEAN)
    return status


def test_the_straight_path_leads_from_draft_to_completed():
    assert (
        walk(
            DealEvent.PLAN,
            DealEvent.SUBMIT,
            DealEvent.APPROVE,
            DealEvent.START,
            DealEvent.CLOSE,
            DealEvent.COMPLETE,
        )
        is DealStatus.COMPLETED
    )


def test_drift_voids_an_approval():
    approved = walk(DealEvent.PLAN, DealEvent.SUBMIT, DealEvent.APPROVE)
    assert transition(approved, DealEvent.DRIFT, CLEAN) is DealStatus.PLANNED


@pytest.mark.parametrize(
    "facts",
    [ChainFacts(has_debt=True), ChainFacts(has_collateral=True), ChainFacts(has_live_intent=True)],
)
def test_a_deal_that_owes_or_has_something_under_way_holds_instead_of_failing(facts):
    assert transition(DealStatus.EXECUTING, DealEvent.FAIL, facts) is DealStatus.HOLDING


def test_a_clean_deal_may_fail():
    assert transition(DealStatus.EXECUTING, DealEvent.FAIL, CLEAN) is DealStatus.FAILED


def test_a_deal_with_effects_on_chain_cannot_be_cancelled():
    with pytest.raises(Rejected) as caught:
        transition(DealStatus.EXECUTING, DealEvent.CANCEL, ChainFacts(has_effects=True))
    assert caught.value.code == "deal.has_effects"


@given(st.sampled_from(sorted(TERMINAL)), st.sampled_from(DealEvent), FACTS)
def test_nothing_leaves_a_terminal_state(status, event, facts):
    with pytest.raises(Rejected):
        transition(status, event, facts)


@given(st.lists(st.tuples(st.sampled_from(DealEvent), FACTS), max_size=30))
def test_no_path_executes_without_approval_or_fails_or_cancels_while_something_is_open(path):
    status = DealStatus.DRAFT
    approved = False
    for event, facts in path:
        try:
            after = transition(status, event, facts)
        except Rejected:
            continue
        approved = after is DealStatus.APPROVED or (approved and after is not DealStatus.PLANNED)
        if after in {DealStatus.EXECUTING, DealStatus.CLOSING, DealStatus.HOLDING}:
            assert approved
        if after is DealStatus.FAILED:
            assert facts.is_clean
        if after is DealStatus.CANCELLED:
            assert not facts.has_effects
            assert not facts.has_live_intent
        status = after


@pytest.mark.parametrize(
    ("status", "event", "said"),
    [
        (DealStatus.AWAITING_APPROVAL, DealEvent.HOLD, "cannot hold: it can approve, cancel"),
        (DealStatus.EXECUTING, DealEvent.RESUME, "cannot resume: it can hold, close, cancel"),
        (DealStatus.CLOSING, DealEvent.CANCEL, "cannot be cancelled: it can hold"),
        (DealStatus.COMPLETED, DealEvent.CLOSE, "cannot close: it is over"),
    ],
)
def test_a_refused_order_says_which_ones_are_possible(status, event, said):
    with pytest.raises(Rejected) as refused:
        transition(status, event, ChainFacts())
    assert refused.value.message == f"a deal that is {status} {said}"
