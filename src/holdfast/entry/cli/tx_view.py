"""How transactions in doubt are shown: one document for machines, tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from holdfast.entry.cli.plain import plain_console, whole_table
from holdfast.transactions.repair_plans import offered

if TYPE_CHECKING:
    from holdfast.common.evm import BlockRef, Receipt
    from holdfast.transactions.inbox import Shown
    from holdfast.transactions.model import Attempt
    from holdfast.transactions.repairs import Case, RepairPlan


def case_view(case: Case) -> dict[str, Any]:
    """One intent and its evidence as JSON values; amounts in wei are text."""
    intent, new = case.intent, case.intent.new
    return {
        "intent_id": str(intent.intent_id),
        "deal_id": str(new.deal_id),
        "leg_id": str(new.leg_id),
        "participant_bank_id": new.participant_bank_id,
        "chain_id": new.chain_id,
        "sender": new.sender,
        "nonce": intent.nonce,
        "target": new.call.target,
        "selector": "0x" + new.call.selector.hex(),
        "value_wei": str(new.call.value_wei),
        "depth": new.depth,
        "deadline": new.deadline,
        "fee_ceiling_wei": str(new.fee_ceiling_wei),
        "status": str(intent.status),
        "reason": case.reason,
        "evidence": dict(case.evidence),
        "cancel_requested": intent.cancel_requested,
        "acknowledged_at": case.acknowledged_at,
        "attempts": [_attempt(one) for one in intent.attempts],
        "receipt": _receipt(intent.receipt),
        "created_at": case.created_at,
        "updated_at": case.updated_at,
        "actions": [str(repair) for repair in offered(case)],
    }


def shown_view(shown: Shown) -> dict[str, Any]:
    """The same with what the chain says now and each action's plan."""
    facts = shown.facts
    use = facts.use
    foreign = None
    if use is not None:
        foreign = {"tx_hash": use.tx_hash, "target": use.target, "block": _block(use.block)}
    return {
        **case_view(shown.case),
        "now": {
            "block": _block(facts.at),
            "account_nonce": facts.account_nonce,
            "base_fee_wei": str(facts.base_fee_wei),
            "receipt": _receipt(facts.receipt),
            "foreign_transaction": foreign,
            "first_live_nonce": facts.first_live_nonce,
        },
        "plans": [plan_view(plan) for plan in shown.plans],
    }


def plan_view(plan: RepairPlan) -> dict[str, Any]:
    """A repair and its preconditions as JSON values."""
    return {
        "intent_id": str(plan.intent_id),
        "action": str(plan.repair),
        "effect": plan.effect,
        "block": _block(plan.at),
        "ready": plan.is_ready,
        "checks": [
            {"code": one.code, "holds": one.holds, "wanted": one.wanted, "found": one.found}
            for one in plan.checks
        ],
    }


def show_cases(document: dict[str, Any]) -> None:
    """Print the inbox as a table."""
    cases = document["cases"]
    if not cases:
        plain_console().print("Nothing is in doubt.")
        return
    columns = ("Intent", "Status", "Why", "Sender", "Nonce", "Deal", "Since", "Actions")
    table = whole_table("In doubt", *columns, key="Intent")
    for case in cases:
        table.add_row(
            case["intent_id"],
            case["status"],
            case["reason"],
            case["sender"],
            str(case["nonce"]),
            case["deal_id"],
            f"{case['updated_at']:%Y-%m-%d %H:%M:%S}",
            ", ".join(case["actions"]) or "wait",
        )
    plain_console().print(table)


def show_shown(document: dict[str, Any]) -> None:
    """Print one intent: what is recorded, what the chain says, and the plans."""
    console = plain_console()
    table = Table(show_header=False, title=f"Intent {document['intent_id']}", title_justify="left")
    for name in ("status", "reason", "deal_id", "sender", "nonce", "target", "depth"):
        table.add_row(name, str(document[name]))
    for name, value in {**document["evidence"], **document["now"]}.items():
        table.add_row(name, str(value))
    for one in document["attempts"]:
        table.add_row(f"attempt {one['attempt_no']}", _line(one))
    console.print(table)
    for plan in document["plans"]:
        show_plan(plan)


def show_plan(document: dict[str, Any]) -> None:
    """Print a repair with its preconditions."""
    state = "ready" if document["ready"] else "refused"
    title = f"{document['action']}: {state} at block {document['block']['number']}"
    table = Table("", "Needs", "Found", "Code", title=title, title_justify="left")
    for check in document["checks"]:
        mark = "yes" if check["holds"] else "NO"
        table.add_row(mark, check["wanted"], check["found"], check["code"])
    table.caption = document["effect"]
    plain_console().print(table)


def _line(attempt: dict[str, Any]) -> str:
    return f"{attempt['purpose']} {attempt['tx_hash']} {attempt['state']}, {attempt['delivery']}"


def _attempt(attempt: Attempt) -> dict[str, Any]:
    sent = attempt.sent
    return {
        "attempt_no": attempt.attempt_no,
        "purpose": str(attempt.purpose),
        "tx_hash": attempt.tx_hash,
        "cap_wei": str(attempt.fees.cap_wei),
        "tip_wei": str(attempt.fees.tip_wei),
        "state": str(attempt.state),
        "sent_block": None if sent is None else sent.block,
        "sent_at_seconds": None if sent is None else sent.at_seconds,
        "delivery": None if sent is None else str(sent.delivery),
    }


def _receipt(receipt: Receipt | None) -> dict[str, Any] | None:
    if receipt is None:
        return None
    return {
        "tx_hash": receipt.tx_hash,
        "block": _block(receipt.block),
        "succeeded": receipt.succeeded,
        "gas_used": receipt.gas_used,
        "logs": len(receipt.logs),
    }


def _block(block: BlockRef) -> dict[str, Any]:
    return {"number": block.number, "hash": block.hash, "timestamp": block.timestamp}
