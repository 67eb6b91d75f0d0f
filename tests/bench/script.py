"""One deal with four tranches as a bare script: 22 transactions, the same for every client.

Holdfast itself sends 26 for such a deal: it approves each tranche by itself and takes the allowance
of the lending pool back. The amounts are a $1M deal's.
"""

from dataclasses import dataclass
from typing import Any

from web3 import Web3

ETHER = 10**18
DOLLAR = 10**6
MAX = 2**256 - 1
VARIABLE_RATE = 2
FAR_AWAY = 2**40  # a deadline that no run reaches

FUND = 250 * ETHER
WORKING = 150 * ETHER
LOAN = 60_000 * DOLLAR
TRANCHES = [units * DOLLAR for units in (5_000, 20_000, 25_000, 48_000)]
PROFIT = 37_000 * DOLLAR  # of 98,000 less the desk's 0.25 % and the loan; dust stays behind
HOME = FUND - ETHER  # an ether is left for gas

_EXACT_OUTPUT = ["address", "address", "uint24", "address", *["uint256"] * 3, "uint160"]


@dataclass(frozen=True)
class Sending:
    """One transaction; plain ether when it has no `abi`. The first is the funder's."""

    to: str
    abi: str = ""
    function: str = ""
    arguments: tuple[Any, ...] = ()
    value: int = 0


def sendings(profile, owner, treasury):
    """The 22 transactions of `owner`, in order."""
    weth, usdt, usdtz = (profile.token(name).address for name in ("WETH", "USDT", "USDTz"))
    pool, uniswap = profile.require_aave().pool, profile.require_uniswap()
    desk, bought = profile.require_redemption_desk(), sum(TRANCHES)
    swap = (usdt, usdtz, uniswap.usdtz_usdt_fee, owner, FAR_AWAY, bought, LOAN, 0)
    redeemed = [
        Sending(desk, "desk", function, (units, owner, owner))
        for units in TRANCHES
        for function in ("requestRedeem", "redeem")
    ]
    return [
        Sending(owner, value=FUND),
        Sending(weth, "weth", "deposit", value=WORKING),
        Sending(weth, "token", "approve", (pool, WORKING)),
        Sending(pool, "pool", "supply", (weth, WORKING, owner, 0)),
        Sending(pool, "pool", "borrow", (usdt, LOAN, VARIABLE_RATE, 0, owner)),
        Sending(usdt, "token", "approve", (uniswap.router, LOAN)),
        Sending(uniswap.router, "router", "exactOutputSingle", (swap,)),
        Sending(usdtz, "token", "approve", (desk, bought)),
        *redeemed,
        Sending(usdt, "token", "approve", (pool, MAX)),
        Sending(pool, "pool", "repay", (usdt, MAX, VARIABLE_RATE, owner)),
        Sending(pool, "pool", "withdraw", (weth, MAX, owner)),
        Sending(weth, "weth", "withdraw", (WORKING,)),
        Sending(usdt, "token", "transfer", (treasury, PROFIT)),
        Sending(treasury, value=HOME),
    ]


class Contracts:
    """web3.py's contracts, each made once."""

    def __init__(self, web3):
        self._web3 = web3
        self._made = {}

    def bound(self, sending):
        """The contract function with its arguments."""
        key = (sending.to, sending.abi)
        if key not in self._made:
            self._made[key] = self._web3.eth.contract(sending.to, abi=_ABIS[sending.abi])
        return self._made[key].functions[sending.function](*sending.arguments)


def call_data(sending):
    """What the transaction carries, as 0x text."""
    return Contracts(Web3()).bound(sending)._encode_transaction_data() if sending.abi else "0x"


def _function(name, *arguments, mutability="nonpayable"):
    inputs = [_input(kind, f"a{index}") for index, kind in enumerate(arguments)]
    return {
        "type": "function",
        "name": name,
        "inputs": inputs,
        "outputs": [],
        "stateMutability": mutability,
    }


def _input(kind, name):
    if isinstance(kind, list):
        parts = [_input(each, f"{name}{index}") for index, each in enumerate(kind)]
        return {"name": name, "type": "tuple", "components": parts}
    return {"name": name, "type": kind}


_ABIS = {
    "weth": [_function("deposit", mutability="payable"), _function("withdraw", "uint256")],
    "token": [
        _function("approve", "address", "uint256"),
        _function("transfer", "address", "uint256"),
    ],
    "pool": [
        _function("supply", "address", "uint256", "address", "uint16"),
        _function("borrow", "address", "uint256", "uint256", "uint16", "address"),
        _function("repay", "address", "uint256", "uint256", "address"),
        _function("withdraw", "address", "uint256", "address"),
    ],
    "router": [_function("exactOutputSingle", _EXACT_OUTPUT, mutability="payable")],
    "desk": [
        _function("requestRedeem", "uint256", "address", "address"),
        _function("redeem", "uint256", "address", "address"),
    ],
}
