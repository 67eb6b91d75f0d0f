"""Profit and loss of one deal, from its balances: USDT and ETH apart, then in dollars; pure."""

from dataclasses import dataclass

from holdfast.common.money import USD8, Token, TokenAmount, Usd8, mul_div
from holdfast.ledger.model import Account, Balances, TokenBook


@dataclass(frozen=True, slots=True)
class Marks:
    """The prices of one moment, in dollars times 1e8 for a whole token.

    `claim_value` is what the tokens still held would fetch on the market now, less the cost of
    closing out, in USDT; it is never their par value, which would book tomorrow's profit today.
    """

    eth: Usd8
    claim_value: TokenAmount
    usdt: Usd8 = Usd8(USD8)


@dataclass(frozen=True, slots=True)
class Claim:
    """Tokens that were bought and not yet redeemed, wherever they are now."""

    tokens: TokenAmount
    at_cost: TokenAmount
    at_market: TokenAmount


@dataclass(frozen=True, slots=True)
class EthSold:
    """ETH sold for cash, less what was bought back; shown apart from profit and loss.

    `sale_cost` is what it was worth when it was sold less the cash it brought: slip and the pool's
    fee, below zero where a pool behind the oracle paid more; None where that worth is not known.
    `upside_forgone` is what it would be worth now less what it was then (less the cash, where then
    is not known): below zero when selling it was luck. The benchmark is the same split, untraded,
    and `behind` it is the sum of both.
    """

    sold: TokenAmount
    proceeds: TokenAmount
    sale_cost: Usd8 | None
    upside_forgone: Usd8

    @property
    def behind(self) -> Usd8:
        """What selling has cost by now against keeping the ETH."""
        return Usd8(self.upside_forgone + (self.sale_cost or 0))


@dataclass(frozen=True, slots=True)
class ProfitAndLoss:
    """What the deal made so far; costs are positive numbers and are subtracted in the totals.

    `trading` is redemptions at par less what the redeemed tokens cost on average. `fees` is what
    the desk and the token itself kept; a venue's swap fee is part of the price paid.
    """

    trading: TokenAmount
    fees: TokenAmount
    interest_paid: TokenAmount
    usdt: TokenAmount
    interest_earned: TokenAmount
    gas: TokenAmount
    eth: TokenAmount
    total: Usd8
    claim: Claim
    total_with_claim_at_market: Usd8
    eth_sold: EthSold


@dataclass(frozen=True, slots=True)
class _Traded:
    """Results of the discounted token, in USDT; `left` are tokens not redeemed yet."""

    trading: TokenAmount
    fees: TokenAmount
    left: TokenAmount
    cost_of_left: TokenAmount


def profit_and_loss(
    tokens: TokenBook, balances: Balances, marks: Marks, worth_when_sold: Usd8 | None = None
) -> ProfitAndLoss:
    """Profit and loss at `marks`; wrapped and native ETH count as one.

    `worth_when_sold` is the oracle's value, at the time, of all ETH that was sold.
    """
    traded = _traded(tokens, balances)
    paid = TokenAmount(tokens.usdt, balances.units(Account.BORROW_INTEREST, tokens.usdt))
    earned = TokenAmount(tokens.weth, -balances.units(Account.SUPPLY_INTEREST, tokens.weth))
    gas = TokenAmount(tokens.native, balances.units(Account.GAS, tokens.native))
    usdt = traded.trading - traded.fees - paid
    eth = TokenAmount(tokens.native, earned.units) - gas
    total = _usd8(usdt, marks.usdt) + _usd8(eth, marks.eth)
    on_claim = _usd8(marks.claim_value - traded.cost_of_left, marks.usdt)
    return ProfitAndLoss(
        trading=traded.trading,
        fees=traded.fees,
        interest_paid=paid,
        usdt=usdt,
        interest_earned=earned,
        gas=gas,
        eth=eth,
        total=Usd8(total),
        claim=Claim(traded.left, traded.cost_of_left, marks.claim_value),
        total_with_claim_at_market=Usd8(total + on_claim),
        eth_sold=_eth_sold(tokens, balances, marks, worth_when_sold),
    )


def _traded(tokens: TokenBook, balances: Balances) -> _Traded:
    bought = -balances.units(Account.TRADE_PURCHASE, tokens.usdtz)
    redeemed = balances.units(Account.TRADE_REDEMPTION, tokens.usdtz)
    cost = balances.units(Account.TRADE_PURCHASE, tokens.usdt)
    cost_of_redeemed = mul_div(cost, redeemed, bought, round_up=True) if bought else 0
    par = mul_div(redeemed, _one(tokens.usdt), _one(tokens.usdtz))
    proceeds = -balances.units(Account.TRADE_REDEMPTION, tokens.usdt)
    fees = par - proceeds + balances.units(Account.TRANSFER_FEE, tokens.usdt)
    return _Traded(
        trading=TokenAmount(tokens.usdt, par - cost_of_redeemed),
        fees=TokenAmount(tokens.usdt, fees),
        left=TokenAmount(tokens.usdtz, bought - redeemed),
        cost_of_left=TokenAmount(tokens.usdt, cost - cost_of_redeemed),
    )


def _eth_sold(tokens: TokenBook, balances: Balances, marks: Marks, worth: Usd8 | None) -> EthSold:
    sold = TokenAmount(tokens.weth, balances.units(Account.TRADE_ETH, tokens.weth))
    proceeds = TokenAmount(tokens.usdt, -balances.units(Account.TRADE_ETH, tokens.usdt))
    cash, now = _usd8(proceeds, marks.usdt), _usd8(sold, marks.eth)
    if worth is None:
        return EthSold(sold, proceeds, None, Usd8(now - cash))
    return EthSold(sold, proceeds, Usd8(worth - cash), Usd8(now - worth))


def _usd8(amount: TokenAmount, price: Usd8) -> int:
    """Dollars times 1e8, rounded down: a profit is never shown larger than it is."""
    return amount.units * price // _one(amount.token)


def _one(token: Token) -> int:
    return int(10**token.decimals)
