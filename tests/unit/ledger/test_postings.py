from dataclasses import replace

import pytest

from holdfast.common.errors import Broken
from holdfast.common.money import RAY, TokenAmount
from holdfast.ledger.model import Account, EntryKind
from holdfast.ledger.postings import entries_for, no_op_entries
from holdfast.ledger.venues import VENUE_POSTINGS
from holdfast.model.leg import LegKind, LegStatus
from holdfast.protocols.erc20 import TRANSFER
from tests.unit.ledger import scene
from tests.unit.ledger.scene import BOOK, ETH, GWEI, USDT, USDTZ, WETH

GAS = 100_000 * GWEI  # what a receipt of the scene costs: 100,000 gas at 1 gwei
PLAIN = 21_000 * GWEI
GAS_LINES = {(Account.GAS, ETH): GAS, (Account.WALLET, ETH): -GAS}


def book(made, status=LegStatus.LANDED):
    leg, receipt = made
    (entry,) = entries_for(BOOK, leg, status, receipt)
    return entry


def lines(made, status=LegStatus.LANDED):
    sums = {}
    for posting in book(made, status).postings:
        key = posting.account, posting.amount.token
        sums[key] = sums.get(key, 0) + posting.amount.units
    return {key: units for key, units in sums.items() if units}


def scaled(made, account):
    return [p.scaled for p in book(made).postings if p.account is account]


def code_of(made, status=LegStatus.LANDED):
    with pytest.raises(Broken) as caught:
        book(made, status)
    return caught.value.code


def test_every_kind_of_leg_can_be_booked():
    assert set(VENUE_POSTINGS) == set(LegKind)


def test_an_entry_carries_its_leg_its_transaction_and_its_block():
    leg, receipt = scene.wrap(5)
    (entry,) = entries_for(BOOK, leg, LegStatus.LANDED, receipt)
    assert (entry.kind, entry.label) == (EntryKind.LANDED, "wrap")
    assert (entry.leg_id, entry.tx_hash, entry.block) == (
        leg.leg_id,
        receipt.tx_hash,
        receipt.block,
    )


def test_funding_is_contributed_and_so_is_the_gas_that_the_float_pays():
    assert lines(scene.fund(50)) == {
        (Account.WALLET, ETH): 50,
        (Account.GAS, ETH): PLAIN,
        (Account.CONTRIBUTED, ETH): -50 - PLAIN,
    }


def test_wrapping_changes_ether_for_wrapped_ether():
    assert lines(scene.wrap(30)) == {
        (Account.WALLET, ETH): -30 - GAS,
        (Account.WALLET, WETH): 30,
        (Account.TRADE_WRAP, ETH): 30,
        (Account.TRADE_WRAP, WETH): -30,
        (Account.GAS, ETH): GAS,
    }


def test_unwrapping_is_the_way_back():
    assert lines(scene.unwrap(30)) == {
        (Account.WALLET, ETH): 30 - GAS,
        (Account.WALLET, WETH): -30,
        (Account.TRADE_WRAP, ETH): -30,
        (Account.TRADE_WRAP, WETH): 30,
        (Account.GAS, ETH): GAS,
    }


@pytest.mark.parametrize("kind", [LegKind.APPROVE, LegKind.REVOKE])
def test_an_allowance_moves_nothing_but_gas(kind):
    assert lines(scene.approve(USDT, scene.ROUTER, 10**12, kind=kind)) == GAS_LINES


def test_supply_moves_the_wallet_and_the_collateral_with_its_scaled_amount():
    made = scene.supply(1_000, 3 * RAY)
    assert lines(made) == GAS_LINES | {
        (Account.WALLET, WETH): -1_000,
        (Account.COLLATERAL, WETH): 1_000,
    }
    # 1000 / 3 = 333.33, half up
    assert scaled(made, Account.COLLATERAL) == [333]


def test_a_withdrawal_takes_the_scaled_amount_out_again_rounded_half_up():
    made = scene.withdraw(2_000, 3 * RAY)
    assert lines(made) == GAS_LINES | {
        (Account.WALLET, WETH): 2_000,
        (Account.COLLATERAL, WETH): -2_000,
    }
    # 2000 / 3 = 666.67, half up, then the sign: rounding first and signing first differ
    assert scaled(made, Account.COLLATERAL) == [-667]


def test_a_loan_is_a_liability_scaled_by_the_debt_index():
    made = scene.borrow(1_000, 3 * RAY)
    assert lines(made) == GAS_LINES | {
        (Account.WALLET, USDT): 1_000,
        (Account.DEBT, USDT): -1_000,
    }
    assert scaled(made, Account.DEBT) == [-333]


def test_a_repayment_lowers_the_liability():
    made = scene.repay(2_000, 3 * RAY)
    assert lines(made) == GAS_LINES | {
        (Account.WALLET, USDT): -2_000,
        (Account.DEBT, USDT): 2_000,
    }
    assert scaled(made, Account.DEBT) == [667]


