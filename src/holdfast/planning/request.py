"""A deal request from text, as the command line gives it; everything odd is refused by name."""

import re
from collections.abc import Collection
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation

from holdfast.common import ids
from holdfast.common.errors import Rejected
from holdfast.common.money import BPS, Bps, Usd8, parse_decimal, to_units
from holdfast.model.deal import DealRequest, Funding, Ladder, SplitBps
from holdfast.risk.checks import shown
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Unit
from holdfast.risk.opening import DEFAULT

VALUE_DECIMALS = 8
"""Digits after the point of a dollar value. Source: SEED, Decimal(20, 8)."""

_LONGEST = 40  # more digits than any amount of money has; what is longer is an attack or a slip

_ZERO = re.compile(r"0+(\.0*)?")


@dataclass(frozen=True, slots=True)
class RequestText:
    """What was typed. Ratios are fractions (`0.20`), percentages (`20%`) or plain percents (`20`).

    `split` is core, working liquidity and bucket, parted by slashes. An empty `funding` is borrow,
    or bucket when no loan is asked for. `opening_ltv` is, where None, what limits propose.
    """

    total_eth_value: str
    bank: str
    module: str
    chain: str = "138"
    funding: str = ""
    opening_ltv: str | None = None
    max_ltv: str = "0.30"
    max_exposure: str = "0.25"
    slippage_bps: str = "100"
    split: str = "50/30/20"
    horizon_days: str = "90"
    ladder: str = "redemption"


def parse_request(
    text: RequestText, limits: RiskLimits, chains: Collection[int], *, opening: Bps = DEFAULT
) -> DealRequest:
    """The request that `text` makes, within `limits` and for one of `chains`.

    Args:
        text: what was typed.
        limits: the published ones.
        chains: those that are known.
        opening: the LTV to open with where `text` names none; the deal's own maximum bounds it.

    Raises:
        Rejected: with a code of `request.`, `id.` or `split.` that names what is wrong.
    """
    most = _ratio(text.max_ltv, "max_ltv")
    named = text.opening_ltv
    opening = _ratio(named, "opening_ltv") if named is not None else min(opening, most)
    request = DealRequest(
        total_eth_value=_dollars(text.total_eth_value),
        bank=ids.bank_id(text.bank),
        module=ids.module_id(text.module),
        chain_id=_chain(text.chain, chains),
        funding=_funding(text.funding, opening),
        opening_ltv=opening,
        max_ltv=most,
        max_exposure=_ratio(text.max_exposure, "max_exposure"),
        slippage=Bps(_whole(text.slippage_bps, "slippage")),
        split=_split(text.split),
        horizon_days=_whole(text.horizon_days, "horizon_days"),
        ladder=_ladder(text.ladder),
    )
    validate_request(request, limits)
    return request


def validate_request(request: DealRequest, limits: RiskLimits) -> None:
    """Check a request against the limits that need no market.

    Raises:
        Rejected: `request.not_positive`, `request.above_maximum`, `request.max_ltv_above_cap`,
            `request.opening_above_max`, `request.exposure_above_cap`, `request.slippage`,
            `request.horizon_days` or `split.not_whole`.
    """
    value, dollars = request.total_eth_value, Unit.USD8
    for rule in (
        _Range("not_positive", 1, max(1, value), value, dollars),
        _Range("above_maximum", 0, limits.max_deal, value, dollars),
        _Range("max_ltv_above_cap", 0, limits.max_ltv, request.max_ltv),
        _Range("opening_above_max", 0, request.max_ltv, request.opening_ltv),
        _Range("exposure_above_cap", 1, limits.max_exposure, request.max_exposure),
        _Range("slippage", limits.min_slippage, limits.max_slippage, request.slippage),
        _Range("horizon_days", 1, limits.max_horizon_days, request.horizon_days, Unit.COUNT),
    ):
        rule.check()
    _require_whole(request.split)


