"""Plain transfers of the native token.

They leave no event: receipt and nonce prove them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.model.leg import Call

if TYPE_CHECKING:
    from holdfast.common.evm import Address


def native_transfer(to: Address, amount_wei: int) -> Call:
    """Send `amount_wei` to `to`."""
    return Call(to, b"", amount_wei)