def test_a_purchase_books_what_the_pool_says_it_got_and_gave():
    assert lines(scene.buy(600, 1_000)) == GAS_LINES | {
        (Account.WALLET, USDT): -600,
        (Account.WALLET, USDTZ): 1_000,
        (Account.TRADE_PURCHASE, USDT): 600,
        (Account.TRADE_PURCHASE, USDTZ): -1_000,
    }


def test_selling_and_buying_ether_share_an_account_apart_from_the_purchase():
    sold = lines(scene.sell_eth(5, 10_000))
    assert (sold[Account.TRADE_ETH, WETH], sold[Account.TRADE_ETH, USDT]) == (5, -10_000)
    back = scene.swap(TokenAmount(USDT, 10_000), TokenAmount(WETH, 4), pool=scene.ETH_POOL)
    bought = lines(back)
    assert (bought[Account.TRADE_ETH, WETH], bought[Account.TRADE_ETH, USDT]) == (-4, 10_000)


def test_a_redemption_moves_tokens_to_the_queue_and_then_out_for_cash():
    assert lines(scene.request(1_000)) == GAS_LINES | {
        (Account.WALLET, USDTZ): -1_000,
        (Account.QUEUE, USDTZ): 1_000,
    }
    assert lines(scene.claim(1_000, 997)) == GAS_LINES | {
        (Account.QUEUE, USDTZ): -1_000,
        (Account.TRADE_REDEMPTION, USDTZ): 1_000,
        (Account.TRADE_REDEMPTION, USDT): -997,
        (Account.WALLET, USDT): 997,
    }


@pytest.mark.parametrize("token", [USDT, USDTZ, WETH], ids=lambda token: token.symbol)
def test_returned_tokens_are_the_treasurys(token):
    assert lines(scene.return_token(token, 900)) == GAS_LINES | {
        (Account.WALLET, token): -900,
        (Account.RETURNED, token): 900,
    }


def test_returned_ether_is_the_treasurys():
    assert lines(scene.return_native(40)) == {
        (Account.RETURNED, ETH): 40,
        (Account.GAS, ETH): PLAIN,
        (Account.WALLET, ETH): -40 - PLAIN,
    }


@pytest.mark.parametrize("made", [scene.wrap(30), scene.return_native(40), scene.buy(600, 1_000)])
def test_a_revert_and_a_no_op_cost_gas_and_move_nothing(made):
    leg, receipt = made
    bare = replace(receipt, logs=(), gas_used=100_000)
    assert lines((leg, replace(bare, succeeded=False)), LegStatus.REVERTED) == GAS_LINES
    assert lines((leg, bare), LegStatus.CANCELLED) == GAS_LINES
    assert book((leg, bare), LegStatus.CANCELLED).kind is EntryKind.NO_OP


def test_a_no_op_that_is_no_leg_is_booked_as_gas_of_whoever_paid():
    _, receipt = scene.approve(USDT, scene.ROUTER, 1)
    bare = replace(receipt, logs=(), gas_used=100_000)
    (own,) = no_op_entries(BOOK, bare)
    assert {(p.account, p.amount.token): p.amount.units for p in own.postings} == GAS_LINES
    assert (own.kind, own.leg_id, own.tx_hash) == (EntryKind.NO_OP, None, bare.tx_hash)
    (floats,) = no_op_entries(BOOK, replace(bare, sender=BOOK.accounts.float))
    assert [p.account for p in floats.postings] == [Account.GAS, Account.CONTRIBUTED]
    assert no_op_entries(BOOK, replace(bare, effective_gas_price_wei=0)) == ()


def test_where_gas_is_free_an_allowance_leaves_no_entry():
    leg, receipt = scene.approve(USDT, scene.ROUTER, 1, price=0)
    assert entries_for(BOOK, leg, LegStatus.LANDED, receipt) == ()


@pytest.mark.parametrize(
    ("made", "account", "token"),
    [
        (scene.supply(1_000, RAY), Account.COLLATERAL, WETH),
        (scene.withdraw(1_000, RAY), Account.COLLATERAL, WETH),
        (scene.borrow(1_000, RAY), Account.DEBT, USDT),
        (scene.repay(1_000, RAY), Account.DEBT, USDT),
        (scene.buy(600, 1_000), Account.TRADE_PURCHASE, USDT),
        (scene.request(1_000), Account.QUEUE, USDTZ),
        (scene.claim(1_000, 997), Account.TRADE_REDEMPTION, USDT),
    ],
    ids=lambda value: value[0].kind.value if isinstance(value, tuple) else None,
)
def test_a_transfer_that_differs_by_one_unit_from_the_venues_event_is_refused(made, account, token):
    leg, receipt = made
    units = next(iter(p for p in book(made).postings if p.account is account)).amount.units
    assert units
    changed = [
        replace(log, data=(int.from_bytes(log.data) + 1).to_bytes(32))
        if log.address == token.address
        else log
        for log in receipt.logs
    ]
    assert code_of((leg, replace(receipt, logs=tuple(changed)))) == "ledger.unbalanced"


