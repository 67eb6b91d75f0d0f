"""One whole deal, worked by hand at small numbers.

100 ETH at $2,000: core 50, working 30, bucket 20. Gas is 100,000 a transaction (21,000 for a plain
transfer) at 1 gwei. Supply index 1.1 then 1.1011, debt index 1.25 then 1.2525.

collateral  30 / 1.1 = 27.27.. scaled; at 1.1011 worth 30.03, so 0.03 WETH earned
debt        12,000 / 1.25 = 9,600 scaled; at 1.2525 owed 12,024, so 24 USDT paid
tokens      19,980 USDTz for 12,000 USDT, redeemed at par less 0.25 %: 19,930.05 USDT
trading     19,980 - 12,000 = 7,980; the desk kept 49.95; 7,980 - 49.95 - 24 = 7,906.05 to take home
gas         16 x 0.0001 and 0.000021 by the deal, 0.000021 by the float
"""

import pytest

from holdfast.common.money import RAY, USD8, TokenAmount, Usd8
from holdfast.ledger.bookings import claim_marked, core_booked, core_released
from holdfast.ledger.interest import accrual
from holdfast.ledger.model import Account, Balances, Held
from holdfast.ledger.pnl import Marks, profit_and_loss
from holdfast.ledger.ports import ChainBalances, Indexes
from holdfast.ledger.postings import entries_for
from holdfast.ledger.reconciliation import reconciled
from holdfast.model.leg import LegStatus
from tests.unit.ledger import scene
from tests.unit.ledger.scene import BOOK, ETH, POOL, ROUTER, TOKENS, USDT, USDTZ, WETH, block

E = 10**18
U = 10**6
SUPPLY_THEN, SUPPLY_NOW = 11 * RAY // 10, 11_011 * RAY // 10_000
DEBT_THEN, DEBT_NOW = 125 * RAY // 100, 12_525 * RAY // 10_000
GAS = 10**14
PLAIN = 21 * 10**12

