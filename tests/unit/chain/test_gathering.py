"""One answer out of several endpoints': what to ask another, what a broadcast came to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.chain.endpoint import Fault, Request
from holdfast.chain.gathering import Gathered, heads, is_taken, sent_answer
from holdfast.chain.sending import SendOutcome, send_answer

LATEST = Request("eth_getBlockByNumber", ("latest", False))
SEVENTH = Request("eth_getBlockByNumber", ("0x7", False))
CALL = Request("eth_call", ({}, {"blockHash": "0xa"}))
REVERT = Fault(3, "execution reverted")
NO_BLOCK = Fault(-32_000, "header for hash not found")


def block(number):
    return {"number": hex(number), "hash": f"0x{number}"}


@pytest.mark.parametrize(
    ("request_", "answer", "is_wanting"),
    [
        (CALL, "0x01", False),
        (CALL, REVERT, False),
        (CALL, NO_BLOCK, True),
        (CALL, Fault(-32_601, "Method not found"), True),
        (SEVENTH, None, True),
        (SEVENTH, block(7), False),
        (LATEST, block(100), False),
        (LATEST, block(99), True),
        (LATEST, {"number": None}, True),
    ],
)
def test_what_another_endpoint_may_answer_better(request_, answer, is_wanting):
    gathered = Gathered([request_], {"latest": 100})
    gathered.add([answer])
    assert gathered.wanted == ([request_] if is_wanting else [])


def test_only_what_is_wanting_is_asked_of_the_next_and_answers_keep_their_places():
    gathered = Gathered([CALL, SEVENTH, CALL], {})
    gathered.add(["0x01", None, NO_BLOCK])
    assert gathered.wanted == [SEVENTH, CALL]
    gathered.add([block(7), "0x02"])
    assert gathered.wanted == []
    assert gathered.answers == ["0x01", block(7), "0x02"]


def test_where_nobody_knows_better_the_first_ones_words_stand():
    gathered = Gathered([CALL, SEVENTH], {})
    gathered.add([NO_BLOCK, None])
    gathered.add([Fault(-32_000, "busy"), Fault(-32_000, "busy")])
    assert gathered.answers == [NO_BLOCK, None]


@pytest.mark.parametrize(("first", "second"), [(98, 99), (99, 98)])
def test_of_two_heads_that_are_both_too_old_the_newer_is_taken(first, second):
    gathered = Gathered([LATEST], {"latest": 100})
    gathered.add([block(first)])
    gathered.add([block(second)])
    assert gathered.answers == [block(99)]


LOGS = Request("eth_getLogs", ({"fromBlock": "0x7", "toBlock": "0x7"},))
PAGE = [SEVENTH, LOGS, SEVENTH]


@pytest.mark.parametrize(
    "first",
    [
        [None, [], None],
        [None, [], block(7)],  # the block came in meanwhile
        [block(7), [], NO_BLOCK],
        [block(7), Fault(-32_005, "busy"), block(7)],
    ],
)
def test_empty_logs_count_only_with_the_blocks_of_the_same_node(first):
    gathered = Gathered(PAGE, {})
    gathered.add(first)
    assert gathered.wanted == PAGE
    found = [block(7), [{"logIndex": "0x0"}], block(7)]
    gathered.add(found)
    assert gathered.wanted == []
    assert gathered.answers == found


def test_one_nodes_blocks_do_not_vouch_for_another_nodes_logs():
    gathered = Gathered(PAGE, {})
    gathered.add([None, [], None])
    gathered.add([block(7), Fault(-32_005, "busy"), block(7)])
    assert gathered.wanted == PAGE
    assert gathered.answers == [None, [], None]


def test_nothing_is_answered_before_somebody_did():
    assert not Gathered([CALL], {}).is_answered
    assert Gathered([], {}).is_answered


def test_heads_are_found_by_their_tag_and_nothing_else_is_one():
    requests = [LATEST, SEVENTH, Request("eth_getBlockByNumber", ("finalized", False)), CALL]
    assert heads(requests, [block(9), block(7), None, "0x"]) == {"latest": 9}


KNOWN = Fault(-32_000, "already known")
LOW = Fault(-32_000, "nonce too low")
POOR = Fault(-32_000, "insufficient funds for gas")
CHEAP = Fault(-32_000, "replacement transaction underpriced")
SILENT = Fault(0, "n2 did not answer")


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        (["0xhash", POOR], SendOutcome.ACCEPTED),
        ([POOR, "0xhash"], SendOutcome.ACCEPTED),
        ([KNOWN, "0xhash"], SendOutcome.ACCEPTED),
        ([KNOWN, LOW], SendOutcome.ALREADY_KNOWN),
        ([POOR, SILENT], SendOutcome.UNKNOWN),  # the silent one may have taken it
        ([LOW, CHEAP], SendOutcome.NONCE_TOO_LOW),
        ([POOR, POOR], SendOutcome.INSUFFICIENT_FUNDS),
    ],
)
def test_a_broadcast_is_refused_only_when_all_refuse_it(answers, outcome):
    assert send_answer(sent_answer(answers)).outcome is outcome


def test_a_transaction_that_a_node_has_is_taken():
    assert is_taken("0xhash")
    assert is_taken(KNOWN)
    assert not is_taken(LOW)
    assert not is_taken(SILENT)


ANSWERS = st.sampled_from(["0xhash", KNOWN, LOW, POOR, CHEAP, SILENT])


@given(st.lists(ANSWERS, min_size=1), ANSWERS)
def test_a_further_answer_never_makes_a_broadcast_look_less_done(answers, further):
    order = [
        SendOutcome.ACCEPTED,
        SendOutcome.ALREADY_KNOWN,
        SendOutcome.UNKNOWN,
        SendOutcome.NONCE_TOO_LOW,
        SendOutcome.UNDERPRICED,
        SendOutcome.INSUFFICIENT_FUNDS,
        SendOutcome.REJECTED,
    ]
    before = order.index(send_answer(sent_answer(answers)).outcome)
    after = order.index(send_answer(sent_answer([*answers, further])).outcome)
    assert after <= before
