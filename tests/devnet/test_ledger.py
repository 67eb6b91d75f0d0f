"""The ledger against real protocols: legs as the product builds them, balances read apart."""

from uuid import UUID

import pytest
import pytest_asyncio

from holdfast.chain.node import Node
from holdfast.chain.rpc import Rpc
from holdfast.common.ids import BankId, DealId
from holdfast.common.money import TokenAmount, amount_of
from holdfast.devnet.accounts import ADMIN, FLOAT
from holdfast.execution.calls import DealCalls, DealTokens
from holdfast.ledger.bookings import core_booked
from holdfast.ledger.interest import accrual, indexes_at
from holdfast.ledger.model import Account, Balances, Book, TokenBook
from holdfast.ledger.ports import ChainBalances, Indexes
from holdfast.ledger.postings import entries_for
from holdfast.ledger.reconciliation import reconciled
from holdfast.model.deal import Step
from holdfast.model.leg import LegStatus
from holdfast.model.plan import Accounts
from holdfast.protocols.registry import protocols
from holdfast.protocols.uniswap_v3.swaps import ExactInput
from tests.support.actor import ALICE, Actor
from tests.support.onchain import OnChain

E = 10**18
U = 10**6
QUARTER = 90 * 86_400
STEP = Step.PURCHASE


class Deal:
    """One deal whose key is the devnet's ALICE; books what it does, leg by leg."""

    def __init__(self, devnet, node):
        self.devnet, self.node, self.on_chain = devnet, node, OnChain(devnet)
        profile = devnet.profile
        standing = profile.require_accounts()
        tokens = (profile.native, profile.weth, profile.usdt, profile.usdtz)
        accounts = Accounts(standing.core, FLOAT, ALICE, standing.treasury_return, deal_number=1)
        self.suite = protocols(profile)
        self.calls = DealCalls(self.suite, DealTokens(*tokens), accounts)
        self.book = Book(
            DealId(UUID(int=1)), BankId("BANK001"), profile.chain_id, accounts, TokenBook(*tokens)
        )
        self.tokens, self.accounts = self.book.tokens, accounts
        self.balances = Balances()
        self.actors = {who: Actor(devnet, node, who) for who in (ALICE, FLOAT)}

    def post(self, entries):
        self.balances = self.balances.after(entries)
        assert set(self.balances.trial().values()) <= {0}

    async def do(self, *legs, gas=2_000_000):
        for leg in legs:
            receipt = await self.actors[leg.sender].run(leg.call, gas)
            status = LegStatus.LANDED if receipt.succeeded else LegStatus.REVERTED
            self.post(entries_for(self.book, leg, status, receipt))

    async def open(self):
        """50 ETH in, 30 of them collateral, $12,000 borrowed; every leg as the product makes it."""
        calls, pool = self.calls, self.suite.aave.address
        self.post(
            [core_booked(self.book, TokenAmount(self.tokens.native, 50 * E), await self.at())]
        )
        await self.do(
            calls.fund(50 * E),
            calls.wrap(STEP, 30 * E),
            calls.approve(STEP, self.tokens.weth, pool, 30 * E),
            calls.supply(30 * E),
            calls.borrow(12_000 * U),
        )

    async def buy(self, spend=12_000 * U):
        router = self.suite.router.address
        deadline = (await self.at()).timestamp + 3_600
        await self.do(
            self.calls.approve(STEP, self.tokens.usdt, router, spend),
            self.calls.buy(ExactInput(self.suite.buy_usdtz, spend, 1, ALICE, deadline)),
        )

    async def redeem(self, units):
        desk = self.suite.desk.address
        await self.do(
            self.calls.approve(STEP, self.tokens.usdtz, desk, units),
            self.calls.request(units),
            self.calls.claim(units),
        )

    async def repay(self):
        owed = self.on_chain.holdings(ALICE).debt
        pool = self.suite.aave.address
        await self.do(
            self.calls.approve(STEP, self.tokens.usdt, pool, 2 * owed),
            self.calls.repay_all(owed),
            self.calls.revoke(STEP, self.tokens.usdt, pool),
            self.calls.withdraw_all(30 * E),
        )

    async def go_home(self):
        held = self.on_chain.holdings(ALICE)
        await self.do(
            self.calls.unwrap(held.weth), self.calls.return_token(self.tokens.usdt, held.usdt)
        )
        await self.do(self.calls.return_native(self.on_chain.native(ALICE) - E), gas=21_000)

    async def at(self):
        return (await self.node.head()).ref

    async def indexes(self):
        at = await self.at()
        aave = self.suite.aave
        reads = [
            aave.reserve(one.require_address()) for one in (self.tokens.weth, self.tokens.usdt)
        ]
        weth, usdt = await self.node.read(reads, at)
        return indexes_at(at, weth=weth, usdt=usdt)

    async def accrue(self):
        self.post(accrual(self.book, self.balances, await self.indexes()))

    async def reconcile(self):
        at, seen = await self.at(), self.on_chain.holdings(ALICE)
        chain = ChainBalances(
            at=at,
            native=seen.native,
            weth=seen.weth,
            usdt=seen.usdt,
            usdtz=seen.usdtz,
            collateral=seen.collateral,
            debt=seen.debt,
            queued=self.on_chain.in_desk(ALICE),
            core=self.on_chain.native(self.accounts.core),
            received=tuple(
                TokenAmount(
                    token, self.on_chain.balance(token.symbol, self.accounts.treasury_return)
                )
                for token in (self.tokens.usdt, self.tokens.usdtz)
            ),
        )
        return reconciled(self.book, self.balances, chain, core_booked=50 * E)

    async def mismatches(self):
        return [
            (line.account, line.ledger.token, line.mismatch)
            for line in (await self.reconcile()).mismatches
        ]

    def units(self, account, token):
        return self.balances.units(account, token)