OPENING = (
    lambda: scene.fund(50 * E, number=1),
    lambda: scene.wrap(30 * E, number=2),
    lambda: scene.approve(WETH, POOL, 30 * E, number=2),
    lambda: scene.supply(30 * E, SUPPLY_THEN, number=2),
    lambda: scene.borrow(12_000 * U, DEBT_THEN, number=2),
    lambda: scene.approve(USDT, ROUTER, 12_000 * U, number=3),
    lambda: scene.buy(12_000 * U, 19_980 * U, number=3),
)
REDEEMING = (
    lambda: scene.approve(USDTZ, scene.DESK, 19_980 * U, number=4),
    lambda: scene.request(5_000 * U, number=4),
    lambda: scene.claim(5_000 * U, 4_987_500_000, number=4),
    lambda: scene.request(14_980 * U, number=5),
    lambda: scene.claim(14_980 * U, 14_942_550_000, number=5),
)
CLOSING = (
    lambda: scene.approve(USDT, POOL, 13_000 * U, number=6),
    lambda: scene.repay(12_024 * U, DEBT_NOW, number=6),
    lambda: scene.withdraw(3_003 * E // 100, SUPPLY_NOW, number=6),
    lambda: scene.unwrap(3_003 * E // 100, number=6),
    lambda: scene.return_token(USDT, 7_906_050_000, number=6),
    lambda: scene.return_native(LEFT, number=7),
)
LEFT = 5_003 * E // 100 - 16 * GAS - PLAIN  # 20 + 30.03 ETH less the gas of 16 + the last transfer


class Ledger:
    """The balances after what was posted, checked for balance at every step."""

    def __init__(self):
        self.balances = Balances()

    def book(self, *made):
        for leg, receipt in (make() for make in made):
            self.post(entries_for(BOOK, leg, LegStatus.LANDED, receipt))

    def post(self, entries):
        self.balances = self.balances.after(entries)
        assert set(self.balances.trial().values()) <= {0}

    def accrue(self, number, income, debt):
        indexes = Indexes(block(number), income, debt)
        self.post(accrual(BOOK, self.balances, indexes))

    def table(self):
        return {key: held.units for key, held in self.balances.held.items() if held.units}

    def reconciled(self, number, *, core=50 * E, **chain):
        nothing = dict.fromkeys(
            ("native", "weth", "usdt", "usdtz", "collateral", "debt", "queued"), 0
        )
        shown = ChainBalances(block(number), core=core, **(nothing | chain))
        booked = self.balances.units(Account.CORE, ETH)
        return reconciled(BOOK, self.balances, shown, core_booked=booked)


@pytest.fixture
def opened():
    ledger = Ledger()
    ledger.post([core_booked(BOOK, TokenAmount(ETH, 50 * E), block(1))])
    ledger.book(*OPENING)
    return ledger


@pytest.fixture
def redeemed(opened):
    opened.book(*REDEEMING)
    return opened


@pytest.fixture
def closed(redeemed):
    redeemed.accrue(5, SUPPLY_NOW, DEBT_NOW)
    redeemed.book(*CLOSING)
    redeemed.accrue(7, SUPPLY_NOW, DEBT_NOW)
    redeemed.post(core_released(BOOK, redeemed.balances, block(7)))
    return redeemed


def test_after_the_purchase_every_account_stands_as_worked_by_hand(opened):
    assert opened.table() == {
        (Account.CORE, ETH): 50 * E,
        (Account.WALLET, ETH): 20 * E - 6 * GAS,
        (Account.WALLET, USDTZ): 19_980 * U,
        (Account.COLLATERAL, WETH): 30 * E,
        (Account.DEBT, USDT): -12_000 * U,
        (Account.CONTRIBUTED, ETH): -100 * E - PLAIN,
        (Account.GAS, ETH): 6 * GAS + PLAIN,
        (Account.TRADE_WRAP, ETH): 30 * E,
        (Account.TRADE_WRAP, WETH): -30 * E,
        (Account.TRADE_PURCHASE, USDT): 12_000 * U,
        (Account.TRADE_PURCHASE, USDTZ): -19_980 * U,
    }
    assert opened.balances.of(Account.COLLATERAL, WETH) == Held(30 * E, 27_272_727_272_727_272_727)
    assert opened.balances.of(Account.DEBT, USDT) == Held(-12_000 * U, -9_600 * U)


def test_interest_brings_the_positions_to_what_the_indexes_make_of_them(redeemed):
    redeemed.accrue(5, SUPPLY_NOW, DEBT_NOW)
    table = redeemed.table()
    assert table[Account.COLLATERAL, WETH] == 3_003 * E // 100
    assert table[Account.SUPPLY_INTEREST, WETH] == -3 * E // 100
    assert table[Account.DEBT, USDT] == -12_024 * U
    assert table[Account.BORROW_INTEREST, USDT] == 24 * U


def test_the_ledger_agrees_with_the_chain_at_every_stage(opened):
    first = opened.reconciled(
        3, native=20 * E - 6 * GAS, usdtz=19_980 * U, collateral=30 * E, debt=12_000 * U
    )
    assert first.is_exact
    opened.book(*REDEEMING)
    opened.accrue(5, SUPPLY_NOW, DEBT_NOW)
    second = opened.reconciled(
        5,
        native=20 * E - 11 * GAS,
        usdt=19_930_050_000,
        collateral=3_003 * E // 100,
        debt=12_024 * U,
    )
    assert second.is_exact
    opened.book(*CLOSING)
    opened.accrue(7, SUPPLY_NOW, DEBT_NOW)
    assert opened.reconciled(7).is_exact


def test_a_wrong_index_leaves_ledger_and_chain_apart(redeemed):
    redeemed.accrue(5, SUPPLY_NOW, DEBT_NOW + RAY // 9_600_000_000)
    shown = redeemed.reconciled(
        5,
        native=20 * E - 11 * GAS,
        usdt=19_930_050_000,
        collateral=3_003 * E // 100,
        debt=12_024 * U,
    )
    (line,) = shown.mismatches
    assert (line.account, shown.mismatch_wei) == (Account.DEBT, 1)


def test_after_the_close_only_equity_and_results_are_left(closed):
    assert closed.table() == {
        (Account.CONTRIBUTED, ETH): -50 * E - PLAIN,
        (Account.RETURNED, ETH): LEFT,
        (Account.RETURNED, USDT): 7_906_050_000,
        (Account.GAS, ETH): 16 * GAS + 2 * PLAIN,
        (Account.SUPPLY_INTEREST, WETH): -3 * E // 100,
        (Account.TRADE_WRAP, ETH): -3 * E // 100,
        (Account.TRADE_WRAP, WETH): 3 * E // 100,
        (Account.BORROW_INTEREST, USDT): 24 * U,
        (Account.TRADE_PURCHASE, USDT): 12_000 * U,
        (Account.TRADE_PURCHASE, USDTZ): -19_980 * U,
        (Account.TRADE_REDEMPTION, USDT): -19_930_050_000,
        (Account.TRADE_REDEMPTION, USDTZ): 19_980 * U,
    }
    assert closed.balances.of(Account.COLLATERAL, WETH) == Held(0, 0)
    assert closed.balances.of(Account.DEBT, USDT) == Held(0, 0)


def test_profit_is_what_came_home_beyond_what_was_contributed(closed):
    marks = Marks(eth=Usd8(2_000 * USD8), claim_value=TokenAmount(USDT, 0))
    made = profit_and_loss(TOKENS, closed.balances, marks)
    assert made.trading.units == 7_980 * U
    assert made.fees.units == 49_950_000
    assert made.interest_paid.units == 24 * U
    assert made.usdt.units == 7_906_050_000 == closed.table()[Account.RETURNED, USDT]
    assert made.interest_earned.units == 3 * E // 100
    assert made.gas.units == 16 * GAS + 2 * PLAIN
    assert made.eth.units == LEFT - 50 * E - PLAIN
    # 7,906.05 + 0.028358 x 2,000 = 7,906.05 + 56.716
    assert made.total == 796_276_600_000
    assert made.claim.tokens.units == made.claim.at_cost.units == 0


def test_a_frozen_deal_shows_its_claim_at_cost_and_at_market_never_at_par(opened):
    opened.book(*REDEEMING[:4])
    opened.post(claim_marked(BOOK, opened.balances, block(5), is_claim=True))
    assert opened.balances.units(Account.CLAIM_QUEUED, USDTZ) == 14_980 * U
    value = TokenAmount(USDT, 8_500 * U)
    made = profit_and_loss(TOKENS, opened.balances, Marks(Usd8(2_000 * USD8), value))
    assert made.claim.tokens.units == 14_980 * U
    # 5,000 of 19,980 are redeemed: 12,000 x 5,000 / 19,980 = 3,003.003004 of the cost, rounded up
    assert made.claim.at_cost.units == 8_996_996_996
    assert made.claim.at_market == value
    # 5,000 at par less 3,003.003004, less 12.5 that the desk kept
    assert made.usdt.units == 1_984_496_996
    # market less cost: 8,500 - 8,996.996996
    assert made.total_with_claim_at_market - made.total == -49_699_699_600
