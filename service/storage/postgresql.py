"""What PostgreSQL is told that SQLite is not: how long to wait, when to let go, how to find parts of names."""

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text

BOTH_ENDS_NOTICE: dict[str, Any] = {
    "connect_timeout": 3,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""A server that is away is told apart from a slow one in seconds, also when its computer vanishes without a word."""
TAKE_YOUR_TIME = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0"
"""For a transaction that makes tables or an index of many rows."""
NAME_INDEX = "ix_patients_folded_name_parts"


def engine(url: str, pool_size: int, lock_seconds: int, statement_seconds: int) -> Engine:
    """An engine whose connections wait so long for a lock and (0: without limit) for a statement.

    Raises ModuleNotFoundError without PostgreSQL's driver, ValueError or ArgumentError for what is no address.
    """
    made = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=10,
        pool_pre_ping=True,  # connections that a restart of the server cut are made again, and no one notices
        hide_parameters=True,
        connect_args={**BOTH_ENDS_NOTICE, "options": _options(lock_seconds, statement_seconds)},
    )

    from service.storage.commit_outcomes import (
        VerifyingConnection,  # imported here: the executable is without the driver
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
        # Rows that were streamed and not read to their end, by an export that was stopped, end with their connection.
        for cursor in record.info.pop("streams", ()):
            cursor.close()

    return made


def _options(lock_seconds: int, statement_seconds: int) -> str:
    """Settings of a connection at the server, which also lets go of one whose computer is gone."""
    options = {"lock_timeout": f"{lock_seconds}s", "tcp_keepalives_idle": 20, "tcp_keepalives_interval": 5}
    if statement_seconds:
        options |= {"statement_timeout": f"{statement_seconds}s", "idle_in_transaction_session_timeout": "60s"}
    return " ".join(f"-c {name}={value}" for name, value in options.items())


def index_names(connection: Connection) -> None:
    """Make the index by which any part of a name is found, unless it is there. Raises DBAPIError without pg_trgm.

    No migration does this: an administrator may add the extension at any time, and the next start uses it.
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
    """Whether that index is there."""
    found: bool = connection.execute(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": NAME_INDEX}).scalar_one()
    return found
