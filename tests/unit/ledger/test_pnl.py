import pytest

from holdfast.common.money import USD8, TokenAmount, Usd8
from holdfast.ledger.model import Balances
from holdfast.ledger.pnl import Marks, profit_and_loss
from holdfast.ledger.postings import entries_for
from holdfast.model.leg import LegStatus
from tests.unit.ledger import scene
from tests.unit.ledger.scene import BOOK, TOKENS, USDT, WETH

E = 10**18
U = 10**6


def result(*made, eth=2_000, usdt=USD8, claim=0, worth=None):
    balances = Balances()
    for leg, receipt in made:
        balances = balances.after(entries_for(BOOK, leg, LegStatus.LANDED, receipt))
    marks = Marks(Usd8(eth * USD8), TokenAmount(USDT, claim), Usd8(usdt))
    return profit_and_loss(TOKENS, balances, marks, worth)


def test_an_untouched_deal_made_nothing():
    made = result()
    assert (made.total, made.usdt.units, made.eth.units, made.claim.tokens.units) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("eth", "forgone"),
    [
        (2_000, 10 * USD8),  # 5 x 2,000 less the 9,990 it brought
        (3_000, 5_010 * USD8),  # it rose by half after the sale
        (1_000, -4_990 * USD8),  # it fell by half: selling was luck
    ],
)
def test_the_upside_of_ether_that_was_sold_is_apart_from_profit(eth, forgone):
    made = result(scene.sell_eth(5 * E, 9_990 * U, price=0), eth=eth)
    assert made.eth_sold.sold.units == 5 * E
    assert made.eth_sold.proceeds.units == 9_990 * U
    assert made.eth_sold.upside_forgone == forgone
    assert made.total == 0


@pytest.mark.parametrize("eth", [1_000, 2_000, 3_000])
@pytest.mark.parametrize("worth", [9_990 * USD8, 10_000 * USD8, 12_345 * USD8 + 1])
def test_what_selling_cost_is_apart_from_the_upside_and_their_sum_stays(eth, worth):
    entry = scene.sell_eth(5 * E, 9_990 * U, price=0)
    told, before = result(entry, eth=eth, worth=worth), result(entry, eth=eth)
    assert before.eth_sold.sale_cost is None
    assert told.eth_sold.sale_cost == worth - 9_990 * USD8
    assert told.eth_sold.upside_forgone == eth * 5 * USD8 - worth
    assert told.eth_sold.behind == before.eth_sold.behind == before.eth_sold.upside_forgone
    assert told.total == before.total


def test_ether_that_was_bought_back_is_not_forgone():
    back = scene.swap(
        TokenAmount(USDT, 9_000 * U), TokenAmount(WETH, 5 * E), pool=scene.ETH_POOL, price=0
    )
    made = result(scene.sell_eth(5 * E, 9_990 * U, price=0), back)
    assert made.eth_sold.sold.units == 0
    assert made.eth_sold.upside_forgone == -990 * USD8


def test_tokens_bought_and_not_redeemed_are_neither_profit_nor_loss():
    made = result(scene.buy(600 * U, 1_000 * U, price=0), claim=580 * U)
    assert made.usdt.units == made.total == 0
    assert made.claim.at_cost.units == 600 * U
    assert made.total_with_claim_at_market == -20 * USD8


def test_a_fee_that_tether_keeps_lowers_the_profit():
    made = result(scene.return_token(USDT, 1_000 * U, tether_fee=2 * U, price=0))
    assert (made.fees.units, made.usdt.units) == (2 * U, -2 * U)


def test_dollars_follow_the_price_of_the_cash_token_and_are_rounded_down():
    made = result(scene.return_token(USDT, 1_000 * U, tether_fee=1, price=0), usdt=99_999_999)
    # -0.000001 USDT at 0.99999999 is -99.99999999 of 1e-8 dollars: down to -100
    assert made.total == -100


def test_gas_is_a_cost_in_ether_whoever_paid_it():
    made = result(scene.fund(1, gas=1_000, price=3), scene.wrap(1, gas=1_000, price=5))
    assert (made.gas.units, made.eth.units) == (8_000, -8_000)
