"""Why a request does not become a plan."""

from collections.abc import Sequence

from holdfast.common.errors import Rejected, Transient
from holdfast.protocols.aave_v3.math import NO_DEBT
from holdfast.risk.checks import shown
from holdfast.risk.model import Check


class PlanRefused(Rejected):
    """The deal would break a hard rule; nothing was done.

    Fields: `violations`, each broken rule with its code, limit, value and a sentence.
    """

    def __init__(self, violations: Sequence[Check]) -> None:
        named = ", ".join(check.code for check in violations)
        super().__init__(
            "plan.refused",
            f"the plan breaks {len(violations)} rule(s): {named}",
            violations=[violation(check) for check in violations],
        )


class PricesMoved(Transient):
    """The quotes are too small for what the prices ask for: read the market again."""

    def __init__(self, wanted: int, quoted: int) -> None:
        super().__init__(
            "plan.prices_moved",
            "prices moved while the market was read: plan again",
            limit=quoted,
            value=wanted,
        )


def violation(check: Check) -> dict[str, object]:
    """A check as it is shown to machines: exact in its unit, and rounded as text.

    A value without a bound, such as the debt cover of a deal without debt, is null.
    """
    return {
        "code": check.code,
        "severity": str(check.severity),
        "ok": check.ok,
        "unit": str(check.unit),
        "limit": _bounded(check.limit),
        "value": _bounded(check.value),
        "limit_text": shown(check.limit, check.unit),
        "value_text": shown(check.value, check.unit),
        "text": check.text,
        "advice": check.advice,
    }


def _bounded(value: int) -> int | None:
    return None if value == NO_DEBT else value
