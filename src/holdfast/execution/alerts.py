"""What a person must hear of while a deal advances; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.common.alerts import Alert, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.execution.errors import Unexplained
    from holdfast.execution.observation import Seen
    from holdfast.execution.records import DealRecord
    from holdfast.risk.model import Check

BLOCKED: Final = "deal.blocked"
GAS_TOO_DEAR: Final = "deal.gas_too_dear"
DEAR_GAS_PAID: Final = "deal.dear_gas_paid"


def about(
    deal: DealRecord, code: str, severity: Severity, *, text: str, fields: Mapping[str, object]
) -> Alert:
    """An alert whose subject is the deal."""
    return Alert(
        code=code,
        severity=severity,
        subject=str(deal.deal_id),
        text=text,
        chain_id=deal.chain_id,
        deal_id=deal.deal_id,
        bank_id=deal.bank,
        fields=fields,
    )


def unexplained(
    seen: Seen, deal: DealRecord, doubt: Unexplained, before: Mapping[str, object]
) -> Alert:
    """The chain shows less than is recorded; `before` is what the last group was decided on."""
    return about(
        deal,
        "deal.unexplained",
        Severity.CRITICAL,
        text="the chain shows less of this deal than is recorded: find out what happened to it, "
        "then `deal resume` or `deal close`; what you have seen does not stop it again",
        fields={
            "lines": list(doubt.lines),
            "block": seen.head.ref.number,
            "position": seen.position.told,
            "last_group_decided_on": dict(before),
        },
    )


def gas_too_dear(deal: DealRecord, *, even_for_safety: bool) -> Alert:
    """The deal waits for cheaper gas; `even_for_safety` with a move that would lower its risk."""
    envelope = deal.plan.envelope
    if even_for_safety:
        text = (
            "a block costs more than the plan allows even for repaying and coming home: the deal's "
            "debt stays until gas is cheaper, and ETH may fall meanwhile"
        )
        return about(
            deal,
            GAS_TOO_DEAR,
            Severity.CRITICAL,
            text=text,
            fields={"ceiling_wei": str(envelope.homeward_gas_price_wei)},
        )
    return about(
        deal,
        GAS_TOO_DEAR,
        Severity.WARNING,
        text="a block costs more than the plan allows: the deal waits until gas is cheaper",
        fields={"ceiling_wei": str(envelope.gas_price_ceiling_wei)},
    )


def dear_gas_paid(deal: DealRecord, base_fee_wei: int) -> Alert:
    """What lowers the deal's risk goes out although gas is above the plan's ordinary ceiling."""
    envelope = deal.plan.envelope
    return about(
        deal,
        DEAR_GAS_PAID,
        Severity.WARNING,
        text="a block costs more than the plan's ordinary ceiling, and the deal pays it: what it "
        "sends lowers its risk. Nothing has to be done",
        fields={
            "base_fee_wei": str(base_fee_wei),
            "ceiling_wei": str(envelope.gas_price_ceiling_wei),
            "homeward_ceiling_wei": str(envelope.homeward_gas_price_wei),
        },
    )


def blocked(deal: DealRecord, checks: Sequence[Check]) -> Alert:
    """The deal's next move would break a rule of the desk: it is not made."""
    told = "; ".join(f"{check.code}: {check.text}" for check in checks)
    return about(
        deal,
        BLOCKED,
        Severity.WARNING,
        text=f"the deal's next move would break a rule at present prices ({told}): it waits until "
        "it would not; `deal close` brings home what it has",
        fields={
            "codes": [check.code for check in checks],
            "limits": [str(check.limit) for check in checks],
            "values": [str(check.value) for check in checks],
        },
    )