@pytest_asyncio.fixture
async def deal(devnet):
    node = Node(Rpc.over_http(devnet.url), devnet.profile)
    await node.connect()
    devnet.control.set_balance(ALICE, 0)
    deal = Deal(devnet, node)
    yield deal
    await node.close()


async def test_every_leg_of_a_deal_leaves_ledger_and_chain_equal_to_the_wei(deal):
    await deal.open()
    await deal.accrue()
    assert await deal.mismatches() == []
    await deal.buy()
    await deal.redeem(5_000 * U)
    await deal.accrue()
    assert await deal.mismatches() == []
    deal.devnet.control.advance_time(QUARTER)
    await deal.redeem(deal.on_chain.holdings(ALICE).usdtz)
    await deal.accrue()
    assert await deal.mismatches() == []
    await deal.repay()
    await deal.accrue()
    await deal.go_home()
    assert await deal.mismatches() == []
    tokens = deal.tokens
    # About a quarter of a year at a few per cent on 12,000; every base unit is accounted for above.
    assert 50 * U < deal.units(Account.BORROW_INTEREST, tokens.usdt) < 500 * U
    assert deal.units(Account.SUPPLY_INTEREST, tokens.weth) <= 0
    assert deal.units(Account.DEBT, tokens.usdt) == 0
    assert deal.units(Account.COLLATERAL, tokens.weth) == 0
    assert deal.units(Account.RETURNED, tokens.usdt) > 7_000 * U


async def test_interest_that_nobody_touched_is_known_to_the_wei_at_any_time(deal):
    await deal.open()
    for seconds in (1, 59, 3_600, 86_400, QUARTER):
        deal.devnet.control.advance_time(seconds)
        await deal.accrue()
        assert await deal.mismatches() == []


@pytest.mark.parametrize("sign", [1, -1], ids=["received", "sent"])
async def test_one_planted_unit_of_usdt_turns_the_reconciliation_red(deal, sign):
    await deal.open()
    giver, taker = (ADMIN, ALICE) if sign > 0 else (ALICE, ADMIN)
    deal.devnet.control.give(amount_of(deal.tokens.usdt, 1), ADMIN)
    gas_before = deal.on_chain.native(ALICE)
    deal.on_chain.transfer_as(giver, "USDT", taker, 1)
    deal.devnet.control.set_balance(ALICE, gas_before)
    await deal.accrue()
    made = await deal.reconcile()
    assert made.mismatch_wei == 1
    assert [(line.account, line.ledger.token) for line in made.mismatches] == [
        (Account.WALLET, deal.tokens.usdt)
    ]


async def test_one_planted_wei_of_ether_turns_the_reconciliation_red(deal):
    await deal.open()
    deal.on_chain.send_as(ADMIN, ALICE, value=1)
    await deal.accrue()
    assert await deal.mismatches() == [(Account.WALLET, deal.tokens.native, 1)]


async def test_an_index_error_of_one_part_in_ten_billion_turns_the_reconciliation_red(deal):
    await deal.open()
    right = await deal.indexes()
    wrong = Indexes(right.at, right.income_ray, right.debt_ray + right.debt_ray // 10**10)
    deal.post(accrual(deal.book, deal.balances, wrong))
    # 12,000 USDT are 1.2 x 10^10 base units, so the error is 1.2 of them: one, or rounded up two.
    [(account, token, units)] = await deal.mismatches()
    assert (account, token) == (Account.DEBT, deal.tokens.usdt)
    assert units in {1, 2}


async def test_collateral_at_yesterdays_index_turns_the_reconciliation_red(deal):
    await deal.open()
    old = await deal.indexes()
    deal.devnet.control.advance_time(QUARTER)
    now = await deal.indexes()
    assert old.income_ray < now.income_ray
    deal.post(accrual(deal.book, deal.balances, Indexes(now.at, old.income_ray, now.debt_ray)))
    ((account, _, _),) = await deal.mismatches()
    assert account is Account.COLLATERAL


async def test_a_reverted_leg_costs_its_gas_and_nothing_else(deal):
    await deal.open()
    await deal.do(deal.calls.claim(5 * U), gas=200_000)
    await deal.accrue()
    assert await deal.mismatches() == []


async def test_what_tether_keeps_is_an_expense_and_the_books_still_agree(deal):
    deal.devnet.control.set_usdt_fee(10, most_dollars=20)
    await deal.open()
    await deal.accrue()
    assert await deal.mismatches() == []
    # 10 bps of 12,000 is 12 USDT.
    assert deal.units(Account.TRANSFER_FEE, deal.tokens.usdt) == 12 * U
    await deal.do(deal.calls.return_token(deal.tokens.usdt, 1_000 * U))
    await deal.accrue()
    assert await deal.mismatches() == []
    assert deal.units(Account.TRANSFER_FEE, deal.tokens.usdt) == 13 * U


async def test_tokens_in_a_slow_queue_are_proved_by_the_desk(deal):
    deal.devnet.control.set_queue_delay(3_600)
    await deal.open()
    await deal.buy()
    desk = deal.suite.desk.address
    await deal.do(
        deal.calls.approve(STEP, deal.tokens.usdtz, desk, 5_000 * U),
        deal.calls.request(5_000 * U),
    )
    await deal.accrue()
    assert deal.units(Account.QUEUE, deal.tokens.usdtz) == 5_000 * U
    assert await deal.mismatches() == []
