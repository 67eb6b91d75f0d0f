"""The deal beside its alternatives: both fundings, and no loan at all; pure."""

from collections.abc import Sequence

from holdfast.model.deal import Funding
from holdfast.planning.errors import violation
from holdfast.planning.json_values import Json, amount, percent, ratio, usd
from holdfast.planning.model import Draft


def comparison(chosen: Draft, compared: Sequence[Draft]) -> list[Json]:
    """One row for each alternative.

    In `bucket` funding the loan adds no capacity, so each such row says what its loan costs
    against the row without one (RISK.md).
    """
    without = next(draft for draft in compared if _is_without_loan(draft))
    return [_row(draft, chosen, without) for draft in compared]


def _row(draft: Draft, chosen: Draft, without: Draft) -> Json:
    is_buffer = draft.terms.funding is Funding.BUCKET and draft is not without
    return {
        "funding": str(draft.terms.funding),
        "opening_ltv_percent": percent(draft.request.opening_ltv),
        "is_chosen": draft.terms == chosen.terms,
        "borrow": amount(draft.terms.borrow),
        "spend": amount(draft.terms.spend),
        "bucket_sale": amount(draft.terms.bucket_sale),
        "debt_cover": ratio(draft.metrics_after.debt_cover),
        "exposure_freeze_nav_percent": percent(draft.metrics_after.exposure_freeze),
        "worst_case_loss_usd": usd(draft.outlook.loss),
        "profit_if_redeemed_usd": usd(draft.outlook.profit),
        "simple_return_percent": percent(draft.outlook.simple_return),
        "break_even_success_percent": percent(draft.outlook.break_even),
        "loan_interest_usd": usd(draft.costs.interest),
        "loan_changes_profit_by_usd": (
            usd(draft.outlook.profit - without.outlook.profit) if is_buffer else None
        ),
        "violations": [violation(check) for check in draft.violations],
        "warnings": [check.code for check in draft.warnings],
    }


def _is_without_loan(draft: Draft) -> bool:
    return draft.terms.funding is Funding.BUCKET and draft.request.opening_ltv == 0
