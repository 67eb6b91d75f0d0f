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

    `upside_forgone` is what it would be worth now less the cash it brought: below zero when
    selling it was luck. The benchmark is the same split, untraded.
    """

    sold: TokenAmount
    proceeds: TokenAmount
    upside_forgone: Usd8


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


def profit_and_loss(tokens: TokenBook, balances: Balances, marks: Marks) -> ProfitAndLoss:
    """Profit and loss at `marks`; wrapped and native ETH count as one."""
    bought = -balances.units(Account.TRADE_PURCHASE, tokens.usdtz)
    redeemed = balances.units(Account.TRADE_REDEMPTION, tokens.usdtz)
    cost = balances.units(Account.TRADE_PURCHASE, tokens.usdt)
    cost_of_redeemed = mul_div(cost, redeemed, bought, round_up=True) if bought else 0
    par = mul_div(redeemed, 10**tokens.usdt.decimals, 10**tokens.usdtz.decimals)
    proceeds = -balances.units(Account.TRADE_REDEMPTION, tokens.usdt)
    trading = par - cost_of_redeemed
    fees = par - proceeds + balances.units(Account.TRANSFER_FEE, tokens.usdt)
    interest_paid = balances.units(Account.BORROW_INTEREST, tokens.usdt)
    interest_earned = -balances.units(Account.SUPPLY_INTEREST, tokens.weth)
    gas = balances.units(Account.GAS, tokens.native)
    usdt = TokenAmount(tokens.usdt, trading - fees - interest_paid)
    eth = TokenAmount(tokens.native, interest_earned - gas)
    total = Usd8(_usd8(usdt, marks.usdt) + _usd8(eth, marks.eth))
    claim = Claim(
        TokenAmount(tokens.usdtz, bought - redeemed),
        TokenAmount(tokens.usdt, cost - cost_of_redeemed),
        marks.claim_value,
    )
    return ProfitAndLoss(
        trading=TokenAmount(tokens.usdt, trading),
        fees=TokenAmount(tokens.usdt, fees),
        interest_paid=TokenAmount(tokens.usdt, interest_paid),
        usdt=usdt,
        interest_earned=TokenAmount(tokens.weth, interest_earned),
        gas=TokenAmount(tokens.native, gas),
        eth=eth,
        total=total,
        claim=claim,
        total_with_claim_at_market=Usd8(total + _usd8(claim.at_market - claim.at_cost, marks.usdt)),
        eth_sold=_eth_sold(tokens, balances, marks),
    )


def _eth_sold(tokens: TokenBook, balances: Balances, marks: Marks) -> EthSold:
    sold = TokenAmount(tokens.weth, balances.units(Account.TRADE_ETH, tokens.weth))
    proceeds = TokenAmount(tokens.usdt, -balances.units(Account.TRADE_ETH, tokens.usdt))
    forgone = Usd8(_usd8(sold, marks.eth) - _usd8(proceeds, marks.usdt))
    return EthSold(sold, proceeds, forgone)


def _usd8(amount: TokenAmount, price: Usd8) -> int:
    """Dollars times 1e8, rounded down: a profit is never shown larger than it is."""
    return amount.units * price // _one(amount.token)


def _one(token: Token) -> int:
    return int(10**token.decimals)
