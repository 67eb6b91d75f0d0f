"""A reserve's bits and words, its indexes in time, its rates."""

import pytest
from eth_abi.abi import encode as general
from hypothesis import given
from hypothesis import strategies as st

from holdfast.chain.multicall import Read
from holdfast.common.errors import Rejected
from holdfast.common.evm import checksummed
from holdfast.common.money import RAY
from holdfast.protocols.aave_v3.account import AccountFlags, decode_account_data
from holdfast.protocols.aave_v3.oracle import AaveOracle
from holdfast.protocols.aave_v3.pool import AavePool
from holdfast.protocols.aave_v3.rates import RateStrategy, usage_ratio
from holdfast.protocols.aave_v3.reserve import Reserve, decode_configuration, decode_reserve
from holdfast.protocols.aave_v3.revision import require_known
from holdfast.protocols.price_feed import FeedAnswer, PriceFeed

A_TOKEN, STABLE, DEBT, STRATEGY = (checksummed(bytes([number]) * 20) for number in range(1, 5))
YEAR = 365 * 24 * 3_600
# ltv 80 %, threshold 83 %, bonus 105 %, 18 decimals, active, borrowable, factor 10 %, caps 7 and 9
BITS = (
    8_000
    | 8_300 << 16
    | 10_500 << 32
    | 18 << 48
    | 1 << 56
    | 1 << 58
    | 1_000 << 64
    | 7 << 80
    | 9 << 116
)


def reserve(**fields):
    values = {
        "configuration": decode_configuration(BITS),
        "liquidity_index": 2 * RAY,
        "liquidity_rate": RAY // 10,
        "variable_borrow_index": 3 * RAY,
        "variable_borrow_rate": RAY // 10,
        "last_update": 1_000,
        "reserve_id": 1,
        "a_token": A_TOKEN,
        "stable_debt_token": STABLE,
        "variable_debt_token": DEBT,
        "rate_strategy": STRATEGY,
    }
    return Reserve(**values | fields)


def test_the_bit_map_is_read_field_by_field():
    configuration = decode_configuration(BITS)
    assert (configuration.ltv, configuration.liquidation_threshold) == (8_000, 8_300)
    assert (configuration.liquidation_bonus, configuration.decimals) == (10_500, 18)
    assert (configuration.reserve_factor, configuration.borrow_cap) == (1_000, 7)
    assert configuration.supply_cap == 9
    assert configuration.is_active
    assert configuration.can_be_borrowed
    assert configuration.takes_new_positions


@pytest.mark.parametrize(
    ("bits", "takes", "ends"),
    [
        (BITS | 1 << 57, False, True),  # frozen: one may leave
        (BITS | 1 << 60, False, False),  # paused: nothing moves
        (BITS & ~(1 << 56), False, False),  # not active
    ],
)
def test_a_stopped_reserve_says_what_it_still_allows(bits, takes, ends):
    configuration = decode_configuration(bits)
    assert configuration.takes_new_positions is takes
    assert configuration.lets_positions_end is ends


