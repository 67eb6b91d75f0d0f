"""RISK.md's table of fundings from first principles, and the production formulas against it.

Nothing of `holdfast.risk` says what to expect: each row is lived through step by step in exact
fractions of NAV 100, with ETH at 1. The token goes to zero and ETH falls by half in one gap; after
90 days at 6 % the desk sells bucket ETH at 1 % under the market until everything owed is paid.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

import pytest

from holdfast.common.money import USD8, WAD
from holdfast.model.deal import Funding
from holdfast.risk.reserve import bucket_share_sold, debt_cover, loss_bound
from tests.unit.risk.positions import STRESS, borrowed, from_bucket

HALVED, SLIP = Fraction(1, 2), Fraction(1, 100)
INTEREST = Fraction(6, 100) * Fraction(90, 365)
COSTS = Fraction(2, 10)
PRICE, FEE = Fraction(60, 100), Fraction(25, 10_000)


@dataclass(frozen=True)
class Life:
    """A deal's holdings: ETH by place, cash, debt and tokens; NAV was 100 with ETH at 1."""

    core: Fraction = Fraction(50)
    collateral: Fraction = Fraction(30)
    bucket: Fraction = Fraction(20)
    cash: Fraction = Fraction(0)
    debt: Fraction = Fraction(0)
    tokens: Fraction = Fraction(0)
    price: Fraction = Fraction(1)

    def opened(self, debt, spend, funding):
        """Borrow, sell the bucket where that pays, and buy the token at 0.60."""
        sold = self.bucket if funding is Funding.BUCKET else Fraction(0)
        return replace(
            self,
            bucket=self.bucket - sold,
            cash=debt + sold * self.price - spend,
            debt=debt,
            tokens=spend / PRICE,
        )

    def failed(self, price=HALVED):
        """The token is worth nothing and ETH `price`; interest and costs are due."""
        due = self.debt * (1 + INTEREST) + COSTS
        return replace(self, tokens=Fraction(0), debt=due, price=price)

    def repaid(self):
        """Everything owed is paid: from cash, and from bucket ETH for what is missing."""
        missing = max(Fraction(0), self.debt - self.cash)
        sold = missing / (self.price * (1 - SLIP))
        assert sold <= self.bucket, "the reserve does not pay"
        cash = self.cash + sold * self.price * (1 - SLIP) - self.debt
        return replace(self, bucket=self.bucket - sold, cash=cash, debt=Fraction(0))

    def redeemed(self):
        """Every token is paid at par less the fee, then debt, interest and costs."""
        due = self.debt * (1 + INTEREST) + COSTS
        return replace(
            self,
            cash=self.cash + self.tokens * (1 - FEE) - due,
            debt=Fraction(0),
            tokens=Fraction(0),
        )

    @property
    def value(self):
        """In dollars, the token at what it fetches once it failed or was redeemed: nothing."""
        return (self.core + self.collateral + self.bucket) * self.price + self.cash - self.debt


@dataclass(frozen=True)
class Row:
    """One row of the table as RISK.md prints it; `cover` and `sold` are None without a loan."""

    funding: Funding
    debt: Fraction
    spend: Fraction
    cover: str | None
    sold: str
    loss: str
    profit: str

    @property
    def life(self):
        return Life().opened(self.debt, self.spend, self.funding)

    @property
    def position(self):
        """The same deal as the production code sees it."""
        debt, spend = (str(float(one)) for one in (self.debt, self.spend))
        return borrowed(debt) if self.funding is Funding.BORROW else from_bucket(debt, spend)


ROWS = [
    Row(Funding.BORROW, Fraction(6), Fraction(6), "1.57", "64", "6.3", "3.7"),
    Row(Funding.BORROW, Fraction(15, 2), Fraction(15, 2), "1.27", "79", "7.8", "4.7"),
    Row(Funding.BORROW, Fraction(9), Fraction(9), "1.06", "94", "9.3", "5.6"),
    Row(Funding.BUCKET, Fraction(6), Fraction(18), "1.27", "0", "18.3", "11.6"),
    Row(Funding.BUCKET, Fraction(0), Fraction(198, 10), None, "0", "20.0", "12.9"),
]
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.funding}-{float(row.debt)}")


def reserve_of(life):
    return life.cash + life.bucket * HALVED * (1 - SLIP)


@each_row
def test_debt_cover(row):
    if row.cover is None:
        assert row.life.debt == 0
        return
    cover = reserve_of(row.life) / row.life.failed().debt
    assert f"{float(cover):.2f}" == row.cover
    assert debt_cover(row.position, STRESS) == pytest.approx(float(cover * WAD), rel=1e-8)


@each_row
def test_core_and_collateral_come_home_whole_after_the_token_and_half_of_eth_are_gone(row):
    before, after = row.life, row.life.failed().repaid()
    assert (after.core, after.collateral, after.debt) == (50, 30, 0)
    assert after.cash >= 0
    sold = (before.bucket - after.bucket) / before.bucket if before.bucket else Fraction(0)
    assert f"{float(100 * sold):.0f}" == row.sold
    assert bucket_share_sold(row.position, STRESS) == -(-10_000 * sold // 1)


@each_row
def test_the_loss_is_what_was_spent_and_what_the_loan_cost(row):
    """At one price of ETH, so that its own move is apart; selling for the debt costs 1 % more."""
    loss = 100 - row.life.failed(price=Fraction(1)).value
    assert f"{float(loss):.1f}" == row.loss
    slip = Fraction(loss_bound(row.position, STRESS, 0), USD8) - loss
    assert 0 <= slip < Fraction(1, 10)  # of the 9.33 owed at most: 0.094


@each_row
def test_half_of_eths_price_adds_nothing_to_the_loss_of_a_deal_that_kept_its_ether(row):
    """In ETH terms: against the same split at half the price; a sold bucket lost nothing to it."""
    untraded = 100 * HALVED + (20 * (1 - HALVED) if row.funding is Funding.BUCKET else 0)
    assert untraded - row.life.failed().value == 100 - row.life.failed(price=Fraction(1)).value


@each_row
def test_the_profit_if_everything_is_redeemed(row):
    profit = row.life.redeemed().value - 100
    assert f"{float(profit):.1f}" == row.profit
