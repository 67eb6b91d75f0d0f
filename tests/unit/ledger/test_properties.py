"""Any sequence of legs keeps the books balanced and equal to a chain that is modelled apart."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.money import RAY
from holdfast.ledger.bookings import claim_marked
from holdfast.ledger.interest import accrual
from holdfast.ledger.model import Account, Balances
from holdfast.ledger.ports import ChainBalances, Indexes
from holdfast.ledger.postings import entries_for
from holdfast.ledger.reconciliation import reconciled
from holdfast.model.leg import LegKind, LegStatus
from tests.unit.ledger import scene
from tests.unit.ledger.scene import BOOK, ETH, USDT, USDTZ, WETH, block

START = 10**21
GAS_PRICE = 7


def half_up(numerator, denominator):
    return (2 * numerator + denominator) // (2 * denominator)


@dataclass
class Chain:
    """Tokens and lending positions as contracts keep them; knows nothing of accounts."""

    native: int = 0
    weth: int = 0
    usdt: int = 0
    usdtz: int = 0
    queued: int = 0
    a_scaled: int = 0
    d_scaled: int = 0
    income: int = RAY
    debt: int = RAY
    number: int = 1
    balances: Balances = field(default_factory=Balances)

    @property
    def collateral_worth(self):
        return half_up(self.a_scaled * self.income, RAY)

    @property
    def debt_owed(self):
        return half_up(self.d_scaled * self.debt, RAY)

    def post(self, made, status=LegStatus.LANDED):
        leg, receipt = made
        if receipt.sender == scene.DEAL:
            self.native -= receipt.gas_used * GAS_PRICE
        self.balances = self.balances.after(entries_for(BOOK, leg, status, receipt))
        assert set(self.balances.trial().values()) <= {0}

    def shown(self, **planted):
        chain = ChainBalances(
            at=block(self.number),
            native=self.native,
            weth=self.weth,
            usdt=self.usdt,
            usdtz=self.usdtz,
            collateral=self.collateral_worth,
            debt=self.debt_owed,
            queued=self.queued,
            core=0,
        )
        changed = {name: getattr(chain, name) + by for name, by in planted.items()}
        values = {name: getattr(chain, name) for name in ChainBalances.__slots__}
        return ChainBalances(**(values | changed))


def fund(chain, share):
    chain.native += share
    return scene.fund(share, price=GAS_PRICE, number=chain.number)


def wrap(chain, share):
    wei = chain.native * share // START // 2
    chain.native, chain.weth = chain.native - wei, chain.weth + wei
    return scene.wrap(wei, price=GAS_PRICE, number=chain.number)


def unwrap(chain, share):
    wei = chain.weth * share // START
    chain.native, chain.weth = chain.native + wei, chain.weth - wei
    return scene.unwrap(wei, price=GAS_PRICE, number=chain.number)


def supply(chain, share):
    wei = chain.weth * share // START
    chain.weth -= wei
    chain.a_scaled += half_up(wei * RAY, chain.income)
    return scene.supply(wei, chain.income, price=GAS_PRICE, number=chain.number)


def withdraw_all(chain, share):
    wei = chain.collateral_worth
    chain.weth += wei
    chain.a_scaled -= half_up(wei * RAY, chain.income)
    assert chain.a_scaled == 0
    return scene.withdraw(wei, chain.income, price=GAS_PRICE, number=chain.number)


def borrow(chain, share):
    chain.usdt += share
    chain.d_scaled += half_up(share * RAY, chain.debt)
    return scene.borrow(share, chain.debt, price=GAS_PRICE, number=chain.number)


def repay(chain, share):
    units = min(chain.debt_owed, chain.usdt, share)
    chain.usdt -= units
    chain.d_scaled -= half_up(units * RAY, chain.debt)
    return scene.repay(units, chain.debt, price=GAS_PRICE, number=chain.number)


def buy(chain, share):
    spend = chain.usdt * share // START
    chain.usdt, chain.usdtz = chain.usdt - spend, chain.usdtz + spend * 5 // 3
    return scene.buy(spend, spend * 5 // 3, price=GAS_PRICE, number=chain.number)


def sell_eth(chain, share):
    wei = chain.weth * share // START
    chain.weth, chain.usdt = chain.weth - wei, chain.usdt + wei // 500
    return scene.sell_eth(wei, wei // 500, price=GAS_PRICE, number=chain.number)


def request(chain, share):
    units = chain.usdtz * share // START
    chain.usdtz, chain.queued = chain.usdtz - units, chain.queued + units
    return scene.request(units, price=GAS_PRICE, number=chain.number)


def claim(chain, share):
    units = chain.queued * share // START
    paid = units * 9_975 // 10_000
    chain.queued, chain.usdt = chain.queued - units, chain.usdt + paid
    return scene.claim(units, paid, price=GAS_PRICE, number=chain.number)


def return_cash(chain, share):
    units = chain.usdt * share // START
    chain.usdt -= units
    return scene.return_token(USDT, units, price=GAS_PRICE, number=chain.number)


LANDING = (
    fund,
    wrap,
    unwrap,
    supply,
    withdraw_all,
    borrow,
    repay,
    buy,
    sell_eth,
    request,
    claim,
    return_cash,
)


def time_passes(chain, share):
    chain.number += 1
    chain.income = half_up(chain.income * (1_000_000 + share % 997), 1_000_000)
    chain.debt = half_up(chain.debt * (1_000_000 + share % 1_999), 1_000_000)


def reverts(chain, share):
    receipt = scene.receipt(succeeded=False, price=GAS_PRICE, number=chain.number)
    chain.post((scene.leg(LegKind.SWAP), receipt), LegStatus.REVERTED)


def marks_claim(chain, share):
    entries = claim_marked(BOOK, chain.balances, block(chain.number), is_claim=share % 2 == 0)
    chain.balances = chain.balances.after(entries)


def settle(chain):
    indexes = Indexes(block(chain.number), chain.income, chain.debt)
    chain.balances = chain.balances.after(accrual(BOOK, chain.balances, indexes))


actions = st.lists(
    st.tuples(
        st.sampled_from([*LANDING, time_passes, reverts, marks_claim]), st.integers(1, START)
    ),
    max_size=40,
)
PLANTED = ("native", "weth", "usdt", "usdtz", "collateral", "debt", "queued")


def played(script):
    chain = Chain()
    chain.post(fund(chain, START))
    for act, share in script:
        if act not in LANDING:
            act(chain, share)
            continue
        # Marking is undone before a leg moves the tokens, as the caller of the ledger does.
        marks_claim(chain, 1)
        chain.post(act(chain, share))
    settle(chain)
    return chain


@given(actions)
def test_books_stay_balanced_and_equal_to_the_chain_to_the_base_unit(script):
    chain = played(script)
    assert set(chain.balances.trial().values()) <= {0}
    assert reconciled(BOOK, chain.balances, chain.shown(), core_booked=0).mismatches == ()


@given(actions, st.sampled_from(PLANTED), st.sampled_from([1, -1]))
def test_one_unit_planted_anywhere_is_found_after_any_history(script, where, by):
    chain = played(script)
    made = reconciled(BOOK, chain.balances, chain.shown(**{where: by}), core_booked=0)
    assert made.mismatch_wei == 1


@given(actions)
def test_wrapping_never_makes_or_loses_ether(script):
    balances = played(script).balances
    assert balances.units(Account.TRADE_WRAP, ETH) + balances.units(Account.TRADE_WRAP, WETH) == 0


@given(actions)
def test_tokens_bought_are_held_queued_or_redeemed(script):
    balances = played(script).balances
    where = (
        Account.WALLET,
        Account.QUEUE,
        Account.CLAIM_HELD,
        Account.CLAIM_QUEUED,
        Account.TRADE_REDEMPTION,
    )
    assert sum(balances.units(account, USDTZ) for account in where) == -balances.units(
        Account.TRADE_PURCHASE, USDTZ
    )
