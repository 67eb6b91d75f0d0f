"""What a deal did, read from the chain's own logs, transactions and balances, and nothing else.

The eyes of `checker`, which judges the recovery tests. It shares no code with what it judges: it
imports nothing from `holdfast`, reads no table of ours, and decodes events by hand, so that a bug
in the product cannot hide in here.
"""

from __future__ import annotations

import http.client
import json
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

# keccak-256 of each event's signature
TOPICS = {
    "Transfer(address,address,uint256)": (
        "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    ),
    "Approval(address,address,uint256)": (
        "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"
    ),
    "Deposit(address,uint256)": (
        "0xe1fffcc4923d04b559f4d29a8bfc6cda04eb5b0d3c460751c2402c5c5cc9109c"
    ),
    "Withdrawal(address,uint256)": (
        "0x7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65"
    ),
    "Supply(address,address,address,uint256,uint16)": (
        "0x2b627736bca15cd5381dcf80b0bf11fd197d01a037c52b927a881a10fb73ba61"
    ),
    "Borrow(address,address,address,uint256,uint8,uint256,uint16)": (
        "0xb3d084820fb1a9decffb176436bd02558d15fac9b0ddfed8c465bc7359d7dce0"
    ),
    "Repay(address,address,address,uint256,bool)": (
        "0xa534c8dbe71f871f9f3530e97a74601fea17b426cae02e1c5aee42c96c784051"
    ),
    "Withdraw(address,address,address,uint256)": (
        "0x3115d1449a7b732c986cba18244e897a450f61e1bb8d589cd2e69e6c8924f9f7"
    ),
    "Swap(address,address,int256,int256,uint160,uint128,int24)": (
        "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
    ),
    "RedeemRequest(address,address,uint256,address,uint256)": (
        "0x1fdc681a13d8c5da54e301c7ce6542dcde4581e4725043fdab2db12ddc574506"
    ),
    "Withdraw(address,address,address,uint256,uint256)": (
        "0xfbde797d201c681b91056529119e0b02407c7bb96a4a2c75c01fc9667232c8db"
    ),
}
_EVENTS = {topic: signature.partition("(")[0] for signature, topic in TOPICS.items()}
_DESK_PAYMENT = TOPICS["Withdraw(address,address,address,uint256,uint256)"]
_DESK_REQUEST = TOPICS["RedeemRequest(address,address,uint256,address,uint256)"]

# the first four bytes of keccak-256 of each function's signature
SELECTORS = {
    "balanceOf(address)": "0x70a08231",
    "allowance(address,address)": "0xdd62ed3e",
    "getReserveData(address)": "0x35ea6a75",
    "pendingRedeemRequest(uint256,address)": "0xf5a23d8d",
    "claimableRedeemRequest(uint256,address)": "0xeaed1d07",
    "getAssetPrice(address)": "0xb3596f07",
}

TIMED = frozenset({"repay", "withdraw", "unwrap", "return_token", "return_native"})
"""Effects whose amounts carry interest or gas, and so depend on when blocks were mined."""

_BLOCKS_AT_ONCE = 250
_SIGN_BIT = 1 << 255
_ADDRESS_BITS = (1 << 160) - 1


class Chain:
    """JSON-RPC to one node."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port

    def ask(self, *requests: tuple[str, list[Any]]) -> list[Any]:
        """The results of several methods, in their order, from one exchange."""
        body = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(requests)
        ]
        connection = http.client.HTTPConnection(self._host or "", self._port, timeout=60)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/", json.dumps(body), headers)
            answers = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return [answer["result"] for answer in sorted(answers, key=lambda answer: answer["id"])]

    def number(self, method: str, *params: Any) -> int:
        """One result that is a number."""
        return int(self.ask((method, list(params)))[0], 16)

    def view(self, target: str, signature: str, *words: str | int) -> list[int]:
        """The 32-byte words that a view function returns at the latest block."""
        data = SELECTORS[signature] + "".join(_word(word) for word in words)
        answer = self.ask(("eth_call", [{"to": target, "data": data}, "latest"]))[0]
        return _words(answer)


@dataclass(frozen=True)
class Places:
    """The addresses that matter to one deal, in lower case."""

    deal: str
    float_: str
    treasury: str
    core: str
    weth: str
    usdt: str
    usdtz: str
    pool: str
    desk: str

    @classmethod
    def of(cls, profile: dict[str, Any], deal: str) -> Places:
        """From a chain profile as JSON, and the deal's own address."""
        accounts, tokens = profile["accounts"], profile["tokens"]
        return cls(
            deal=deal.lower(),
            float_=accounts["float"].lower(),
            treasury=accounts["treasury_return"].lower(),
            core=accounts["core"].lower(),
            weth=tokens["WETH"]["address"].lower(),
            usdt=tokens["USDT"]["address"].lower(),
            usdtz=tokens["USDTz"]["address"].lower(),
            pool=profile["aave"]["pool"].lower(),
            desk=profile["redemption_desk"].lower(),
        )

    def symbol(self, token: str) -> str:
        """The symbol of a token's address; the address itself for any other."""
        return {self.weth: "WETH", self.usdt: "USDT", self.usdtz: "USDTz"}.get(token, token)

    @property
    def tokens(self) -> tuple[str, str, str]:
        """The contracts whose balances are counted."""
        return self.weth, self.usdt, self.usdtz


@dataclass(frozen=True)
class Effect:
    """One thing that happened on chain for the deal.

    `token` is a symbol, or for a swap the pool; `other` is an allowance's spender.
    """

    kind: str
    token: str
    amount: int
    other: str = ""
    tx_hash: str = ""

    @property
    def key(self) -> tuple[str, str, str, int | None]:
        """What must be the same in every run of the same deal."""
        is_timed = self.kind in TIMED or self.kind == "approve"
        return self.kind, self.token, self.other, None if is_timed else self.amount

    @property
    def shape(self) -> tuple[str, str, str]:
        """What must be the same in every deal of the same size."""
        return self.kind, self.token, self.other


@dataclass
class Observed:
    """Everything the chain shows of one deal since its start.

    `silent` are its transactions that did nothing, `net` what transfers left it with of each
    token, `bought` what it received of the discounted token and `paid_out` what the desk paid it.
    """

    effects: list[Effect] = field(default_factory=list)
    nonces: list[int] = field(default_factory=list)
    float_nonces: list[int] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    gas_wei: Counter[str] = field(default_factory=Counter)
    net: Counter[str] = field(default_factory=Counter)
    bought: int = 0
    paid_out: int = 0

    def total(self, kind: str) -> int:
        """The sum of one kind of effect, in base units."""
        return sum(effect.amount for effect in self.effects if effect.kind == kind)


@dataclass
class History:
    """Every transaction after a block with its receipt, found by the accounts that it names."""

    entries: list[tuple[dict[str, Any], dict[str, Any]]]
    _naming: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def read(cls, chain: Chain, after: int) -> History:
        """What the blocks later than number `after` hold, in their order."""
        newest = chain.number("eth_blockNumber")
        entries = []
        for first in range(after + 1, newest + 1, _BLOCKS_AT_ONCE):
            last = min(first + _BLOCKS_AT_ONCE - 1, newest)
            entries += _entries(chain, [hex(number) for number in range(first, last + 1)])
        made = cls(entries)
        for place, (tx, receipt) in enumerate(entries):
            for account in _named(tx, receipt):
                made._naming.setdefault(account, []).append(place)
        return made

    def naming(self, *accounts: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """What was sent from or to any of `accounts`, or has one in an event's indexed values."""
        places = {place for account in accounts for place in self._naming.get(account, ())}
        return [self.entries[place] for place in sorted(places)]

    def sent_by(self, account: str) -> list[dict[str, Any]]:
        """The transactions of one account."""
        return [tx for tx, _ in self.naming(account) if tx["from"].lower() == account]


def observe(chain: Chain, places: Places, after: int) -> Observed:
    """What the blocks later than number `after` hold of the deal, in the order in which it came."""
    return observe_in(History.read(chain, after), places)


def observe_in(history: History, places: Places) -> Observed:
    """What `history` holds of the deal, in its order."""
    seen = Observed()
    for tx, receipt in history.naming(places.deal):
        _take(seen, places, tx, receipt)
    seen.float_nonces = [int(tx["nonce"], 16) for tx in history.sent_by(places.float_)]
    return seen


def _entries(chain: Chain, numbers: list[str]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    blocks = chain.ask(*(("eth_getBlockByNumber", [number, True]) for number in numbers))
    receipts = chain.ask(*(("eth_getBlockReceipts", [number]) for number in numbers))
    by_hash = {one["transactionHash"]: one for block in receipts for one in block}
    return [(tx, by_hash[tx["hash"]]) for block in blocks for tx in block["transactions"]]


def _named(tx: dict[str, Any], receipt: dict[str, Any]) -> set[str]:
    people = {person for log in receipt["logs"] for person in _people(log)}
    return {tx["from"].lower(), (tx["to"] or "").lower(), *people}


def _take(seen: Observed, places: Places, tx: dict[str, Any], receipt: dict[str, Any]) -> None:
    sender, logs = tx["from"].lower(), receipt["logs"]
    is_ours = sender == places.deal
    is_funding = sender == places.float_ and (tx["to"] or "").lower() == places.deal
    if is_ours:
        seen.nonces.append(int(tx["nonce"], 16))
    if is_ours or is_funding:
        seen.gas_wei[sender] += int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    if (is_ours or is_funding) and int(receipt["status"], 16) != 1:
        seen.failed.append(tx["hash"])
        return
    for log in logs:
        _count_transfer(seen, places, log)
    made = [effect for log in logs if (effect := _effect_of(seen, places, log)) is not None]
    made += _native_effect(places, tx)
    if is_ours and not made:
        seen.silent.append(tx["hash"])
    seen.effects.extend(replace(effect, tx_hash=tx["hash"]) for effect in made)


def _native_effect(places: Places, tx: dict[str, Any]) -> list[Effect]:
    """A plain transfer of ether, which leaves no log."""
    sender, target = tx["from"].lower(), (tx["to"] or "").lower()
    value = int(tx["value"], 16)
    if target == places.deal and value:
        kind = "fund" if sender == places.float_ else "gift"
        return [Effect(kind, "ETH", value)]
    if sender == places.deal and tx["input"] == "0x" and value:
        kind = "return_native" if target == places.treasury else "stray_native"
        return [Effect(kind, "ETH", value)]
    return []


def _count_transfer(seen: Observed, places: Places, log: dict[str, Any]) -> None:
    """Follow the deal's balance of each token through its transfers."""
    token = log["address"].lower()
    if token not in places.tokens or not log["topics"]:
        return
    event, people, words = _EVENTS.get(log["topics"][0]), _people(log), _words(log["data"])
    if event == "Transfer":
        seen.net[token] += words[0] * ((people[1] == places.deal) - (people[0] == places.deal))
        seen.bought += words[0] * (token == places.usdtz and people[1] == places.deal)
    elif event == "Deposit" and people[0] == places.deal:
        seen.net[token] += words[0]
    elif event == "Withdrawal" and people[0] == places.deal:
        seen.net[token] -= words[0]


def _effect_of(seen: Observed, places: Places, log: dict[str, Any]) -> Effect | None:
    """The leg that a log proves; None for logs that are only part of one."""
    event, source = _EVENTS.get(log["topics"][0] if log["topics"] else ""), log["address"].lower()
    people, words = _people(log), _words(log["data"])
    if source in places.tokens:
        return _token_effect(places, source, event, people, words)
    if source == places.pool:
        return _lending_effect(places, event, people, words)
    if source == places.desk:
        return _desk_effect(seen, places, log, people, words)
    is_ours = event == "Swap" and people[1] == places.deal
    return _swap_effect(source, words) if is_ours else None


def _token_effect(
    places: Places, token: str, event: str | None, people: list[str], words: list[int]
) -> Effect | None:
    symbol = places.symbol(token)
    match event:
        case "Deposit" if people[0] == places.deal:
            return Effect("wrap", symbol, words[0])
        case "Withdrawal" if people[0] == places.deal:
            return Effect("unwrap", symbol, words[0])
        case "Approval" if people[0] == places.deal:
            return Effect("approve" if words[0] else "revoke", symbol, words[0], people[1])
        case "Transfer" if people == [places.deal, places.treasury]:
            return Effect("return_token", symbol, words[0])
        case _:
            return None


def _lending_effect(
    places: Places, event: str | None, people: list[str], words: list[int]
) -> Effect | None:
    match event:  # the account concerned is the second topic; Supply and Borrow tell the user first
        case "Supply" | "Borrow" if people[1] == places.deal:
            return Effect(event.lower(), places.symbol(people[0]), words[1])
        case "Repay" | "Withdraw" if people[1] == places.deal:
            return Effect(event.lower(), places.symbol(people[0]), words[0])
        case _:
            return None


def _desk_effect(
    seen: Observed, places: Places, log: dict[str, Any], people: list[str], words: list[int]
) -> Effect | None:
    match log["topics"][0]:
        case topic if topic == _DESK_PAYMENT and people[2] == places.deal:
            seen.paid_out += words[0]
            return Effect("claim_redemption", "USDTz", words[1])
        case topic if topic == _DESK_REQUEST and people[1] == places.deal:
            return Effect("request_redemption", "USDTz", words[1])
        case _:
            return None


def _swap_effect(pool: str, words: list[int]) -> Effect:
    """What went in: a pool reports what it received above zero, and what it gave below."""
    return Effect("swap", pool, max(word - 2 * (word & _SIGN_BIT) for word in words[:2]))


def _people(log: dict[str, Any]) -> list[str]:
    """The indexed values of a log, read as addresses."""
    return [as_address(int(topic, 16)) for topic in log["topics"][1:]]


def as_address(word: int) -> str:
    """The address in a 32-byte word."""
    return f"0x{word & _ADDRESS_BITS:040x}"


def _words(data: str) -> list[int]:
    return [int(data[start : start + 64], 16) for start in range(2, len(data), 64)]


def _word(value: str | int) -> str:
    return f"{int(value, 16) if isinstance(value, str) else value:064x}"
