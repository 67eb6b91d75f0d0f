"""What one deal costs while more and more other deals are open.

The others are copies of every row of one real deal that a frozen redemption keeps in HOLDING, made
through the schema with ids, keys and hashes of their own. They wait for longer than the bench runs,
as a look at a deal that waits costs the same however many there are.
"""

import asyncio
import time
from statistics import median

import psycopg
from psycopg import sql

from holdfast.common.db import libpq_url
from holdfast.migrations.tables import all_tables
from holdfast.model.deal import DealStatus
from tests.bench import deals
from tests.bench.cpu import Meter
from tests.bench.stage import node
from tests.bench.table import Table

SIZES = (10, 100, 1_000, 10_000)
_AT_ONCE, _ROUNDS = 8, 2
_CORE_WEI = 10**27  # every copy books its anchor on the same address
_SECONDS = 60
_LOOKS = 9
_REST_SECONDS = 15  # three ticks of the monitor
# Each transaction is a block here: unwinds tried every so many blocks would be tried all the time.
_NO_TRIALS = {"exit_check_blocks": 100_000}
_COLUMNS = (
    *("open deals", "deals/s", "machine", "worker ms", "node ms", "database ms"),
    *("create ms", "sweep ms", "watching ms/s"),
)

_NOT_COPIED = {"plans"}  # copies share the plan, which is kept by its hash
_VALUES = {
    # What must differ between copies, and when they would be looked at.
    "deal_number": "{old}.deal_number + 1000000 + n",
    "sender": "{old}.sender || '/' || n",
    "tx_hash": "'0x' || md5({old}.tx_hash || n) || md5(n || {old}.tx_hash)",
    "reconciliation_id": "{old}.reconciliation_id + 1000000 + n * 1000",
    "wake_at": "now() + interval '1 day'",
    "watched_accounts.address": "'0x' || substr(md5({old}.address || n) || md5(n::text), 1, 40)",
    "account_events.event_id": "{old}.event_id + 1000000 + n * 1000",
    "account_events.log_index": "{old}.log_index + n * 1000",
    "alerts.alert_id": "{old}.alert_id + 1000000 + n * 1000",
    "alerts.subject": "{old}.subject || '/' || n",
}

_ADD_UP = """
    UPDATE ledger_core AS kept SET units = (
        SELECT sum(units) FROM ledger_postings AS p
        WHERE p.account = 'asset/core' AND p.chain_id = kept.chain_id AND p.holder = kept.holder)
"""


def measure(postgres, options):
    """The same deals at each number of others."""
    table = Table("growth", "One deal's cost by the number of other open deals", _COLUMNS)
    table.head()
    sizes = SIZES[:3] if options.quick else SIZES
    with node(postgres.folder / "devnet", 0) as devnet:
        devnet.control.set_balance(devnet.profile.require_accounts().core, _CORE_WEI)
        asyncio.run(_measured(devnet, postgres, options.processes, sizes, table))
    least, most = table.data[0], table.data[-1]
    for part in ("worker", "database"):
        ratio = most["own_cpu_ms"][part] / least["own_cpu_ms"][part]
        table.ratios[f"{part} CPU, {most['open']} to {least['open']} open deals"] = ratio
    table.tail()
    return table


async def _measured(devnet, postgres, processes, sizes, table):
    async with deals.running(devnet, postgres, processes, **_NO_TRIALS) as bench:
        pattern, made = await _pattern(bench), 1
        for size in sizes:
            _copy(bench.url, pattern, made + 1, size)
            made = size
            # A desk's deals are opened one by one: to read thousands at once is nobody's cost.
            await bench.warm_up(_AT_ONCE * processes)
            rest = await _at_rest(bench)
            _tell(table, size, await bench.measure(_AT_ONCE, _ROUNDS), rest, await _looks(bench))


async def _at_rest(bench):
    """Milliseconds of CPU a second, by part, of watching what is open while no deal moves."""
    meter = Meter(bench.roots)
    await asyncio.sleep(_REST_SECONDS)
    return {name: 1000 * spent / _REST_SECONDS for name, spent in meter.seconds().items()}


def _own(result, rest):
    """What a deal itself takes: all that was spent, less what watching takes in that time."""
    seconds = result.seconds / result.deals
    return {name: ms - seconds * rest.get(name, 0) for name, ms in result.cpu_ms().items()}


