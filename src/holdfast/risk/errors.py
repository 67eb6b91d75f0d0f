"""What the risk rules refuse to calculate with."""

from holdfast.common.errors import Rejected


class ImpossibleInput(Rejected):
    """A formula was asked outside its domain, such as a price of zero; nothing was done.

    Its code is `risk.` and the name of the argument.
    """

    def __init__(self, name: str, message: str, value: int) -> None:
        super().__init__(f"risk.{name}", message, value=value)


class DeskStopped(Rejected):
    """No risk is taken on now: nothing was done."""

    def __init__(self, state: str, scope: str, reason: str, *, set_by: str, since: str) -> None:
        super().__init__(
            f"desk.{state}",
            f"trading is {state} for {scope}, set by {set_by}: {reason}. No deal is planned, "
            "approved or started; see `holdfast desk status`. Whoever set it lets it go on with "
            "`holdfast desk activate`; what the monitor set ends by itself once its cause is over",
            scope=scope,
            reason=reason,
            set_by=set_by,
            since=since,
        )
