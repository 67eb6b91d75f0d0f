"""The rules that a drafted deal is held to: the invariants, then market and funds; pure."""

from holdfast.common.money import Usd8
from holdfast.planning.advice import advised
from holdfast.planning.costs import face_value
from holdfast.planning.envelope import missing_home, token_at_venue
from holdfast.planning.market_checks import market_checks
from holdfast.planning.model import Draft, Setting
from holdfast.risk.caps import Wanted, caps, opening
from holdfast.risk.invariants import (
    Anchor,
    Facts,
    Lending,
    Lot,
    Moment,
    Spending,
    evaluate,
)
from holdfast.risk.limits import RiskLimits
from holdfast.risk.model import Check


def checks(draft: Draft, setting: Setting) -> tuple[Check, ...]:
    """All rules: the invariants, then those of the market, the funds and the open book."""
    found = advised(_against(setting.policy.limits, draft, setting), draft)
    in_force = setting.in_force
    return in_force.told(found, _against(in_force.published, draft, setting)) if in_force else found


def _against(limits: RiskLimits, draft: Draft, setting: Setting) -> tuple[Check, ...]:
    wanted = Wanted(draft.request.total_eth_value, face_value(draft.terms.spend))
    return (
        *evaluate(facts(draft, setting), limits, Moment.PRE_TRADE),
        *market_checks(draft, setting),
        *caps(wanted, setting.book, limits),
        opening(draft.request.opening_ltv, limits),
    )


def facts(draft: Draft, setting: Setting) -> Facts:
    """What the invariants look at; I9, conservation, is the ledger's and has nothing here yet."""
    market, terms, venues = setting.market, draft.terms, setting.venues
    value = market.prices.eth_value
    return Facts(
        anchor=_anchor(draft, setting),
        sheet=draft.after,
        stress=draft.stress,
        gas_reserve=value(terms.gas_reserve.units),
        spending=Spending(terms.funding, value(terms.split.bucket.units), draft.costs.charges),
        max_exposure=draft.request.max_exposure,
        token_at_venue=token_at_venue(draft.legs, venues.usdtz.address, venues.aave.address),
        lending=Lending(
            most=draft.request.max_ltv,
            threshold=market.collateral.threshold,
            opening=draft.request.opening_ltv,
        ),
        missing_home=missing_home(draft),
        lot=_lot(draft),
        prices=market.sources.facts(),
    )


def _anchor(draft: Draft, setting: Setting) -> Anchor:
    accounts, state = setting.accounts, setting.market.anchor
    return Anchor(
        balance_wei=state.balance_wei,
        booked_wei=setting.booked_core_wei + draft.terms.split.core.units,
        allowances=state.allowances,
        debt=state.debt,
        collateral=state.collateral,
        shared_with=(accounts.float, accounts.deal).count(accounts.core),
    )


def _lot(draft: Draft) -> Lot:
    terms = draft.terms
    surplus = draft.purchase.amount_out - terms.min_tokens
    rungs = [face_value(rung) for rung in terms.tranches]
    if rungs:
        rungs[-1] = face_value(terms.tranches[-1] + surplus)
    return Lot(
        spend=draft.after.token_cost,
        largest_rung=max(rungs, default=Usd8(0)),
        is_gate_open=draft.gate.is_proved,
    )
