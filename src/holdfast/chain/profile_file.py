"""Chain profiles as files: packaged TOML for production chains, JSON written by the devnet."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.functional_validators import AfterValidator

from holdfast.chain.profiles import (
    AaveAddresses,
    ChainProfile,
    DealAccounts,
    FeeModel,
    ProfileKind,
    UniswapAddresses,
)
from holdfast.common.errors import Rejected
from holdfast.common.evm import Address, BlockHash, address, block_hash
from holdfast.common.ids import chain_id
from holdfast.common.money import Token
from holdfast.model.leg import LegKind

_PACKAGED = {138: "chain-138.toml", 651940: "chain-651940.toml"}


def _checked_address(text: str) -> str:
    try:
        return address(text)
    except Rejected as error:
        raise ValueError(error.message) from error


def _checked_hash(text: str) -> str:
    try:
        return block_hash(text)
    except Rejected as error:
        raise ValueError(error.message) from error


_AddressText = Annotated[str, AfterValidator(_checked_address)]
_HashText = Annotated[str, AfterValidator(_checked_hash)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _NativeToken(_Strict):
    symbol: str
    decimals: int = Field(ge=0, le=36)


class _PinnedToken(_Strict):
    address: _AddressText
    decimals: int = Field(ge=0, le=36)


class _Aave(_Strict):
    pool: _AddressText
    addresses_provider: _AddressText
    data_provider: _AddressText
    oracle: _AddressText


class _Uniswap(_Strict):
    factory: _AddressText
    router: _AddressText
    quoter: _AddressText
    weth_usdt_fee: int = Field(gt=0, lt=1_000_000)
    usdtz_usdt_fee: int = Field(gt=0, lt=1_000_000)
    position_manager: _AddressText | None = None


class _Accounts(_Strict):
    core: _AddressText
    float_: _AddressText = Field(alias="float")
    treasury_return: _AddressText


class _ProfileFile(_Strict):
    chain_id: int = Field(gt=0)
    name: str
    kind: ProfileKind
    rpc_urls: tuple[str, ...] = ()
    private_rpc_urls: tuple[str, ...] = ()
    ws_urls: tuple[str, ...] = ()
    native: _NativeToken
    confirmations: int = Field(ge=1)
    leg_confirmations: dict[LegKind, Annotated[int, Field(ge=1)]] = {}
    finality: int | None = Field(default=None, ge=1)
    block_time_seconds: int = Field(ge=0)
    fee_model: FeeModel
    gas_price_ceiling_wei: int = Field(ge=0)
    emergency_gas_price_wei: int | None = Field(default=None, ge=0)
    eth_feed_max_age_seconds: int = Field(default=4_500, ge=1)
    cash_feed_max_age_seconds: int = Field(default=90_000, ge=1)
    genesis_hash: _HashText | None = None
    explorer_url: str | None = None
    tokens: dict[str, _PinnedToken] = {}
    aave: _Aave | None = None
    uniswap: _Uniswap | None = None
    redemption_desk: _AddressText | None = None
    multicall3: _AddressText | None = None
    code_hashes: dict[_AddressText, _HashText] = {}
    accounts: _Accounts | None = None


def load_profile(source: str | Path | int) -> ChainProfile:
    """The profile of a packaged chain (by id) or of a file (by path, JSON or TOML).

    Raises:
        Rejected: `profile.unknown_chain`, `profile.unreadable` or `profile.invalid`.
    """
    if isinstance(source, int) or (isinstance(source, str) and source.isdecimal()):
        return _packaged(int(source))
    path = Path(source)
    try:
        text = path.read_text()
    except OSError as error:
        raise Rejected(
            "profile.unreadable",
            f"cannot read the profile {path}: {error.strerror}. Give a chain id "
            f"({_known()}) or the devnet.json that `holdfast devnet up` writes",
        ) from error
    return parse_profile(text, is_toml=path.suffix == ".toml", name=str(path))


def configured(
    profile: ChainProfile, *, rpc_urls: tuple[str, ...] = (), genesis_hash: str | None = None
) -> ChainProfile:
    """`profile` with what the operator configured: nodes, and the hash of a genesis not yet pinned.

    Raises:
        Rejected: `profile.genesis_pinned` when another genesis hash is already pinned.
    """
    given = None if genesis_hash is None else block_hash(genesis_hash)
    if given is not None and profile.genesis_hash not in {None, given}:
        raise Rejected(
            "profile.genesis_pinned",
            f"{profile.name} pins genesis {profile.genesis_hash}: remove the configured {given}",
            limit=profile.genesis_hash,
            value=given,
        )
    return replace(
        profile,
        rpc_urls=rpc_urls or profile.rpc_urls,
        genesis_hash=given or profile.genesis_hash,
    )


def parse_profile(text: str, *, is_toml: bool, name: str) -> ChainProfile:
    """The profile written as `text`; `name` says in errors where it came from.

    Raises:
        Rejected: `profile.invalid` with the first thing that is wrong.
    """
    try:
        if is_toml:
            parsed = _ProfileFile.model_validate(tomllib.loads(text))
        else:
            parsed = _ProfileFile.model_validate_json(text)
    except tomllib.TOMLDecodeError as error:
        raise Rejected("profile.invalid", f"{name} is not TOML: {error}") from error
    except ValidationError as error:
        raise Rejected("profile.invalid", f"{name} is not a profile: {_first(error)}") from error
    return _to_profile(parsed)


def dump_profile(profile: ChainProfile) -> str:
    """`profile` as the JSON that `load_profile` reads back to an equal profile."""
    file = _ProfileFile.model_validate(
        {
            "chain_id": profile.chain_id,
            "name": profile.name,
            "kind": profile.kind,
            "rpc_urls": profile.rpc_urls,
            "private_rpc_urls": profile.private_rpc_urls,
            "ws_urls": profile.ws_urls,
            "native": {"symbol": profile.native.symbol, "decimals": profile.native.decimals},
            "confirmations": profile.confirmations,
            "leg_confirmations": dict(profile.leg_confirmations),
            "finality": profile.finality,
            "block_time_seconds": profile.block_time_seconds,
            "fee_model": profile.fee_model,
            "gas_price_ceiling_wei": profile.gas_price_ceiling_wei,
            "emergency_gas_price_wei": profile.emergency_gas_price_wei,
            "eth_feed_max_age_seconds": profile.eth_feed_max_age_seconds,
            "cash_feed_max_age_seconds": profile.cash_feed_max_age_seconds,
            "genesis_hash": profile.genesis_hash,
            "explorer_url": profile.explorer_url,
            "tokens": {
                symbol: {"address": token.require_address(), "decimals": token.decimals}
                for symbol, token in profile.tokens.items()
            },
            "aave": None if profile.aave is None else _fields(profile.aave),
            "uniswap": None if profile.uniswap is None else _fields(profile.uniswap),
            "redemption_desk": profile.redemption_desk,
            "multicall3": profile.multicall3,
            "code_hashes": dict(profile.code_hashes),
            "accounts": None if profile.accounts is None else _account_fields(profile.accounts),
        }
    )
    return file.model_dump_json(indent=2, by_alias=True) + "\n"


def _fields(addresses: AaveAddresses | UniswapAddresses) -> dict[str, object]:
    return {name: getattr(addresses, name) for name in addresses.__slots__}


def _account_fields(accounts: DealAccounts) -> dict[str, str]:
    return {
        "core": accounts.core,
        "float": accounts.float_,
        "treasury_return": accounts.treasury_return,
    }


def _packaged(number: int) -> ChainProfile:
    file = _PACKAGED.get(number)
    if file is None:
        raise Rejected(
            "profile.unknown_chain",
            f"chain {number} is not known: choose {_known()}, or give a profile file",
            value=number,
        )
    text = resources.files("holdfast.chain").joinpath("data", file).read_text()
    return parse_profile(text, is_toml=True, name=file)


def _known() -> str:
    return " or ".join(str(number) for number in _PACKAGED)


def _first(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"


def _to_profile(file: _ProfileFile) -> ChainProfile:
    chain = chain_id(file.chain_id)
    tokens = {
        symbol: Token(chain, symbol, token.decimals, Address(token.address))
        for symbol, token in file.tokens.items()
    }
    return ChainProfile(
        chain_id=chain,
        name=file.name,
        kind=file.kind,
        rpc_urls=file.rpc_urls,
        private_rpc_urls=file.private_rpc_urls,
        ws_urls=file.ws_urls,
        native=Token(chain, file.native.symbol, file.native.decimals),
        confirmations=file.confirmations,
        leg_confirmations=MappingProxyType(file.leg_confirmations),
        finality=file.finality,
        block_time_seconds=file.block_time_seconds,
        fee_model=file.fee_model,
        gas_price_ceiling_wei=file.gas_price_ceiling_wei,
        emergency_gas_price_wei=file.emergency_gas_price_wei,
        eth_feed_max_age_seconds=file.eth_feed_max_age_seconds,
        cash_feed_max_age_seconds=file.cash_feed_max_age_seconds,
        genesis_hash=None if file.genesis_hash is None else BlockHash(file.genesis_hash),
        explorer_url=file.explorer_url,
        tokens=MappingProxyType(tokens),
        aave=_aave(file.aave),
        uniswap=_uniswap(file.uniswap),
        redemption_desk=_maybe_address(file.redemption_desk),
        multicall3=_maybe_address(file.multicall3),
        code_hashes=MappingProxyType({Address(a): h for a, h in file.code_hashes.items()}),
        accounts=_accounts(file.accounts),
    )


def _maybe_address(text: str | None) -> Address | None:
    return None if text is None else Address(text)


def _aave(file: _Aave | None) -> AaveAddresses | None:
    return None if file is None else AaveAddresses(**file.model_dump())


def _uniswap(file: _Uniswap | None) -> UniswapAddresses | None:
    return None if file is None else UniswapAddresses(**file.model_dump())


def _accounts(file: _Accounts | None) -> DealAccounts | None:
    return None if file is None else DealAccounts(**file.model_dump())
