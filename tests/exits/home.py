"""What came home from one deal, read from the chain's own logs and balances, and nothing else.

Imports nothing from `holdfast`: see `tests.support.witness`. The token counts for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.witness import Chain, Places, as_address, observe

if TYPE_CHECKING:
    from collections.abc import Iterator

_ATOKEN_WORD, _STABLE_WORD, _VARIABLE_WORD = 8, 9, 10  # of Aave V3.0's DataTypes.ReserveData
_ETHER, _USDT = 10**18, 10**6


@dataclass(frozen=True)
class Start:
    """The standing accounts before the deal."""

    block: int
    core: int
    home_native: int
    home_usdt: int
    home_usdtz: int

    @classmethod
    def read(cls, chain: Chain, profile: dict[str, Any]) -> Start:
        """As things stand now."""
        places = Places.of(profile, "0x" + "00" * 20)
        return cls(
            chain.number("eth_blockNumber"),
            _native(chain, places.core),
            _native(chain, places.treasury),
            _held(chain, places.usdt, places.treasury),
            _held(chain, places.usdtz, places.treasury),
        )


@dataclass(frozen=True)
class Home:
    """One deal's money; amounts in base units, dollars times 1e8.

    `core_moved` is by how much the anchor changed; `funded`, `supplied`, `withdrawn` and `sold` are
    ether; `native`, `weth`, `usdt`, `collateral` and `debt` are what the deal's account still has
    and owes; `allowed` counts its allowances; `claim` are tokens, wherever they are; `gas` and
    `float_gas` are what the deal and its funding paid; `unexplained` is ether that neither logs nor
    balances account for.
    """

    core_moved: int
    funded: int
    supplied: int
    withdrawn: int
    sold: int
    returned_native: int
    returned_usdt: int
    native: int
    weth: int
    usdt: int
    collateral: int
    debt: int
    claim: int
    allowed: int
    gas: int
    float_gas: int
    unexplained: int
    eth_price: int
    usdt_price: int

    @classmethod
    def read(cls, chain: Chain, profile: dict[str, Any], deal: str, start: Start) -> Home:
        """What the chain shows of the deal's account `deal` now."""
        places = Places.of(profile, deal)
        seen = observe(chain, places, start.block)
        lent, owed = _position(chain, places)
        native, weth = _native(chain, places.deal), _held(chain, places.weth, places.deal)
        gas, wrapped = seen.gas_wei[places.deal], seen.total("wrap") - seen.total("unwrap")
        supplied, withdrawn = seen.total("supply"), seen.total("withdraw")
        returned = _native(chain, places.treasury) - start.home_native
        came, went = seen.total("fund"), wrapped + returned + gas + native
        return cls(
            core_moved=_native(chain, places.core) - start.core,
            funded=came,
            supplied=supplied,
            withdrawn=withdrawn,
            sold=wrapped - supplied + withdrawn - weth,
            returned_native=returned,
            returned_usdt=_held(chain, places.usdt, places.treasury) - start.home_usdt,
            native=native,
            weth=weth,
            usdt=_held(chain, places.usdt, places.deal),
            collateral=lent,
            debt=owed,
            claim=_claim(chain, places) - start.home_usdtz,
            allowed=sum(1 for units in _allowances(chain, places, profile) if units),
            gas=gas,
            float_gas=seen.gas_wei[places.float_],
            unexplained=came - went,
            eth_price=_price(chain, profile, places.weth),
            usdt_price=_price(chain, profile, places.usdt),
        )

    @property
    def is_core_whole(self) -> bool:
        """Whether the anchor is as it was."""
        return self.core_moved == 0

    @property
    def is_collateral_whole(self) -> bool:
        """Whether every wei that was lent came back, and no more was sold than the bucket."""
        is_back = self.collateral == 0 and self.withdrawn >= self.supplied and self.weth == 0
        return is_back and self.sold <= self.funded - self.supplied

    @property
    def loss_usd8(self) -> int:
        """What the deal lost, the token counted as nothing; ether at the price of now."""
        paid = self.funded + self.float_gas
        ether = self.returned_native + self.native + self.weth + self.collateral - paid
        cash = self.returned_usdt + self.usdt - self.debt
        return -(ether * self.eth_price // _ETHER + cash * self.usdt_price // _USDT)

    def problems(self, reserve_wei: int, bound_usd8: int) -> list[str]:
        """What keeps this from being the whole principal; `reserve_wei` may stay to redeem with."""
        return [text for is_wrong, text in self._looks(reserve_wei, bound_usd8) if is_wrong]

    def _looks(self, reserve_wei: int, bound_usd8: int) -> Iterator[tuple[bool, str]]:
        yield not self.is_core_whole, f"core moved by {self.core_moved} wei"
        yield self.debt != 0, f"{self.debt / _USDT:,.2f} USDT owed"
        yield not self.is_collateral_whole, f"collateral: {self._collateral_told}"
        yield self.usdt != 0, f"{self.usdt / _USDT:,.2f} USDT not returned"
        keeps = reserve_wei if self.claim else 0
        yield self.native > keeps, f"{self.native} wei not returned, at most {keeps} may stay"
        yield self.allowed != 0, f"{self.allowed} allowances left"
        yield self.unexplained != 0, f"{self.unexplained} wei unexplained"
        lost, bound = self.loss_usd8, bound_usd8
        yield lost > bound, f"lost ${lost / 1e8:,.2f}, the plan's bound is ${bound / 1e8:,.2f}"

    @property
    def _collateral_told(self) -> str:
        return (
            f"{self.supplied} wei lent, {self.withdrawn} came back, "
            f"{self.collateral} at the venue, {self.weth} still wrapped, {self.sold} sold"
        )


def _position(chain: Chain, places: Places) -> tuple[int, int]:
    lent = chain.view(places.pool, "getReserveData(address)", places.weth)[_ATOKEN_WORD]
    debts = chain.view(places.pool, "getReserveData(address)", places.usdt)
    owed = sum(
        _held(chain, as_address(debts[word]), places.deal)
        for word in (_STABLE_WORD, _VARIABLE_WORD)
    )
    return _held(chain, as_address(lent), places.deal), owed


def _claim(chain: Chain, places: Places) -> int:
    """The discounted tokens of the deal: its own, those in the desk, and those at the treasury."""
    in_desk = sum(
        chain.view(places.desk, f"{name}RedeemRequest(uint256,address)", 0, places.deal)[0]
        for name in ("pending", "claimable")
    )
    return in_desk + sum(_held(chain, places.usdtz, who) for who in (places.deal, places.treasury))


def _allowances(chain: Chain, places: Places, profile: dict[str, Any]) -> Iterator[int]:
    router = profile["uniswap"]["router"].lower()
    for token in places.tokens:
        for spender in (places.pool, router, places.desk):
            yield chain.view(token, "allowance(address,address)", places.deal, spender)[0]


def _price(chain: Chain, profile: dict[str, Any], token: str) -> int:
    return chain.view(profile["aave"]["oracle"].lower(), "getAssetPrice(address)", token)[0]


def _native(chain: Chain, account: str) -> int:
    return chain.number("eth_getBalance", account, "latest")


def _held(chain: Chain, token: str, account: str) -> int:
    return chain.view(token, "balanceOf(address)", account)[0]
