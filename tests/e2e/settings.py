"""What a run on a public testnet needs, checked without touching any network."""

from __future__ import annotations

import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from holdfast.chain.profile_file import load_profile
from holdfast.common.errors import Rejected
from holdfast.common.secret import Secret
from tests.e2e.exchange import exchange_of, load_exchange

if TYPE_CHECKING:
    from tests.e2e.exchange import Exchange

SEPOLIA = Path(__file__).parent / "sepolia.toml"
EXCHANGES = {11155111: Path(__file__).parent / "sepolia-uniswap.toml"}
"""Where to swap on a chain whose profile names no exchange."""

TESTNETS = {11155111: "Sepolia", 17000: "Holesky", 560048: "Hoodi", 84532: "Base Sepolia"}
"""Chains without real money. Everything else is refused, every mainnet with it."""

_LEAST_WEI, _MOST_WEI = 10**12, 10**16
_LEAST_UNITS, _MOST_UNITS = 1_000, 10_000_000
_SWAP_WEI = 10**14
SWAP = "2 swap within a bound, and back"
_NOT_COVERED = {
    "1 wrap, supply, borrow": ("aave", "WETH", "USDT"),
    "2 discount purchase": ("uniswap", "USDTz"),
    "3 redemption": ("redemption_desk", "USDTz"),
    "4 repay, withdraw": ("aave", "WETH", "USDT"),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """One run: whose key, on which chain, with how much (in base units)."""

    profile: object
    key: Secret[bytes]
    database_url: str
    collateral_wei: int
    borrow_units: int
    swap_wei: int = _SWAP_WEI
    exchange: Exchange | None = None

    @property
    def covered(self):
        """For each step of a deal, what is lacking for it; nothing where it can run."""
        found = {step: self._missing(needs) for step, needs in _NOT_COVERED.items()}
        return {**found, SWAP: [] if self.exchange else ["HOLDFAST_E2E_EXCHANGE"]}

    def _missing(self, needs):
        return [
            one
            for one in needs
            if getattr(self.profile, one, None) is None and one not in self.profile.tokens
        ]


def settings_of(environment):
    """The settings in the variables `environment`.

    Raises:
        Rejected: `e2e.*` for what is missing, out of bounds or a real chain; `profile.*`.
    """
    profile = load_profile(environment.get("HOLDFAST_E2E_PROFILE", SEPOLIA))
    if profile.chain_id not in TESTNETS:
        raise Rejected("e2e.chain", f"chain {profile.chain_id} is no known testnet: {_names()} are")
    if profile.genesis_hash is None:
        raise Rejected("e2e.genesis", "the profile pins no genesis hash: add genesis_hash to it")
    url = _rpc_url(_needed(environment, "HOLDFAST_E2E_RPC_URL"))
    settings = Settings(
        profile=replace(profile, rpc_urls=(url,)),
        key=_key(Path(_needed(environment, "HOLDFAST_E2E_KEY_FILE"))),
        database_url=_needed(environment, "HOLDFAST_E2E_DATABASE_URL"),
        collateral_wei=_bounded(
            environment, "HOLDFAST_E2E_COLLATERAL_WEI", 10**15, (_LEAST_WEI, _MOST_WEI)
        ),
        borrow_units=_bounded(
            environment, "HOLDFAST_E2E_BORROW_UNITS", 100_000, (_LEAST_UNITS, _MOST_UNITS)
        ),
        swap_wei=_bounded(environment, "HOLDFAST_E2E_SWAP_WEI", _SWAP_WEI, (_LEAST_WEI, _MOST_WEI)),
        exchange=_exchange(environment, profile),
    )
    for step in ("1 wrap, supply, borrow", "4 repay, withdraw"):
        if settings.covered[step]:
            raise Rejected("e2e.profile", f"the profile lacks {settings.covered[step]}")
    return settings


def _names():
    return ", ".join(f"{name} ({number})" for number, name in TESTNETS.items())


def _exchange(environment, profile):
    pinned = EXCHANGES.get(profile.chain_id)
    path = environment.get("HOLDFAST_E2E_EXCHANGE")
    if not path and profile.uniswap is not None:
        return exchange_of(profile)
    return load_exchange(path or pinned, profile.chain_id) if path or pinned else None


def _needed(environment, name):
    if not environment.get(name):
        raise Rejected("e2e.missing", f"set {name}: nothing is taken from anywhere else")
    return environment[name]


def _rpc_url(url):
    parts = urlsplit(url)
    is_local = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    is_private = parts.scheme == "https" or (parts.scheme == "http" and is_local)
    if not parts.hostname or not is_private:
        raise Rejected("e2e.rpc_url", "HOLDFAST_E2E_RPC_URL must be https, or http on this machine")
    return url


def _key(path):
    try:
        mode, text = path.stat().st_mode, path.read_text().strip()
    except OSError as error:
        raise Rejected("e2e.key_file", f"cannot read {path}: {error.strerror}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise Rejected("e2e.key_file", f"{path} may be read by others: chmod 600 it")
    try:
        secret = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        secret = b""
    if len(secret) != 32 or not any(secret):
        raise Rejected("e2e.key_file", f"{path} must hold one private key, 64 hex digits")
    return Secret(secret)


def _bounded(environment, name, default, bounds):
    text = environment.get(name, str(default))
    least, most = bounds
    if not text.isdecimal() or not least <= int(text) <= most:
        raise Rejected("e2e.amount", f"{name} must be {least} to {most} base units", value=text)
    return int(text)
