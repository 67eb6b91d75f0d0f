"""Money as integer base units of one token; two tokens never mix."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal, InvalidOperation, localcontext
from typing import NewType

from typing_extensions import override

from holdfast.common.errors import Broken, Rejected
from holdfast.common.evm import Address
from holdfast.common.ids import ChainId

Bps = NewType("Bps", int)
"""Hundredths of a percent."""
Usd8 = NewType("Usd8", int)
"""US dollars times 1e8, the base currency of Aave's oracle."""

BPS = 10_000
WAD = 10**18
RAY = 10**27
USD8 = 10**8
MAX_UINT256 = 2**256 - 1

_DIGITS = (
    120  # more than any uint256 times any price needs, so no division is rounded by the context
)


@dataclass(frozen=True, slots=True)
class Token:
    """One token of one chain; `address` is None for the native token.

    Decimals are pinned by the chain profile, never read from the contract.
    """

    chain_id: ChainId
    symbol: str
    decimals: int
    address: Address | None = None

    def require_address(self) -> Address:
        """The contract's address.

        Raises:
            Broken: `token.native` for the native token, which has none.
        """
        if self.address is None:
            raise Broken("token.native", f"{self.symbol} is native and has no contract")
        return self.address


@dataclass(frozen=True, slots=True)
class TokenAmount:
    """A whole number of base units of one token."""

    token: Token
    units: int

    def __add__(self, other: "TokenAmount") -> "TokenAmount":
        """The sum; `money.mixed_tokens` for two different tokens."""
        return TokenAmount(self.token, self.units + self._same(other))

    def __sub__(self, other: "TokenAmount") -> "TokenAmount":
        """The difference, which may be negative; `money.mixed_tokens` for two tokens."""
        return TokenAmount(self.token, self.units - self._same(other))

    def __neg__(self) -> "TokenAmount":
        """The amount with its sign turned."""
        return TokenAmount(self.token, -self.units)

    def __lt__(self, other: "TokenAmount") -> bool:
        """Whether this is less; `money.mixed_tokens` for two tokens."""
        return self.units < self._same(other)

    def __le__(self, other: "TokenAmount") -> bool:
        """Whether this is not more; `money.mixed_tokens` for two tokens."""
        return self.units <= self._same(other)

    def times(self, numerator: int, denominator: int) -> "TokenAmount":
        """This times a fraction, rounded towards minus infinity."""
        return TokenAmount(self.token, self.units * numerator // denominator)

    def share(self, bps: Bps) -> "TokenAmount":
        """This times `bps` hundredths of a percent, rounded down."""
        return self.times(bps, BPS)

    def decimal(self) -> Decimal:
        """The amount in whole tokens, exact."""
        with localcontext() as context:
            context.prec = _DIGITS
            return Decimal(self.units).scaleb(-self.token.decimals)

    @override
    def __str__(self) -> str:
        """The amount in whole tokens, in full but without trailing zeros, with its symbol."""
        text = f"{self.decimal():,f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return f"{text} {self.token.symbol}"

    def _same(self, other: "TokenAmount") -> int:
        if other.token != self.token:
            raise Broken(
                "money.mixed_tokens", f"{self.token.symbol} and {other.token.symbol} do not mix"
            )
        return other.units


def split_by_bps(amount: TokenAmount, *shares: Bps) -> tuple[TokenAmount, ...]:
    """`amount` in parts that sum to it to the unit; the first takes what rounding leaves.

    Raises:
        Rejected: `split.not_whole` unless the shares sum to 10,000 and none is negative.
    """
    if sum(shares) != BPS or min(shares) < 0:
        raise Rejected(
            "split.not_whole",
            f"the split {'/'.join(f'{s / 100:g}' for s in shares)} % does not sum to 100 %",
            limit=BPS,
            value=sum(shares),
        )
    rest = [amount.share(share) for share in shares[1:]]
    first = TokenAmount(amount.token, amount.units - sum(part.units for part in rest))
    return (first, *rest)


def parse_decimal(text: str, *, code: str, max_decimals: int) -> Decimal:
    """A positive finite number with at most `max_decimals` digits after the point.

    Raises:
        Rejected: `code` with the reason.
    """
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise Rejected(code, f"{text!r} is not a number") from error
    if not value.is_finite():
        raise Rejected(code, f"{text!r} is not a finite number")
    if value <= 0:
        raise Rejected(code, f"{text} must be more than zero")
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > max_decimals:
        raise Rejected(
            code,
            f"{text} has more than {max_decimals} digits after the point",
            limit=max_decimals,
            value=-exponent,
        )
    return value


def to_units(value: Decimal, decimals: int) -> int:
    """`value` whole tokens in base units, rounded down."""
    with localcontext() as context:
        context.prec = _DIGITS
        return int(value.scaleb(decimals).to_integral_value(ROUND_DOWN))


def amount_of(token: Token, whole: str | int | Decimal) -> TokenAmount:
    """`whole` tokens as an amount, rounded down to the base unit."""
    return TokenAmount(token, to_units(Decimal(whole), token.decimals))


def mul_div(value: int, numerator: int, denominator: int, *, round_up: bool = False) -> int:
    """`value * numerator / denominator` for non-negative integers, exact before rounding."""
    product = value * numerator
    return -(-product // denominator) if round_up else product // denominator
