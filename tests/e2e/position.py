"""Opens and closes one small lending position, with a swap there and back while it is open.

All of it goes through the product's transaction layer.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from coincurve import PrivateKey

from holdfast.chain.multicall import Reverted
from holdfast.chain.node import Node
from holdfast.chain.rpc import Rpc
from holdfast.common.boundary import unobserved
from holdfast.common.db import Database
from holdfast.common.evm import checksummed, keccak256
from holdfast.common.ids import BankId, new_deal_id, new_group_id, new_intent_id, new_leg_id
from holdfast.common.leader import LeaderLock
from holdfast.common.notify import Signal
from holdfast.common.system_clock import SystemClock
from holdfast.migrations.runner import upgrade
from holdfast.protocols.aave_v3.pool import AavePool
from holdfast.protocols.erc20 import Erc20
from holdfast.protocols.weth import Weth
from holdfast.signing.hd import HdSigner
from holdfast.signing.model import KeyRef
from holdfast.transactions.fees import FeePolicy, quote
from holdfast.transactions.journal import PostgresJournal
from holdfast.transactions.loop import ChainLoop
from holdfast.transactions.model import IntentStatus, NewIntent
from holdfast.transactions.parts import Pace, Parts
from holdfast.transactions.service import Transactions
from holdfast.transactions.store.recording import CHANNEL
from tests.support.reorgs import KeptReorgs

_GAS = 600_000
_PATIENCE_SECONDS = 1_800
_SWAP_SECONDS = 1_800  # a swap that waits longer for its block would be at an old price
_KEPT = 100  # a hundredth of the collateral stays behind: interest leaves a dust of debt


class Failed(Exception):
    """A group did not land; what it left behind is in the message."""


class OneKey:
    """The operator's key, as the only one there is."""

    def __init__(self, secret):
        key = PrivateKey(secret.use())
        raw = key.public_key.format(compressed=False)[1:]
        address = checksummed(keccak256(raw)[12:])
        self.ref = KeyRef("e2e", address)
        self.signer = HdSigner(self.ref, address, key)

    async def open(self, ref):
        return self.signer


class Nobody:
    """No deal waits to be woken: the run looks by itself."""

    async def wake(self, session, *deals):
        pass


