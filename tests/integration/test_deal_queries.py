"""The queries that every deal or every sweep makes use an index, however many deals are over."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Table, event
from sqlalchemy.types import (
    Boolean,
    DateTime,
    Integer,
    LargeBinary,
    Numeric,
    Text,
    TypeDecorator,
    Uuid,
)

from holdfast.common.errors import Broken
from holdfast.common.ids import BankId, PlanHash, new_deal_id
from holdfast.execution.store.deals import DealStore
from holdfast.execution.store.legs import load_legs, load_steps
from holdfast.execution.store.plans import PlanStore
from holdfast.execution.store.sums import book_sums
from holdfast.execution.store.tables import deals, legs, plans, steps
from holdfast.model.deal import DealStatus
from tests.unit.planning.world import REQUEST

DEALS = 20_000
LEGS_OF_A_DEAL = 5
NOW = datetime(2026, 1, 1, tzinfo=UTC)

# What a generated row holds, by type; n is the row's number.
BY_TYPE = {
    Uuid: "md5('row' || n)::uuid",
    Boolean: "false",
    Integer: "n",
    Numeric: "n",
    Text: "'text' || n",
    LargeBinary: "''::bytea",
    DateTime: "timestamptz '2025-01-01' + n * interval '1 minute'",
}
OF_DEAL = f"md5('deal' || n % {DEALS})::uuid"
ROWS = {
    deals: (
        DEALS,
        {"deal_id": OF_DEAL, "status": "'completed'", "participant_bank_id": "'BANK' || n % 500"},
    ),
    plans: (DEALS, {"deal_id": OF_DEAL}),
    steps: (DEALS * 5, {"deal_id": OF_DEAL, "step": f"n / {DEALS}"}),
    legs: (DEALS * LEGS_OF_A_DEAL, {"deal_id": OF_DEAL, "step": f"n / {DEALS} % 5"}),
}
# One deal in a hundred is still open and due at its own minute.
OPEN = """
UPDATE deals SET status = 'executing', wake_at = created_at WHERE deal_number % 100 = 0
"""


def generated(table: Table, count: int, special: dict[str, str]) -> str:
    values = {}
    for column in table.columns:
        if column.name in special:
            values[column.name] = special[column.name]
        elif column.name == "created_at" or (not column.nullable and column.server_default is None):
            values[column.name] = generated_value(column.type)
    return (
        f"INSERT INTO {table.name} ({', '.join(values)}) "  # noqa: S608 - names of our own tables
        f"SELECT {', '.join(values.values())} FROM generate_series(0, {count - 1}) AS n"
    )


def generated_value(kind):
    kind = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    known = (text for type_, text in BY_TYPE.items() if isinstance(kind, type_))
    return next(known, "'{}'::jsonb")


@pytest.fixture
async def crowded(database):
    """A database with many deals, most of them over."""
    async with database.begin() as session:
        for table, (count, special) in ROWS.items():
            await session.exec_driver_sql(
                generated(table, count, special), execution_options={"no_parameters": True}
            )
        await session.exec_driver_sql(OPEN, execution_options={"no_parameters": True})
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.exec_driver_sql("VACUUM ANALYZE")
    return database


async def plan_of(database, query) -> str:
    """The plans of every statement that `query` issues in its transaction."""
    issued = []

    def note(_connection, _cursor, statement, parameters, *_rest):
        if not statement.startswith("EXPLAIN"):
            issued.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        # Generated rows hold no readable plans; what was asked has been noted by then.
        with contextlib.suppress(Broken, KeyError):
            async with database.begin() as session:
                await query(session)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert issued
    async with database.begin() as session:
        lines = []
        for statement, parameters in issued:
            rows = await session.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            lines += rows.scalars()
    return "\n".join(lines)


STORE = DealStore()
# What is asked, and the index that must answer it.
HOT = {
    "ix_deals_wake_at": lambda s: STORE.take_due(s, NOW, NOW + timedelta(seconds=10), 100),
    "pk_deals": lambda s: STORE.take_due(s, NOW, NOW + timedelta(seconds=10), 100),
    "ix_deals_status_created_at": lambda s: STORE.recent(
        s, status=DealStatus.HOLDING, bank=None, limit=50
    ),
    "ix_deals_participant_bank_id_status": lambda s: STORE.recent(
        s, status=None, bank=BankId("BANK1"), limit=50
    ),
    "ix_legs_deal_id_step": lambda s: load_legs(s, new_deal_id()),
    "pk_deal_steps": lambda s: load_steps(s, new_deal_id()),
    "pk_plans": lambda s: PlanStore().load(s, [PlanHash("0x00")]),
}


async def test_hot_queries_use_their_indexes(crowded):
    plans_seen = {index: await plan_of(crowded, query) for index, query in HOT.items()}
    slow = {
        index: plan for index, plan in plans_seen.items() if "Seq Scan" in plan or index not in plan
    }
    assert slow == {}


async def test_the_open_book_is_added_up_without_reading_deals_that_are_over(crowded):
    seen = await plan_of(crowded, lambda session: book_sums(session, REQUEST, NOW))
    assert "ix_deals_status_created_at" in seen
    assert "Seq Scan" not in seen
