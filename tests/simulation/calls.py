"""The calls that intents of the model make, and what the model's contracts do with them."""

from __future__ import annotations

from holdfast.common.evm import EventLog
from holdfast.model.leg import Call, ExpectedEvent

PAYS, REVERTS, SAYS_NOTHING = b"\x01", b"\x02", b"\x03"
CONTRACT = "0x00000000000000000000000000000000000c0de5"
_NEVER = 2**63


def call_of(kind, leg, deadline):
    """A call that has its effect once for leg `leg`, and reverts after chain time `deadline`."""
    return Call(CONTRACT, kind + leg.bytes + (deadline or _NEVER).to_bytes(8), 0)


def expected_of(leg):
    """The event by which a call of `leg` proves its effect."""
    return ExpectedEvent(CONTRACT, (leg.bytes.rjust(32, b"\0"),))


def leg_in(tx):
    """The 16 bytes of the leg that `tx` is for; empty for a no-op."""
    return tx.data[1:17]


def executed(tx, timestamp):
    """Whether `tx` succeeds in a block of that time, and its log entries."""
    kind, deadline = tx.data[:1], int.from_bytes(tx.data[17:25])
    if not kind:
        return True, ()
    if kind == REVERTS or timestamp > deadline:
        return False, ()
    if kind == SAYS_NOTHING:
        return True, ()
    return True, (EventLog(CONTRACT, (leg_in(tx).rjust(32, b"\0"),), b"", 0),)
