"""What the ledger's holdings are worth, by what they are: at market, else the token at cost."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from holdfast.common.money import Usd8, mul_div

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from typing import TypeVar

    from holdfast.reporting.facts import Facts, Holding

    K = TypeVar("K", bound=Hashable)

ETHER = frozenset({"ETH", "WETH"})
CASH = "USDT"


class AssetType(StrEnum):
    """What a holding is for a deal."""

    CORE = "core ETH"
    COLLATERAL = "collateral"
    BUCKET = "bucket and idle ETH"
    CASH = "cash"
    TOKEN = "discounted token"  # noqa: S105 - an asset
    DEBT = "debt"


@dataclass(frozen=True, slots=True)
class Valued:
    """A holding with its kind and its dollars; None where the chain has no price yet."""

    holding: Holding
    asset: AssetType
    usd: Usd8 | None


def valued(facts: Facts) -> tuple[Valued, ...]:
    """Every holding, valued at the chain's newest prices; tokens that have none, at their cost.

    A token is never booked at par: that would be profit on the first day (RISK.md).
    """
    ether = {row.chain_id: row.eth for row in facts.prices}
    cash = {row.chain_id: row.usdt for row in facts.prices}
    market = {row.chain_id: row.token for row in facts.prices}
    cost = {deal.deal_id: deal.token_cost for deal in facts.deals}

    def price(one: Holding) -> Usd8 | None:
        if one.symbol in ETHER:
            return ether.get(one.chain_id)
        if one.symbol == CASH:
            return cash.get(one.chain_id)
        traded = market.get(one.chain_id)
        return cost.get(one.deal_id) if traded is None else traded

    return tuple(Valued(one, asset_type(one), _dollars(one, price(one))) for one in facts.holdings)


def asset_type(holding: Holding) -> AssetType:
    """What the holding is for its deal."""
    by_account = {
        "asset/core": AssetType.CORE,
        "asset/aave_collateral": AssetType.COLLATERAL,
        "liability/aave_debt": AssetType.DEBT,
    }
    if holding.account in by_account:
        return by_account[holding.account]
    if holding.symbol in ETHER:
        return AssetType.BUCKET
    return AssetType.CASH if holding.symbol == CASH else AssetType.TOKEN


def total(values: Iterable[Valued]) -> Usd8:
    """The dollars of all that have a price; debt counts against."""
    return Usd8(sum(one.usd for one in values if one.usd is not None))


def grouped(values: Iterable[Valued], key: Callable[[Valued], K]) -> dict[K, list[Valued]]:
    """The values by `key`, in the order of the keys' text."""
    groups: defaultdict[K, list[Valued]] = defaultdict(list)
    for one in values:
        groups[key(one)].append(one)
    return dict(sorted(groups.items(), key=lambda item: str(item[0])))


def net_ether(values: Iterable[Valued]) -> Usd8:
    """The dollars that rise and fall with ETH."""
    return total(one for one in values if one.holding.symbol in ETHER)


def _dollars(holding: Holding, price: Usd8 | None) -> Usd8 | None:
    if price is None:
        return None
    value = mul_div(abs(holding.units), price, 10**holding.decimals)
    return Usd8(value if holding.units > 0 else -value)