def test_a_transfer_nobody_expected_in_the_receipt_is_refused():
    leg, receipt = scene.wrap(30)
    stray = scene.transfer(USDT, scene.DEAL, scene.TETHER_OWNER, 1)
    assert code_of((leg, replace(receipt, logs=(*receipt.logs, stray)))) == "ledger.unbalanced"


def test_transfers_of_other_tokens_and_between_others_are_not_the_deals():
    leg, receipt = scene.supply(1_000, RAY)
    other = replace(WETH, address=scene.A_WETH)
    more = (
        scene.transfer(other, scene.place(0xFF), scene.DEAL, 1_000),
        scene.transfer(USDT, scene.ROUTER, scene.TETHER_OWNER, 5),
    )
    assert lines((leg, replace(receipt, logs=(*receipt.logs, *more)))) == lines((leg, receipt))


def test_what_tether_keeps_of_a_loan_is_an_expense_and_the_whole_loan_is_owed():
    assert lines(scene.borrow(1_000, RAY, tether_fee=7)) == GAS_LINES | {
        (Account.WALLET, USDT): 993,
        (Account.TRANSFER_FEE, USDT): 7,
        (Account.DEBT, USDT): -1_000,
    }


def test_what_tether_keeps_of_a_repayment_is_part_of_what_the_pool_counts_as_paid():
    assert lines(scene.repay(1_000, RAY, tether_fee=7)) == GAS_LINES | {
        (Account.WALLET, USDT): -1_000,
        (Account.DEBT, USDT): 1_000,
    }


def test_what_tether_keeps_of_the_way_home_is_an_expense():
    assert lines(scene.return_token(USDT, 1_000, tether_fee=7)) == GAS_LINES | {
        (Account.WALLET, USDT): -1_000,
        (Account.RETURNED, USDT): 993,
        (Account.TRANSFER_FEE, USDT): 7,
    }


@pytest.mark.parametrize(
    ("status", "succeeded"),
    [(LegStatus.LANDED, False), (LegStatus.REVERTED, True), (LegStatus.SENT, True)],
)
def test_a_status_that_the_receipt_contradicts_is_refused(status, succeeded):
    leg, receipt = scene.wrap(1)
    assert code_of((leg, replace(receipt, succeeded=succeeded)), status) == "ledger.status"


def test_a_leg_without_its_event_is_refused():
    leg, receipt = scene.wrap(1)
    assert code_of((leg, replace(receipt, logs=()))) == "ledger.event"


def test_a_leg_with_its_event_twice_is_refused():
    leg, receipt = scene.wrap(1)
    assert code_of((leg, replace(receipt, logs=receipt.logs * 2))) == "ledger.event"


def test_a_position_without_its_index_is_refused():
    leg, receipt = scene.supply(1_000, RAY)
    assert code_of((leg, replace(receipt, logs=receipt.logs[1:]))) == "ledger.event"


@pytest.mark.parametrize("made", [scene.fund(5), scene.return_native(5)])
def test_ether_sent_to_an_unknown_address_is_refused(made):
    leg, receipt = made
    astray = replace(leg, call=replace(leg.call, target=scene.TETHER_OWNER))
    assert code_of((astray, receipt)) == "ledger.recipient"


def test_tokens_returned_to_an_unknown_address_are_refused():
    leg, receipt = scene.return_token(USDT, 5)
    astray = scene.transfer(USDT, scene.DEAL, scene.TETHER_OWNER, 5)
    assert code_of((leg, replace(receipt, logs=(astray,)))) == "ledger.event"


@pytest.mark.parametrize(
    "made",
    [
        scene.supply(1_000, RAY),
        scene.borrow(1_000, RAY),
        scene.buy(600, 1_000),
        scene.request(1_000),
        scene.claim(1_000, 997),
    ],
    ids=lambda made: made[0].kind.value,
)
def test_an_event_of_another_contract_proves_nothing(made):
    leg, receipt = made
    forged = [
        log if log.topics[0] == TRANSFER.topic else replace(log, address=scene.place(0xEE))
        for log in receipt.logs
    ]
    assert code_of((leg, replace(receipt, logs=tuple(forged)))) == "ledger.event"


def test_gas_paid_by_a_stranger_is_refused():
    leg, receipt = scene.wrap(1)
    assert code_of((leg, replace(receipt, sender=scene.TETHER_OWNER))) == "ledger.payer"


@pytest.mark.parametrize(("paid", "got"), [(USDTZ, USDT), (WETH, USDTZ)])
def test_a_swap_that_no_deal_makes_is_refused(paid, got):
    made = scene.swap(TokenAmount(paid, 5), TokenAmount(got, 5))
    assert code_of(made) == "ledger.swap"


def test_a_swap_that_only_pays_is_refused():
    leg, receipt = scene.buy(600, 1_000)
    assert code_of((leg, replace(receipt, logs=receipt.logs[1:]))) == "ledger.swap"


def test_a_returned_token_that_is_none_of_the_deals_is_refused():
    stranger = replace(USDT, address=scene.place(0xEE))
    assert code_of(scene.return_token(stranger, 5)) == "ledger.token"
