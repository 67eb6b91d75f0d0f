from dataclasses import replace

import pytest

from holdfast.chain.abi import address_topic, word
from holdfast.chain.logs import MinedLog
from holdfast.common.alerts import Severity
from holdfast.common.evm import EventLog, address
from holdfast.common.ids import BankId, ChainId, new_deal_id, new_intent_id, new_leg_id
from holdfast.monitoring.classification import alert_about, events_of
from holdfast.monitoring.decoding import Contracts, filters
from holdfast.monitoring.events import EventKind, Role, Watched
from holdfast.protocols import erc20, weth
from holdfast.protocols.aave_v3 import events as aave
from holdfast.protocols.redemption import desk
from holdfast.transactions.model import Cause

OURS = address("0x" + "11" * 20)
TREASURY = address("0x" + "22" * 20)
OTHER = address("0x" + "99" * 20)
TOKEN = address("0x" + "aa" * 20)
DEBT = address("0x" + "bb" * 20)
NOBODY = address("0x" + "00" * 19 + "01")
CHAIN = ChainId(138)
DEAL = new_deal_id()
BANK = BankId("BANK001")
CAUSE = Cause(new_intent_id(), new_leg_id(), DEAL, BANK)
CONTRACTS = Contracts((TOKEN, DEBT), frozenset({DEBT}))
WATCHED = {
    OURS: Watched(OURS, Role.DEAL, 5, DEAL, BANK),
    TREASURY: Watched(TREASURY, Role.TREASURY, 5),
}


def log(event, *indexed, data=(7,), contract=TOKEN):
    topics = [word(one) if isinstance(one, int) else address_topic(one) for one in indexed]
    packed = b"".join(word(one) for one in data)
    found = EventLog(contract, (event.topic, *topics), packed, 3)
    return MinedLog(9, "0xblock", "0xtx", found)


def event_of(mined, causes=()):
    (event,) = events_of([mined], CONTRACTS, WATCHED, dict(causes))
    return event


def told(mined):
    alert = alert_about(event_of(mined), CHAIN)
    return alert.code, alert.severity


