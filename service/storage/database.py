"""Database engines, read sessions, write transactions, and migrate().

SQLite uses WAL with `synchronous=FULL`, so an acknowledged commit survives a power failure.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from service import clock
from service.config.settings import Clinic
from service.storage import collisions, postgresql, search_key_rebuild, structure
from service.storage.database_file import BUSY_SECONDS, WORDS, DatabaseFile, Loss
from service.storage.models import Installation

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
HASTY_MS = 100
STATEMENT_SECONDS = 60
"""The longest a statement of a page may run. None takes nearly as long, so one that does hangs."""
MIGRATING = 0x726F756E6473
"""The key of the PostgreSQL lock that allows one migration at a time."""
Done = TypeVar("Done")
NAMED = 8
"""How many missing things to name."""


OTHER_CLINIC = "The database on the server is empty or another clinic's: it was made again while Rounds was using it."


class DatabaseError(Exception):
    """The database can't be used. The message says why and what to do."""


class DatabaseLost(DatabaseError):
    """The open database is no longer the one at its URL, so nothing would be saved."""

    def __init__(self, sentence: str, loss: Loss | None = None) -> None:
        super().__init__(sentence)
        self.loss = loss
        """What happened to the file; None for a database on a server."""


class Fate(StrEnum):
    """The outcome of a transaction whose commit got no response."""

    KEPT = "kept"
    NOT_KEPT = "not_kept"
    UNKNOWN = "unknown"
    """The server can't be asked now, or hasn't finished it."""
    FORGOTTEN = "forgotten"
    """It was too long ago to tell."""


