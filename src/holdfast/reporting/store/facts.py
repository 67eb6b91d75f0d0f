"""Reads what all features have recorded, for reports; writes nothing.

Statements in plain SQL: a report looks at many tables at once, and each stays its feature's own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from holdfast.audit.service import DESK
from holdfast.common.money import USD8, Usd8, mul_div
from holdfast.reporting.facts import (
    ActRow,
    AlertRow,
    DealRow,
    Facts,
    Holding,
    LimitChange,
    PriceRow,
    ReconciliationRow,
    TickRow,
)
from holdfast.reporting.reasons import reason_of

if TYPE_CHECKING:
    from sqlalchemy import Row

    from holdfast.common.db import Session
    from holdfast.reporting.facts import Span

NO_BANK = "-"
"""What the record has for an act that is about no bank."""

_DEALS = text("""
    SELECT d.deal_id, d.deal_number, d.chain_id, d.participant_bank_id, d.module_id, d.author,
      d.status, d.hold_reason, d.total_eth_value_usd8, d.current_ltv_bps, d.profit_usd8,
      d.created_at, d.updated_at,
      p.report->'terms'->'spend'->>'units' AS spend,
      p.report->'terms'->'min_tokens'->>'units' AS tokens
    FROM deals d JOIN plans p USING (plan_hash)
    WHERE d.created_at < :until ORDER BY d.deal_number
""")
_HOLDINGS = text("""
    SELECT p.deal_id, p.chain_id, p.participant_bank_id, p.account, p.symbol, p.decimals,
      sum(p.units) AS units
    FROM ledger_postings p JOIN ledger_entries e USING (entry_id)
    WHERE e.block_timestamp < :until_seconds
      AND (p.account LIKE 'asset/%' OR p.account LIKE 'liability/%')
    GROUP BY p.deal_id, p.chain_id, p.participant_bank_id, p.account, p.symbol, p.decimals
    HAVING sum(p.units) <> 0
    ORDER BY p.deal_id, p.account, p.symbol
""")
_ALERTS = text("""
    SELECT code, severity, subject, text, deal_id, raised, opened_at, delivered_at,
      acknowledged_by, acknowledged_at, resolved_at
    FROM alerts
    WHERE opened_at < :until
      AND (last_seen_at >= :since OR coalesce(acknowledged_at, resolved_at, :until) >= :since)
    ORDER BY opened_at, alert_id
""")
_ACTS = text("""
    SELECT a.at, a.deal_id, a.participant_bank_id, a.actor, a.action, a.subject, a.detail,
      h.detail AS held
    FROM audit_entries a LEFT JOIN LATERAL (
      SELECT detail FROM audit_entries
      WHERE deal_id = a.deal_id AND seq < a.seq AND action = 'deal.hold'
        AND a.action = 'deal.resume'
      ORDER BY seq DESC LIMIT 1
    ) h ON true
    WHERE a.at >= :since AND a.at < :until ORDER BY a.at, a.deal_id, a.seq
""")
_RECONCILIATIONS = text("""
    SELECT DISTINCT ON (deal_id) deal_id, mismatch_units, block_timestamp,
      count(*) FILTER (WHERE block_timestamp >= :since_seconds) OVER (PARTITION BY deal_id) AS times
    FROM ledger_reconciliations WHERE block_timestamp < :until_seconds
    ORDER BY deal_id, reconciliation_id DESC
""")
_PRICES = text("""
    SELECT DISTINCT ON (chain_id) chain_id, created_at, report->'prices'->>'eth_usd' AS eth,
      report->'prices'->>'usdt_usd' AS usdt
    FROM plans WHERE created_at < :until AND report->'prices' IS NOT NULL
    ORDER BY chain_id, created_at DESC
""")
_TICK_PRICES = text("""
    SELECT DISTINCT ON (chain_id) chain_id, taken_at, market->>'eth_price' AS eth,
      market->>'cash_price' AS usdt, market->>'token_price' AS token
    FROM risk_ticks WHERE taken_at < :until ORDER BY chain_id, taken_at DESC
""")
_TICKS = text("""
    WITH begun AS (
      SELECT chain_id, greatest(min(taken_at), :since) AS since FROM risk_ticks
      WHERE taken_at < :until GROUP BY chain_id
    ), seen AS (
      SELECT b.chain_id, b.since, t.taken_at,
        lag(t.taken_at, 1, b.since) OVER (PARTITION BY b.chain_id ORDER BY t.taken_at) AS before,
        floor(extract(epoch FROM t.taken_at) / 300) AS mark
      FROM begun b LEFT JOIN risk_ticks t
        ON t.chain_id = b.chain_id AND t.taken_at >= b.since AND t.taken_at < :until
    )
    SELECT chain_id, count(taken_at) AS ticks,
      CAST(extract(epoch FROM greatest(
        max(taken_at - before), :until - coalesce(max(taken_at), since))) AS float8) AS pause,
      count(DISTINCT mark) FILTER (WHERE mark >= ceil(extract(epoch FROM since) / 300)
        AND mark < floor(extract(epoch FROM CAST(:until AS timestamptz)) / 300)) AS marks,
      CAST(greatest(0, floor(extract(epoch FROM CAST(:until AS timestamptz)) / 300)
        - ceil(extract(epoch FROM since) / 300)) AS int) AS marks_wanted
    FROM seen GROUP BY chain_id, since ORDER BY chain_id
