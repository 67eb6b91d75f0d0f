"""The report of a plan: what a person reads before approving, as JSON values only; pure.

Money is a decimal string in whole dollars or tokens, with the base units beside it where a token
moves; ratios are decimal strings, those named `_percent` in percent. What has no value, such as
the health factor of a deal that owes nothing, is null.
"""

from collections.abc import Sequence
from dataclasses import asdict

from holdfast.common.money import BPS
from holdfast.model.plan import Envelope, Terms, plan_hash
from holdfast.planning.comparison import comparison
from holdfast.planning.cure_view import cure_view
from holdfast.planning.errors import violation
from holdfast.planning.gate import gate_view
from holdfast.planning.json_values import Json, amount, percent, rate, ratio, usd
from holdfast.planning.leg_writer import contract_names
from holdfast.planning.model import Draft, Metrics, PlannedLeg, Setting
from holdfast.planning.snapshot import Pool, Quote
from holdfast.planning.together import BookStress
from holdfast.risk.book import BookOutcome
from holdfast.risk.scenarios import LIQUIDATION_SHARE, THEOREM, Outcome


def report(chosen: Draft, compared: Sequence[Draft], setting: Setting, envelope: Envelope) -> Json:
    """The whole report of a deal, the worst case first, with the deals it is compared to."""
    market = setting.market
    return {
        "plan_hash": plan_hash(envelope),
        "worst_case": _worst_case(chosen),
        "request": _request(chosen),
        "block": {**asdict(market.at), "base_fee_wei": str(market.gas.base_fee_wei)},
        "prices": {"eth_usd": usd(market.prices.eth), "usdt_usd": usd(market.prices.cash)},
        "split": _split(chosen, setting),
        "terms": _terms(chosen.terms),
        "legs": [_leg(leg, setting) for leg in chosen.legs],
        "quotes": _quotes(chosen, setting),
        "costs": _costs(chosen),
        "before": _metrics(chosen.metrics_before),
        "after": _metrics(chosen.metrics_after),
        "outlook": _outlook(chosen),
        "scenarios": [_scenario(one) for one in chosen.scenarios],
        "fundings": comparison(chosen, compared),
        "gate": gate_view(chosen.gate),
        "cures": cure_view(chosen, setting, envelope),
        "checks": [violation(check) for check in chosen.checks],
        "warnings": [violation(check) for check in chosen.warnings],
        "limits": _limits(envelope),
        "accounts": asdict(envelope.accounts),
    }


def book_report(book: BookStress) -> Json:
    """How the open book with the new deal ends in each scenario, the worst verdicts first named."""
    broken = [one.scenario for one in book.outcomes if not one.principal_whole]
    return {
        "other_deals": book.others,
        "principal_whole": not broken,
        "scenarios_not_whole": broken,
        "not_whole_without_this_deal": sorted(book.broken_before),
        "scenarios": [_book_scenario(one) for one in book.outcomes],
    }


def _book_scenario(one: BookOutcome) -> Json:
    return {
        "scenario": one.scenario,
        "principal_whole": one.principal_whole,
        "deals_not_whole": len(one.not_whole),
        "loss_usd": usd(one.loss),
        "lowest_debt_cover": ratio(one.lowest_cover_wad),
        "lowest_health_factor": ratio(one.health_wad),
        "eth_sold_usd": usd(one.sold),
        "shared_slip_percent": percent(one.slip),
    }


