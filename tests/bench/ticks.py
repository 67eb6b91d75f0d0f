"""One tick of the risk monitor over a large book, on reads recorded from a real node.

One real deal is left with its debt open and its tokens in the redemption queue. Its copies have
plans and rows of their own and share its account, so every answer is a real one. Recorded are the
bodies that went over the wire: encoding, JSON, decoding, rows, rules and the history's write are
all in the figures, the node's own work is in the row `live node` alone.
"""

import asyncio
import time
from dataclasses import dataclass, field, replace
from statistics import median

import psycopg
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from holdfast.bootstrap import opened
from holdfast.chain.endpoint import Endpoint, Timeouts
from holdfast.chain.node import Node
from holdfast.chain.rpc import Rpc
from holdfast.chain.transport import HttpTransport
from holdfast.common.db import libpq_url
from holdfast.common.ids import new_deal_id
from holdfast.common.lease import Unrivalled
from holdfast.common.money import Bps
from holdfast.common.system_clock import SystemClock
from holdfast.config import load
from holdfast.execution.book import BookReader
from holdfast.execution.observer import ChainObserver
from holdfast.execution.open_deals import OpenDeals
from holdfast.execution.store.deals import DealStore
from holdfast.ledger.model import TokenBook
from holdfast.model.leg import LegKind, LegStatus
from holdfast.model.plan import Envelope, Plan
from holdfast.monitoring.ticker import Parts, Ticker
from holdfast.protocols.registry import protocols
from holdfast.risk.limits import RiskLimits
from holdfast.risk.market_reader import MarketReader
from tests.bench import deals
from tests.bench.cpu import speed
from tests.bench.stage import node
from tests.bench.table import Table
from tests.support.scenes import loops

SIZES = (100, 1_000, 10_000)
_TICKS = 5
_CORE_WEI = 10**28
_SECONDS = 60
_DAY = 86_400
_FEW = 100
_COLUMNS = ("open deals", "tick", "seconds", "CPU s", "book s", "rules s", "write s", "machine")
_ENVELOPE = TypeAdapter(Envelope)


def measure(postgres, options):
    """Ticks over books of each size."""
    table = Table("ticks", "A tick of the risk monitor, on recorded reads", _COLUMNS)
    table.head()
    sizes = SIZES[:2] if options.quick else SIZES
    with node(postgres.folder / "devnet", 0) as devnet:
        devnet.control.set_balance(devnet.profile.require_accounts().core, _CORE_WEI)
        devnet.control.set_queue_delay(_DAY)
        asyncio.run(_measured(devnet, postgres, sizes, table))
    table.tail()
    return table


async def _measured(devnet, postgres, sizes, table):
    url = await postgres.fresh("bench_ticks")
    settings = {"database_url": url, "profile": devnet.profile_path, "state_dir": postgres.folder}
    ours = load({f"HOLDFAST_{name.upper()}": str(value) for name, value in settings.items()})
    async with opened(ours) as system:
        pattern, made = await _pattern(devnet, system, url), 0
        for size in sizes:
            _copy(url, pattern, made, size - 1)
            made = size - 1
            await _measure_size(devnet, system, url, size, table)