@dataclass
class Position:
    """The run's parts; `did` is what landed, in order."""

    settings: object
    node: Node
    database: Database
    keys: OneKey
    did: list

    @property
    def account(self):
        return self.keys.signer.address

    async def open_and_close(self):
        """Wrap, supply, borrow, swap, repay and withdraw; each group final before the next."""
        profile, account = self.settings.profile, self.account
        pool, units = AavePool(profile.require_aave().pool), self.settings.borrow_units
        weth, usdt = profile.weth.require_address(), profile.usdt.require_address()
        wei = self.settings.collateral_wei
        await self._wrap_if_needed(weth, wei)
        await self._group(
            *_allowing("collateral", weth, pool.address, wei),
            ("supply", pool.supply(weth, wei, account), pool.expected_supply(weth, account)),
        )
        borrowed = pool.expected_borrow(usdt, account)
        await self._group(("borrow", pool.borrow(usdt, units, account), borrowed))
        if self.settings.exchange is not None:
            await self._swap_there_and_back(self.settings.exchange)
        repaid = pool.expected_repay(usdt, account, account)
        await self._group(
            *_allowing("debt", usdt, pool.address, units),
            ("repay", pool.repay(usdt, units, account), repaid),
        )
        rest = wei - wei // _KEPT
        withdrawn = pool.expected_withdraw(weth, account, account)
        await self._group(("withdraw", pool.withdraw(weth, rest, account), withdrawn))

    async def _wrap_if_needed(self, weth, wei):
        held = await self._read(Erc20(weth).balance_of(self.account))
        if held < wei:
            call = Weth(weth).deposit(wei - held)
            await self._group(("wrap", call, Weth(weth).expected_deposit(self.account)))

    async def _swap_there_and_back(self, exchange):
        there, token = exchange.sell_eth, Erc20(exchange.token)
        await self._wrap_if_needed(exchange.weth, self.settings.swap_wei)
        before = await self._read(token.balance_of(self.account))
        await self._sell("sell", exchange, there, self.settings.swap_wei)
        got = await self._read(token.balance_of(self.account)) - before
        await self._sell("buy back", exchange, there.reverse, got)

    async def _sell(self, name, exchange, route, amount):
        head = await self.node.head()
        (quote,) = await self.node.read([exchange.quote(route, amount)], head.ref)
        if isinstance(quote, Reverted):
            raise Failed(f"{name}: no quote ({quote.reason}); landed before: {self.did}")
        deadline = head.ref.timestamp + _SWAP_SECONDS
        swap = exchange.swap(route, amount, quote.amount, self.account, deadline)
        swapped = exchange.pool.expected_swap(exchange.router, self.account)
        allowing = _allowing(f"to {name}", route.token_in, exchange.router, amount)
        await self._group(*allowing, (name, swap, swapped))

    async def _read(self, wanted):
        head = await self.node.head()
        (found,) = await self.node.read([wanted], head.ref)
        return found

    async def _group(self, *legs):
        deal, group = new_deal_id(), new_group_id()
        wishes = [self._wish(deal, group, call, expected) for _, call, expected in legs]
        head = await self.node.head()
        nonces = await self.node.nonces([self.account], head.ref)
        policy = FeePolicy(self.settings.profile.fee_model, wishes[0].fee_ceiling_wei)
        fees = quote(policy, head.base_fee_wei, await self.node.suggest_tip_wei())
        service = Transactions(self.keys)
        async with self.database.begin() as session:
            await service.record(session, wishes, fees, nonces)
        found = await self._settled(service, deal)
        by_leg = {one.leg_id: one for one in found}
        for (name, _, _), wish in zip(legs, wishes, strict=True):
            one = by_leg[wish.leg_id]
            self.did.append({"leg": name, "status": str(one.status), "tx": one.tx_hash})
            if one.status is not IntentStatus.LANDED:
                raise Failed(f"{name} ended as {one.status}; landed before: {self.did[:-1]}")

    async def _settled(self, service, deal):
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                async with self.database.begin() as session:
                    found = await service.outcomes(session, deal)
                if all(one.is_final for one in found):
                    return found
                await asyncio.sleep(1)

    def _wish(self, deal, group, call, expected):
        profile = self.settings.profile
        return NewIntent(
            intent_id=new_intent_id(),
            leg_id=new_leg_id(),
            deal_id=deal,
            group_id=group,
            chain_id=profile.chain_id,
            participant_bank_id=BankId("TESTNET"),
            sender=self.account,
            key=self.keys.ref,
            call=call,
            gas_limit=_GAS,
            expected=expected,
            deadline=None,
            depth=profile.confirmations,
            fee_ceiling_wei=profile.gas_price_ceiling_wei,
        )


def _allowing(name, token, spender, units):
    """First nothing, then `units`: USDT refuses to change what an earlier run left of another."""
    token = Erc20(token)
    yield f"revoke {name}", token.approve(spender, 0), None
    yield f"approve {name}", token.approve(spender, units), None


async def run(settings):
    """What landed on the chain of `settings`, as one summary."""
    database = Database.connect(settings.database_url)
    node = Node(Rpc.over_http(settings.profile.rpc_urls[0]), settings.profile)
    position = Position(settings, node, database, OneKey(settings.key), [])
    try:
        await node.connect()
        await upgrade(database)
        async with _leading(position):
            await position.open_and_close()
    finally:
        await node.close()
        await database.close()
    return {"chain_id": settings.profile.chain_id, "legs": position.did}


@asynccontextmanager
async def _leading(position):
    profile, url = position.settings.profile, position.settings.database_url
    lead = LeaderLock(url, f"chain:{profile.chain_id}")
    journal = PostgresJournal(
        position.database,
        profile.chain_id,
        Nobody(),
        unobserved,
        reorgs=KeptReorgs(profile.final_depth),
        lease=lead.lease,
    )
    parts = Parts(
        chain_id=profile.chain_id,
        fee_model=profile.fee_model,
        network=position.node,
        journal=journal,
        keys=position.keys,
        clock=SystemClock(),
        lease=lead.lease,
        pace=Pace.of_chain(profile.block_time_seconds),
    )
    async with Signal(url, CHANNEL) as signal:
        leading = asyncio.create_task(ChainLoop(parts, lead, signal).run())
        try:
            yield
        finally:
            leading.cancel()
            with suppress(asyncio.CancelledError):
                await leading