def _worst_case(draft: Draft) -> Json:
    debt = draft.after.debt
    return {
        "loss_usd": usd(draft.outlook.loss),
        "theorem_usd": usd(draft.outlook.theorem),
        "sale_for_the_debt_usd": usd(draft.outlook.sale),
        "emergency_usd": usd(draft.outlook.emergency),
        "loss_percent_of_nav": percent(-(-draft.outlook.loss * 10_000 // draft.before.nav)),
        "principal_whole": _is_theorem_kept(draft),
        "scenarios_not_whole": [one.scenario for one in draft.scenarios if not one.principal_whole],
        "single_gap_that_breaks_percent": percent(draft.outlook.breaking_gap),
        "holds_while": (
            f"ETH falls by less than {draft.stress.gap // 100} % between two monitor ticks, "
            "unwinding acts before the health factor is under 1, and neither rate, gas, pegs nor "
            "the time until the debt is paid are worse than the plan's own stress; the scenarios "
            "say what each costs that is"
        ),
        "worst_scenario": _dearest(draft),
        "added_if_unwinding_fails_usd": usd(debt * LIQUIDATION_SHARE // BPS),
        "not_included": {
            "lending_venue_fails_usd": usd(draft.after.collateral),
            "debt_currency_freezes_or_depegs_usd": usd(draft.after.cash),
            "collateral_fully_lent_out": "a delay only",
            "fall_of_eth": "NAV in dollars falls with ETH; ETH comes back whole",
        },
    }


def _dearest(draft: Draft) -> Json:
    """The scenario that loses most, which may be more than the bound of the theorem."""
    worst = max(draft.scenarios, key=lambda one: one.loss)
    return {"scenario": worst.scenario, "loss_usd": usd(worst.loss)}


def _is_theorem_kept(draft: Draft) -> bool:
    """Whether core and collateral come back whole with the token at 0 after the largest gap."""
    deepest = [one for one in draft.scenarios if one.scenario == THEOREM.name]
    return all(one.principal_whole for one in deepest)


def _request(draft: Draft) -> Json:
    request = draft.request
    return {
        "total_eth_value_usd": usd(request.total_eth_value),
        "bank": request.bank,
        "module": request.module,
        "chain_id": request.chain_id,
        "funding": str(request.funding),
        "opening_ltv_percent": percent(request.opening_ltv),
        "max_ltv_percent": percent(request.max_ltv),
        "max_exposure_percent": percent(request.max_exposure),
        "slippage_percent": percent(request.slippage),
        "horizon_days": request.horizon_days,
        "ladder": str(request.ladder),
    }


def _split(draft: Draft, setting: Setting) -> Json:
    split, value = draft.terms.split, setting.market.prices.eth_value
    parts = {
        "core": (split.core, draft.request.split.core),
        "working": (split.working, draft.request.split.working),
        "bucket": (split.bucket, draft.request.split.bucket),
    }
    return {
        name: {**amount(part), "usd": usd(value(part.units)), "percent": percent(share)}
        for name, (part, share) in parts.items()
    }


def _terms(terms: Terms) -> Json:
    return {
        "borrow": amount(terms.borrow),
        "bucket_sale": amount(terms.bucket_sale),
        "bucket_sale_min": amount(terms.bucket_sale_min),
        "spend": amount(terms.spend),
        "min_tokens": amount(terms.min_tokens),
        "tranches": [amount(rung) for rung in terms.tranches],
        "lots": [amount(lot) for lot in terms.lots],
        "gas_reserve": amount(terms.gas_reserve),
    }


def _leg(leg: PlannedLeg, setting: Setting) -> Json:
    names = contract_names(setting.venues)
    return {
        "step": int(leg.step),
        "kind": str(leg.kind),
        "call": leg.text,
        "target": leg.call.target,
        "target_name": names.get(leg.call.target, "account"),
        "selector": "0x" + leg.call.selector.hex() if leg.call.data else None,
        "value_wei": str(leg.call.value_wei),
        "data": "0x" + leg.call.data.hex(),
        "only_if_needed": leg.is_fallback,
    }


def _quotes(draft: Draft, setting: Setting) -> Json:
    market = setting.market
    return {
        "purchase": _quote(draft.purchase, market.purchase_pool),
        "bucket_sale": _quote(draft.sale, market.sale_pool),
        "borrow_rate_percent": {
            "now": rate(market.loan.rate_ray),
            "after_the_loan": rate(draft.rate_ray),
            "stressed": rate(draft.stress.apr_ray),
        },
        "redemption": {
            "fee_percent": percent(market.desk.fee),
            "queue_delay_seconds": market.desk.queue_delay_seconds,
            "desk_cash": amount(market.desk.cash),
        },
    }


def _quote(quote: Quote, pool: Pool) -> Json | None:
    if quote.amount_in.units == 0:
        return None
    return {
        "pays": amount(quote.amount_in),
        "gets": amount(quote.amount_out),
        "price_impact_percent": percent(quote.price_impact(pool.fee_pips)),
        "pool": pool.address,
        "pool_fee_percent": f"{pool.fee_pips // 10_000}.{pool.fee_pips % 10_000:04}",
        "depth_one_percent": amount(pool.depth),
    }


def _costs(draft: Draft) -> Json:
    costs = draft.costs
    return {
        "purchase_fee_usd": usd(costs.purchase_fee),
        "purchase_impact_usd": usd(costs.purchase_impact),
        "bucket_sale_usd": usd(costs.sale_cost),
        "bucket_sale_at_most_usd": usd(costs.max_sale_cost),
        "exit_sale_if_token_fails_usd": usd(costs.exit_cost),
        "interest_usd": usd(costs.interest),
        "interest_stressed_usd": usd(costs.stressed_interest),
        "redemption_fee_usd": usd(costs.redemption_fee),
        "gas_usd": usd(costs.gas),
        "gas_at_most_usd": usd(costs.max_gas),
    }


def _metrics(metrics: Metrics) -> Json:
    return {
        "ltv_percent": percent(metrics.ltv),
        "health_factor": ratio(metrics.health_factor),
        "exposure_cost_percent": percent(metrics.exposure_cost),
        "exposure_market_percent": percent(metrics.exposure_market),
        "exposure_freeze_nav_percent": percent(metrics.exposure_freeze),
        "debt_cover": ratio(metrics.debt_cover),
    }


def _outlook(draft: Draft) -> Json:
    outlook, owes = draft.outlook, draft.after.debt > 0
    return {
        "profit_if_redeemed_usd": usd(outlook.profit),
        "simple_return_percent": percent(outlook.simple_return),
        "break_even_success_percent": percent(outlook.break_even),
        "liquidation_eth_price_usd": usd(outlook.liquidation_price) if owes else None,
        "liquidation_eth_drop_percent": percent(outlook.liquidation_drop) if owes else None,
    }


def _scenario(one: Outcome) -> Json:
    return {
        "scenario": one.scenario,
        "principal_whole": one.principal_whole,
        "loss_usd": usd(one.loss),
        "debt_cover": ratio(one.cover_wad),
        "health_factor": ratio(one.health_wad),
        "ltv_percent": percent(one.ltv),
        "liquidated": one.is_liquidated,
        "bucket_sold_percent": percent(one.bucket_sold),
        "delayed_by": one.delayed_by,
    }


def _limits(envelope: Envelope) -> Json:
    return {
        "exit_slippage_percent": percent(envelope.exit_slippage),
        "emergency_slippage_percent": percent(envelope.deepest_slippage),
        "gas_price_ceiling_wei": str(envelope.gas_price_ceiling_wei),
        "homeward_gas_price_wei": str(envelope.homeward_gas_price_wei),
        "max_fee": amount(envelope.max_fee),
        "expires_at": envelope.expires_at,
        "calls": [
            {**asdict(call), "kind": str(call.kind), "recipients": list(call.recipients)}
            for call in envelope.calls
        ],
    }
