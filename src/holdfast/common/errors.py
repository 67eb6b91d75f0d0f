"""The one error tree: four families, told apart by what is known to have happened."""

from __future__ import annotations

from typing import ClassVar


class HoldfastError(Exception):
    """Base of all errors; carries a stable `code` and the fields that explain it.

    Args:
        code: stable, lower-case, dotted identifier such as `plan.ltv_above_cap`.
        message: what happened and what to do, for a person.
        fields: the limit, the value and whatever else a machine needs.
    """

    family: ClassVar[str] = "error"

    def __init__(self, code: str, message: str, **fields: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = fields

    def as_dict(self) -> dict[str, object]:
        """The error as it is shown to machines."""
        return {
            "code": self.code,
            "family": self.family,
            "message": self.message,
            "fields": self.fields,
        }


class Rejected(HoldfastError):
    """Nothing was done: the request breaks a rule and would break it again."""

    family = "rejected"


class Transient(HoldfastError):
    """Nothing was done: the same call may succeed later."""

    family = "transient"


class Paused(Transient):
    """Nothing was done or can be, and whoever found the cause told of it: do not log it again."""


class Ambiguous(HoldfastError):
    """Maybe done: observe the chain and reconcile, never resend blindly."""

    family = "ambiguous"


class Broken(HoldfastError):
    """A guarantee does not hold: stop and page someone."""

    family = "broken"
