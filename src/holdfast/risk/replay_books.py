"""What a replayed deal holds, and the moves that change it: accrue, sell, repay, be liquidated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.common.money import BPS, RAY, WAD, Usd8, mul_div
from holdfast.protocols.aave_v3.math import compounded_interest, health_factor
from holdfast.risk.formulas import close_factor
from holdfast.risk.model import Position

if TYPE_CHECKING:
    from holdfast.common.money import Bps
    from holdfast.risk.replay_model import ReplayDeal


@dataclass(frozen=True, slots=True)
class Books:
    """ETH in wei, money in dollars times 1e8; from `interest` on, what the deal has cost so far.

    `sold` and `seized` are the oracle's value, at the time, of the ETH that left each way.
    """

    core_wei: int
    collateral_wei: int
    bucket_wei: int
    cash: int
    debt: int
    interest: int = 0
    gas_wei: int = 0
    exit_cost: int = 0
    penalty: int = 0
    sold: int = 0
    seized: int = 0

    @property
    def eth_wei(self) -> int:
        """All ETH of the deal."""
        return self.core_wei + self.collateral_wei + self.bucket_wei


def opened(deal: ReplayDeal, price: Usd8) -> Books:
    """The books at the opening, with ETH at `price`."""
    position = deal.position
    return Books(
        core_wei=wei_of(position.core, price),
        collateral_wei=wei_of(position.collateral, price),
        bucket_wei=wei_of(position.reserve_eth, price),
        cash=position.cash,
        debt=position.debt,
    )


def balance_sheet(books: Books, deal: ReplayDeal, price: Usd8, token_wad: int) -> Position:
    """The position that the risk rules look at."""
    return Position(
        core=usd_of(books.core_wei, price),
        collateral=usd_of(books.collateral_wei, price),
        reserve_eth=usd_of(books.bucket_wei, price),
        cash=Usd8(books.cash),
        debt=Usd8(books.debt),
        token_cost=deal.position.token_cost,
        token_market=Usd8(mul_div(deal.position.token_market, token_wad, WAD)),
    )


def accrued(books: Books, rate_ray: int, since: int, until: int) -> Books:
    """The books after the pool's interest from `since` to `until`, rounded up."""
    if books.debt == 0:
        return books
    growth = compounded_interest(rate_ray, since, until)
    debt = mul_div(books.debt, growth, RAY, round_up=True)
    return replace(books, debt=debt, interest=books.interest + debt - books.debt)


def sold_for(books: Books, wanted: Usd8, price: Usd8, slip: Bps) -> Books:
    """The books after selling bucket ETH for `wanted` dollars, or all of it if that is less.

    The sale fetches `slip` less than `price`.
    """
    needed = mul_div(wanted, WAD * BPS, price * (BPS - slip), round_up=True)
    wei = min(needed, books.bucket_wei)
    value = usd_of(wei, price)
    proceeds = min(wanted, mul_div(wei, price * (BPS - slip), WAD * BPS))
    return replace(
        books,
        bucket_wei=books.bucket_wei - wei,
        cash=books.cash + proceeds,
        exit_cost=books.exit_cost + value - proceeds,
        sold=books.sold + value,
    )


def repaid(books: Books, amount: Usd8, price: Usd8, slip: Bps) -> Books:
    """The books after repaying `amount` from cash first and then from the bucket's ETH."""
    missing = Usd8(max(0, amount - books.cash))
    funded = sold_for(books, missing, price, slip) if missing else books
    paid = min(amount, funded.cash, funded.debt)
    return replace(funded, cash=funded.cash - paid, debt=funded.debt - paid)


def liquidated(books: Books, deal: ReplayDeal, price: Usd8) -> Books:
    """The books after liquidators did all that the pool lets them do at `price`.

    Source: aave core-v3 1.19.3 LiquidationLogic.executeLiquidationCall: the close factor's share of
    the debt, or what all the collateral pays, against collateral of that value and the bonus.
    """
    while books.debt and books.collateral_wei:
        health = health_factor(usd_of(books.collateral_wei, price), deal.threshold, books.debt)
        if health >= WAD:
            break
        books = _liquidation(books, deal, price, close_factor(health))
    return books


def _liquidation(books: Books, deal: ReplayDeal, price: Usd8, share: Bps) -> Books:
    covered = mul_div(books.debt, share, BPS, round_up=True)
    with_bonus = BPS + deal.bonus
    seized = mul_div(covered, with_bonus * WAD, price * BPS, round_up=True)
    if seized > books.collateral_wei:
        seized = books.collateral_wei
        covered = min(covered, mul_div(usd_of(seized, price), BPS, with_bonus))
    value = usd_of(seized, price)
    return replace(
        books,
        debt=books.debt - covered,
        collateral_wei=books.collateral_wei - seized,
        penalty=books.penalty + value - covered,
        seized=books.seized + value,
    )


def usd_of(wei: int, price: Usd8) -> Usd8:
    """Dollars times 1e8, rounded down."""
    return Usd8(mul_div(wei, price, WAD))


def wei_of(value: Usd8, price: Usd8) -> int:
    """ETH of that value, rounded down."""
    return mul_div(value, WAD, price)
