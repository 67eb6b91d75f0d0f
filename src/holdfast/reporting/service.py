"""One deal as a document: where it stands, its legs, its ledger against the chain, its P&L."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast.chain.multicall import Reverted
from holdfast.common.money import TokenAmount, Usd8, mul_div
from holdfast.execution.store.legs import load_steps
from holdfast.ledger import service as ledger
from holdfast.ledger.interest import accrual
from holdfast.ledger.pnl import Marks, profit_and_loss
from holdfast.ledger.reconciliation import reconciled
from holdfast.planning.json_values import block
from holdfast.reporting.invariants import Standing, invariant_rows
from holdfast.reporting.store.eth_sales import worth_when_sold
from holdfast.reporting.views import (
    deal_view,
    ledger_view,
    leg_view,
    money,
    pnl_view,
    step_view,
    trading_view,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chain.node import Node
    from holdfast.common.db import Database, Session
    from holdfast.common.ids import DealId
    from holdfast.common.money import Token
    from holdfast.execution.bookkeeping import Bookkeeping
    from holdfast.execution.observation import Seen
    from holdfast.execution.ports import Observer, TradingStates
    from holdfast.execution.records import DealRecord
    from holdfast.execution.store.deals import DealStore
    from holdfast.ledger.model import Balances, TokenBook
    from holdfast.ledger.pnl import ProfitAndLoss
    from holdfast.ledger.reconciliation import Reconciliation
    from holdfast.protocols.suite import Protocols
    from holdfast.risk.limits import RiskLimits


@dataclass(frozen=True, slots=True)
class Statement:
    """A deal's accounts at one block."""

    deal: DealRecord
    seen: Seen
    balances: Balances
    reconciliation: Reconciliation
    pnl: ProfitAndLoss
    booked_core: int


@dataclass(frozen=True, slots=True)
class DealReporter:
    """Reads a deal's records and the chain at one block; writes nothing."""

    db: Database
    deals: DealStore
    observer: Observer
    node: Node
    protocols: Protocols
    books: Bookkeeping
    tokens: TokenBook
    limits: RiskLimits
    trading: TradingStates

    async def report(self, deal_id: DealId) -> dict[str, Any]:
        """The whole deal as JSON values.

        Raises:
            Rejected: `deal.not_found`.
            Transient: when the chain does not answer.
        """
        statement = await self.statement(deal_id)
        deal = statement.deal
        async with self.db.begin() as session:
            stored = await self._stored(session, deal)
        claim = statement.pnl.claim
        standing = Standing(
            deal=deal,
            seen=statement.seen,
            booked_core=statement.booked_core,
            mismatch=statement.reconciliation.mismatch_wei,
            token_cost=_dollars(claim.at_cost, statement.seen.cash_price),
            token_market=_dollars(claim.at_market, statement.seen.cash_price),
        )
        return {
            **stored,
            "block": block(statement.seen.head.ref),
            "accounts": await self._account_rows(statement),
            "ledger": ledger_view(statement.reconciliation, statement.balances),
            "pnl": pnl_view(statement.pnl),
            "invariants": invariant_rows(standing, self.limits),
        }

    async def stored(self, deal_id: DealId) -> dict[str, Any]:
        """What is stored of the deal, for when the chain cannot be read; `deal.not_found`."""
        async with self.db.begin() as session:
            return await self._stored(session, await self.deals.shown(session, deal_id))

    async def _stored(self, session: Session, deal: DealRecord) -> dict[str, Any]:
        steps = await load_steps(session, deal.deal_id)
        return {
            **deal_view(deal),
            "trading": trading_view(await self.trading.glance(session, deal.bank, deal.chain_id)),
            "plan": dict(deal.plan.report),
            "steps": [step_view(row) for row in steps],
            "legs": [leg_view(leg) for leg in deal.legs],
        }

    async def statement(self, deal_id: DealId) -> Statement:
        """The deal's accounts at the newest block, interest accrued to it.

        A group that is mined but not yet settled shows as a mismatch until it is.
        """
        async with self.db.begin() as session:
            deal = await self.deals.shown(session, deal_id)
            booked = await self.deals.started_core(session, deal.chain_id)
        seen = await self.observer.observe(deal)
        async with self.db.begin() as session:
            held = await ledger.balances(session, deal_id)
            worth = await worth_when_sold(session, deal_id, self.tokens.weth.symbol)
        book = self.books.book(deal)
        balances = held.after(accrual(book, held, seen.indexes))
        marks = Marks(
            eth=seen.eth_price,
            claim_value=await self._claim_value(seen),
            usdt=seen.cash_price,
        )
        return Statement(
            deal=deal,
            seen=seen,
            balances=balances,
            reconciliation=reconciled(book, balances, seen.balances, core_booked=booked),
            pnl=profit_and_loss(self.tokens, balances, marks, worth),
            booked_core=booked,
        )

    async def _claim_value(self, seen: Seen) -> TokenAmount:
        """What the tokens still held would fetch in the pool now; nothing when it cannot fill."""
        claim = seen.position.claim
        if not claim:
            return TokenAmount(self.tokens.usdt, 0)
        route = self.protocols.buy_usdtz.reverse
        read = self.protocols.quoter.exact_input(route, claim, allow_failure=True)
        (quote,) = await self.node.read([read], seen.head.ref)
        return TokenAmount(self.tokens.usdt, 0 if isinstance(quote, Reverted) else quote.amount)

    async def _account_rows(self, statement: Statement) -> list[dict[str, Any]]:
        """What each address of the deal holds on chain at the statement's block."""
        accounts, at = statement.deal.plan.accounts, statement.seen.head.ref
        owners = {
            "core": accounts.core,
            "float": accounts.float,
            "deal": accounts.deal,
            "treasury_return": accounts.treasury_return,
        }
        native = await self.node.native_balances(list(owners.values()), at)
        contracts: Sequence[Token] = self.tokens.contracts
        erc20 = type(self.protocols.usdt)
        reads = [
            erc20(token.require_address()).balance_of(owner)
            for owner in owners.values()
            for token in contracts
        ]
        held = iter(await self.node.read(reads, at))
        return [
            {
                "name": name,
                "address": owner,
                "balances": [
                    money(TokenAmount(self.tokens.native, native[owner])),
                    *(money(TokenAmount(token, next(held))) for token in contracts),
                ],
            }
            for name, owner in owners.items()
        ]


def _dollars(amount: TokenAmount, price: Usd8) -> Usd8:
    return Usd8(mul_div(amount.units, price, 10**amount.token.decimals))
