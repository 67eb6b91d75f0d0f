"""Throw-away keys for the clients that are compared, funded by the node itself."""

import itertools
from dataclasses import dataclass

from eth_account import Account
from eth_account.signers.local import LocalAccount

from holdfast.common.evm import keccak256

_WEALTH = 1_000 * 10**18
_numbers = itertools.count()


@dataclass(frozen=True)
class Pair:
    """Who funds a loop and who runs it."""

    funder: LocalAccount
    owner: LocalAccount


def pair(devnet):
    """A funder with ether and an owner with none."""
    number = next(_numbers)
    keys = [keccak256(f"holdfast bench {role} {number}".encode()) for role in ("funder", "owner")]
    made = Pair(*map(Account.from_key, keys))
    devnet.control.set_balance(made.funder.address, _WEALTH)
    return made
