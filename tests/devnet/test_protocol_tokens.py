"""Tokens and wrapping against the deployed contracts, Tether's quirks included."""

import pytest
import pytest_asyncio

from holdfast.chain.node import Node
from holdfast.chain.rpc import Rpc
from holdfast.chain.simulation import SimCall
from holdfast.common.evm import checksummed
from holdfast.common.money import WAD, amount_of
from holdfast.protocols import erc20, weth
from holdfast.protocols.erc20 import Approval, Erc20, Transfer
from holdfast.protocols.native import native_transfer
from holdfast.protocols.weth import Weth, Wrapped
from tests.support.actor import ALICE, Actor

NOBODY = checksummed(b"\x77" * 20)
USDT = 10**6


@pytest_asyncio.fixture
async def actor(devnet):
    node = Node(Rpc.over_http(devnet.url), devnet.profile)
    yield Actor(devnet, node)
    await node.close()


@pytest.fixture(params=["usdt", "usdtz"])
def token(request, devnet):
    """The token that returns nothing and the one that returns true, with 100 for ALICE."""
    pinned = getattr(devnet.profile, request.param)
    devnet.control.give(amount_of(pinned, 100), ALICE)
    return Erc20(pinned.require_address())


async def test_a_transfer_is_proved_by_its_event(actor, token):
    receipt = await actor.prove(
        token.transfer(NOBODY, 40 * USDT), token.expected_transfer(ALICE, NOBODY)
    )
    (log,) = receipt.logs
    assert erc20.decode_transfer(log) == Transfer(token.address, ALICE, NOBODY, 40 * USDT)
    balances = [token.balance_of(ALICE), token.balance_of(NOBODY)]
    assert await actor.node.read(balances, receipt.block) == [60 * USDT, 40 * USDT]


async def test_an_allowance_is_given_and_taken_back(actor, token):
    for amount in (7, 0):
        receipt = await actor.prove(
            token.approve(NOBODY, amount), token.expected_approval(ALICE, NOBODY)
        )
        (log,) = receipt.logs
        assert erc20.decode_approval(log) == Approval(token.address, ALICE, NOBODY, amount)
        (allowance,) = await actor.node.read([token.allowance(ALICE, NOBODY)], receipt.block)
        assert allowance == amount


async def test_tether_changes_an_allowance_only_through_zero(devnet, actor):
    usdt = Erc20(devnet.profile.usdt.require_address())
    steps = [SimCall(ALICE, usdt.approve(NOBODY, amount), 100_000) for amount in (5, 6, 0, 6)]
    results = await actor.node.simulate(steps, await actor.head())
    assert [one.error for one in results] == ["", "approve through zero", "", ""]


async def test_a_paused_token_and_a_blacklisted_holder_say_so(devnet, actor):
    usdt = Erc20(devnet.profile.usdt.require_address())
    devnet.control.give(amount_of(devnet.profile.usdt, 100), ALICE)
    step = [SimCall(ALICE, usdt.transfer(NOBODY, 1), 100_000)]
    devnet.control.blacklist(ALICE)
    (blacklisted,) = await actor.node.simulate(step, await actor.head())
    devnet.control.pause_usdt()
    (paused,) = await actor.node.simulate(step, await actor.head())
    assert (blacklisted.error, paused.error) == ("blacklisted", "paused")


async def test_ether_is_wrapped_and_unwrapped_in_full(devnet, actor):
    wrapper = Weth(devnet.profile.weth.require_address())
    wrapped = await actor.prove(wrapper.deposit(3 * WAD), wrapper.expected_deposit(ALICE))
    assert weth.decode_deposit(wrapped.logs[0]) == Wrapped(ALICE, 3 * WAD)
    unwrapped = await actor.prove(wrapper.withdraw(3 * WAD), wrapper.expected_withdrawal(ALICE))
    assert weth.decode_withdrawal(unwrapped.logs[0]) == Wrapped(ALICE, 3 * WAD)
    balances = [
        (await actor.node.native_balances([ALICE], at))[ALICE]
        for at in (wrapped.block, unwrapped.block)
    ]
    assert balances[1] - balances[0] == 3 * WAD - unwrapped.fee_wei


async def test_ether_is_sent_without_an_event(actor):
    receipt = await actor.run(native_transfer(NOBODY, 5))
    assert (receipt.succeeded, receipt.logs, receipt.gas_used) == (True, (), 21_000)
    assert await actor.node.native_balances([NOBODY], receipt.block) == {NOBODY: 5}
