"""What the settings name: the chain, its limits, the keys and the database."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.chain.profile_file import load_profile
from holdfast.common.errors import Rejected
from holdfast.common.secret import Secret
from holdfast.devnet.accounts import devnet_seed
from holdfast.risk.limits import RiskLimits
from holdfast.signing.hd import HdKeyProvider
from holdfast.signing.keystore import KeyNetwork, OpenedSeed, new_seed, open_seed, seal_seed

if TYPE_CHECKING:
    from holdfast.chain.profiles import ChainProfile
    from holdfast.config import Settings


_LIMITS = (
    *("max_deal", "max_bank", "max_module", "max_asset", "max_day"),
    *("loss_budget", "in_flight"),
)
"""The limits that a desk sets for itself."""


def profile_of(settings: Settings) -> ChainProfile:
    """The chain profile that the settings name.

    Raises:
        Rejected: `config.profile` without one; what the loader finds wrong with it.
    """
    name = settings.profile
    if name is None:
        raise Rejected(
            "config.profile",
            "no chain is chosen: set HOLDFAST_PROFILE to a profile's file or a chain id "
            "(`holdfast devnet up` prints the file of the devnet)",
        )
    profile = load_profile(int(name) if name.isdecimal() else Path(name))
    profile = replace(
        profile,
        rpc_urls=settings.rpc_url or profile.rpc_urls,
        private_rpc_urls=settings.private_rpc_url or profile.private_rpc_urls,
        ws_urls=settings.ws_url or profile.ws_urls,
    )
    if not profile.rpc_urls:
        raise Rejected("config.rpc_url", f"{profile.name} has no node: set HOLDFAST_RPC_URL to one")
    return profile


def limits_of(settings: Settings, profile: ChainProfile | None = None) -> RiskLimits:
    """The risk limits, with those that the operator set, and those of the chain if it is known."""
    set_by_operator = {
        name: value for name in _LIMITS if (value := getattr(settings, name)) is not None
    }
    limits = replace(RiskLimits(), **set_by_operator)
    if profile is None:
        return limits
    return replace(
        limits,
        oracle_max_age_seconds=profile.eth_feed_max_age_seconds,
        cash_oracle_max_age_seconds=profile.cash_feed_max_age_seconds,
    )


def keys_of(settings: Settings, profile: ChainProfile) -> HdKeyProvider:
    """The deal keys: the keystore's, or on a devnet without one the devnet's public seed.

    Raises:
        Rejected: what `keystore_keys` says; `keys.devnet_only` or `keys.production_only` when the
            keystore is marked for another kind of chain.
    """
    if settings.keystore is None and profile.is_devnet:
        return HdKeyProvider(OpenedSeed(Secret(devnet_seed()), KeyNetwork.DEVNET))
    path, passphrase = _keystore(settings)
    return HdKeyProvider.from_keystore(path, passphrase, profile)


def keystore_keys(settings: Settings) -> HdKeyProvider:
    """The keys of the keystore, to look at addresses; no chain is chosen yet.

    Raises:
        Rejected: `config.keystore` without a keystore and its passphrase; what is wrong with it.
    """
    return HdKeyProvider(open_seed(*_keystore(settings)))


def create_keystore(settings: Settings, network: KeyNetwork) -> Path:
    """Seal a new seed in the file that the settings name; `keystore.exists` when there is one."""
    path, passphrase = _keystore(settings)
    seal_seed(path, new_seed(), passphrase, network)
    return path


def _keystore(settings: Settings) -> tuple[Path, Secret[str]]:
    passphrase = settings.passphrase()
    if settings.keystore is None or passphrase is None:
        raise Rejected(
            "config.keystore",
            "set HOLDFAST_KEYSTORE to the file with the deal keys (`holdfast keys create` makes "
            "it) and HOLDFAST_KEYSTORE_PASSPHRASE_FILE to a file with its passphrase",
        )
    return settings.keystore, passphrase
