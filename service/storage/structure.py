"""Find what a database lacks that the models need: tables, columns, constraints, indexes, and triggers.

SQLite makes most changes by recreating a table, which silently drops whatever the migration doesn't mention: its
triggers, `AUTOINCREMENT`, a constraint. So every migration ends with this check.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, Table, inspect, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from service.storage import triggers
from service.storage.models import Base

EXCLUSIONS = """
SELECT conname FROM pg_constraint WHERE contype = 'x' AND connamespace = CAST(current_schema() AS regnamespace)"""
ENABLED_TRIGGERS = """
SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') AND relnamespace = CAST(current_schema() AS regnamespace)"""
"""A disabled trigger counts as missing."""


def lacking(connection: Connection) -> list[str]:
    """Return what this database lacks, such as `trigger audit_no_delete`."""
    dialect = connection.dialect.name
    present = set(inspect(connection).get_table_names())
    kept = [table for table in Base.metadata.sorted_tables if table.name in present]
    needed = {part for table in kept for part in _needed(table, dialect)}
    gone = {f"table {table.name}" for table in Base.metadata.sorted_tables if table.name not in present}
    return sorted(gone | (needed - set(_found(connection))))


def _needed(table: Table, dialect: str) -> Iterator[str]:
    for column in table.columns:
        yield f"column {table.name}.{column.name}"
        if not column.nullable:
            yield f"NOT NULL of {table.name}.{column.name}"
    yield _primary_key(table.name, [column.name for column in table.primary_key])
    for constraint in table.constraints - {table.primary_key}:
        if dialect == "postgresql" or not isinstance(constraint, ExcludeConstraint):
            yield f"constraint {constraint.name}"
    for index in table.indexes:
        yield f"{'unique ' if index.unique else ''}index {index.name}"
    if dialect == "sqlite" and table.kwargs.get("sqlite_autoincrement"):
        yield f"AUTOINCREMENT of {table.name}"
    for trigger in triggers.OF_DIALECT[dialect]:
        if trigger.table == table.name:
            yield f"trigger {trigger.name}"


def _found(connection: Connection) -> Iterator[str]:
    inspector = inspect(connection)
    for (_schema, table), columns in inspector.get_multi_columns().items():
        for column in columns:
            yield f"column {table}.{column['name']}"
            if not column["nullable"]:
                yield f"NOT NULL of {table}.{column['name']}"
    for (_schema, table), key in inspector.get_multi_pk_constraint().items():
        yield _primary_key(table, key["constrained_columns"] if key else [])
    for reflect in (
        inspector.get_multi_unique_constraints,
        inspector.get_multi_check_constraints,
        inspector.get_multi_foreign_keys,
    ):
        for constraints in reflect().values():
            for constraint in constraints:
                yield f"constraint {constraint['name']}"
    for indexes in inspector.get_multi_indexes().values():
        for index in indexes:
            yield f"{'unique ' if index['unique'] else ''}index {index['name']}"
    yield from _found_on_sqlite(connection) if connection.dialect.name == "sqlite" else _found_on_postgresql(connection)


def _found_on_sqlite(connection: Connection) -> Iterator[str]:
    made = {trigger.name: _plain(trigger.ddl) for trigger in triggers.SQLITE}
    for kind, name, sql in connection.execute(text("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")):
        if kind == "table" and "AUTOINCREMENT" in sql:
            yield f"AUTOINCREMENT of {name}"
        if kind == "trigger" and _plain(sql) == made.get(name):  # a trigger that does something else doesn't count
            yield f"trigger {name}"


def _found_on_postgresql(connection: Connection) -> Iterator[str]:
    for name in connection.scalars(text(EXCLUSIONS)):
        yield f"constraint {name}"
    for name in connection.scalars(text(ENABLED_TRIGGERS)):
        yield f"trigger {name}"


def _primary_key(table: str, columns: list[str]) -> str:
    """Name a primary key by its columns, because SQLite has no name for an autoincrement key."""
    return f"primary key of {table} ({', '.join(columns)})"


def _plain(sql: str) -> str:
    """Normalize a statement's line breaks, quotes, and capitals."""
    return " ".join(sql.replace('"', "").split()).lower()
