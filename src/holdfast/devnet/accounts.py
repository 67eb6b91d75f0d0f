"""Who is who on the devnet; every key here is public knowledge, so none may ever hold money."""

from __future__ import annotations

import hashlib

from holdfast.chain.profiles import DealAccounts
from holdfast.common.evm import Address, checksummed, keccak256

DEVNET_MNEMONIC = "test test test test test test test test test test test junk"
"""The seed phrase that every EVM test node ships; marks the keys below as devnet's.

Source: the default of anvil and hardhat.
"""

FLOAT = Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
"""The funding key, m/44'/60'/0'/0/0 of the phrase; deals are m/44'/60'/n'/0/0 from n = 1."""
WHALE = Address("0x14dC79964da2C08b23698B3D3cc7Ca32193d9955")
"""m/44'/60'/0'/0/7: the market's standing borrower, so that rates are not zero."""
LIQUIDITY_PROVIDER = Address("0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f")
"""m/44'/60'/0'/0/8: owns the pools' liquidity and the lending market's USDT."""
ADMIN = Address("0xa0Ee7A142d267C1f36714E4a8F75612F20a79720")
"""m/44'/60'/0'/0/9: owns and administrates every contract; used by the controls only."""


def keyless(name: str) -> Address:
    """An address made from a name, whose key nobody has: what it holds cannot be moved."""
    return checksummed(keccak256(f"holdfast devnet {name}".encode())[12:])


def devnet_seed() -> bytes:
    """The 64-byte HD seed of `DEVNET_MNEMONIC` without a passphrase.

    Source: BIP-39, from mnemonic to seed.
    """
    return hashlib.pbkdf2_hmac("sha512", DEVNET_MNEMONIC.encode(), b"mnemonic", 2048)


DEAL_ACCOUNTS = DealAccounts(
    core=keyless("core"), float_=FLOAT, treasury_return=keyless("treasury return")
)
