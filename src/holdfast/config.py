"""What the operator decides: the only reader of the environment."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Self
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from holdfast.common.alerts import Severity
from holdfast.common.errors import Rejected
from holdfast.common.log import LogFormat, LogLevel
from holdfast.common.money import Usd8, parse_decimal, to_units
from holdfast.common.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.common.redaction import Redactor

PREFIX: Final = "HOLDFAST_"
_ROOT_STATE_DIR: Final = Path("/var/lib/holdfast")
_USD_DECIMALS: Final = 8
_DRIVER: Final = "postgresql+psycopg://"
_HOST: Final = re.compile(r"localhost|([a-z0-9-]+\.)+[a-z]{2,}")
_SCHEMES_WITH_HOST: Final = frozenset(
    {"json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos"}
)


def _as_usd8(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        dollars = parse_decimal(value, code="config.amount", max_decimals=_USD_DECIMALS)
    except Rejected as error:
        raise ValueError(error.message) from error
    return to_units(dollars, _USD_DECIMALS)


def _with_driver(value: object) -> object:
    if not isinstance(value, str):
        return value
    for scheme in ("postgres://", "postgresql://", _DRIVER):
        if value.startswith(scheme):
            return _DRIVER + value.removeprefix(scheme)
    raise ValueError("a database address starts with postgresql://")


def _as_secret(value: object) -> object:
    return Secret(value) if isinstance(value, str) else value


def _as_secrets(value: object) -> object:
    return tuple(map(Secret, value.split())) if isinstance(value, str) else value


def _urls(*schemes: str) -> BeforeValidator:
    def each(value: object) -> object:
        if not isinstance(value, str):
            return value
        urls = tuple(one.strip() for one in value.split(","))
        if not all(one.startswith(schemes) for one in urls):
            raise ValueError(f"give addresses that start with {schemes[0]} or {schemes[1]}")
        for one in urls:
            _check_place(one)
        return urls

    return BeforeValidator(each)


def _check_place(url: str) -> None:
    """The host and the port; the text of the library's error would show what may be a token."""
    try:
        parts = urlsplit(url)
        is_placed = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_placed = False
    if not is_placed:
        raise ValueError("give each address a host, and a port from 1 to 65535 or none")


_NodeUrls = Annotated[tuple[str, ...], _urls("https://", "http://")]
_WebSocketUrls = Annotated[tuple[str, ...], _urls("wss://", "ws://")]
_Dollars = Annotated[Usd8, BeforeValidator(_as_usd8)]
_DatabaseUrl = Annotated[str, BeforeValidator(_with_driver)]
_Hidden = Annotated[Secret[str], BeforeValidator(_as_secret)]
_HiddenList = Annotated[tuple[Secret[str], ...], BeforeValidator(_as_secrets)]


