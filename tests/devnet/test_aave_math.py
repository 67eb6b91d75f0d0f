"""Our Aave formulas against the deployed pool on random states: equal to the wei.

Each example supplies, borrows, lets time pass and the price move for real, on a snapshot of the
chain that is then gone. The pool's revision is read from the chain; `require_known` refuses others.
"""

from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from holdfast.common.money import BPS, RAY, USD8, WAD, Bps, Usd8, mul_div
from holdfast.protocols.aave_v3 import math
from holdfast.protocols.aave_v3.revision import require_known
from holdfast.protocols.erc20 import Erc20
from holdfast.risk.formulas import (
    collateral_to_restore,
    liquidation_price,
    ltv,
    repayment_to_restore,
)
from tests.devnet.test_protocol_aave import (
    ALICE,
    USDT,
    YEAR,
    check_account,
    check_indexes,
    check_rates,
    check_update,
    market,
)

__all__ = ["market"]

on_the_chain = settings(
    max_examples=60,
    deadline=None,
    # One node for all examples: each puts back what it did. A state that fails is not shrunk, as
    # every try costs a dozen transactions; the example itself says what it was.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@dataclass(frozen=True)
class State:
    """What is done before looking: amounts in wei and bps of what they may be at most."""

    supplied: int
    borrowed: int
    price_cents: int
    seconds: int
    repaid: int
    withdrawn: int

    @property
    def price(self):
        return Decimal(self.price_cents) / 100


def states(*, most_ether, least_loan=1):
    """Up to `most_ether` supplied; the venue lends up to 80 % of the collateral's value."""
    return st.builds(
        State,
        supplied=st.integers(WAD, most_ether * WAD),
        borrowed=st.integers(least_loan, 7_900),
        price_cents=st.integers(50_000, 900_000),
        seconds=st.one_of(st.integers(1, 3_600), st.integers(1, 3 * YEAR)),
        repaid=st.integers(0, BPS),
        withdrawn=st.integers(0, 500),
    )


async def position(market, at):
    """ALICE's collateral and debt in dollars times 1e8, from her tokens and the oracle."""
    weth, usdt = await market.reserve(market.weth, at), await market.reserve(market.usdt, at)
    supplied, owed, ether, dollar = await market.read(
        Erc20(weth.a_token).balance_of(ALICE),
        Erc20(usdt.variable_debt_token).balance_of(ALICE),
        market.oracle.price(market.weth),
        market.oracle.price(market.usdt),
        at=at,
    )
    debt = Usd8(math.base_value(owed, dollar, 6))
    return supplied, Usd8(math.base_value(supplied, ether, 18)), debt


async def opened(market, state):
    """The account after supplying and borrowing, as far as the pool has the cash."""
    control = market.devnet.control
    control.set_price(state.price, move_pool=False)
    await check(market, market.weth, await market.supply(state.supplied))
    worth = mul_div(state.supplied, state.price_cents * state.borrowed, WAD * 100 * BPS)
    reserve = await market.reserve(market.usdt)
    (cash,) = await market.read(Erc20(market.usdt).balance_of(reserve.a_token))
    loan = min(worth * USDT, cash)
    if loan:
        await check(market, market.usdt, await market.borrow(loan))
    return loan


async def check(market, asset, receipt):
    """Rates and stored indexes after a transaction, then everything at its block."""
    await check_rates(market, asset, receipt.block)
    await check_update(market, asset, receipt)
    await check_indexes(market, receipt.block)
    await check_account(market, receipt.block)


LENT_OUT = State(49_000 * WAD, 7_900, 900_000, YEAR, 5_000, 100)
"""Lifts the usage of the reserve over the kink of its rate."""

SLOPE_1 = RAY * 6 // 100
"""The rate at the kink. Source: the devnet's strategy."""


async def restored(market, work):
    """Whatever `work` does, on a chain that is then as before."""
    mark = market.devnet.control.snapshot()
    try:
        await work
    finally:
        market.devnet.control.revert(mark)


@pytest.mark.slow
@on_the_chain
@example(LENT_OUT)
@given(states(most_ether=49_000))
async def test_every_number_of_a_position_equals_the_pools(market, state):
    (revision,) = await market.read(market.pool.revision())
    require_known(revision)
    await restored(market, live(market, state))


async def live(market, state):
    """Open, let time pass, repay a part and withdraw a little, all checked on the way."""
    loan = await opened(market, state)
    if state == LENT_OUT:
        assert (await market.reserve(market.usdt)).variable_borrow_rate > SLOPE_1
    market.devnet.control.advance_time(state.seconds)
    at = await market.actor.head()
    await check_indexes(market, at)
    await check_account(market, at)
    repaid = loan * state.repaid // BPS
    if repaid:
        await check(market, market.usdt, await market.repay(repaid))
    supplied, collateral, debt = await position(market, await market.actor.head())
    free = ltv(debt, collateral) < 7_000
    if state.withdrawn and free:
        taken = max(1, supplied * state.withdrawn // BPS)
        await check(market, market.weth, await market.withdraw(taken))


@pytest.mark.slow
@on_the_chain
@given(states(most_ether=20_000, least_loan=1_000))
async def test_the_pool_agrees_on_ltv_liquidation_and_what_restores(market, state):
    await restored(market, judge(market, state))


async def judge(market, state):
    """The derived formulas, each proved by what the pool says after acting on it."""
    await opened(market, state)
    supplied, collateral, debt = await position(market, await market.actor.head())
    (account,) = await market.read(market.pool.account(ALICE))
    assert (account.collateral_base, account.debt_base) == (collateral, debt)
    now, threshold = ltv(debt, collateral), Bps(account.liquidation_threshold)
    assert (now - 1) * collateral < debt * BPS <= now * collateral
    await restored(market, liquidated(market, liquidation_price(debt, supplied, threshold)))
    target = Bps(now // 2)
    await restored(market, repay(market, repayment_to_restore(debt, collateral, target), target))
    added = collateral_to_restore(debt, collateral, target)
    wei = mul_div(added, 100 * WAD, state.price_cents * USD8, round_up=True)
    await restored(market, supply(market, wei, target))


async def liquidated(market, price):
    """The health factor passes 1 at the price that the formula names, to the cent."""
    cents = -(-price // (USD8 // 100))
    for at, is_safe in ((cents, True), (cents - 1, False)):
        market.devnet.control.set_price(Decimal(at) / 100, move_pool=False)
        (account,) = await market.read(market.pool.account(ALICE))
        assert (account.health_factor >= WAD) is is_safe


async def repay(market, dollars, target):
    """Repaying what the formula says brings the LTV to its target."""
    await market.repay(-(-dollars // (USD8 // USDT)))
    await reached(market, target)


async def supply(market, wei, target):
    """So does supplying what the other formula says."""
    await market.supply(wei)
    await reached(market, target)


async def reached(market, target):
    _, collateral, debt = await position(market, await market.actor.head())
    # interest of the seconds in between, and the formula's own rounding up
    assert target - 1 <= ltv(debt, collateral) <= target + 1
