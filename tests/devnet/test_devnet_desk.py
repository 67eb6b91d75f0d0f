"""The redemption desk: requests, the queue, claims, fees and the freeze."""

from __future__ import annotations

import pytest

from holdfast.common.errors import Broken
from holdfast.common.evm import Address
from holdfast.common.money import amount_of
from holdfast.devnet.rpc import calldata
from holdfast.devnet.sender import Sender

HOLDER = Address("0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65")  # an account the node can sign for
STRANGER = Address("0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc")
TOKENS = 1_000_000 * 10**6


class Desk:
    """The desk as its holder uses it."""

    def __init__(self, devnet):
        self.address = devnet.profile.require_redemption_desk()
        self.rpc = devnet.control.rpc
        self.usdt = devnet.profile.usdt.require_address()
        self.holder = Sender(self.rpc, HOLDER)

    def request(self, shares):
        self.holder.execute(
            self.address, "requestRedeem(uint256,address,address)", shares, HOLDER, HOLDER
        )

    def claim(self, shares, sender=None):
        (sender or self.holder).execute(
            self.address, "redeem(uint256,address,address)", shares, HOLDER, HOLDER
        )

    def number(self, signature, *args):
        return self.rpc.view(self.address, signature, "uint256", *args)

    def cash(self):
        return self.rpc.view(self.usdt, "balanceOf(address)", "uint256", HOLDER)


@pytest.fixture
def desk(devnet):
    token = devnet.profile.usdtz
    devnet.control.give(amount_of(token, 1_000_000), HOLDER)
    made = Desk(devnet)
    made.holder.execute(token.require_address(), "approve(address,uint256)", made.address, TOKENS)
    return made


def test_claim_pays_par_less_a_quarter_percent(desk):
    desk.request(TOKENS)
    desk.claim(TOKENS)
    assert desk.cash() == 997_500 * 10**6  # 1,000,000 - 0.25 %
    assert desk.number("maxRedeem(address)", HOLDER) == 0


def test_request_and_claim_fit_in_one_block_without_a_queue_delay(desk, devnet):
    devnet.control.set_manual_mining()
    calls = (
        calldata("requestRedeem(uint256,address,address)", TOKENS, HOLDER, HOLDER),
        calldata("redeem(uint256,address,address)", TOKENS, HOLDER, HOLDER),
    )
    sent = [
        desk.rpc.call(
            "eth_sendTransaction",
            {"from": HOLDER, "to": desk.address, "data": f"0x{data.hex()}", "gas": hex(500_000)},
        )
        for data in calls
    ]
    devnet.control.mine()
    receipts = [desk.rpc.call("eth_getTransactionReceipt", tx_hash) for tx_hash in sent]
    assert [receipt["status"] for receipt in receipts] == ["0x1", "0x1"]
    assert receipts[0]["blockNumber"] == receipts[1]["blockNumber"]
    assert desk.cash() == 997_500 * 10**6


def test_request_waits_for_the_queue_delay(desk, devnet):
    devnet.control.set_queue_delay(3_600)
    desk.request(TOKENS)
    assert desk.number("pendingRedeemRequest(uint256,address)", 1, HOLDER) == TOKENS
    assert desk.number("claimableRedeemRequest(uint256,address)", 1, HOLDER) == 0
    with pytest.raises(Broken):
        desk.claim(TOKENS)
    devnet.control.advance_time(3_600)
    assert desk.number("pendingRedeemRequest(uint256,address)", 1, HOLDER) == 0
    assert desk.number("claimableRedeemRequest(uint256,address)", 1, HOLDER) == TOKENS
    desk.claim(TOKENS)
    assert desk.cash() == 997_500 * 10**6


def test_claim_takes_parts_of_several_requests_oldest_first(desk):
    desk.request(TOKENS // 4)
    desk.request(TOKENS // 2)
    desk.claim(TOKENS // 2)
    assert desk.number("claimableRedeemRequest(uint256,address)", 1, HOLDER) == 0
    assert desk.number("claimableRedeemRequest(uint256,address)", 2, HOLDER) == TOKENS // 4
    desk.claim(TOKENS // 4)
    assert desk.cash() == 748_125 * 10**6  # 750,000 - 0.25 %


def test_more_than_claimable_is_refused(desk):
    desk.request(TOKENS // 2)
    with pytest.raises(Broken):
        desk.claim(TOKENS // 2 + 1)


def test_freeze_stops_requests_and_claims_and_a_thaw_resumes_both(desk, devnet):
    desk.request(TOKENS // 2)
    devnet.control.freeze()
    assert devnet.control.is_frozen()
    assert desk.number("maxRedeem(address)", HOLDER) == 0
    with pytest.raises(Broken):
        desk.request(TOKENS // 2)
    with pytest.raises(Broken):
        desk.claim(TOKENS // 2)
    assert desk.number("claimableRedeemRequest(uint256,address)", 1, HOLDER) == TOKENS // 2
    devnet.control.thaw()
    desk.request(TOKENS // 2)
    desk.claim(TOKENS)
    assert desk.cash() == 997_500 * 10**6


def test_fee_of_the_request_stays_when_the_fee_changes(desk, devnet):
    desk.request(TOKENS // 2)
    devnet.control.set_fee(100)
    desk.request(TOKENS // 2)
    desk.claim(TOKENS)
    # 500,000 at 0.25 % and 500,000 at 1 %: 498,750 + 495,000
    assert desk.cash() == 993_750 * 10**6


def test_stranger_can_neither_request_nor_claim_for_the_holder(desk, devnet):
    stranger = Sender(devnet.control.rpc, STRANGER)
    desk.request(TOKENS)
    with pytest.raises(Broken):
        desk.claim(TOKENS, stranger)
    with pytest.raises(Broken):
        stranger.execute(
            desk.address, "requestRedeem(uint256,address,address)", 1, STRANGER, HOLDER
        )
    with pytest.raises(Broken):
        stranger.execute(desk.address, "freeze()")


def test_desk_without_reserves_pays_nothing(desk, devnet):
    desk.request(TOKENS)
    devnet.control.take_desk_reserves(amount_of(devnet.profile.usdt, 1_999_999_000))
    assert desk.number("reserves()") == 1_000 * 10**6
    with pytest.raises(Broken):
        desk.claim(TOKENS)
    assert desk.cash() == 0
