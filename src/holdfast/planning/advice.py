"""What to ask for instead of a deal that breaks a rule; pure."""

from collections.abc import Sequence
from dataclasses import replace

from holdfast.common.money import USD8, Usd8
from holdfast.model.deal import Ladder
from holdfast.planning.model import Draft
from holdfast.risk.checks import shown
from holdfast.risk.model import Check, Unit

_GRAIN = 1_000 * USD8  # a size in whole thousands of dollars is easier to type


def advised(checks: Sequence[Check], draft: Draft) -> tuple[Check, ...]:
    """`checks`, a purchase beyond the loss budget with the ways to stay within it."""
    return tuple(_advised(one, draft) for one in checks)


def _advised(check: Check, draft: Draft) -> Check:
    if check.ok or check.code != "I8.loss_budget":
        return check
    return replace(check, advice=f"{_ladder(draft)}ask for at most {_smaller(check, draft)}")


def _ladder(draft: Draft) -> str:
    in_lots = draft.request.ladder is Ladder.POSITION
    return "" if in_lots else "buy it in lots that redeem one by one with --ladder position, or "


def _smaller(check: Check, draft: Draft) -> str:
    """The size at which the same deal stays within the limit.

    What is spent grows with the deal, or faster where a fixed cost comes off it: a size in
    proportion is never too large.
    """
    size = draft.request.total_eth_value * check.limit // check.value
    return f"{shown(Usd8(size // _GRAIN * _GRAIN), Unit.USD8)} of ETH"
