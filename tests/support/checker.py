"""Judges finished deals by what the chain shows: every leg once, nothing left, nothing lost.

Imports nothing from `holdfast`: see `witness`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from tests.support.witness import (
    Chain,
    Effect,
    History,
    Observed,
    Places,
    as_address,
    observe_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ATOKEN_WORD, _VARIABLE_DEBT_WORD = 8, 10  # of Aave V3.0's DataTypes.ReserveData

SAME = attrgetter("key")
"""Two runs of one deal: the amounts are the same but for interest and gas."""
SAME_SHAPE = attrgetter("shape")
"""Two deals of one size: the market has moved between them, so amounts differ."""


@dataclass(frozen=True)
class Start:
    """The chain before a deal's first transaction."""

    block: int
    float_nonce: int
    native: dict[str, int]
    tokens: dict[tuple[str, str], int]

    @classmethod
    def read(cls, chain: Chain, places: Places) -> Start:
        """As things stand now."""
        native, tokens = _balances(chain, places)
        nonce = chain.number("eth_getTransactionCount", places.float_, "latest")
        return cls(chain.number("eth_blockNumber"), nonce, native, tokens)


@dataclass(frozen=True)
class Verdict:
    """Legs that are missing or too many, everything else that is wrong, and what was seen."""

    lost: Counter[Any]
    duplicated: Counter[Any]
    problems: list[str]
    seen: Sequence[tuple[Places, Observed]] = field(default=(), repr=False)

    @property
    def is_clean(self) -> bool:
        """Whether every leg happened once and nothing is left over."""
        return not (self.lost or self.duplicated or self.problems)


def judge(chain: Chain, places: Places, start: Start, expected: Sequence[Effect]) -> Verdict:
    """Whether one deal, now over, did what `expected` lists, each once and in that order."""
    return judge_all(chain, start, [places], expected)


def judge_all(
    chain: Chain,
    start: Start,
    deals: Sequence[Places],
    expected: Sequence[Effect],
    by: Callable[[Effect], Any] = SAME,
) -> Verdict:
    """Whether each of `deals`, all over and alone on the chain since `start`, did `expected`."""
    history = History.read(chain, start.block)
    seen = [(places, observe_in(history, places)) for places in deals]
    wanted = Counter(by(effect) for effect in expected for _ in deals)
    found = Counter(by(effect) for _, one in seen for effect in one.effects)
    problems = [
        problem
        for places, one in seen
        for problem in [
            *_disorder(expected, one, by),
            *_nonce_gaps(chain, places.deal, one.nonces, 0),
            *(f"a transaction reverted: {tx_hash}" for tx_hash in one.failed),
            *(f"a transaction had no effect: {tx_hash}" for tx_hash in one.silent),
            *_leftovers(chain, places, one),
            *_unbalanced(places, one),
        ]
    ]
    problems += _leaks(chain, start, seen)
    return Verdict(wanted - found, found - wanted, problems, seen)


def _disorder(expected: Sequence[Effect], seen: Observed, by: Callable[[Effect], Any]) -> list[str]:
    keys, wanted = [by(one) for one in seen.effects], [by(one) for one in expected]
    if keys == wanted or Counter(keys) != Counter(wanted):
        return []  # right, or told as lost and duplicated
    first = next(n for n, pair in enumerate(zip(keys, wanted, strict=True)) if pair[0] != pair[1])
    return [f"effect {first} is {keys[first]} where {wanted[first]} was due"]


def _nonce_gaps(chain: Chain, account: str, nonces: list[int], first: int) -> list[str]:
    """The nonces follow one another without a gap or a repeat up to the account's own count."""
    count = chain.number("eth_getTransactionCount", account, "latest")
    if nonces == list(range(first, count)):
        return []
    return [f"nonces of {account}: {nonces}, the account's next is {count}"]


