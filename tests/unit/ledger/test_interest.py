import pytest

from holdfast.common.errors import Broken, Transient
from holdfast.common.money import RAY, TokenAmount
from holdfast.ledger.interest import accrual, indexes_at
from holdfast.ledger.model import Account, Balances, EntryKind, JournalEntry, Posting
from holdfast.ledger.ports import Indexes
from holdfast.protocols.aave_v3.reserve import Reserve, decode_configuration
from tests.unit.ledger.scene import A_WETH, BOOK, DEAL_ID, USDT, WETH, block

YEAR = 365 * 86_400


def position(*, collateral=(0, 0), debt=(0, 0), number=1):
    """Balances with these units and scaled units; debt is given as a positive number."""
    lines = (
        Posting(Account.COLLATERAL, TokenAmount(WETH, collateral[0]), collateral[1]),
        Posting(Account.WALLET, TokenAmount(WETH, -collateral[0])),
        Posting(Account.DEBT, TokenAmount(USDT, -debt[0]), -debt[1]),
        Posting(Account.WALLET, TokenAmount(USDT, debt[0])),
    )
    entry = JournalEntry(DEAL_ID, EntryKind.LANDED, "0x1", "test", block(number), lines)
    return Balances().after([entry])


def accrued(balances, income, debt, number=2):
    entries = accrual(BOOK, balances, Indexes(block(number), income, debt))
    return {
        posting.account: posting.amount.units for entry in entries for posting in entry.postings
    }


def test_growth_is_income_on_collateral_and_expense_on_debt():
    held = position(collateral=(1_000, 1_000), debt=(500, 400))
    # 1,000 x 1.05 = 1,050; 400 x 1.5 = 600
    assert accrued(held, 105 * RAY // 100, 15 * RAY // 10) == {
        Account.COLLATERAL: 50,
        Account.SUPPLY_INTEREST: -50,
        Account.BORROW_INTEREST: 100,
        Account.DEBT: -100,
    }


@pytest.mark.parametrize(
    ("scaled", "index", "units", "change"),
    [
        (333, 3 * RAY, 1_000, -1),  # 1,000 / 3 scaled to 333 is worth 999
        (667, 3 * RAY, 2_000, 1),  # 2,000 / 3 scaled to 667 is worth 2,001
        (1, 3 * RAY // 2, 1, 1),  # 1.5 is rounded up to 2
    ],
)
def test_the_pools_rounding_is_booked_too_to_the_base_unit(scaled, index, units, change):
    held = position(collateral=(units, scaled))
    assert accrued(held, index, RAY) == {
        Account.COLLATERAL: change,
        Account.SUPPLY_INTEREST: -change,
    }


def test_nothing_is_booked_where_nothing_grew():
    assert accrued(position(collateral=(1_000, 1_000), debt=(400, 400)), RAY, RAY) == {}


def test_what_was_repaid_beyond_the_booked_debt_is_interest_that_was_not_booked_yet():
    assert accrued(position(debt=(-24, 0)), RAY, RAY) == {
        Account.BORROW_INTEREST: 24,
        Account.DEBT: -24,
    }


def test_the_same_accrual_has_the_same_reference_and_one_after_a_further_leg_another():
    indexes = Indexes(block(2), 2 * RAY, RAY)
    one, again = (accrual(BOOK, position(collateral=(1_000, 1_000)), indexes)[0] for _ in range(2))
    later = accrual(BOOK, position(collateral=(1_500, 1_500)), indexes)[0]
    assert one.reference == again.reference != later.reference


def test_an_older_block_than_the_booked_one_is_refused_for_now():
    with pytest.raises(Transient) as caught:
        accrued(position(number=9), RAY, RAY, number=8)
    assert (caught.value.code, caught.value.fields) == (
        "ledger.block_behind",
        {"limit": 9, "value": 8},
    )


def test_the_booked_block_itself_is_fine():
    assert accrued(position(number=9), RAY, RAY, number=9) == {}


def reserve(rate, updated):
    return Reserve(
        configuration=decode_configuration(0),
        liquidity_index=2 * RAY,
        liquidity_rate=rate,
        variable_borrow_index=3 * RAY,
        variable_borrow_rate=rate,
        last_update=updated,
        reserve_id=0,
        a_token=A_WETH,
        stable_debt_token=A_WETH,
        variable_debt_token=A_WETH,
        rate_strategy=A_WETH,
    )


def test_indexes_are_compounded_by_us_to_the_blocks_time():
    at = block(5, timestamp=1_700_000_000 + YEAR)
    made = indexes_at(
        at, weth=reserve(RAY // 10, 1_700_000_000), usdt=reserve(RAY // 10, 1_700_000_000)
    )
    # A year at 10 %: supply grows by 1.1 (linear). Debt by 1 + r + r^2/2 + r^3/6, where the pool
    # keeps 31 of the third term's 31.88 a second cubed: 1 + 0.1 + 0.005 + 0.000167 x 31/31.88
    assert made.income_ray == 22 * RAY // 10
    assert made.debt_ray / RAY == pytest.approx(3 * 1.105162, abs=1e-6)
    assert made.at == at


def test_a_reserve_that_was_updated_after_the_block_is_refused():
    later = reserve(0, 1_800_000_000)
    with pytest.raises(Broken):
        indexes_at(block(5), weth=later, usdt=later)