""")


_LIMIT_CHANGES = text("""
    SELECT chain_id, to_timestamp(block_timestamp) AS at, before_bps, after_bps, cause, score,
      volatility_bps
    FROM risk_limit_changes
    WHERE block_timestamp >= :since_seconds AND block_timestamp < :until_seconds ORDER BY change_id
""")
_SCALES = text("""
    SELECT DISTINCT ON (chain_id) chain_id, to_timestamp(block_timestamp) AS at, before_bps,
      after_bps, cause, score, volatility_bps
    FROM risk_limit_changes WHERE block_timestamp < :until_seconds
    ORDER BY chain_id, change_id DESC
""")


async def read_facts(session: Session, span: Span, made_at: datetime) -> Facts:
    """All that a report over `span` is made from."""
    times = {"since": span.since, "until": span.until}
    seconds = {
        "since_seconds": int(span.since.timestamp()),
        "until_seconds": int(span.until.timestamp()),
    }
    until = {"until": span.until}
    until_seconds = {"until_seconds": seconds["until_seconds"]}
    return Facts(
        span=span,
        made_at=made_at,
        deals=tuple(map(_deal, await session.execute(_DEALS, until))),
        holdings=tuple(map(_holding, await session.execute(_HOLDINGS, until_seconds))),
        alerts=tuple(AlertRow(*row) for row in await session.execute(_ALERTS, times)),
        acts=tuple(map(_act, await session.execute(_ACTS, times))),
        reconciliations=tuple(map(_compared, await session.execute(_RECONCILIATIONS, seconds))),
        prices=await _prices(session, span),
        limit_changes=tuple(
            LimitChange(*row) for row in await session.execute(_LIMIT_CHANGES, seconds)
        ),
        scales=tuple(LimitChange(*row) for row in await session.execute(_SCALES, until_seconds)),
        ticks=tuple(
            TickRow(row.chain_id, row.ticks, row.pause, row.marks, row.marks_wanted)
            for row in await session.execute(_TICKS, times)
        ),
    )


async def _prices(session: Session, span: Span) -> tuple[PriceRow, ...]:
    """Of each chain the newest, be it a tick's or a plan's."""
    until = {"until": span.until}
    known = {row.chain_id: _price(row) for row in await session.execute(_PRICES, until)}
    for row in await session.execute(_TICK_PRICES, until):
        seen = _tick_price(row)
        if seen.chain_id not in known or known[seen.chain_id].at <= seen.at:
            known[seen.chain_id] = seen
    return tuple(known[chain_id] for chain_id in sorted(known))


def _deal(row: Row[Any]) -> DealRow:
    return DealRow(
        deal_id=row.deal_id,
        number=row.deal_number,
        chain_id=row.chain_id,
        bank=row.participant_bank_id,
        module=row.module_id,
        author=row.author,
        status=row.status,
        hold_reason=row.hold_reason,
        committed=Usd8(int(row.total_eth_value_usd8)),
        ltv_bps=row.current_ltv_bps,
        profit=None if row.profit_usd8 is None else Usd8(int(row.profit_usd8)),
        token_cost=_token_cost(row.spend, row.tokens),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _token_cost(spend: str | None, tokens: str | None) -> Usd8:
    """What one token costs at the least that the plan accepts, rounded up; at most a dollar."""
    if not spend or not tokens or int(tokens) == 0:
        return Usd8(0)
    return Usd8(min(USD8, mul_div(int(spend), USD8, int(tokens), round_up=True)))


def _act(row: Row[Any]) -> ActRow:
    return ActRow(
        at=row.at,
        deal_id=None if row.deal_id == DESK else row.deal_id,
        bank=None if row.participant_bank_id == NO_BANK else row.participant_bank_id,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        reason=reason_of(row.action, row.detail, held=row.held),
    )


def _holding(row: Row[Any]) -> Holding:
    return Holding(
        deal_id=row.deal_id,
        chain_id=row.chain_id,
        bank=row.participant_bank_id,
        account=row.account,
        symbol=row.symbol,
        decimals=row.decimals,
        units=int(row.units),
    )


def _compared(row: Row[Any]) -> ReconciliationRow:
    last_at = datetime.fromtimestamp(row.block_timestamp, UTC)
    return ReconciliationRow(row.deal_id, row.times, last_at, int(row.mismatch_units))


def _tick_price(row: Row[Any]) -> PriceRow:
    token = None if row.token is None else Usd8(int(row.token))
    return PriceRow(row.chain_id, row.taken_at, Usd8(int(row.eth)), Usd8(int(row.usdt)), token)


def _price(row: Row[Any]) -> PriceRow:
    eth, usdt = (Usd8(int(Decimal(value) * USD8)) for value in (row.eth, row.usdt))
    return PriceRow(row.chain_id, row.created_at, eth, usdt)
