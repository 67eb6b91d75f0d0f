"""Why something was done, in words, from what the audit keeps of it; pure."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def reason_of(action: str, detail: str, *, held: str | None = None) -> str | None:
    """The reason in an entry of the record; None where it has none.

    Args:
        action: such as `deal.hold`.
        detail: of the entry, as JSON.
        held: of a resumption the detail of the hold that it ends; it needs no reason of its own.
    """
    known: dict[str, Any] = json.loads(detail)
    match action:
        case "deal.cure":
            return _cured(known)
        case "deal.reopened":
            return f"reorg: {', '.join(known['legs'])} under way again"
        case "deal.resume" if held is not None:
            told = _told(json.loads(held))
            return _told(known) or (told and f"ends the hold: {told}")
        case _:
            return _told(known)


def _told(detail: Mapping[str, Any]) -> str | None:
    """The reason by its name, and what led to it."""
    why = "; ".join(detail.get("why") or ())
    return ": ".join(part for part in (detail.get("reason"), why) if part) or None


def _cured(detail: Mapping[str, Any]) -> str:
    """What did not hold, or how high the LTV was, and what was done about it."""
    ltv = f"LTV {Decimal(detail['ltv_bps']).scaleb(-2):.2f} %"
    return f"{', '.join((*detail['breaches'], ltv))}: {'; '.join(detail['legs'])}"
