"""What people hear of unwinds that would fail, and of checks that are too old; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.common.alerts import Alert, Ended, Severity
from holdfast.execution.alerts import about
from holdfast.monitoring.exit_rota import MOST_PERIODS

if TYPE_CHECKING:
    from holdfast.common.ids import ChainId
    from holdfast.execution.exits import ExitCheck
    from holdfast.execution.records import DealRecord

FAILING: Final = "exit.failing"
LATE: Final = "exit.checks_late"


def failing(deal: DealRecord, check: ExitCheck) -> Alert:
    """The alert for a deal that could not come home now."""
    failed = check.failing
    if failed is None:
        why = (
            "gas costs more than its plan allows even an exit"
            if check.before.gas_stops_all
            else "it stalls"
        )
    else:
        why = f"{failed.leg} would fail: {failed.reason}"
    return about(
        deal,
        FAILING,
        Severity.CRITICAL,
        text=f"the deal could not be unwound now: {why}. `holdfast risk exits --deal` shows how "
        "far it would come",
        fields={
            "leg": None if failed is None else str(failed.leg),
            "reason": why,
            "block": check.before.head.ref.number,
            "left": check.after.position.told,
        },
    )


def late(chain_id: ChainId, age_blocks: int, every_blocks: int, why: str) -> Alert:
    """The alert for open deals whose unwinds nobody has tried for too long."""
    return Alert(
        code=LATE,
        severity=Severity.WARNING,
        subject=subject(chain_id),
        text=f"the unwind of an open deal was not tried for {age_blocks} blocks, more than "
        f"{MOST_PERIODS} times {every_blocks}: {why}. `holdfast risk exits --deal` tries one now",
        chain_id=chain_id,
        fields={"age_blocks": age_blocks, "limit": MOST_PERIODS * every_blocks, "reason": why},
    )


def late_no_more(chain_id: ChainId) -> Ended:
    """Every check is young enough again."""
    return Ended(LATE, subject(chain_id))


def subject(chain_id: ChainId) -> str:
    """What alerts about all deals of a chain are about."""
    return f"chain:{chain_id}"
