"""The market read from the chain: two exchanges with the node, both pinned to one block by hash.

The first asks for the prices and for the lending reserves, which say what the second has to ask:
everything else in one batch, quotes included.
"""

import asyncio

from holdfast.chain.node import Node
from holdfast.common.errors import Rejected
from holdfast.common.evm import Address
from holdfast.model.plan import Accounts
from holdfast.planning.market_answers import Answers, deal_tokens
from holdfast.planning.market_reads import Basis, Questions
from holdfast.planning.ports import Sizes
from holdfast.planning.snapshot import Gas, MarketSnapshot, Prices
from holdfast.protocols.aave_v3.revision import require_known
from holdfast.protocols.suite import Protocols


class ChainMarket:
    """The market behind one node, with the adapters of its chain."""

    def __init__(self, node: Node, venues: Protocols) -> None:
        self._node = node
        self._venues = venues

    async def read(self, accounts: Accounts, sizes: Sizes) -> MarketSnapshot:
        """Everything a plan needs, at the newest block (see `ports.MarketSource`).

        Raises:
            Transient: the node does not answer, or the block is gone.
            Rejected: `aave.revision`, `market.no_price`, `chain.read_reverted`, or what the profile
                does not pin.
        """
        profile = self._node.profile
        basis = await self._basis()
        probe = sizes(deal_tokens(profile), basis.prices, basis.gas)
        multicall3 = profile.require_multicall3()
        reads = Questions(self._venues, multicall3, accounts, basis, probe).reads()
        at = basis.head.ref
        answers, code = await asyncio.gather(
            self._node.read(list(reads.values()), at),
            self._node.code_hashes(self._contracts(), at),
        )
        found = dict(zip(reads, answers, strict=True))
        return Answers(profile, self._venues, basis, probe, found, code).snapshot()

    async def _basis(self) -> Basis:
        head, tip = await asyncio.gather(self._node.head(), self._node.suggest_tip_wei())
        venues = self._venues
        weth, usdt = venues.weth_token.address, venues.usdt.address
        eth, cash, collateral, loan, eth_feed, cash_feed, revision = await self._node.read(
            [
                venues.oracle.price(weth),
                venues.oracle.price(usdt),
                venues.aave.reserve(weth),
                venues.aave.reserve(usdt),
                venues.oracle.source_of(weth),
                venues.oracle.source_of(usdt),
                venues.aave.revision(),
            ],
            head.ref,
        )
        require_known(revision)
        _require_prices(eth, cash)
        profile = self._node.profile
        ceiling, most = profile.gas_price_ceiling_wei, profile.most_gas_price_wei
        gas = Gas(head.base_fee_wei, tip, ceiling, emergency_wei=most)
        return Basis(head, Prices(eth, cash), collateral, loan, eth_feed, cash_feed, gas)

    def _contracts(self) -> list[Address]:
        venues = self._venues
        return [
            venues.weth_token.address,
            venues.usdt.address,
            venues.usdtz.address,
            venues.aave.address,
            venues.router.address,
            venues.desk.address,
        ]


def _require_prices(*prices: int) -> None:
    if min(prices) <= 0:
        raise Rejected(
            "market.no_price",
            "the lending market's oracle has no price for ETH or for the debt currency",
            limit=1,
            value=min(prices),
        )