def _tell(table, size, result, rest, looks):
    cpu = _own(result, rest)
    table.add(
        size,
        f"{result.per_second:.2f}",
        f"{result.speed:.0f}",
        *(f"{cpu[name]:.0f}" for name in ("worker", "node", "database")),
        f"{looks['create_ms']:.0f}",
        f"{looks['sweep_ms']:.1f}",
        " + ".join(f"{rest[name]:.0f}" for name in ("worker", "node", "database")),
        open=size,
        own_cpu_ms={name: round(ms, 1) for name, ms in cpu.items()},
        watching_ms_a_second={name: round(ms, 1) for name, ms in rest.items()},
        **result.as_dict(),
        **looks,
    )


async def _pattern(bench):
    """A copy of a deal in HOLDING; the deal itself has completed."""
    deal_id = await bench.create()
    bench.devnet.control.freeze_after(1)
    await bench.approve(deal_id)
    await _until(bench, deal_id, _is_at_rest)
    copy = _copy(bench.url, deal_id, 1, 1)
    bench.devnet.control.thaw()
    await _until(bench, deal_id, lambda deal: deal.status is DealStatus.COMPLETED)
    return copy


async def _until(bench, deal_id, is_so):
    deadline = time.monotonic() + _SECONDS
    while not is_so(await bench.system.desk.find(deal_id)):
        assert time.monotonic() < deadline, f"deal {deal_id} does not get there"
        await asyncio.sleep(0.2)


def _is_at_rest(deal):
    return deal.status is DealStatus.HOLDING and deal.group_id is None and not deal.trouble


async def _looks(bench):
    """Milliseconds of creating a deal, which sums up the book, and of a sweep that finds none."""
    return {
        "create_ms": await _median_ms(bench.create),
        "sweep_ms": await _median_ms(bench.system.sweep.once),
    }


async def _median_ms(act):
    taken = []
    for _ in range(_LOOKS):
        start = time.perf_counter()
        await act()
        taken.append(1000 * (time.perf_counter() - start))
    return round(median(taken), 2)


def _copy(url, deal_id, first, last):
    """Make the copies with these numbers and let the planner know; returns the last one's id."""
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        # Copies of rows that passed the schema's checks; a million checks would take minutes.
        connection.execute("SET session_replication_role = replica")
        numbers = {"first": first, "last": last, "deal": deal_id}
        for table in all_tables().sorted_tables:
            statement = _copy_statement(table)
            if statement is not None:
                connection.execute(statement, numbers)
        connection.execute(_ADD_UP)
        # What copying leaves to do for the server is no part of any deal's cost.
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
        found = connection.execute("SELECT md5(%(deal)s::text || %(last)s)::uuid", numbers)
        return found.fetchone()[0]


def _copy_statement(table):
    parents = [key.column.table for key in table.foreign_keys if "deal_id" in key.column.table.c]
    if table.name in _NOT_COPIED or not ("deal_id" in table.c or parents):
        return None
    names = [column.name for column in table.columns]
    values = [sql.SQL(_value(table, column)) for column in table.columns]
    owner = sql.SQL("old.deal_id = %(deal)s")
    if "deal_id" not in table.c:
        (key,) = table.foreign_keys
        owner = sql.SQL("old.{} IN (SELECT {} FROM {} WHERE deal_id = %(deal)s)").format(
            *map(sql.Identifier, (key.parent.name, key.column.name, key.column.table.name))
        )
    return sql.SQL(
        "INSERT INTO {table} ({names}) SELECT {values} FROM {table} AS old, "
        "generate_series(%(first)s::int, %(last)s::int) AS n WHERE {owner}"
    ).format(
        table=sql.Identifier(table.name),
        names=sql.SQL(", ").join(map(sql.Identifier, names)),
        values=sql.SQL(", ").join(values),
        owner=owner,
    )


def _value(table, column):
    value = _VALUES.get(f"{table.name}.{column.name}", _VALUES.get(column.name))
    if value is not None:
        return value.format(old="old")
    if column.type.__visit_name__.lower() == "uuid":
        return f"md5(old.{column.name}::text || n)::uuid"  # the same in every table
    return f"old.{column.name}"