@dataclass(frozen=True, slots=True)
class _Range:
    code: str
    low: int
    high: int
    value: int
    unit: Unit = Unit.BPS

    def check(self) -> None:
        if self.low <= self.value <= self.high:
            return
        raise Rejected(
            f"request.{self.code}",
            f"{self.code.replace('_', ' ')}: {shown(self.value, self.unit)} is not between "
            f"{shown(self.low, self.unit)} and {shown(self.high, self.unit)}",
            limit=self.high if self.value > self.high else self.low,
            value=self.value,
        )


def _dollars(text: str) -> Usd8:
    value = parse_decimal(_plain(text), code=_fault(text), max_decimals=VALUE_DECIMALS)
    if value.adjusted() >= _LONGEST:
        raise Rejected("request.above_maximum", f"{text} is more than there is", value=text)
    return Usd8(to_units(value, VALUE_DECIMALS))


def _fault(text: str) -> str:
    """The code for what is wrong with `text` as a positive number, if anything is."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return "request.not_a_number"
    if value.is_nan():
        return "request.nan"
    if value.is_infinite():
        return "request.infinite"
    return "request.not_positive" if value <= 0 else "request.too_many_decimals"


def _plain(text: str) -> str:
    """`text`, unless Python would read more into it than a person (underscores, other digits)."""
    if not text.isascii() or "_" in text or len(text) > _LONGEST:
        raise Rejected("request.not_a_number", f"{text[:_LONGEST]!r} is not a plain number")
    return text


def _ratio(text: str, name: str) -> Bps:
    """`0.2`, `20` or `20%` in bps; a bare number above 1 can only mean percent."""
    code = f"request.{name}"
    bare = _plain(text.removesuffix("%").strip())
    if _ZERO.fullmatch(bare):
        return Bps(0)
    value = parse_decimal(bare, code=code, max_decimals=VALUE_DECIMALS)
    scaled = value * (100 if "%" in text or value > 1 else BPS)
    if value.adjusted() > 3 or scaled != int(scaled):
        raise Rejected(code, f"{text!r} is not a ratio in steps of 0.01 %", value=text)
    return Bps(int(scaled))


def _whole(text: str, name: str) -> int:
    plain = _plain(text)
    if not plain.isdigit():
        raise Rejected(f"request.{name}", f"{text!r} is not a whole number above zero", value=text)
    return int(plain)


def _chain(text: str, chains: Collection[int]) -> ids.ChainId:
    number = _whole(text, "unknown_chain")
    if number not in chains:
        known = ", ".join(str(chain) for chain in sorted(chains))
        raise Rejected(
            "request.unknown_chain",
            f"chain {number} is not known: choose one of {known}",
            limit=sorted(chains),
            value=number,
        )
    return ids.chain_id(number)


def _funding(text: str, opening: Bps) -> Funding:
    if not text:
        return Funding.BORROW if opening else Funding.BUCKET
    try:
        return Funding(text)
    except ValueError as error:
        raise Rejected(
            "request.funding", f"{text!r} is no funding: choose borrow or bucket", value=text
        ) from error


def _ladder(text: str) -> Ladder:
    try:
        return Ladder(text)
    except ValueError as error:
        raise Rejected(
            "request.ladder", f"{text!r} is no ladder: choose redemption or position", value=text
        ) from error


def _split(text: str) -> SplitBps:
    parts = text.split("/")
    if len(parts) != len(fields(SplitBps)):
        raise Rejected(
            "split.not_whole", f"{text!r} is not core/working/bucket such as 50/30/20", value=text
        )
    split = SplitBps(*(_ratio(f"{part.removesuffix('%')}%", "split") for part in parts))
    _require_whole(split)
    return split


def _require_whole(split: SplitBps) -> None:
    shares = (split.core, split.working, split.bucket)
    if sum(shares) != BPS or min(shares) < 0:
        raise Rejected(
            "split.not_whole",
            f"the split {'/'.join(f'{share / 100:g}' for share in shares)} % does not sum to 100 %",
            limit=BPS,
            value=sum(shares),
        )
