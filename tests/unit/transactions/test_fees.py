import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from holdfast.chain.profiles import FeeModel
from holdfast.common.errors import Transient
from holdfast.signing.model import Fees
from holdfast.transactions.fees import FeePolicy, exact, offer, quote, replacement, sweep_fee_wei

GWEI = 10**9
policy = FeePolicy(FeeModel.EIP1559, 100 * GWEI)
legacy = FeePolicy(FeeModel.LEGACY, 100 * GWEI)
free = FeePolicy(FeeModel.ZERO_GAS, 0)

wei = st.integers(0, 10**15)
fees = st.builds(lambda a, b: Fees(max(a, b), min(a, b)), wei, wei)


def test_the_cap_is_twice_the_base_fee_and_the_tip():
    # 2 * 10 + 1.5 = 21.5 gwei
    assert quote(policy, 10 * GWEI, 1_500_000_000) == Fees(21_500_000_000, 1_500_000_000)


def test_a_cap_over_the_ceiling_is_clipped_to_it():
    # 2 * 60 + 1 = 121 > 100, and the block itself costs only 60
    assert quote(policy, 60 * GWEI, GWEI) == Fees(100 * GWEI, GWEI)


def test_a_tip_over_the_ceiling_is_clipped_too():
    assert quote(policy, 0, 400 * GWEI) == Fees(100 * GWEI, 100 * GWEI)


def test_a_block_dearer_than_the_ceiling_is_refused_and_may_be_tried_later():
    with pytest.raises(Transient) as caught:
        quote(policy, 100 * GWEI + 1, GWEI)
    assert caught.value.code == "tx.fee_ceiling"
    assert caught.value.fields == {"limit": 100 * GWEI, "value": 100 * GWEI + 1}


def test_an_offer_where_waiting_is_no_choice_stays_at_the_ceiling():
    assert offer(policy, 500 * GWEI, GWEI) == Fees(100 * GWEI, GWEI)


def test_a_legacy_chain_has_one_price():
    assert quote(legacy, 0, 7 * GWEI) == Fees(7 * GWEI, 7 * GWEI, is_legacy=True)


def test_a_chain_without_gas_price_is_offered_none():
    assert quote(free, 0, 0) == Fees(0, 0, is_legacy=True)


def test_a_sweep_costs_its_cap_exactly():
    swept = exact(quote(policy, 10 * GWEI, GWEI))
    # cap 2 * 10 + 1 = 21 gwei, times 21,000 gas = 0.000441 ETH
    assert swept == Fees(21 * GWEI, 21 * GWEI)
    assert sweep_fee_wei(swept, 21_000) == 441 * 10**12


@given(fees, fees)
def test_a_replacement_raises_cap_and_tip_by_an_eighth_or_more(last, fresh):
    bumped = replacement(last, fresh)
    assert bumped.cap_wei * 8 >= last.cap_wei * 9
    assert bumped.tip_wei * 8 >= last.tip_wei * 9
    assert bumped.cap_wei > last.cap_wei
    assert bumped.tip_wei > last.tip_wei
    assert bumped.cap_wei >= max(fresh.cap_wei, bumped.tip_wei)


def test_a_legacy_replacement_raises_the_one_price():
    # 8 * 9 / 8 = 9
    old = Fees(8 * GWEI, 8 * GWEI, is_legacy=True)
    assert replacement(old, Fees(0, 0, is_legacy=True)) == Fees(9 * GWEI, 9 * GWEI, is_legacy=True)


@given(base=wei, tip=wei, ceiling=wei)
def test_no_quote_is_ever_above_the_ceiling(base, tip, ceiling):
    assume(base <= ceiling)
    made = quote(FeePolicy(FeeModel.EIP1559, ceiling), base, tip)
    assert made.tip_wei <= made.cap_wei <= ceiling
    assert made.cap_wei >= base