class Settings(BaseModel):
    """Every setting, checked; the variable of `sweep_seconds` is `HOLDFAST_SWEEP_SECONDS`.

    Attributes:
        database_url: a PostgreSQL to use; without it the embedded one is started.
        state_dir: where the embedded database and other lasting files go.
        profile: a chain profile's file, or the id of a chain that we ship a profile for.
        rpc_url: nodes to use instead of the profile's, with commas; the first is preferred.
        private_rpc_url: where alone raw transactions go, instead of the profile's.
        ws_url: nodes that tell of new blocks, instead of the profile's.
        keystore: the file with the sealed seed of the deal keys.
        keystore_passphrase: what opens it; or its file, whose last line end is dropped.
        max_deal, max_bank, max_module, max_asset, max_day: caps of the desk on one deal, on open
            deals of a bank and of a module, on what they spend on a token, and on the deals begun
            in a day, given in dollars.
        loss_budget: the largest purchase lot that needs no proof of redemption, given in dollars.
        in_flight: the most that is in redemption at a time, given in dollars.
        chain_shards: how many loops, on one worker or several, share the senders of the chain.
        worker_concurrency: how many deals one worker advances at once.
        database_pool: how many connections one process keeps.
        sweep_seconds: how often overdue deals are looked for.
        holding_check_seconds: how often a deal in HOLDING looks whether it may go on.
        exit_check_blocks: how many blocks lie between two trials of an open deal's unwind.
        metrics_port: where a worker serves its figures to this machine; not at all without it.
        alert_urls: where alerts go besides the log, as apprise URLs with blanks between them.
        alert_severity: the least severity that goes there.
        price_history: a CSV with prices of ETH, from which reports take VaR and the first reading
            of the market its volatility.
        transaction_timeout_seconds: how long a transaction may stay unmined before it is given up.
        crash_at: a boundary at which to die, for recovery tests on a devnet alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    state_dir: Path
    database_url: _DatabaseUrl | None = Field(default=None, repr=False)
    profile: str | None = None
    rpc_url: _NodeUrls = Field(default=(), repr=False)
    private_rpc_url: _NodeUrls = Field(default=(), repr=False)
    ws_url: _WebSocketUrls = Field(default=(), repr=False)
    keystore: Path | None = None
    keystore_passphrase: _Hidden | None = None
    keystore_passphrase_file: Path | None = None
    log_level: LogLevel = LogLevel.INFO
    log_format: LogFormat = LogFormat.AUTO
    max_deal: _Dollars | None = None
    max_bank: _Dollars | None = None
    max_module: _Dollars | None = None
    max_asset: _Dollars | None = None
    max_day: _Dollars | None = None
    loss_budget: _Dollars | None = None
    in_flight: _Dollars | None = None
    chain_shards: int = Field(default=1, ge=1, le=64)
    worker_concurrency: int = Field(default=8, ge=1, le=256)
    database_pool: int = Field(default=8, ge=1, le=100)
    sweep_seconds: float = Field(default=5.0, gt=0, le=3600)
    holding_check_seconds: float = Field(default=15.0, gt=0, le=3600)
    exit_check_blocks: int = Field(default=100, ge=1, le=100_000)
    metrics_port: int | None = Field(default=None, ge=1, le=65_535)
    alert_urls: _HiddenList = ()
    alert_severity: Severity = Severity.WARNING
    price_history: Path | None = None
    transaction_timeout_seconds: float = Field(default=1800.0, ge=60, le=86_400)
    crash_at: str | None = Field(default=None, pattern=r"^[a-z0-9_.]+(:[1-9][0-9]*)?$")

    @model_validator(mode="after")
    def _one_passphrase(self) -> Self:
        if self.keystore_passphrase is not None and self.keystore_passphrase_file is not None:
            raise ValueError(
                "give HOLDFAST_KEYSTORE_PASSPHRASE or HOLDFAST_KEYSTORE_PASSPHRASE_FILE, not both"
            )
        return self

    def passphrase(self) -> Secret[str] | None:
        """What opens the keystore, read from its file when one is named.

        Raises:
            Rejected: `config.keystore_passphrase_file` when it cannot be read.
        """
        if self.keystore_passphrase_file is None:
            return self.keystore_passphrase
        try:
            text = self.keystore_passphrase_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Rejected(
                "config.keystore_passphrase_file",
                f"cannot read {self.keystore_passphrase_file}: give a text file that this user "
                "may read in HOLDFAST_KEYSTORE_PASSPHRASE_FILE",
            ) from error
        return Secret(text.removesuffix("\n").removesuffix("\r"))

    def register_secrets(self, redactor: Redactor) -> None:
        """Have every secret that these settings hold masked from now on."""
        if (passphrase := self.passphrase()) is not None:
            redactor.register(passphrase)
        for url in self.alert_urls:
            for part in url_secrets(url):
                redactor.register(part)
        password = urlsplit(self.database_url or "").password
        if password is not None:
            redactor.register(Secret(password))
            redactor.register(Secret(unquote(password)))


def url_secrets(url: Secret[str]) -> list[Secret[str]]:
    """A URL and every part of it that may be a token: services put them anywhere, as the host too.

    What is a word to everybody is left out, or it would be masked wherever it stands: the scheme,
    names in the query, and a host that is certainly one.
    """
    scheme, _, rest = url.use().partition("://")
    place, _, query = (rest or scheme).partition("?")
    host = place.partition("/")[0].rpartition("@")[2].partition(":")[0]
    is_host = scheme.lower() in _SCHEMES_WITH_HOST or _HOST.fullmatch(host) is not None
    values = [pair.partition("=")[2] or pair for pair in query.split("&")]
    parts = {part for text in (place, *values) for part in re.split(r"[/?&=@:#]+", text)}
    parts -= {host} if is_host else set()
    return [url, *(Secret(each) for part in parts for each in {part, unquote(part)} if each)]


def from_environment() -> Settings:
    """The settings of this process."""
    return load(os.environ)


def load(environment: Mapping[str, str]) -> Settings:
    """The settings in `environment`; empty variables count as absent.

    Raises:
        Rejected: `config.` and the first wrong setting, or `config.unknown`; the message names
            every wrong variable and what is wrong with it, never its value.
    """
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and value
    }
    _refuse_unknown(given)
    values: dict[str, Any] = {"state_dir": _default_state_dir(environment), **given}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise _explained(error) from None  # the cause would show the values


def _refuse_unknown(given: Mapping[str, str]) -> None:
    unknown = sorted(set(given) - set(Settings.model_fields))
    if unknown:
        names = ", ".join(PREFIX + name.upper() for name in unknown)
        raise Rejected(
            "config.unknown",
            f"no setting is called {names}: check the spelling, or unset it",
            unknown=names,
        )


def _explained(error: ValidationError) -> Rejected:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    named = [(str(problem["loc"][0]) if problem["loc"] else "", problem) for problem in problems]
    told = [
        f"{PREFIX}{name.upper()}: {_words(problem['msg'])}" if name else _words(problem["msg"])
        for name, problem in named
    ]
    first = named[0][0] or "conflict"
    return Rejected(f"config.{first}", "; ".join(told))


def _words(message: str) -> str:
    return message.removeprefix("Value error, ")  # pydantic's word for what we say ourselves


def _default_state_dir(environment: Mapping[str, str]) -> Path:
    if os.geteuid() == 0:
        return _ROOT_STATE_DIR  # the embedded database runs as a user who enters no home
    base = environment.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "holdfast"