async def _measure_size(devnet, system, url, size, table):
    stage = _Stage(devnet, system)
    _tell(table, size, "first, live node", [await stage.tick()])
    for title, changes in (
        ("nothing changed", 0),
        ("1 % of rows changed", max(1, size // _FEW)),
        ("every row changed", size),
    ):
        _tell(table, size, title, [await stage.tick_after(url, changes) for _ in range(_TICKS)])
    stage.alarmed = True
    _tell(table, size, "all deals in alarm", [await stage.tick() for _ in range(_TICKS)])
    table.data[-1]["history_bytes"] = _history_bytes(url)
    await stage.close()


def _tell(table, size, title, runs):
    middle = {name: median(run[name] for run in runs) for name in runs[0]}
    names = ("seconds", "cpu", "book", "rules", "write")
    shown = (f"{middle[name]:.3f}" for name in names)
    table.add(size, title, *shown, f"{speed():.0f}", open=size, tick=title, **middle)


@dataclass
class _Recorded:
    """Answers as they once came over the wire; what was never asked goes to the node."""

    real: HttpTransport
    answers: dict = field(default_factory=dict)

    @property
    def name(self):
        return self.real.name

    async def post(self, body, timeout_seconds):
        if body not in self.answers:
            self.answers[body] = await self.real.post(body, timeout_seconds)
        return self.answers[body]

    async def close(self):
        await self.real.close()


class _Timed:
    """Where the book and the market are read, and how long that took."""

    def __init__(self, source):
        self.source, self.seconds = source, 0.0

    async def read(self, *arguments):
        start = time.perf_counter()
        try:
            return await self.source.read(*arguments)
        finally:
            self.seconds = time.perf_counter() - start


class _Stage:
    """A monitor's ticker over recorded reads, on the real database."""

    def __init__(self, devnet, system):
        profile, clock = devnet.profile, SystemClock()
        transport = _Recorded(HttpTransport(profile.rpc_urls[0]))
        rpc = Rpc(Endpoint(transport, Timeouts(read_seconds=120)))
        at, venues, limits = Node(rpc, profile), protocols(profile), RiskLimits()
        tokens = TokenBook(profile.native, profile.weth, profile.usdt, profile.usdtz)
        rows = OpenDeals(system.db, DealStore(), tokens, profile.chain_id)
        self.book = _Timed(BookReader(rows, at, ChainObserver(at, venues, limits), limits))
        self.market = _Timed(MarketReader(at, venues, clock))
        self.close, self.alarmed = rpc.close, False
        self.parts = Parts(
            chain_id=profile.chain_id,
            db=system.db,
            books=self.book,
            markets=self.market,
            limits=limits,
            dynamic=system.dynamic,
            alarm=system.notices.alerts,
            wakes=system.queue,
            switch=system.switch,
            clock=clock,
            fence=Unrivalled(),
        )

    async def tick_after(self, url, changes):
        """A tick after the rows of so many deals changed."""
        if changes:
            with psycopg.connect(libpq_url(url), autocommit=True) as connection:
                connection.execute(
                    "UPDATE deals SET version = version + 1 WHERE deal_id IN"
                    " (SELECT deal_id FROM deals LIMIT %s)",
                    (changes,),
                )
        return await self.tick()

    async def tick(self):
        """One tick in its parts, in seconds; every deal is over its warning where `alarmed`."""
        parts = self.parts
        if self.alarmed:
            parts = replace(parts, limits=replace(parts.limits, warn_ltv=Bps(1)))
        ticker = Ticker(parts, {})
        start, spent = time.perf_counter(), time.process_time()
        tick = await ticker.once()
        seconds, cpu = time.perf_counter() - start, time.process_time() - spent
        reading = self.book.seconds + self.market.seconds
        assert min(tick.deals["debt_usd"]) > 0, "a deal without debt is no measure"
        assert bool(max(tick.deals["state"])) == self.alarmed
        return {
            "seconds": seconds,
            "cpu": cpu,
            "book": reading,
            "rules": tick.seconds - reading,
            "write": seconds - tick.seconds,
        }


async def _pattern(devnet, system, url):
    """A deal whose tokens wait in the queue; nothing advances it any more."""
    bench = deals.Bench(devnet, deals.with_rungs(system), url, {})
    async with loops(system):
        deal_id = await bench.create()
        await bench.approve(deal_id)
        return await queued(system, deal_id)


async def queued(system, deal_id):
    """The deal once all its tokens were handed in and nothing of it is under way."""
    async with asyncio.timeout(_SECONDS):
        while not _is_queued(deal := await system.desk.find(deal_id)):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return deal


def _is_queued(deal):
    asked = [leg for leg in deal.legs if leg.kind is LegKind.REQUEST_REDEMPTION]
    return deal.group_id is None and any(leg.status is LegStatus.LANDED for leg in asked)


def _copy(url, deal, first, last):
    """Deals of the same account with plans, rows and postings of their own."""
    with psycopg.connect(libpq_url(url)) as connection:
        connection.execute("SET session_replication_role = replica")
        for number in range(first, last):
            _insert(connection, deal, 1_000_000 + number)
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")


def _insert(connection, deal, number):
    envelope = deal.plan.envelope
    accounts = replace(envelope.accounts, deal_number=number)
    plan = Plan(replace(envelope, accounts=accounts), deal.plan.quoted_at, {})
    document = {
        "envelope": _ENVELOPE.dump_python(plan.envelope, mode="json"),
        "quoted_at": {
            "number": plan.quoted_at.number,
            "hash": plan.quoted_at.hash,
            "timestamp": plan.quoted_at.timestamp,
        },
    }
    made = {"deal": new_deal_id(), "of": deal.deal_id, "number": number, "hash": plan.plan_hash}
    connection.execute(_COPY_DEAL, made)
    connection.execute(_COPY_PLAN, {**made, "plan": Jsonb(document)})
    connection.execute(_COPY_POSTINGS, made)


_COPY_DEAL = """
    INSERT INTO deals (deal_id, chain_id, deal_number, participant_bank_id, module_id, author,
        status, plan_hash, core_booked_wei, total_eth_value_usd8, last_block)
    SELECT %(deal)s, chain_id, %(number)s, participant_bank_id, module_id, author, status,
        %(hash)s, core_booked_wei, total_eth_value_usd8, last_block
    FROM deals WHERE deal_id = %(of)s
"""
_COPY_PLAN = """
    INSERT INTO plans (plan_hash, deal_id, chain_id, participant_bank_id, plan, report)
    SELECT %(hash)s, %(deal)s, chain_id, participant_bank_id, %(plan)s, '{}'
    FROM plans WHERE deal_id = %(of)s
"""
_COPY_POSTINGS = """
    INSERT INTO ledger_postings (entry_id, position, deal_id, participant_bank_id, chain_id,
        account, symbol, decimals, token_address, holder, units, scaled)
    SELECT md5(entry_id::text || %(number)s::text)::uuid, position, %(deal)s, participant_bank_id,
        chain_id, account, symbol, decimals, token_address, holder, units, scaled
    FROM ledger_postings WHERE deal_id = %(of)s
"""


def _history_bytes(url):
    """What the last tick takes in the database."""
    with psycopg.connect(libpq_url(url)) as connection:
        query = "SELECT pg_column_size(columns) FROM risk_ticks ORDER BY tick_id DESC LIMIT 1"
        return connection.execute(query).fetchone()[0]
