"""Whole deals with something going wrong at a chosen moment, and what must be true afterwards."""

import asyncio
import contextlib
import functools
import json
from dataclasses import dataclass, field, replace

from holdfast.audit import store as audit_store
from holdfast.bootstrap import opened
from holdfast.common.retry import patiently
from holdfast.execution.desk import Order
from holdfast.model.deal import TERMINAL, DealEvent, DealStatus
from tests.support.deals import ALICE, request_for, until
from tests.support.onchain import Holdings

EMPTY = Holdings(0, 0, 0, 0, 0, 0)
HOLD = Order(DealEvent.HOLD, ALICE)


@dataclass
class Meddler:
    """Builds legs as usual, and does something to the world at one moment.

    `before` maps a type of move to what is done, once, before its legs are built, when the deal has
    already decided on it; `after` to what is done when the legs were built and tried, just before
    they are signed.
    """

    builder: object
    before: dict = field(default_factory=dict)
    after: dict = field(default_factory=dict)

    async def build(self, deal, move, seen):
        await self._do(self.before, deal, move)
        legs = await self.builder.build(deal, move, seen)
        await self._do(self.after, deal, move)
        return legs

    async def _do(self, actions, deal, move):
        action = actions.pop(type(move), None)
        if action is not None:
            done = action(deal)
            if asyncio.iscoroutine(done):
                await done


class Orders:
    """Gives an order from inside the deal's own advance, as a race that the order wins."""

    def __init__(self):
        self.system = None

    def give(self, order):
        async def act(deal):
            await self.system.desk.give(deal.deal_id, order)

        return act


@contextlib.asynccontextmanager
async def meddled(settings, *, before=None, after=None):
    """The system with its loops running; `before` and `after` as in `Meddler`."""
    async with opened(settings) as real:
        meddler = Meddler(real.advance.builder, before or {}, after or {})
        system = replace(real, advance=replace(real.advance, builder=meddler))
        async with loops(system):
            yield system


@contextlib.asynccontextmanager
async def loops(system):
    """The worker's loops, for as long as the block lasts."""
    running = [
        asyncio.create_task(system.queue.run(system.advance)),
        asyncio.create_task(system.chain_loops[0].run()),
        asyncio.create_task(system.sweep.run()),
    ]
    try:
        yield
    finally:
        for loop in running:
            loop.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def planned(system, devnet, **fields):
    """A deal that awaits approval."""
    return await _created(system, request_for(devnet, **fields), approve_as=None)


async def started(system, devnet, **fields):
    """A deal that was approved; the loops carry it out."""
    return await _created(system, request_for(devnet, **fields), approve_as=ALICE)


async def _created(system, request, *, approve_as):
    """As a person does who tries again when a busy node did not answer in time."""
    create = functools.partial(system.desk.create, request, author=ALICE, approve_as=approve_as)
    return await patiently(create, seconds=60)


async def ended(system, deal, status=DealStatus.COMPLETED, seconds=180):
    """The deal in its last state, which must be `status`, and its report."""
    over = await until(system, deal.deal_id, lambda one: one.status in TERMINAL, seconds)
    assert over.status is status, f"{over.status}: {over.trouble_text}"
    return over, await system.reporter.report(deal.deal_id)


async def holding(system, deal, reason, seconds=180):
    """The deal once it holds for `reason` with nothing under way."""
    return await until(
        system,
        deal.deal_id,
        lambda one: (
            (one.status, one.hold_reason, one.group_id) == (DealStatus.HOLDING, reason, None)
        ),
        seconds,
    )


async def history(system, deal):
    """What the audit says happened to the deal, oldest first: (action, reason)."""
    return [(action, detail.get("reason")) for action, detail in await _audited(system, deal)]


async def why(system, deal, action):
    """What the audit says led to the last such action."""
    return (await whys(system, deal, action))[-1]


async def whys(system, deal, action):
    """The same of each such action, in order."""
    return [detail["why"] for name, detail in await _audited(system, deal) if name == action]


async def _audited(system, deal):
    async with system.db.begin() as session:
        entries = await audit_store.entries_of(session, deal.deal_id)
        await system.advance.audit.verify(session, deal.deal_id)
    return [(entry.action, json.loads(entry.detail)) for entry in entries]


def assert_nothing_left(chain, deal, report):
    """The account is empty, allows nobody anything, and the ledger equals the chain to the wei."""
    account = deal.plan.accounts.deal
    assert chain.holdings(account) == EMPTY
    assert chain.allowances(account) == {}
    assert chain.in_desk(account) == 0
    assert report["ledger"]["mismatch_wei"] == "0"
    assert set(report["ledger"]["trial_balance"].values()) == {0}


@dataclass(frozen=True)
class Principal:
    """The standing accounts before a deal, to tell afterwards what the deal did to them."""

    core: Holdings
    home: Holdings

    @classmethod
    def of(cls, chain):
        accounts = chain.profile.require_accounts()
        return cls(chain.holdings(accounts.core), chain.holdings(accounts.treasury_return))

    def assert_whole(self, chain, deal):
        """Core untouched; every wei moved in is home but for gas, what was sold, and interest."""
        accounts = deal.plan.accounts
        assert chain.holdings(accounts.core) == self.core
        account, pool = accounts.deal, chain.pool_with_usdt("WETH")
        sold = chain.moved("WETH", sender=account, receiver=pool)
        earned = chain.withdrawn(account) - chain.supplied(account)
        came = chain.native(accounts.treasury_return) - self.home.native
        held = chain.native(account)
        moved = deal.plan.terms.split.moved.units
        assert earned >= 0
        assert came + held + chain.gas_paid(account) == moved - sold + earned


async def assert_stands_still(chain, account, looks_seconds=1.5):
    """Nothing of the account moves while several looks pass; returns what it holds."""
    then = (chain.holdings(account), chain.transactions(account))
    await asyncio.sleep(looks_seconds)
    assert (chain.holdings(account), chain.transactions(account)) == then
    return then[0]
