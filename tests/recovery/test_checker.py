"""The judge itself: it shares no code with the judged, and every planted fault turns it red."""

import ast
import copy
import sys
from collections import Counter
from pathlib import Path

import pytest
from eth_utils import keccak

from tests.recovery.groups import GROUPS
from tests.support import checker, witness
from tests.support.checker import judge
from tests.support.thief import Thief
from tests.support.witness import Chain

ETHER = 10**18
LEGS = range(GROUPS[-1].after)
STRANGER = "0x" + "5a" * 20


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module)):
                yield module


@pytest.mark.parametrize("module", [checker, witness], ids=lambda module: module.__name__)
def test_it_imports_the_standard_library_and_its_own_eyes_alone(module):
    names = set(imports_of(Path(module.__file__)))
    foreign = {name for name in names if name.split(".")[0] not in sys.stdlib_module_names}
    assert foreign <= {"tests.support.witness"}


def test_its_topics_and_selectors_are_the_hashes_of_their_signatures():
    for signature, topic in witness.TOPICS.items():
        assert topic == f"0x{keccak(text=signature).hex()}"
    for signature, selector in witness.SELECTORS.items():
        assert selector == f"0x{keccak(text=signature)[:4].hex()}"


def test_it_finds_nothing_wrong_with_an_undisturbed_deal(undisturbed_deal):
    deal, outcome = undisturbed_deal
    verdict = deal.judged_by(outcome.effects)
    assert verdict.is_clean, verdict


class TamperedChain(Chain):
    """A node whose blocks were tampered with: `change(transactions, receipts)` of each block."""

    def __init__(self, url, change):
        super().__init__(url)
        self._change = change

    def ask(self, *requests):
        answers = super().ask(*requests)
        if requests[0][0] == "eth_getBlockByNumber":
            self._blocks = answers
        if requests[0][0] != "eth_getBlockReceipts":
            return answers
        for block, receipts in zip(self._blocks, answers, strict=True):
            self._change(block["transactions"], receipts)
        return answers


def judged_on(deal, expected, change):
    chain = TamperedChain(deal.scene.devnet.url, change)
    return judge(chain, deal.places, deal.start, expected)


@pytest.mark.parametrize("number", LEGS)
def test_a_leg_that_is_not_on_chain_is_lost(undisturbed_deal, number):
    deal, outcome = undisturbed_deal
    gone = outcome.effects[number]

    def drop(transactions, receipts):
        transactions[:] = [tx for tx in transactions if tx["hash"] != gone.tx_hash]

    verdict = judged_on(deal, outcome.effects, drop)
    assert verdict.lost == Counter({gone.key: 1})
    assert not verdict.duplicated
    assert any("nonces of" in problem for problem in verdict.problems)


@pytest.mark.parametrize("number", LEGS)
def test_a_leg_that_was_sent_twice_is_duplicated(undisturbed_deal, number):
    deal, outcome = undisturbed_deal
    twice = outcome.effects[number]

    def repeat(transactions, receipts):
        transactions += [copy.copy(tx) for tx in transactions if tx["hash"] == twice.tx_hash]

    verdict = judged_on(deal, outcome.effects, repeat)
    assert verdict.duplicated == Counter({twice.key: 1})
    assert not verdict.lost


# The first and the last leg are plain transfers, which leave no log and are counted without one.
@pytest.mark.parametrize("number", LEGS[1:-1])
def test_a_leg_that_mined_without_its_event_is_lost(undisturbed_deal, number):
    deal, outcome = undisturbed_deal
    hollow = outcome.effects[number]

    def silence(transactions, receipts):
        for receipt in receipts:
            if receipt["transactionHash"] == hollow.tx_hash:
                receipt["logs"] = []

    verdict = judged_on(deal, outcome.effects, silence)
    assert verdict.lost == Counter({hollow.key: 1})
    assert f"a transaction had no effect: {hollow.tx_hash}" in verdict.problems


def test_legs_in_another_order_are_a_problem(undisturbed_deal):
    deal, outcome = undisturbed_deal
    verdict = deal.judged_by([*outcome.effects[1:], outcome.effects[0]])
    assert not verdict.lost
    assert not verdict.duplicated
    assert any("was due" in problem for problem in verdict.problems)