CASES = {
    "a transfer out": (
        log(erc20.TRANSFER, OURS, OTHER),
        (EventKind.TRANSFER, "account.outflow", Severity.CRITICAL),
    ),
    "dust": (
        log(erc20.TRANSFER, OTHER, OURS),
        (EventKind.TRANSFER, "account.inflow", Severity.INFO),
    ),
    "a poisoner's transfer of nothing": (
        log(erc20.TRANSFER, OURS, OTHER, data=(0,)),
        (EventKind.TRANSFER, "account.nothing_moved", Severity.INFO),
    ),
    "debt tokens of nothing": (
        log(erc20.TRANSFER, NOBODY, OURS, data=(0,), contract=DEBT),
        (EventKind.DEBT, "account.nothing_moved", Severity.INFO),
    ),
    "an allowance": (
        log(erc20.APPROVAL, OURS, OTHER),
        (EventKind.APPROVAL, "account.approval", Severity.CRITICAL),
    ),
    "new debt tokens": (
        log(erc20.TRANSFER, NOBODY, OURS, contract=DEBT),
        (EventKind.DEBT, "account.debt", Severity.CRITICAL),
    ),
    "fewer debt tokens": (
        log(erc20.TRANSFER, OURS, NOBODY, contract=DEBT),
        (EventKind.DEBT, "account.position", Severity.WARNING),
    ),
    "an unwrap": (
        log(weth.WITHDRAWAL, OURS),
        (EventKind.UNWRAP, "account.outflow", Severity.CRITICAL),
    ),
    "a wrap for us": (log(weth.DEPOSIT, OURS), (EventKind.WRAP, "account.inflow", Severity.INFO)),
    "a supply for us": (
        log(aave.SUPPLY, TOKEN, OURS, 0, data=(OTHER, 7)),
        (EventKind.SUPPLY, "account.position", Severity.WARNING),
    ),
    "a withdrawal": (
        log(aave.WITHDRAW, TOKEN, OURS, OTHER),
        (EventKind.WITHDRAW, "account.outflow", Severity.CRITICAL),
    ),
    "a loan on us": (
        log(aave.BORROW, TOKEN, OURS, 0, data=(OTHER, 7, 2, 1)),
        (EventKind.BORROW, "account.debt", Severity.CRITICAL),
    ),
    "a repayment for us": (
        log(aave.REPAY, TOKEN, OURS, OTHER, data=(7, 0)),
        (EventKind.REPAY, "account.position", Severity.WARNING),
    ),
    "a liquidation": (
        log(aave.LIQUIDATION_CALL, TOKEN, DEBT, OURS, data=(5, 7, OTHER, 0)),
        (EventKind.LIQUIDATION, "account.liquidation", Severity.CRITICAL),
    ),
    "a delegation": (
        log(aave.BORROW_ALLOWANCE, OURS, OTHER, TOKEN, contract=DEBT),
        (EventKind.DELEGATION, "account.approval", Severity.CRITICAL),
    ),
    "a redemption request": (
        log(desk.REDEEM_REQUEST, OTHER, OURS, 1, data=(OTHER, 7)),
        (EventKind.REDEMPTION_REQUEST, "account.outflow", Severity.CRITICAL),
    ),
    "a claim of ours paid to another": (
        log(desk.WITHDRAW, OTHER, OTHER, OURS, data=(7, 7)),
        (EventKind.REDEMPTION_CLAIM, "account.outflow", Severity.CRITICAL),
    ),
    "an operator": (
        log(desk.OPERATOR_SET, OURS, OTHER, data=(1,)),
        (EventKind.OPERATOR, "account.approval", Severity.CRITICAL),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_we_did_not_cause_is_raised_by_what_it_does_to_us(name):
    mined, (kind, code, severity) = CASES[name]
    event = event_of(mined)
    assert event.effect.kind is kind
    assert (alert_about(event, CHAIN).code, alert_about(event, CHAIN).severity) == (code, severity)


@pytest.mark.parametrize("name", CASES)
def test_what_we_signed_is_ours_whatever_it_is(name):
    event = event_of(CASES[name][0], {"0xtx": CAUSE})
    assert event.cause is CAUSE
    assert alert_about(event, CHAIN) is None


def test_what_the_treasury_sends_is_no_alarm():
    assert told(log(erc20.TRANSFER, TREASURY, OTHER)) == ("account.outflow", Severity.INFO)


def test_a_transfer_between_two_of_ours_is_about_whoever_gave():
    assert event_of(log(erc20.TRANSFER, OURS, TREASURY)).account.address == OURS
    assert event_of(log(erc20.TRANSFER, TREASURY, OURS)).account.address == TREASURY


def test_an_event_of_strangers_is_left_out():
    assert events_of([log(erc20.TRANSFER, OTHER, NOBODY)], CONTRACTS, WATCHED, {}) == []


def test_an_event_of_another_shape_is_left_out():
    """An ERC-721's transfer has the same name and a third indexed value."""
    assert events_of([log(erc20.TRANSFER, OURS, OTHER, 1, data=())], CONTRACTS, WATCHED, {}) == []


def test_losses_are_told_one_by_one_and_dust_together():
    first, second = log(erc20.TRANSFER, OURS, OTHER), log(erc20.TRANSFER, OTHER, OURS)
    subjects = {
        alert_about(event_of(replace(mined, tx_hash=tx)), CHAIN).subject
        for mined in (first, second)
        for tx in ("0xtx1", "0xtx2")
    }
    assert len(subjects) == 3


def test_transfers_of_nothing_count_up_on_their_account():
    mined = log(erc20.TRANSFER, OURS, OTHER, data=(0,))
    alerts = [alert_about(event_of(replace(mined, tx_hash=tx)), CHAIN) for tx in ("0xtx1", "0xtx2")]
    assert {alert.subject for alert in alerts} == {OURS}


def test_an_alert_names_the_deal_and_its_bank_and_the_amount_exactly():
    mined = log(erc20.TRANSFER, OURS, OTHER, data=(2**255,))
    alert = alert_about(event_of(mined), CHAIN)
    assert (alert.deal_id, alert.bank_id, alert.chain_id) == (DEAL, BANK, CHAIN)
    assert alert.fields["amount_units"] == str(2**255)


def test_accounts_are_asked_for_at_every_indexed_place_in_lists_that_nodes_take():
    accounts = [address(f"0x{number:040x}") for number in range(1, 1_002)]
    asked = filters(CONTRACTS, accounts)
    # 1,001 accounts in lists of 500: three lists, at three places each
    assert len(asked) == 9
    assert max(len(one) for each in asked for one in each.topics if one is not None) == 500
    places = {len(each.topics) - 1 for each in asked}
    assert places == {1, 2, 3}
    assert all(each.addresses == CONTRACTS.all for each in asked)


def test_without_accounts_nothing_is_asked():
    assert filters(CONTRACTS, []) == []
