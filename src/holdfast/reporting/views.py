"""Records as JSON values: amounts as exact base units and as text, never as floats; pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from holdfast.planning.json_values import block, percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.common.money import TokenAmount
    from holdfast.execution.records import DealRecord, LegRecord
    from holdfast.ledger.model import Balances
    from holdfast.ledger.pnl import ProfitAndLoss
    from holdfast.ledger.reconciliation import Reconciliation
    from holdfast.risk.trading import Trading


def money(amount: TokenAmount) -> dict[str, str]:
    """An amount: its base units, and in whole tokens."""
    return {
        "token": amount.token.symbol,
        "units": str(amount.units),
        "amount": f"{amount.decimal():f}",
    }


def usd(value: int) -> str:
    """Dollars times 1e8 as an exact decimal number."""
    return f"{Decimal(value).scaleb(-8):f}"


def deal_view(deal: DealRecord) -> dict[str, Any]:
    """The deal's own row."""
    trouble = deal.trouble
    return {
        "deal_id": str(deal.deal_id),
        "deal_number": deal.deal_number,
        "chain_id": deal.chain_id,
        "participant_bank_id": deal.bank,
        "module_id": deal.module,
        "author": deal.author,
        "status": str(deal.status),
        "hold_reason": str(deal.hold_reason) if deal.hold_reason else None,
        "trouble": (
            {"leg": str(trouble.kind), "times": trouble.times, "text": deal.trouble_text}
            if trouble
            else None
        ),
        "trouble_text": deal.trouble_text,
        "waits_for": deal.waits_for,
        "funding": str(deal.plan.terms.funding),
        "total_eth_value_usd": usd(deal.total_eth_value),
        "current_ltv_percent": None
        if deal.current_ltv_bps is None
        else percent(deal.current_ltv_bps),
        "usdtz_exposure_units": None if deal.exposure is None else str(deal.exposure),
        "profit_usd": None if deal.profit is None else usd(deal.profit),
        "plan_hash": deal.plan.plan_hash,
        "version": deal.version,
        "created_at": deal.created_at.isoformat(),
        "updated_at": deal.updated_at.isoformat(),
    }


def trading_view(trading: Trading) -> dict[str, Any]:
    """The trading state in force, and the setting that makes it so."""
    because = trading.because
    return {
        "state": str(trading.state),
        "scope": None if because is None else because.scope,
        "reason": None if because is None else because.reason,
        "set_by": None if because is None else because.set_by,
        "since": None if because is None else because.since.isoformat(),
    }


def step_view(step: Mapping[str, Any]) -> dict[str, Any]:
    """One step's row; when it was done is chain time."""
    done = step["executed_at"]
    return {**step, "executed_at": None if done is None else done.isoformat()}


def leg_view(leg: LegRecord) -> dict[str, Any]:
    """One leg and what became of it."""
    return {
        "leg_id": str(leg.leg_id),
        "step": int(leg.step),
        "seq": leg.seq,
        "kind": str(leg.kind),
        "label": leg.label,
        "status": str(leg.status),
        "sender": leg.sender,
        "target": leg.call.target,
        "selector": "0x" + leg.call.selector.hex() if leg.call.selector else None,
        "value_wei": str(leg.call.value_wei),
        "tx_hash": leg.tx_hash,
        "block_number": leg.block_number,
        "gas": leg.gas_used,
        "fee_wei": None if leg.fee_wei is None else str(leg.fee_wei),
    }


def ledger_view(reconciliation: Reconciliation, balances: Balances) -> dict[str, Any]:
    """Ledger against chain, line by line, and the trial balance."""
    return {
        "block": block(reconciliation.at),
        "mismatch_wei": str(reconciliation.mismatch_wei),
        "trial_balance": {token.symbol: total for token, total in balances.trial().items()},
        "lines": [
            {
                "account": str(line.account),
                "token": line.ledger.token.symbol,
                "ledger_units": str(line.ledger.units),
                "chain_units": str(line.chain.units),
                "mismatch_units": str(line.mismatch),
            }
            for line in reconciliation.lines
        ],
        "balances": [
            {"account": str(account), "token": token.symbol, "units": str(held.units)}
            for (account, token), held in sorted(
                balances.held.items(), key=lambda item: (item[0][0], item[0][1].symbol)
            )
        ],
    }


def pnl_view(pnl: ProfitAndLoss) -> dict[str, Any]:
    """Profit and loss, in USDT and ETH apart and in dollars together."""
    sold = pnl.eth_sold
    return {
        "trading": money(pnl.trading),
        "fees": money(pnl.fees),
        "interest_paid": money(pnl.interest_paid),
        "usdt": money(pnl.usdt),
        "interest_earned": money(pnl.interest_earned),
        "gas": money(pnl.gas),
        "eth": money(pnl.eth),
        "total_usd": usd(pnl.total),
        "claim": {
            "tokens": money(pnl.claim.tokens),
            "at_cost": money(pnl.claim.at_cost),
            "at_market": money(pnl.claim.at_market),
        },
        "total_with_claim_at_market_usd": usd(pnl.total_with_claim_at_market),
        "eth_sold": {
            "sold": money(sold.sold),
            "proceeds": money(sold.proceeds),
            "sale_cost_usd": None if sold.sale_cost is None else usd(sold.sale_cost),
            "upside_forgone_usd": usd(sold.upside_forgone),
        },
    }