def test_a_reserve_is_read_from_its_words():
    types = ["uint256"] * 8 + ["address"] * 4 + ["uint256"] * 3
    words = [BITS, 2 * RAY, RAY // 10, 3 * RAY, RAY // 10, 99, 1_000, 1]
    data = general(types, [*words, A_TOKEN, STABLE, DEBT, STRATEGY, 0, 0, 0])
    assert decode_reserve(data) == reserve()
    assert AavePool(A_TOKEN).reserve(DEBT).decode(data) == reserve()


def test_supply_grows_linearly_and_debt_compounds():
    # One year at 10 %: 2 * 1.1 = 2.2; 3 * 1.10516204 = 3.31548612 (see test_math for the series).
    state = reserve()
    assert state.income_index_at(1_000) == 2 * RAY
    assert state.income_index_at(1_000 + YEAR) == 22 * RAY // 10
    assert state.debt_index_at(1_000) == 3 * RAY
    assert state.debt_index_at(1_000 + YEAR) // 10**19 == 331_548_612


def test_the_booked_debt_index_stands_still_while_nobody_owes():
    state = reserve()
    assert state.debt_index_booked_at(1_000 + YEAR, 0) == 3 * RAY
    assert state.debt_index_booked_at(1_000 + YEAR, 1) == state.debt_index_at(1_000 + YEAR)


def test_flags_are_two_bits_a_reserve():
    # Reserve 0: borrowed (bit 0). Reserve 1: collateral (bit 3).
    flags = AccountFlags(0b1001)
    assert (flags.is_borrowing(0), flags.is_collateral(0)) == (True, False)
    assert (flags.is_borrowing(1), flags.is_collateral(1)) == (False, True)
    assert not flags.is_empty
    assert AccountFlags(0).is_empty


def test_account_data_is_read_from_its_words():
    account = decode_account_data(general(["uint256"] * 6, [1, 2, 3, 4, 5, 6]))
    assert (account.collateral_base, account.debt_base) == (1, 2)
    assert (account.available_borrows_base, account.liquidation_threshold) == (3, 4)
    assert (account.ltv, account.health_factor) == (5, 6)


STRATEGY_OF_USDT = RateStrategy(
    base_rate=0, slope_1=6 * RAY // 100, slope_2=60 * RAY // 100, optimal_usage=90 * RAY // 100
)


@pytest.mark.parametrize(
    ("liquidity", "debt", "rate_bps"),
    [
        (100, 0, 0),  # nothing lent
        (40, 60, 400),  # 6 % * 60/90
        (10, 90, 600),  # the kink
        (5, 95, 3_600),  # 6 % + 60 % * 5/10
        (0, 100, 6_600),  # all lent
    ],
)
def test_the_borrow_rate_follows_two_slopes(liquidity, debt, rate_bps):
    rate = STRATEGY_OF_USDT.borrow_rate(liquidity * 10**6, debt * 10**6)
    assert rate == pytest.approx(rate_bps * RAY // 10_000, abs=1)


def test_the_supply_rate_is_what_borrowers_pay_less_the_reserve_factor():
    # 4 % on 60 % of the cash is 2.4 %; less a tenth is 2.16 %.
    rate = STRATEGY_OF_USDT.supply_rate(40 * 10**6, 60 * 10**6, 1_000)
    assert rate == pytest.approx(216 * RAY // 10_000, abs=2)
    assert STRATEGY_OF_USDT.supply_rate(100, 0, 1_000) == 0


@given(st.integers(0, 10**30), st.integers(0, 10**30), st.integers(0, 10**30))
def test_borrowing_more_never_lowers_the_rate(liquidity, debt, more):
    taken = min(more, liquidity)
    before = STRATEGY_OF_USDT.borrow_rate(liquidity, debt)
    after = STRATEGY_OF_USDT.borrow_rate(liquidity - taken, debt + taken)
    assert after >= before


def test_usage_of_an_empty_reserve_is_none():
    assert usage_ratio(0, 0) == 0


def test_an_unknown_revision_is_refused():
    require_known(1)
    with pytest.raises(Rejected) as caught:
        require_known(7)
    assert caught.value.code == "aave.revision"
    assert caught.value.fields == {"limit": [1], "value": 7}


def answer(read: Read[object], *values):
    return read.decode(general(["int256"] * len(values), list(values)))


def test_prices_and_their_age_are_read():
    assert answer(AaveOracle(A_TOKEN).price(DEBT), 2_000 * 10**8) == 2_000 * 10**8
    assert answer(PriceFeed(A_TOKEN).latest(), 9, 2_000 * 10**8, 5, 6, 9) == FeedAnswer(
        answer=2_000 * 10**8, updated_at=6
    )
    assert answer(PriceFeed(A_TOKEN).latest(), 9, -1, 5, 6, 9).answer == -1
