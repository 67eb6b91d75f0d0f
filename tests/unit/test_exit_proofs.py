"""The judge of the exit proofs objects to every kind of wrong cell, and to nothing else."""

from dataclasses import replace

import pytest

from tests.exits.cells import CELLS, At, Cell, Freeze, Made
from tests.exits.home import Home
from tests.exits.proof import Proof, Verdict
from tests.exits.report import figures, page

ETHER, USDT, USD8 = 10**18, 10**6, 10**8

# 2,500 ether moved in, 1,500 of them lent; the 300 sold paid for 600,000 dollars of tokens.
HOME = Home(
    core_moved=0,
    funded=2_500 * ETHER,
    supplied=1_500 * ETHER,
    withdrawn=1_500 * ETHER,
    sold=300 * ETHER,
    returned_native=2_199 * ETHER,
    returned_usdt=0,
    native=ETHER // 2,
    weth=0,
    usdt=0,
    collateral=0,
    debt=0,
    claim=1_000_000 * USDT,
    allowed=0,
    gas=ETHER // 2,
    float_gas=ETHER // 4,
    unexplained=0,
    eth_price=2_000 * USD8,
    usdt_price=USD8,
)
BOUND = 630_000 * USD8

WRONG = {
    "core": {"core_moved": -1},
    "owed": {"debt": 1},
    "at the venue": {"collateral": 1},
    "came back": {"withdrawn": 1_500 * ETHER - 1},
    "still wrapped": {"weth": 1},
    "sold": {"sold": 1_000 * ETHER + 1},
    "USDT not returned": {"usdt": 1},
    "wei not returned": {"native": ETHER + 1},
    "allowances": {"allowed": 1},
    "unexplained": {"unexplained": 1},
    "bound": {"returned_native": 2_180 * ETHER},
}


def proof(freeze=Freeze.REDEMPTION_FROZEN, during=HOME, after=None):
    cell = Cell(freeze, At.MONETISATION)
    return Proof(cell, "unwound", "holding", during, after, reserve_wei=ETHER, bound=BOUND)


def test_the_matrix_has_every_freeze_at_every_step_and_in_the_queue():
    assert len(CELLS) == len(set(CELLS)) == 5 * (7 + 4 + 2)
    assert {cell.at for cell in CELLS if cell.made is Made.BORROW} == set(At)


def test_a_principal_that_is_home_is_home_and_its_loss_is_what_the_tokens_cost():
    # 2,500.25 ether in, 2,199.5 out: 300.75 ether at $2,000
    assert HOME.loss_usd8 == 601_500 * USD8
    assert HOME.problems(ETHER, BOUND) == []
    assert proof().verdict is Verdict.HOME


@pytest.mark.parametrize("what", WRONG)
def test_one_wrong_number_breaks_the_cell_and_is_named(what):
    made = proof(during=replace(HOME, **WRONG[what]))
    assert made.verdict is Verdict.BROKEN
    assert any(what in problem for problem in made.why)


def test_ether_for_gas_may_stay_only_beside_a_claim():
    assert proof(during=replace(HOME, claim=0)).verdict is Verdict.BROKEN


STUCK = replace(HOME, withdrawn=0, collateral=1_500 * ETHER, debt=600_000 * USDT, sold=0,
                returned_native=999 * ETHER)  # fmt: skip


def test_a_paused_debt_token_is_disclosed_only_when_all_is_home_afterwards():
    paused = proof(Freeze.USDT_PAUSED, STUCK, HOME)
    assert paused.verdict is Verdict.DISCLOSED
    assert proof(Freeze.USDT_PAUSED, STUCK).verdict is Verdict.BROKEN
    assert proof(Freeze.USDT_PAUSED, STUCK, STUCK).verdict is Verdict.BROKEN
    core_gone = replace(STUCK, core_moved=-1)
    assert proof(Freeze.USDT_PAUSED, core_gone, HOME).verdict is Verdict.BROKEN
    poorer = replace(STUCK, returned_native=900 * ETHER)
    assert proof(Freeze.USDT_PAUSED, poorer, HOME).verdict is Verdict.BROKEN


PAID = replace(HOME, claim=0, usdt=400_000 * USDT, native=ETHER)


def test_once_the_debt_is_paid_a_paused_debt_token_may_keep_cash_and_no_ether():
    """I7: unwrapping and returning ether does not wait for it."""
    assert proof(Freeze.USDT_PAUSED, PAID, HOME).verdict is Verdict.DISCLOSED
    wrapped = replace(PAID, weth=1_500 * ETHER)
    assert proof(Freeze.USDT_PAUSED, wrapped, HOME).verdict is Verdict.BROKEN
    unsent = replace(PAID, native=1_500 * ETHER)
    assert proof(Freeze.USDT_PAUSED, unsent, HOME).verdict is Verdict.BROKEN


@pytest.mark.parametrize("freeze", [one for one in Freeze if one is not Freeze.USDT_PAUSED])
def test_no_other_freeze_may_keep_the_principal(freeze):
    assert proof(freeze, STUCK, HOME).verdict is Verdict.BROKEN


def test_the_last_line_counts_the_end_and_the_page_shows_both():
    proofs = [proof(), proof(Freeze.USDT_PAUSED, STUCK, HOME)]
    assert figures(proofs) == {
        "cells": 2,
        "principal_home": 1,
        "disclosed": 1,
        "debt_left": 0.0,
        "worst_loss": 601_500.0,
        "bound": 630_000.0,
    }
    # A loss counts by how near it comes to its own deal's bound: $4.998M of $6.3M is less so.
    large = replace(proofs[0], bound=10 * BOUND, during=replace(HOME, returned_native=ETHER))
    assert figures([*proofs, large])["bound"] == 630_000.0
    shown = page(proofs, seconds=4.0)
    assert "at the venue -> whole | 600,000 -> 0" in shown
    assert "## Disclosed: debt token paused" in shown
    assert "disclosed, *then home*" in shown
