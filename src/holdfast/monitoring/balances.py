"""Ether leaves no event: what accounts hold at each look, and whose fall nobody of us caused.

An account's ether falls only by its own transactions, so where it fell the nonce is looked at, and
at the first look of all: one above the last that we gave out was used by somebody else with our
key. A nonce of ours that was taken is found by the transaction layer. Nobody has the key of core,
which therefore may never fall.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from holdfast.common.alerts import Alert, Ended, Severity
from holdfast.monitoring.events import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.common.evm import Address, BlockRef
    from holdfast.common.ids import ChainId
    from holdfast.monitoring.events import Watched


_SHORT: Final = "core.below_booked"


class Where(NamedTuple):
    """The chain and the block of one look."""

    chain_id: ChainId
    block: BlockRef


def changed(before: Mapping[Address, int], now: Mapping[Address, int]) -> dict[Address, int]:
    """The accounts whose ether is another than it was, with what they hold now."""
    return {one: wei for one, wei in now.items() if before.get(one) != wei}


def to_question(before: Mapping[Address, int], now: Mapping[Address, int]) -> list[Address]:
    """The accounts that hold less than before, and those that nobody looked at before."""
    return [one for one, wei in now.items() if one not in before or wei < before[one]]


@dataclass(frozen=True, slots=True)
class Anchor:
    """What core held at the last look (None at the first) and holds now, and what deals booked."""

    before_wei: int | None
    now_wei: int
    booked_wei: int


def core_alerts(core: Watched, anchor: Anchor, where: Where) -> list[Alert]:
    """What to raise about the anchor, which is never touched."""
    found: list[Alert] = []
    facts = asdict(anchor)
    if anchor.before_wei is not None and anchor.now_wei < anchor.before_wei:
        told = "core.fell", "holds less than before: nobody may move it"
        found.append(_critical(core, told, where, facts))
    if anchor.now_wei < anchor.booked_wei:
        told = _SHORT, "holds less than the open deals have booked on it"
        found.append(_critical(core, told, where, facts))
    return found


def core_ended(core: Watched, anchor: Anchor) -> list[Ended]:
    """What is over about the anchor; that it fell is for a person to explain, whatever it holds."""
    return [Ended(_SHORT, core.address)] if anchor.now_wei >= anchor.booked_wei else []


def key_alert(
    account: Watched, nonce: int, next_nonce: int | None, where: Where, *, is_first_look: bool
) -> Alert | None:
    """What to raise about an account in question; None when every nonce used is ours.

    Args:
        account: whose ether fell, or was never looked at.
        nonce: how many of its transactions are mined at the block.
        next_nonce: the nonce after the last that we gave out; None when we never signed for it.
        where: the chain and the block.
        is_first_look: whether nobody looked at the account before.
    """
    if account.role is Role.TREASURY or nonce <= (next_nonce or 0):
        return None
    # A float may be older than we are; a deal's key is made by us for the deal.
    if account.role is Role.FLOAT and next_nonce is None and is_first_look:
        return None
    told = "account.foreign_nonce", "had its key used by somebody else"
    return _critical(account, told, where, {"nonce": nonce, "next_nonce": next_nonce or 0})


def _critical(
    account: Watched, told: tuple[str, str], where: Where, facts: Mapping[str, object]
) -> Alert:
    code, what = told
    return Alert(
        code=code,
        severity=Severity.CRITICAL,
        subject=account.address,
        text=f"The {account.role} account {account.address} {what}.",
        chain_id=where.chain_id,
        deal_id=account.deal_id,
        bank_id=account.bank_id,
        fields={**facts, "block": where.block.number},
    )
