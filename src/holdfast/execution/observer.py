"""Reads what one decision about a deal needs, all at one block."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from holdfast.chain.multicall import Reverted, eth_balance
from holdfast.common.money import BPS, Bps
from holdfast.execution.holdings import Holdings
from holdfast.execution.market import Markets, exposed_to
from holdfast.execution.model import Leftover, Venues
from holdfast.execution.observation import Seen
from holdfast.execution.pressure import pressure_on
from holdfast.ledger.ports import Indexes
from holdfast.model.deal import DealStatus
from holdfast.transactions.fees import FeePolicy, is_too_dear, offer, sweep_fee_wei

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.multicall import Read
    from holdfast.chain.node import Node
    from holdfast.chain.receipts import Head
    from holdfast.common.evm import Address
    from holdfast.execution.breaches import Exposure
    from holdfast.execution.market import Market
    from holdfast.execution.records import DealRecord
    from holdfast.protocols.suite import Protocols
    from holdfast.risk.limits import RiskLimits
    from holdfast.signing.model import Fees
    from holdfast.transactions.model import Place

TRANSFER_GAS: Final = 21_000


class ChainObserver:
    """Observes deals through one node."""

    def __init__(self, node: Node, protocols: Protocols, limits: RiskLimits) -> None:
        self._node = node
        self._protocols = protocols
        self._limits = limits
        self._markets = Markets(node, protocols)

    @property
    def protocols(self) -> Protocols:
        """The contracts that are read."""
        return self._protocols

    async def observe(self, deal: DealRecord) -> Seen:
        """What the deal holds and owes, and what the venues allow, at the newest block.

        Raises:
            Transient: when the chain does not answer.
        """
        head = await self._node.head()
        market = await self.market(head)
        accounts = deal.plan.accounts
        reads = self._account_reads(deal, market)
        values, nonces, drift = await asyncio.gather(
            self._node.read(reads, head.ref),
            self._node.nonces([accounts.deal, accounts.float], head.ref),
            self._drift(deal, head),
        )
        seen = self._seen(deal, head, market, account=Holdings(values), nonces=nonces)
        return replace(seen, venues=replace(seen.venues, drift=drift)) if drift else seen

    async def holds(self, place: Place) -> bool:
        """Whether the chain still has that block; `Transient` when it does not answer."""
        return (await self._node.block(place.number)).ref.hash == place.hash

    async def has_lost(self, place: Place, followed: int) -> bool:
        """See the port; `Transient` when the chain does not answer."""
        if place.number + self._node.profile.final_depth - 1 <= followed:
            return False
        return not await self.holds(place)

    async def _drift(self, deal: DealRecord, head: Head) -> tuple[str, ...]:
        """Why an approved plan that has not started no longer fits what the chain shows."""
        if deal.status is not DealStatus.APPROVED:
            return ()
        envelope, parts = deal.plan.envelope, self._protocols
        spend = envelope.terms.spend.units
        targets = sorted({call.target for call in envelope.calls if call.code_hash})
        (quoted,), codes = await asyncio.gather(
            self._node.read(
                [parts.quoter.exact_input(parts.buy_usdtz, spend, allow_failure=True)], head.ref
            ),
            self._node.code_hashes(targets, head.ref),
        )
        filled = 0 if isinstance(quoted, Reverted) else quoted.amount
        found = {
            "plan.expired": head.ref.timestamp > envelope.expires_at,
            "plan.quote": filled < envelope.terms.min_tokens.units,
            "plan.code": any(
                call.code_hash and codes[call.target] != call.code_hash for call in envelope.calls
            ),
        }
        return tuple(code for code, is_so in found.items() if is_so)

    async def market(self, head: Head) -> Market:
        """The market at `head`; whoever looks at the same block shares one read."""
        return await self._markets.at(head)

    def _account_reads(self, deal: DealRecord, market: Market) -> list[Read[Any]]:
        parts, owner, core = self._protocols, deal.plan.accounts.deal, deal.plan.accounts.core
        multicall = self._node.profile.require_multicall3()
        token = type(parts.usdt)
        return [
            eth_balance(multicall, owner),
            parts.weth_token.balance_of(owner),
            parts.usdt.balance_of(owner),
            parts.usdtz.balance_of(owner),
            token(market.ether.a_token).balance_of(owner),
            token(market.cash.variable_debt_token).balance_of(owner),
            parts.desk.pending(owner),
            parts.desk.claimable(owner),
            eth_balance(multicall, core),
            eth_balance(multicall, deal.plan.accounts.float),
            parts.aave.account(core),
            *(token(t).allowance(owner, spender) for t, spender in self.allowances()),
            *(token(t).allowance(core, spender) for t, spender in self.allowances()),
        ]

    def allowances(self) -> Sequence[tuple[Address, Address]]:
        """Every (token, spender) pair that a deal ever uses, and the one it never may (I5)."""
        parts = self._protocols
        return (
            (parts.weth.address, parts.aave.address),
            (parts.weth.address, parts.router.address),
            (parts.usdt.address, parts.aave.address),
            (parts.usdt.address, parts.router.address),
            (parts.usdtz.address, parts.desk.address),
            (parts.usdtz.address, parts.aave.address),
        )

    def _seen(
        self,
        deal: DealRecord,
        head: Head,
        market: Market,
        *,
        account: Holdings,
        nonces: dict[Address, int],
    ) -> Seen:
        envelope = deal.plan.envelope
        model = self._node.profile.fee_model
        policy = FeePolicy(model, envelope.gas_price_ceiling_wei)
        homeward = FeePolicy(model, envelope.homeward_gas_price_wei)
        fees = offer(homeward, head.base_fee_wei, market.tip_wei)
        position = account.position(
            head,
            self._leftovers(account.allowances),
            final_from=deal.last_block + self._node.profile.final_depth - 1,
        )
        exposure = exposed_to(market, position, envelope.terms.borrow.token.decimals)
        return Seen(
            head=head,
            position=position,
            venues=self._venues(deal, market, exposure, account=account, fees=fees),
            balances=account.balances(head),
            indexes=Indexes(
                at=head.ref,
                income_ray=market.ether.income_index_at(head.ref.timestamp),
                debt_ray=market.cash.debt_index_at(head.ref.timestamp),
            ),
            eth_price=market.eth_price,
            cash_price=market.cash_price,
            token_price=market.token_price,
            redemption_fee=Bps(market.redemption_fee),
            prices=market.sources.facts(),
            ltv_bps=exposure.ltv_bps,
            borrow_rate=exposure.borrow_rate,
            fees=offer(policy, head.base_fee_wei, market.tip_wei),
            deal_nonce=nonces[envelope.accounts.deal],
            float_nonce=nonces[envelope.accounts.float],
            core=account.core,
            float_wei=account.float_wei,
            liquidation_threshold=exposure.threshold,
            gas_is_too_dear=is_too_dear(policy, head.base_fee_wei),
            homeward_fees=fees,
            gas_stops_all=is_too_dear(homeward, head.base_fee_wei),
        )

    def _venues(
        self,
        deal: DealRecord,
        market: Market,
        exposure: Exposure,
        *,
        account: Holdings,
        fees: Fees,
    ) -> Venues:
        terms = deal.plan.terms
        to_par = terms.min_tokens.token.decimals - terms.spend.token.decimals
        pressure = pressure_on(
            deal,
            exposure,
            account.core,
            limits=self._limits,
            is_price_stale=market.is_price_stale(self._limits),
        )
        return Venues(
            redemption_frozen=market.frozen,
            desk_cash=_rescaled(market.desk_reserves, to_par),
            queue_delay_seconds=market.queue_delay,
            can_borrow=_can_borrow(market, terms.borrow.units),
            transfer_fee_wei=sweep_fee_wei(fees, TRANSFER_GAS),
            breaches=pressure.breaches,
            redeems_at_a_loss=_redeems_at_a_loss(deal, market.redemption_fee, to_par),
            cure=pressure.cure,
            is_price_stale=pressure.is_price_stale,
            is_emergency=pressure.is_emergency,
        )

    def _leftovers(self, allowances: Sequence[int]) -> tuple[Leftover, ...]:
        pairs = zip(self.allowances(), allowances, strict=True)
        return tuple(Leftover(token, spender) for (token, spender), left in pairs if left)


def _can_borrow(market: Market, amount: int) -> bool:
    """Whether the venue would lend `amount` as far as its own switches and cash tell.

    The borrow cap and the account's own limits are left to the simulation of the group.
    """
    settings = market.cash.configuration
    is_open = settings.takes_new_positions and settings.can_be_borrowed
    return is_open and market.lendable >= amount


def _redeems_at_a_loss(deal: DealRecord, fee_bps: int, to_par: int) -> bool:
    """Whether a token brings less than the most that the plan let it cost.

    `to_par` is how many decimals more the token has than the cash it is worth at par.
    """
    terms = deal.plan.terms
    at_par = _rescaled(terms.min_tokens.units, -to_par)
    return at_par * (BPS - fee_bps) < terms.spend.units * BPS


def _rescaled(units: int, by: int) -> int:
    scale: int = 10 ** abs(by)
    return units * scale if by >= 0 else units // scale
