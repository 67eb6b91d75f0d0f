"""What the risk rules refuse to calculate with."""

from holdfast.common.errors import Rejected


class ImpossibleInput(Rejected):
    """A formula was asked outside its domain, such as a price of zero; nothing was done.

    Its code is `risk.` and the name of the argument.
    """

    def __init__(self, name: str, message: str, value: int) -> None:
        super().__init__(f"risk.{name}", message, value=value)
