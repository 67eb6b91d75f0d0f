"""USDT has the quirks of the real one, which naive token code trips over."""

from __future__ import annotations

import pytest

from holdfast.common.errors import Broken
from holdfast.common.evm import Address
from holdfast.common.money import amount_of
from holdfast.devnet.rpc import calldata
from holdfast.devnet.sender import Sender

HOLDER = Address("0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65")  # an account the node can sign for
SPENDER = Address("0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc")


@pytest.fixture
def usdt(devnet):
    devnet.control.give(amount_of(devnet.profile.usdt, 1_000), HOLDER)
    return devnet.profile.usdt.require_address()


@pytest.fixture
def holder(devnet):
    return Sender(devnet.control.rpc, HOLDER)


def balance(devnet, token, owner):
    return devnet.control.rpc.view(token, "balanceOf(address)", "uint256", owner)


@pytest.mark.parametrize("signature", ["transfer(address,uint256)", "approve(address,uint256)"])
def test_success_returns_no_value(devnet, usdt, signature):
    call = {"from": HOLDER, "to": usdt, "data": f"0x{calldata(signature, SPENDER, 1).hex()}"}
    assert devnet.control.rpc.call("eth_call", call, "latest") == "0x"


def test_allowance_changes_only_through_zero(usdt, holder):
    holder.execute(usdt, "approve(address,uint256)", SPENDER, 5)
    with pytest.raises(Broken):
        holder.execute(usdt, "approve(address,uint256)", SPENDER, 6)
    holder.execute(usdt, "approve(address,uint256)", SPENDER, 0)
    holder.execute(usdt, "approve(address,uint256)", SPENDER, 6)


def test_transfer_from_uses_the_allowance_up(devnet, usdt, holder):
    holder.execute(usdt, "approve(address,uint256)", SPENDER, 5)
    spender = Sender(devnet.control.rpc, SPENDER)
    spender.execute(usdt, "transferFrom(address,address,uint256)", HOLDER, SPENDER, 5)
    assert balance(devnet, usdt, SPENDER) == 5
    with pytest.raises(Broken):
        spender.execute(usdt, "transferFrom(address,address,uint256)", HOLDER, SPENDER, 1)


def test_pause_stops_transfers_until_it_ends(devnet, usdt, holder):
    devnet.control.pause_usdt()
    with pytest.raises(Broken):
        holder.execute(usdt, "transfer(address,uint256)", SPENDER, 1)
    devnet.control.unpause_usdt()
    holder.execute(usdt, "transfer(address,uint256)", SPENDER, 1)
    assert balance(devnet, usdt, SPENDER) == 1


def test_blacklisted_account_cannot_send(devnet, usdt, holder):
    devnet.control.blacklist(HOLDER)
    with pytest.raises(Broken):
        holder.execute(usdt, "transfer(address,uint256)", SPENDER, 1)
    devnet.control.unblacklist(HOLDER)
    holder.execute(usdt, "transfer(address,uint256)", SPENDER, 1)


def test_fee_switch_takes_its_share_of_a_transfer(devnet, usdt, holder):
    devnet.control.set_usdt_fee(10, most_dollars=1)
    holder.execute(usdt, "transfer(address,uint256)", SPENDER, 500 * 10**6)
    assert balance(devnet, usdt, SPENDER) == 499_500_000  # 500 - 0.1 %


def test_only_the_owner_administers(devnet, usdt, holder):
    for signature in ("pause()", "issue(uint256)", "addBlackList(address)"):
        args = {"pause()": (), "issue(uint256)": (1,)}.get(signature, (SPENDER,))
        with pytest.raises(Broken):
            holder.execute(usdt, signature, *args)
