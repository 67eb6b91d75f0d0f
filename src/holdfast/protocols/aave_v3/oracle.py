"""The market's prices and where they come from.

Source: aave core-v3 1.19.3 AaveOracle; base currency is USD * 1e8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.chain import abi
from holdfast.chain.abi import selector
from holdfast.chain.multicall import Read
from holdfast.common.money import Usd8

if TYPE_CHECKING:
    from holdfast.common.evm import Address

_PRICE: Final = selector("getAssetPrice(address)")
_SOURCE: Final = selector("getSourceOfAsset(address)")


@dataclass(frozen=True, slots=True)
class AaveOracle:
    """The price oracle at `address`."""

    address: Address

    def price(self, asset: Address) -> Read[Usd8]:
        """The price of one whole token; reverts when its feed has no positive answer."""
        return Read(self.address, abi.encode(_PRICE, asset), _usd8)

    def source_of(self, asset: Address) -> Read[Address]:
        """The feed the price comes from, see `PriceFeed`; the zero address where there is none."""
        return Read(self.address, abi.encode(_SOURCE, asset), abi.address_at)


def _usd8(data: bytes) -> Usd8:
    return Usd8(abi.uint(data))
