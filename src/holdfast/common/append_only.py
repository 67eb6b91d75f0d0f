"""Tables that only grow: the statements that make Postgres refuse to change or remove a row."""

_REFUSE = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'integrity_constraint_violation';
END $$
""".strip()


def append_only(table: str) -> tuple[str, ...]:
    """Statements, safe to run again, after which `table` refuses UPDATE, DELETE and TRUNCATE.

    A superuser is refused too: only dropping the triggers, which is a migration, lifts it.
    """
    rows = "append_only_rows BEFORE UPDATE OR DELETE", "ROW"
    whole = "append_only_table BEFORE TRUNCATE", "STATEMENT"
    return (_REFUSE, *(_trigger(table, when, each) for when, each in (rows, whole)))


def _trigger(table: str, when: str, each: str) -> str:
    return (
        f"CREATE OR REPLACE TRIGGER {when} ON {table} "
        f"FOR EACH {each} EXECUTE FUNCTION refuse_change()"
    )
