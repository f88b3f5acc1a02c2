"""PostgreSQL's timeouts, keepalives, and index for parts of names."""

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text

BOTH_ENDS_NOTICE: dict[str, Any] = {
    "connect_timeout": 3,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""Detect within seconds that the server is gone and not just slow, even if its computer disappears."""
TAKE_YOUR_TIME = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0"
"""For a transaction that creates tables or a large index."""
NAME_INDEX = "ix_patients_folded_name_parts"


def engine(url: str, pool_size: int, lock_seconds: int, statement_seconds: int) -> Engine:
    """Return an engine with the given timeouts for locks and statements (0: no limit).

    Raises ModuleNotFoundError without PostgreSQL's driver, and ValueError or ArgumentError for an invalid URL.
    """
    made = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=10,
        pool_pre_ping=True,  # replaces connections that were cut by a restart of the server
        hide_parameters=True,
        connect_args={**BOTH_ENDS_NOTICE, "options": _options(lock_seconds, statement_seconds)},
    )

    from service.storage.commit_outcomes import (
        VerifyingConnection,  # imported here: the executable doesn't include the driver
    )

    @event.listens_for(made, "do_connect")
    def connect(_dialect: Any, _record: object, args: Any, options: Any) -> VerifyingConnection:
        return VerifyingConnection.reach(*args, **options)

    @event.listens_for(made, "after_cursor_execute")
    def remember(connection: Connection, cursor: Any, *_more: object) -> None:
        if getattr(cursor, "name", None):
            connection.info.setdefault("streams", []).append(cursor)

    @event.listens_for(made, "reset")
    def close_streams(_connection: Any, record: Any, _state: object) -> None:
        # If an export was stopped before reading all streamed rows, close its connection.
        for cursor in record.info.pop("streams", ()):
            cursor.close()

    return made


def _options(lock_seconds: int, statement_seconds: int) -> str:
    """Return server-side settings of a connection, which also end it if the client's computer disappears."""
    options = {"lock_timeout": f"{lock_seconds}s", "tcp_keepalives_idle": 20, "tcp_keepalives_interval": 5}
    if statement_seconds:
        options |= {"statement_timeout": f"{statement_seconds}s", "idle_in_transaction_session_timeout": "60s"}
    return " ".join(f"-c {name}={value}" for name, value in options.items())


def index_names(connection: Connection) -> None:
    """Create the index for parts of names, unless it exists. Raises DBAPIError without pg_trgm.

    It isn't part of a migration, so that an administrator can add the extension later, and the next start uses it.
    """
    if has_name_index(connection):
        return
    for statement in (
        TAKE_YOUR_TIME,
        "CREATE EXTENSION IF NOT EXISTS pg_trgm",
        f"CREATE INDEX IF NOT EXISTS {NAME_INDEX} ON patients USING gin (folded_name gin_trgm_ops)",
    ):
        connection.execute(text(statement))


def has_name_index(connection: Connection) -> bool:
    """Return whether that index exists."""
    found: bool = connection.execute(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": NAME_INDEX}).scalar_one()
    return found
