import pytest

from holdfast.chain.receipts import Head
from holdfast.common.evm import BlockRef
from holdfast.monitoring.trail import Next, fork, next_move, suspects
from holdfast.transactions.model import Place

PLACE = Place(10, "0xa")
KNOWN = {8: "0x8", 9: "0x9", 10: "0xa"}


def head(number, found):
    return Head(BlockRef(number, found, 0), "0x", 0, 0, 0)


@pytest.mark.parametrize(
    ("newest", "move"),
    [
        (head(10, "0xa"), Next.WAIT),  # nothing new
        (head(11, "0xb"), Next.READ),
        (head(500, "0xb"), Next.READ),
        (head(9, "0x9"), Next.WAIT),  # the node lags behind what was read
        (head(10, "0xf"), Next.REWIND),  # another block in the place of the last
        (head(9, "0xf"), Next.REWIND),  # a shorter history
        (head(3, "0xf"), Next.WAIT),  # below all that is remembered: a node that starts anew
    ],
)
def test_what_a_head_calls_for(newest, move):
    assert next_move(PLACE, KNOWN, newest) is move


def test_the_fork_is_the_newest_block_that_both_histories_share():
    assert fork(KNOWN, {8: "0x8", 9: "0x9", 10: "0xf"}) == Place(9, "0x9")


def test_without_a_shared_block_the_fork_is_older_than_what_was_asked():
    assert fork(KNOWN, {9: "0xe", 10: "0xf"}) is None


def test_suspects_are_asked_from_the_newest_that_the_chain_still_has():
    assert suspects(KNOWN, 9) == [9, 8]
