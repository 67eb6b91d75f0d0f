"""What monitoring refuses."""

from __future__ import annotations

from holdfast.common.errors import Rejected


class AlertNotFound(Rejected):
    """No such alert, or nothing left to acknowledge in it."""

    def __init__(self, alert_id: int) -> None:
        super().__init__(
            "alert.not_found",
            f"no alert {alert_id}: `holdfast alerts list --all` shows them",
            alert_id=alert_id,
        )


class ChoreNotFound(Rejected):
    """No such chore was given up."""

    def __init__(self, kind: str, subject: str) -> None:
        super().__init__(
            "chore.not_found",
            f"no chore {kind} {subject} is left to do: `holdfast chores list` shows them",
            kind=kind,
            subject=subject,
        )
