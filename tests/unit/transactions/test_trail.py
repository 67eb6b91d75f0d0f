"""The blocks that the loop remembers, against branches of a chain in memory."""

from dataclasses import replace

import pytest

from holdfast.common.errors import Transient
from holdfast.transactions.model import Place
from holdfast.transactions.trail import Trail
from tests.support.fake_chain import FakeChain


@pytest.fixture
def chain():
    made = FakeChain()
    for _ in range(5):
        made.mine()
    return made


def place(chain, number):
    return Place(number, chain.blocks_[number].head.ref.hash)


async def trailed(chain, last):
    trail = Trail(place(chain, 0), chain)
    trail.extend(await chain.blocks(1, last))
    return trail


def branch(chain):
    """The chain as it is now, from its newest block downwards."""
    return Trail(place(chain, len(chain.blocks_) - 1), chain)


async def test_blocks_that_do_not_follow_on_each_other_prove_nothing(chain):
    trail = await trailed(chain, 2)
    third, fourth = await chain.blocks(3, 4)
    other = replace(fourth, head=replace(fourth.head, parent="0x" + "ee" * 32))
    with pytest.raises(Transient) as caught:
        trail.is_continued_by([third, other])
    assert caught.value.code == "chain.reorged"
    assert trail.is_continued_by([third, fourth])


async def test_blocks_of_another_branch_do_not_continue_the_trail(chain):
    trail = await trailed(chain, 4)
    chain.fork(3)
    assert not trail.is_continued_by(await chain.blocks(5, 5))


@pytest.mark.parametrize("depth", [1, 2, 4])
async def test_the_fork_is_the_last_block_that_both_branches_have(chain, depth):
    trail = await trailed(chain, 5)
    chain.fork(depth)
    assert await trail.find_fork(branch(chain)) == place(chain, 5 - depth)


async def test_a_fork_below_what_is_remembered_is_looked_for_further_back(chain):
    for _ in range(100):
        chain.mine()
    trail = Trail(place(chain, 105), chain)
    chain.fork(1)
    fork = await trail.find_fork(branch(chain))
    assert fork.number < 104
    assert fork == place(chain, fork.number)


async def test_after_a_turn_the_new_branch_continues_the_trail(chain):
    trail = await trailed(chain, 5)
    chain.fork(2)
    new = branch(chain)
    fork = await trail.find_fork(new)
    trail.turn(fork, new, fork)
    assert trail.is_continued_by(await chain.blocks(fork.number + 1, 5))
