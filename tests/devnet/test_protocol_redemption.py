"""The redemption desk against its deployed contract: request, wait, claim, freeze."""

import pytest_asyncio

from holdfast.chain.node import Node
from holdfast.chain.rpc import Rpc
from holdfast.chain.simulation import SimCall
from holdfast.common.money import amount_of
from holdfast.protocols.redemption import desk
from holdfast.protocols.redemption.desk import RedemptionClaimed, RedemptionRequested
from holdfast.protocols.registry import protocols
from tests.support.actor import ALICE, Actor

TOKENS = 10**6
LOT = 50_000 * TOKENS


class Counter:
    """The desk as one holder of the token uses it."""

    def __init__(self, devnet, node):
        self.devnet, self.actor = devnet, Actor(devnet, node)
        known = protocols(devnet.profile)
        self.desk, self.usdt, self.usdtz = known.desk, known.usdt, known.usdtz

    async def prepare(self):
        self.devnet.control.give(amount_of(self.devnet.profile.usdtz, 100_000), ALICE)
        await self.actor.run(self.usdtz.approve(self.desk.address, 100_000 * TOKENS))

    async def read(self, *reads):
        return await self.actor.node.read(reads, await self.actor.head())

    async def request(self):
        call = self.desk.request(LOT, ALICE, ALICE)
        return await self.actor.prove(call, self.desk.expected_request(ALICE, ALICE))

    async def claim(self):
        call = self.desk.claim(LOT, ALICE, ALICE)
        return await self.actor.prove(call, self.desk.expected_claim(ALICE, ALICE, ALICE))

    async def reason(self, call):
        (result,) = await self.actor.node.simulate(
            [SimCall(ALICE, call, 500_000)], await self.actor.head()
        )
        return result.error


@pytest_asyncio.fixture
async def counter(devnet):
    node = Node(Rpc.over_http(devnet.url), devnet.profile)
    counter = Counter(devnet, node)
    await counter.prepare()
    yield counter
    await node.close()


def only(decode, name, receipt):
    (found,) = [decode(log) for log in receipt.logs if name.is_in(log)]
    return found


async def test_tokens_go_in_and_cash_comes_out_less_the_fee(counter):
    cash, fee, promised = await counter.read(
        counter.desk.reserves(), counter.desk.fee_bps(), counter.desk.assets_for(LOT)
    )
    assert fee == 25
    assert promised == 49_875 * TOKENS  # 50,000 less 0.25 %

    requested = only(desk.decode_request, desk.REDEEM_REQUEST, await counter.request())
    assert requested == RedemptionRequested(ALICE, ALICE, 1, ALICE, LOT)
    pending, claimable, most = await counter.read(
        counter.desk.pending(ALICE), counter.desk.claimable(ALICE), counter.desk.max_claim(ALICE)
    )
    assert (pending, claimable, most) == (0, LOT, LOT)

    claimed = only(desk.decode_claim, desk.WITHDRAW, await counter.claim())
    assert claimed == RedemptionClaimed(ALICE, ALICE, ALICE, assets=promised, shares=LOT)
    held, left, cash_after = await counter.read(
        counter.usdt.balance_of(ALICE), counter.usdtz.balance_of(ALICE), counter.desk.reserves()
    )
    assert (held, left, cash - cash_after) == (promised, 50_000 * TOKENS, promised)


async def test_a_request_waits_for_the_queue(counter):
    counter.devnet.control.set_queue_delay(3_600)
    (delay,) = await counter.read(counter.desk.queue_delay())
    assert delay == 3_600
    receipt = await counter.request()
    request_id = only(desk.decode_request, desk.REDEEM_REQUEST, receipt).request_id
    pending, claimable, state = await counter.read(
        counter.desk.pending(ALICE, request_id),
        counter.desk.claimable(ALICE, request_id),
        counter.desk.request_state(request_id),
    )
    assert (pending, claimable) == (LOT, 0)
    assert (state.controller, state.shares) == (ALICE, LOT)
    assert state.claimable_at == receipt.block.timestamp + 3_600
    claim = counter.desk.claim(LOT, ALICE, ALICE)
    assert await counter.reason(claim) == "more than claimable"

    counter.devnet.control.advance_time(3_600)
    assert await counter.read(counter.desk.claimable(ALICE)) == [LOT]
    assert await counter.reason(claim) == ""


async def test_a_frozen_desk_takes_nothing_pays_nothing_and_keeps_what_was_asked(counter):
    await counter.request()
    counter.devnet.control.freeze()
    frozen, claimable, most = await counter.read(
        counter.desk.is_frozen(), counter.desk.claimable(ALICE), counter.desk.max_claim(ALICE)
    )
    assert (frozen, claimable, most) == (True, LOT, 0)
    assert await counter.reason(counter.desk.request(LOT, ALICE, ALICE)) == "frozen"
    assert await counter.reason(counter.desk.claim(LOT, ALICE, ALICE)) == "frozen"
    counter.devnet.control.thaw()
    assert await counter.read(counter.desk.is_frozen()) == [False]
    await counter.claim()


async def test_a_desk_without_cash_fails_a_claim_and_keeps_it_claimable(counter):
    await counter.request()
    (cash,) = await counter.read(counter.desk.reserves())
    usdt = counter.devnet.profile.usdt
    counter.devnet.control.take_desk_reserves(amount_of(usdt, cash // TOKENS - 1))
    assert await counter.reason(counter.desk.claim(LOT, ALICE, ALICE)) == "balance"
    assert await counter.read(counter.desk.claimable(ALICE)) == [LOT]