class Database:
    """An engine and its sessions. Long reads use a second engine, so that no page waits for a connection."""

    def __init__(self, url: str, *, pool_size: int = 20, long_readers: int = 1) -> None:
        self.is_sqlite = url.startswith("sqlite:")
        self.file = DatabaseFile(Path(make_url(url).database or "")) if self.is_sqlite else None
        """The file of a SQLite database; None on a server."""
        self.when_lost: Callable[[DatabaseLost], object] = lambda _lost: None
        """Called once, from the thread that finds out."""
        self._lost: DatabaseLost | None = None
        self._clinic_id: str | None = None
        self._lock = Lock()
        self.engine = _engine(url, self.file, pool_size, STATEMENT_SECONDS)
        self._long_engine = _engine(url, self.file, long_readers, 0)
        if not self.is_sqlite:
            for engine in (self.engine, self._long_engine):
                event.listen(engine, "connect", self._require_same_clinic)
        self._readers = self._readers_of(self.engine)
        self._long_readers = self._readers_of(self._long_engine)
        self._writers = sessionmaker(self.engine, expire_on_commit=False)
        self._hasty_writers = sessionmaker(self.engine.execution_options(hasty=True), expire_on_commit=False)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A read session that sees one consistent state and never blocks a writer."""
        with self._watched(), self._readers() as session:
            yield session

    @contextmanager
    def reading_long(self) -> Iterator[Session]:
        """A read session for minutes, with separate connections."""
        with self._watched(), self._long_readers() as session:
            yield session

    @contextmanager
    def transaction(self, *, wait: bool = True) -> Iterator[Session]:
        """A write session that commits at the end, or rolls back on any exception.

        It waits five seconds for another writer, or hardly at all without `wait` (SQLite). Raises DatabaseLost if the
        changes aren't in the database at its URL.
        """
        if self._lost is not None:
            raise self._lost
        with self._watched(), (self._writers if wait else self._hasty_writers).begin() as session:
            yield session
            self.require_present()  # rolls back, so that nothing is written to a lost file
        self.require_present()  # it may have been lost during the commit

    def write(self, act: Callable[[Session], Done]) -> Done:
        """Call `act` in its own transaction, retry it after a collision, and return its result."""

        def once() -> Done:
            with self.transaction() as session:
                return act(session)

        return collisions.retried(once)

    def require_present(self) -> None:
        """Raise DatabaseLost if the file was moved, deleted, or replaced since the first connection to it."""
        if self._lost is not None:
            raise self._lost
        if self.file is None:
            return
        with self._lock:
            loss = self.file.loss()
        if loss is None:
            return
        self._lose(DatabaseLost(WORDS[loss].format(file=self.file.path), loss))

    def hold_to(self, clinic_id: str) -> None:
        """From now on, require that connections reach this clinic, because a database on a server may be recreated."""
        self._clinic_id = clinic_id

    def _require_same_clinic(self, connection: Any, _record: object) -> None:
        """Raise DatabaseLost if a new connection reaches an empty database or another clinic's."""
        if self._clinic_id is None:
            return
        with connection.cursor() as cursor:
            has_table = cursor.execute("SELECT to_regclass('installation') IS NOT NULL").fetchone() == (True,)
            found = cursor.execute("SELECT clinic_id FROM installation").fetchone() if has_table else None
        connection.rollback()
        if found != (self._clinic_id,):
            self._lose(DatabaseLost(OTHER_CLINIC))

    def _lose(self, lost: DatabaseLost) -> NoReturn:
        with self._lock:
            first, self._lost = self._lost is None, self._lost or lost
        if first:
            self.when_lost(lost)
        raise lost

    def fate(self, transaction: int) -> Fate:
        """Return the outcome of a transaction whose number comes from `unanswered`."""
        try:
            with self.reading() as session:
                status = session.execute(text("SELECT txid_status(:number)"), {"number": transaction}).scalar()
        except OperationalError:
            return Fate.UNKNOWN
        except DBAPIError:  # a number that this server hasn't assigned yet: it's from another server
            return Fate.FORGOTTEN
        of_status = {"committed": Fate.KEPT, "aborted": Fate.NOT_KEPT, "in progress": Fate.UNKNOWN}
        return of_status.get(status or "", Fate.FORGOTTEN)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Turn errors caused by a lost file into DatabaseLost."""
        try:
            yield
        except DBAPIError:
            self.require_present()
            raise

    def analyse(self) -> None:
        """Update SQLite's statistics, which takes milliseconds. PostgreSQL does this by itself.

        Without them, it looks for one patient's appointments among all with the same status: a minute instead of 0.2 s.
        """
        if self.is_sqlite:
            with self.transaction() as session:
                session.execute(text("PRAGMA analysis_limit = 400"))
                session.execute(text("ANALYZE"))

    def index_names(self) -> bool:
        """Create an index for parts of names on PostgreSQL. Returns False if the extension is missing.

        SQLite doesn't need one: it searches 100,000 names in 13 ms.
        """
        if self.is_sqlite:
            return True
        try:
            with self.transaction() as session:
                session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATING})
                postgresql.index_names(session.connection())
        except DBAPIError:
            return False
        return True

    def forget(self) -> None:
        """Empty SQLite's log, which still has deleted and overwritten data, unless someone is reading it."""
        if self.is_sqlite:
            with self.engine.connect() as connection:
                driver: Any = connection.connection.driver_connection
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close all connections.

        Connections to a lost file stay open, because SQLite would remove the log of the file that replaced it.
        """
        if self._lost is not None:
            return
        self.engine.dispose()
        self._long_engine.dispose()
        if self.file is not None:
            self.file.close()

    def _readers_of(self, engine: Engine) -> sessionmaker[Session]:
        """Return sessions in which each transaction sees one consistent state."""
        options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        reading = engine.execution_options(**({"reading": True} if self.is_sqlite else options))
        # A closed session must not be reused: nobody would return its connection.
        return sessionmaker(reading, autoflush=False, expire_on_commit=False, close_resets_only=False)


def _engine(url: str, file: DatabaseFile | None, pool_size: int, statement_seconds: int) -> Engine:
    if file is not None:
        return _sqlite_engine(url, file, pool_size)
    return _server_engine(url, pool_size, statement_seconds)


def _server_engine(url: str, pool_size: int, statement_seconds: int) -> Engine:
    try:
        return postgresql.engine(url, pool_size, BUSY_SECONDS, statement_seconds)
    except ModuleNotFoundError:
        raise DatabaseError(
            "This program only knows SQLite: set [database] url to sqlite:///rounds.db, or start Rounds from source."
        ) from None
    except (ValueError, ArgumentError):
        raise DatabaseError("[database] url is not an address like postgresql+psycopg://user@host/name.") from None


def _sqlite_engine(url: str, file: DatabaseFile, pool_size: int) -> Engine:
    engine = create_engine(url, creator=file.connect, pool_size=pool_size, max_overflow=10, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: object) -> None:
        for pragma in ("synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the lock at once, because upgrading a read transaction fails regardless of the timeout.
        options = connection.get_execution_options()
        if options.get("hasty"):
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {HASTY_MS}")
        try:
            connection.exec_driver_sql("BEGIN" if options.get("reading") else "BEGIN IMMEDIATE")
        finally:
            if options.get("hasty"):
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")

    return engine


def revisions() -> list[str]:
    """Return the revisions this program knows, oldest first."""
    return sorted(file.name[:4] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def newest_revision() -> str:
    """Return the revision of this program's models."""
    return revisions()[-1]