@pytest.fixture
def planted(undisturbed_deal):
    """The finished deal, on a chain that is put back as it was after the test."""
    deal, outcome = undisturbed_deal
    control = deal.scene.devnet.control
    mark = control.snapshot()
    yield deal, outcome
    control.revert(mark)
    assert deal.judged_by(outcome.effects).is_clean


@pytest.fixture
def thief(planted):
    """The deal's own key, with ether for gas."""
    deal, _ = planted
    made = Thief(deal.scene.devnet, deal.deal_number)
    assert made.address.lower() == deal.places.deal
    made.give_itself(2_000 * ETHER)
    return made


def word(value):
    return f"{int(value, 16) if isinstance(value, str) else value:064x}"


DEPOSIT, TRANSFER, APPROVE = "d0e30db0", "a9059cbb", "095ea7b3"


def test_the_same_wrap_sent_again_by_the_deals_key_is_duplicated(planted, thief):
    deal, outcome = planted
    thief.send(deal.places.weth, DEPOSIT, value=1_500 * ETHER)
    verdict = deal.judged_by(outcome.effects)
    assert verdict.duplicated == Counter({("wrap", "WETH", "", 1_500 * ETHER): 1})
    assert any("WETH 1500000000000000000000" in problem for problem in verdict.problems)


def test_profit_sent_home_again_by_the_deals_key_is_duplicated(planted, thief):
    deal, outcome = planted
    thief.send(deal.places.usdt, TRANSFER, word(deal.places.treasury), word(0))
    verdict = deal.judged_by(outcome.effects)
    assert verdict.duplicated == Counter({("return_token", "USDT", "", None): 1})


def test_ether_sent_home_again_by_the_deals_key_is_duplicated(planted, thief):
    deal, outcome = planted
    thief.send(deal.places.treasury, value=1)
    verdict = deal.judged_by(outcome.effects)
    assert verdict.duplicated == Counter({("return_native", "ETH", "", None): 1})


def test_ether_sent_elsewhere_is_no_leg_of_the_deal(planted, thief):
    deal, outcome = planted
    thief.send(STRANGER, value=7)
    assert deal.judged_by(outcome.effects).duplicated == Counter(
        {("stray_native", "ETH", "", 7): 1}
    )


def test_the_deal_funded_twice_is_duplicated(planted):
    deal, outcome = planted
    Thief(deal.scene.devnet, 0).send(deal.places.deal, value=2_500 * ETHER)
    verdict = deal.judged_by(outcome.effects)
    assert verdict.duplicated == Counter({("fund", "ETH", "", 2_500 * ETHER): 1})
    assert any("left at" in problem for problem in verdict.problems)


def test_an_allowance_that_stays_is_a_problem(planted, thief):
    deal, outcome = planted
    thief.send(deal.places.usdt, APPROVE, word(STRANGER), word(5))
    verdict = deal.judged_by(outcome.effects)
    assert verdict.duplicated == Counter({("approve", "USDT", STRANGER, None): 1})
    assert f"left at {deal.places.deal}: allowance of USDT for {STRANGER} 5" in verdict.problems


def test_a_transaction_that_does_nothing_is_a_problem(planted, thief):
    deal, outcome = planted
    thief.send(deal.places.deal)
    problems = deal.judged_by(outcome.effects).problems
    assert any(problem.startswith("a transaction had no effect") for problem in problems)


def test_a_transaction_that_reverts_is_a_problem(planted, thief):
    deal, outcome = planted
    thief.send(deal.places.usdt, TRANSFER, word(STRANGER), word(1))  # it has no USDT
    problems = deal.judged_by(outcome.effects).problems
    assert any(problem.startswith("a transaction reverted") for problem in problems)


def test_a_wei_that_leaves_the_core_is_a_problem(planted):
    deal, outcome = planted
    control, core = deal.scene.devnet.control, deal.places.core
    control.set_balance(core, control.balance(core) - 1)
    assert deal.judged_by(outcome.effects).problems == [f"{core}: -1 ETH unexplained"]


async def test_the_last_block_taken_back_is_a_lost_leg(scene, undisturbed):
    deal = await scene.deal()
    await deal.finished()
    scene.devnet.control.rpc.call("anvil_rollback", 1)
    verdict = deal.judged_by(undisturbed.effects)
    assert verdict.lost == Counter({("return_native", "ETH", "", None): 1})
    assert not verdict.duplicated
