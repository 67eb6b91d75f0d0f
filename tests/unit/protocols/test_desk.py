"""The redemption desk's state."""

from eth_abi.abi import encode as general

from holdfast.common.evm import checksummed
from holdfast.protocols.redemption.desk import RedemptionDesk, RequestState

HOME, ALICE = (checksummed(bytes([number]) * 20) for number in (1, 2))


def test_a_request_is_read_with_what_is_left_of_it():
    data = general(["address", "uint256", "uint256", "uint256"], [ALICE, 5, 4, 1_700_000_000])
    state = RedemptionDesk(HOME).request_state(1).decode(data)
    assert state == RequestState(ALICE, shares=5, assets=4, claimable_at=1_700_000_000)


def test_frozen_is_a_truth_value():
    read = RedemptionDesk(HOME).is_frozen()
    assert read.decode(bytes(31) + b"\x01") is True
    assert read.decode(bytes(32)) is False


def test_cash_fee_and_delay_are_numbers():
    desk = RedemptionDesk(HOME)
    for read in (desk.reserves(), desk.fee_bps(), desk.queue_delay()):
        assert read.decode((25).to_bytes(32)) == 25
