"""The job engine's own tables, types and functions, exactly as it ships them (3.10)."""

from __future__ import annotations

from alembic import op

from holdfast.common.queue import schema_sql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_DROP = """
DROP TABLE procrastinate_events, procrastinate_periodic_defers, procrastinate_jobs,
  procrastinate_workers CASCADE;
DO $$
DECLARE name text;
BEGIN
  FOR name IN SELECT oid::regprocedure FROM pg_proc
    WHERE proname LIKE 'procrastinate\\_%' AND pronamespace = current_schema()::regnamespace
  LOOP
    EXECUTE 'DROP FUNCTION ' || name;
  END LOOP;
END;
$$;
DROP TYPE procrastinate_job_to_defer_v1, procrastinate_job_status, procrastinate_job_event_type;
"""


def upgrade() -> None:
    """Create what the job engine needs."""
    _execute_script(schema_sql())


def downgrade() -> None:
    """Drop it, waiting jobs included: the sweep wakes every deal again after an upgrade."""
    _execute_script(_DROP)


def _execute_script(script: str) -> None:
    # Without parameters the driver sends many statements at once and leaves percent signs alone.
    op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})