def _leftovers(chain: Chain, places: Places, seen: Observed) -> list[str]:
    """What the deal's account still has, owes or allows; all of it must be nothing."""
    deal = places.deal
    left = {"ETH": chain.number("eth_getBalance", deal, "latest")}
    for token in places.tokens:
        left[places.symbol(token)] = _balance(chain, token, deal)
    for token, word in ((places.weth, _ATOKEN_WORD), (places.usdt, _VARIABLE_DEBT_WORD)):
        receipt_token = as_address(chain.view(places.pool, "getReserveData(address)", token)[word])
        left[f"lending {places.symbol(token)}"] = _balance(chain, receipt_token, deal)
    for name in ("pending", "claimable"):
        signature = f"{name}RedeemRequest(uint256,address)"
        left[f"{name} redemption"] = chain.view(places.desk, signature, 0, deal)[0]
    for (symbol, spender), units in allowances(chain, places, seen).items():
        left[f"allowance of {symbol} for {spender}"] = units
    return [f"left at {deal}: {name} {units}" for name, units in left.items() if units]


def allowances(chain: Chain, places: Places, seen: Observed) -> dict[tuple[str, str], int]:
    """What is left of each allowance that the deal ever gave, by token and spender."""
    tokens = {places.symbol(token): token for token in places.tokens}
    given = {(one.token, one.other) for one in seen.effects if one.kind == "approve"}
    return {
        (symbol, spender): chain.view(
            tokens[symbol], "allowance(address,address)", places.deal, spender
        )[0]
        for symbol, spender in sorted(given)
    }


def _unbalanced(places: Places, seen: Observed) -> list[str]:
    """What went into a deal's account and did not come out, or the other way round."""
    came = seen.total("fund") + seen.total("unwrap")
    went = seen.total("wrap") + seen.total("return_native") + seen.gas_wei[places.deal]
    problems = [f"ether of {places.deal} off by {came - went} wei"] if came != went else []
    problems += [
        f"transfers of {places.symbol(token)} leave {places.deal} with {units}"
        for token, units in seen.net.items()
        if units
    ]
    asked, redeemed = seen.total("request_redemption"), seen.total("claim_redemption")
    if not seen.bought == asked == redeemed:
        problems.append(f"tokens bought {seen.bought}, asked for {asked}, redeemed {redeemed}")
    return problems


def _leaks(chain: Chain, start: Start, seen: Sequence[tuple[Places, Observed]]) -> list[str]:
    """Changes of the standing accounts that the deals' effects do not explain, to the wei."""
    places, any_of_them = seen[0]
    native, tokens = _balances(chain, places)
    sent: Counter[tuple[str, str]] = Counter()
    gas = 0
    for _, one in seen:
        gas += one.gas_wei[places.float_]
        for effect in one.effects:
            sent[effect.kind, effect.token] += effect.amount
    due = {
        places.float_: -sent["fund", "ETH"] - gas,
        places.treasury: sent["return_native", "ETH"],
        places.core: 0,
    }
    moved = {
        (account, "ETH"): native[account] - start.native[account] - due[account] for account in due
    }
    for token in places.tokens:
        change = tokens[token, places.treasury] - start.tokens[token, places.treasury]
        symbol = places.symbol(token)
        moved[places.treasury, symbol] = change - sent["return_token", symbol]
    return [
        *_nonce_gaps(chain, places.float_, any_of_them.float_nonces, start.float_nonce),
        *(f"{who}: {units} {what} unexplained" for (who, what), units in moved.items() if units),
    ]


def _balances(chain: Chain, places: Places) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
    accounts = (places.float_, places.treasury, places.core)
    native = {one: chain.number("eth_getBalance", one, "latest") for one in accounts}
    tokens = {
        (token, one): _balance(chain, token, one) for token in places.tokens for one in accounts
    }
    return native, tokens


def _balance(chain: Chain, token: str, account: str) -> int:
    return chain.view(token, "balanceOf(address)", account)[0]
