import asyncio
import hashlib

import pytest
import structlog
from alembic.script import ScriptDirectory

from holdfast.common.db import Database
from holdfast.common.errors import Rejected
from holdfast.common.queue import schema_sql
from holdfast.migrations import revisions, runner
from holdfast.migrations.tables import all_tables, all_triggers

# Everything that a schema consists of, as text that two databases can be compared by.
CATALOGUE = """
SELECT 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod) || ' '
       || a.attnotnull || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid <> 0
UNION ALL
SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid)
  FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'function', proname, '', md5(trim(both E'\\n' from prosrc))
  FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL
SELECT 'sequence', sequencename, '', start_value::text FROM pg_sequences
 WHERE schemaname = 'public'
UNION ALL
SELECT 'type', typname, '', '' FROM pg_type
 WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'
"""


@pytest.fixture
async def empty(empty_database_url):
    pool = Database.connect(empty_database_url)
    yield pool
    await pool.close()


async def catalogue(pool):
    async with pool.begin() as session:
        rows = {tuple(row) for row in await session.exec_driver_sql(CATALOGUE)}
    return {row for row in rows if "alembic_version" not in row[1]}


async def test_the_revisions_build_exactly_what_the_stores_declare(empty):
    await runner.upgrade(empty)
    migrated = await catalogue(empty)
    await runner.downgrade(empty, "0001")
    async with empty.begin() as session:
        await session.run_sync(all_tables().create_all)
        for statement in all_triggers():
            await session.exec_driver_sql(statement, execution_options={"no_parameters": True})
    declared = await catalogue(empty)
    assert sorted(migrated - declared) == []
    assert sorted(declared - migrated) == []


async def test_autogenerate_finds_no_difference_after_an_upgrade(empty):
    await runner.upgrade(empty)
    assert await runner.differences(empty) == []


async def test_a_difference_is_named(empty):
    await runner.upgrade(empty)
    async with empty.begin() as session:
        await session.exec_driver_sql("ALTER TABLE deals DROP COLUMN author")
    assert await runner.differences(empty) == ["add_column deals author"]


async def test_a_draft_says_how_to_remove_a_difference(empty, tmp_path):
    await runner.upgrade(empty)
    async with empty.begin() as session:
        await session.exec_driver_sql("ALTER TABLE deals DROP COLUMN author")
    path = await runner.draft(empty, "Name the author", tmp_path)
    assert path.parent == tmp_path
    text = path.read_text()
    assert text.startswith('"""Name the author."""')
    assert f"down_revision = '{revisions.newest()}'" in text
    assert "op.add_column('deals', sa.Column('author'" in text


async def test_a_downgrade_leaves_nothing_and_the_way_up_is_open_again(empty):
    await runner.upgrade(empty)
    before = await catalogue(empty)
    await runner.downgrade(empty, "base")
    assert await catalogue(empty) == set()
    await runner.upgrade(empty)
    assert await catalogue(empty) == before


async def test_each_revision_goes_down_and_up_again(empty):
    scripts = ScriptDirectory.from_config(runner._config())
    for script in reversed(list(scripts.walk_revisions())):
        await runner.upgrade(empty, script.revision)
        before = await catalogue(empty)
        await runner.downgrade(empty, "-1")
        await runner.upgrade(empty, "+1")
        assert await catalogue(empty) == before


async def test_two_upgrades_at_once_take_turns(empty, empty_database_url):
    other = Database.connect(empty_database_url)
    await asyncio.gather(runner.upgrade(empty), runner.upgrade(other))
    await other.close()
    assert await revisions.current(empty) == revisions.newest()


async def test_a_failing_revision_leaves_the_schema_as_it_was(empty):
    async with empty.begin() as session:
        await session.exec_driver_sql("CREATE TABLE deals (in_the_way integer)")
    before = await catalogue(empty)
    with pytest.raises(Exception, match="already exists"):
        await runner.upgrade(empty)
    assert await catalogue(empty) == before


async def test_an_older_schema_is_refused_with_what_to_do(empty):
    with pytest.raises(Rejected) as caught:
        await revisions.require_newest(empty)
    assert caught.value.code == "database.schema"
    assert "holdfast db upgrade" in caught.value.message
    await runner.upgrade(empty)
    await revisions.require_newest(empty)


def test_the_job_engine_ships_the_schema_that_revision_0001_was_tested_with():
    # A new release needs a revision with its migration, and 0001 needs the old text frozen.
    digest = hashlib.sha256(schema_sql().encode()).hexdigest()
    assert digest == "c70ec4b400a60ad9592787653aae5ae77ae41bf801d56b5bd2712751a07f2009"


async def test_a_schema_of_a_later_version_is_worked_on(empty):
    """Its revisions only add: workers of two versions run on one database while they change."""
    await runner.upgrade(empty)
    async with empty.begin() as session:
        await session.exec_driver_sql("UPDATE alembic_version SET version_num = 'later'")
    with structlog.testing.capture_logs() as told:
        await revisions.require_newest(empty)
    assert [(one["event"], one["found"]) for one in told] == [("database.newer_schema", "later")]
    assert await revisions.current(empty) == "later"


def test_the_newest_revision_is_alembics_head():
    """What every command compares with comes from the files' names; Alembic follows the links."""
    head = ScriptDirectory(str(revisions.VERSIONS.parent)).get_current_head()
    assert revisions.newest() == head
