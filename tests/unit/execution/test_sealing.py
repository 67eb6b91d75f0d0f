"""A stored plan is checked against the JSON that `model.plan` hashes, written another way."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.common.money import Bps, Token, TokenAmount
from holdfast.execution.store.sealing import sealed
from holdfast.model.deal import Funding, Ladder
from holdfast.model.leg import LegKind
from holdfast.model.plan import AllowedCall, ScenarioVerdict, canonical
from tests.unit.execution.scene import plan

ONE = plan(Funding.BORROW).envelope
# What a database can hold as text: any character but the lone halves of a pair.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
AMOUNTS = st.builds(
    TokenAmount,
    st.builds(Token, st.integers(), TEXT, st.integers(), st.none() | TEXT),
    st.integers(-(2**300), 2**300),
)
CALLS = st.builds(
    AllowedCall, st.sampled_from(LegKind), TEXT, TEXT, st.lists(TEXT, max_size=2).map(tuple), TEXT
)
VERDICTS = st.builds(ScenarioVerdict, TEXT, st.booleans())


@given(
    amount=AMOUNTS,
    lots=st.lists(AMOUNTS, max_size=2).map(tuple),
    ladder=st.sampled_from(Ladder),
    bank=TEXT,
    calls=st.lists(CALLS, max_size=2).map(tuple),
    scenarios=st.lists(VERDICTS, max_size=2).map(tuple),
    gas=st.integers(0, 2**70),
    cures=st.sampled_from([None, ONE.cures]),
)
def test_any_envelope_is_written_as_the_model_writes_it(
    amount, lots, ladder, bank, calls, scenarios, gas, cures
):
    envelope = replace(
        ONE,
        request=replace(ONE.request, bank=bank, ladder=ladder),
        terms=replace(ONE.terms, borrow=amount, lots=lots),
        calls=calls,
        scenarios=scenarios,
        emergency_gas_price_wei=gas,
        cures=cures,
    )
    assert sealed(envelope) == canonical(envelope)


@pytest.mark.parametrize("funding", Funding)
@pytest.mark.parametrize(
    "change", [{}, {"cures": None}, {"emergency_gas_price_wei": 0, "emergency_slippage": Bps(0)}]
)
def test_a_plan_of_before_is_written_without_what_it_did_not_know(funding, change):
    envelope = replace(plan(funding).envelope, **change)
    assert sealed(envelope) == canonical(envelope)
    assert all(f'"{name}"'.encode() not in sealed(envelope) for name in change)


def test_a_ladder_and_lots_are_written_once_they_say_something():
    request = replace(ONE.request, ladder=Ladder.POSITION)
    terms = replace(ONE.terms, lots=(ONE.terms.spend,))
    laddered = replace(ONE, request=request, terms=terms)
    assert sealed(laddered) == canonical(laddered)
    assert b'"ladder":"position"' in sealed(laddered)
    assert b'"ladder"' not in sealed(ONE)
    assert b'"lots"' not in sealed(ONE)
