"""The deal of the risk rules' table: NAV 100, 30 of it collateral, 20 in the bucket."""

from dataclasses import replace

from holdfast.common.money import RAY, USD8, Bps, Usd8
from holdfast.risk.model import Position, Stress

THRESHOLD = Bps(8_300)
APR_6 = RAY * 6 // 100

STRESS = Stress(
    gap=Bps(5_000),
    exit_slip=Bps(100),
    apr_ray=APR_6,
    days=90,
    costs=Usd8(USD8 * 2 // 10),  # f is 0.2 % of NAV
)


def dollars(text):
    """Dollars times 1e8 of a decimal with at most eight digits."""
    whole, _, rest = str(text).partition(".")
    return Usd8(int(whole) * USD8 + int(rest.ljust(8, "0") or 0))


def borrowed(debt):
    """`borrow` funding: the loan is spent, the bucket stays ETH."""
    return Position(
        core=dollars(50),
        collateral=dollars(30),
        reserve_eth=dollars(20),
        debt=dollars(debt),
        token_cost=dollars(debt),
        token_market=dollars(debt),
    )


def from_bucket(debt, spend):
    """`bucket` funding: the bucket is cash, and so is the loan; `spend` of it is spent."""
    return replace(
        borrowed(debt),
        reserve_eth=Usd8(0),
        cash=Usd8(dollars(20) + dollars(debt) - dollars(spend)),
        token_cost=dollars(spend),
        token_market=dollars(spend),
    )