def present_revision(database: Database) -> str | None:
    """Return the revision of the database; None if it's empty or doesn't exist yet. Raises DatabaseError."""
    if database.file is not None and not database.file.path.exists():
        return None
    try:
        with database.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except DBAPIError as error:
        raise DatabaseError(explain(error)) from error


def check(database: Database) -> None:
    """Raise DatabaseError if the database is damaged or newer, or its folder isn't ours. Creates nothing."""
    if database.file is not None:
        file = database.file.path
        if not file.parent.is_dir():
            raise DatabaseError(f"There is no folder {file.parent} for the database: make it, or set [database] url.")
        if not os.access(file.parent, os.W_OK):
            raise DatabaseError(f"The folder {file.parent} cannot be written: check who owns it.")
    present, newest = present_revision(database), newest_revision()
    if present is not None and present > newest:
        raise DatabaseError(
            f"The database was made by a newer version of Rounds (revision {present}, this program knows {newest}): "
            "start the newer program."
        )


def migrate(database: Database, clinic: Clinic | None = None, settle: Callable[[Session], object] | None = None) -> str:
    """Upgrade the database to this version in one transaction, and return its revision.

    `clinic` has the settings under which old rows were written; an empty database needs none. `settle` is called in
    any case, in the same transaction as a migration. Search keys from another version of Python or Rounds are rebuilt.
    Raises DatabaseError if the database is newer than the program, can't be used, or would lack something the models
    need; then it's unchanged.
    """
    check(database)
    newest = newest_revision()
    try:
        if database.file is not None:
            database.file.make()
        if present_revision(database) == newest:
            with database.reading() as session:
                keys_are_due = search_key_rebuild.is_due(session.connection())
            if settle is not None or keys_are_due:
                with database.transaction() as session:
                    search_key_rebuild.rebuild(session.connection())
                    if settle is not None:
                        settle(session)
            return newest
        with _without_foreign_keys(database) as connection, connection.begin():
            _upgrade(database, connection, clinic or Clinic())
            if settle is not None:
                _settle(connection, settle)
    except DBAPIError as error:
        raise DatabaseError(explain(error)) from error
    except OSError as error:
        raise DatabaseError(f"{error.filename} cannot be made: {error.strerror}.") from None
    return newest


def recreate(database: Database, check: Callable[[Session], None]) -> None:
    """Empty the database, and create its tables again, in one transaction.

    `check` is called first in that transaction; if it raises, nothing changes. Raises DatabaseError.
    """
    try:
        with _without_foreign_keys(database) as connection, connection.begin():
            with Session(connection) as session:
                check(session)
            _drop_everything(database, connection)
            _upgrade(database, connection, Clinic())
    except DBAPIError as error:
        raise DatabaseError(explain(error)) from error


def replace(
    database: Database,
    revision: str,
    fill: Callable[[Connection], None],
    clinic: Clinic,
    settle: Callable[[Session], object],
) -> None:
    """Replace everything with a clinic of the given revision, and upgrade it to this version, in one transaction.

    `fill` writes its rows into empty tables of that revision, and `settle` is called at the end. If either raises,
    nothing changes. Raises DatabaseError.
    """
    try:
        with _without_foreign_keys(database) as connection, connection.begin():
            _drop_everything(database, connection)
            _run_revisions(database, connection, clinic, revision)
            fill(connection)
            _upgrade(database, connection, clinic)
            _settle(connection, settle)
    except DBAPIError as error:
        raise DatabaseError(explain(error)) from error


def _settle(connection: Connection, settle: Callable[[Session], object]) -> None:
    """Call `settle` in the connection's transaction, which its owner commits."""
    with Session(connection, join_transaction_mode="rollback_only") as session:
        settle(session)
        session.commit()  # writes what waits for a commit, such as audit entries


def _upgrade(database: Database, connection: Connection, clinic: Clinic) -> None:
    """Run all missing migrations in the connection's transaction."""
    _run_revisions(database, connection, clinic, "head")
    if database.is_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise DatabaseError("The database has rows that refer to missing ones: put the newest backup in place.")
    _require_structure(connection)
    if connection.execute(select(Installation.id)).one_or_none() is None:
        connection.execute(insert(Installation).values(id=1, created_at=clock.now()))
    search_key_rebuild.rebuild(connection)


def _run_revisions(database: Database, connection: Connection, clinic: Clinic, revision: str) -> None:
    """Run the missing migrations up to a revision, in the connection's transaction."""
    from alembic import command  # imported here, because most starts have nothing to migrate
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))  # it interpolates with %
    if not database.is_sqlite:  # one migration at a time; on SQLite, the transaction ensures that
        connection.execute(text(postgresql.TAKE_YOUR_TIME))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATING})
    config.attributes |= {"connection": connection, "clinic": clinic}
    command.upgrade(config, revision)


def require_structure(database: Database) -> None:
    """Raise DatabaseError if a database at this version lacks something the models need."""
    try:
        with database.reading() as session:
            _require_structure(session.connection())
    except DBAPIError as error:
        raise DatabaseError(explain(error)) from error


def _require_structure(connection: Connection) -> None:
    lacks = structure.lacking(connection)
    if lacks:
        more = f" and {len(lacks) - NAMED} more" if len(lacks) > NAMED else ""
        raise DatabaseError(
            f"The database lacks what Rounds relies on: {', '.join(lacks[:NAMED])}{more}. Restore a backup that has it."
        )


def _drop_everything(database: Database, connection: Connection) -> None:
    """Drop all tables with their triggers and, on PostgreSQL, our functions."""
    suffix = "" if database.is_sqlite else " CASCADE"
    for table in inspect(connection).get_table_names():
        connection.exec_driver_sql(f'DROP TABLE "{table}"{suffix}')
    if not database.is_sqlite:
        for (function,) in connection.execute(text(OUR_FUNCTIONS)).all():
            connection.exec_driver_sql(f"DROP FUNCTION {function}")


OUR_FUNCTIONS = """
SELECT CAST(CAST(oid AS regprocedure) AS text) FROM pg_proc WHERE pronamespace = CAST(current_schema() AS regnamespace)
AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')"""
"""Functions that don't belong to an extension."""


@contextmanager
def _without_foreign_keys(database: Database) -> Iterator[Connection]:
    """A connection on which SQLite allows recreating a table that others refer to. The caller checks foreign keys."""
    with database.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        if database.is_sqlite:  # only works outside a transaction
            driver.execute("PRAGMA foreign_keys = OFF")
        try:
            yield connection
        finally:
            if database.is_sqlite:
                driver.execute("PRAGMA foreign_keys = ON")


def created_at(session: Session) -> datetime:
    """Return when this database was created. Nothing that was due earlier is caught up."""
    return session.execute(select(Installation.created_at)).scalar_one()


def unanswered(error: DBAPIError) -> int | None:
    """Return the number of a transaction with an unknown outcome; None for any other error."""
    return getattr(error.orig, "transaction", None)


def is_busy(error: DBAPIError) -> bool:
    """Return whether a retry may work: the database is locked, full, or briefly unavailable."""
    if not isinstance(error, OperationalError):
        return False
    if collisions.is_one(error):
        return True
    words = (
        r"locked|busy|full|readonly|unable to open|I/O error|connect|server closed|terminat|lock timeout"
        r"|statement timeout"
    )
    return bool(re.search(words, str(error.orig)))


def explain(error: DBAPIError) -> str:
    """Explain a database error to users, and say what to do, in one sentence."""
    words = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
    for pattern, sentence in (
        (r"locked|busy|lock timeout|deadlock", "Another program holds the database: close it, then try again."),
        (r"full", "The disk is full: free some space, then try again."),
        (r"readonly|read-only", "The database may not be written: check who owns its file and folder."),
        (
            r"unable to open",
            "The database file cannot be opened: check that it and its folder exist, and who owns them.",
        ),
        (r"malformed|not a database", "The database file is damaged: put the newest backup in its place."),
        (r"I/O error", "The disk reports an error: check it, then try again."),
        (r"connect|server closed|terminat", "The database server does not answer: check that it runs."),
    ):
        if re.search(pattern, words):
            return f"{sentence} ({words})"
    return f"The database refused: {words}"
