"""A PostgreSQL for the tests: Debian's own, started in a folder of its own, or the one at ROUNDS_TEST_POSTGRES_URL."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from secrets import token_hex
from signal import SIGINT
from time import monotonic, sleep
from typing import IO, Any

import psycopg
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from service.storage.database import Database, migrate, newest_revision
from service.storage.models import Base
from tests import patience

SERVICE_USER = "postgres"
"""The user that runs the server if the tests run as root, which PostgreSQL refuses."""

BEGUN = "UPDATE installation SET created_at = '2020-01-01 00:00:00+00', zone_chosen_at = '2020-01-01 00:00:00+00'"
ALONE = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND pid <> pg_backend_pid()"""
NO_TRIGGERS = "SET session_replication_role = replica"
"""No trigger guards the audit, no row must have what it refers to."""
SEQUENCES = """SELECT format('SELECT setval(%L, %s, %s)', format('%I.%I', schemaname, sequencename),
               coalesce(last_value, 1), (last_value IS NOT NULL)::text) FROM pg_sequences"""
EMPTY = "; ".join(
    [f"UPDATE alembic_version SET version_num = '{newest_revision()}'"]
    + [f"DELETE FROM {table.name}" for table in Base.metadata.sorted_tables]
)


class NotFound(Exception):
    """There is no PostgreSQL here; the text says what was looked for."""


@dataclass(frozen=True)
class Rows:
    """What a database held at a moment: the rows of its tables, and statements that set its sequences."""

    of: dict[str, bytes]
    sequences: str


@dataclass
class Postgres:
    """A running server that makes databases: empty ones, and migrated ones, which are used again and again."""

    url: str
    _prefix: str = field(default_factory=lambda: f"rounds_test_{token_hex(4)}")
    _numbers: Iterator[int] = field(default_factory=count)
    _made: list[str] = field(default_factory=list)
    _begun: dict[str, Rows] = field(default_factory=dict)
    _clean: list[str] = field(default_factory=list)
    _open: dict[str, psycopg.Connection[Any]] = field(default_factory=dict)

    def empty(self) -> str:
        """The URL of a new database with nothing in it."""
        name = self._make("template0")
        return self._address(name)

    def copy(self, url: str) -> str:
        """The URL of a copy of a database that no one is connected to."""
        return self._address(self._make(str(make_url(url).database)))

    def migrated(self) -> str:
        """The URL of a database at the newest revision, begun long ago, with no one in it."""
        if self._clean:
            return self._address(self._clean.pop())
        url = self.empty()
        database = Database(url)
        migrate(database)
        database.close()
        with self._inside(str(make_url(url).database)) as connection:
            connection.execute(text(BEGUN))
        self._begun[url] = self.rows(url)
        return url

    def rows(self, url: str) -> Rows:
        """What a database holds now."""
        inside, held = self._kept(url), {}
        for table in Base.metadata.sorted_tables:
            with inside.cursor() as cursor, cursor.copy(f"COPY {table.name} TO STDOUT") as copy:
                held[table.name] = b"".join(bytes(piece) for piece in copy)
        sequences = [str(row[0]) for row in inside.execute(SEQUENCES).fetchall()]
        return Rows({name: rows for name, rows in held.items() if rows}, "; ".join(sequences))

    def put(self, url: str, rows: Rows) -> None:
        """Let a migrated database hold these rows and no others."""
        inside = self._kept(url)
        inside.execute(EMPTY.encode())
        inside.execute(rows.sequences.encode())
        for name, held in rows.of.items():
            with inside.cursor() as cursor, cursor.copy(f"COPY {name} FROM STDIN".encode()) as copy:
                copy.write(held)

    def wipe(self, url: str) -> None:
        """Take back a migrated database: emptied, it is the next test's, which is faster than another copy.

        It stays the clinic it was: a worker that knows its id goes on.
        """
        self._kept(url).execute(ALONE)
        self.put(url, self._begun[url])
        self._clean.append(str(make_url(url).database))

    def drop(self, url: str) -> None:
        """Remove a database, anyone who is still connected to it."""
        name = make_url(url).database
        assert name in self._made
        self._made.remove(name)
        if name in self._open:
            self._open.pop(name).close()
        self._say(f'DROP DATABASE "{name}" WITH (FORCE)')

    def make_again(self, url: str) -> None:
        """Put an empty database in the place of one, anyone who is still connected to it."""
        name = make_url(url).database
        self._say(f'DROP DATABASE "{name}" WITH (FORCE)')
        self._say(f'CREATE DATABASE "{name}" TEMPLATE "template0" ENCODING \'UTF8\'')

    def drop_all(self) -> None:
        """Remove everything that was made here."""
        for name in list(self._made):
            self.drop(self._address(name))

    def close(self) -> None:
        """Leave every database."""
        for connection in self._open.values():
            connection.close()

    def _kept(self, url: str) -> psycopg.Connection[Any]:
        """A connection past all triggers, kept open: making one takes longer than emptying a database."""
        name = str(make_url(url).database)
        if name not in self._open or not _lives(self._open[name]):
            address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
            self._open[name] = psycopg.connect(address, autocommit=True)
            self._open[name].execute(NO_TRIGGERS)
        return self._open[name]

    def _make(self, template: str) -> str:
        name = f"{self._prefix}_{next(self._numbers)}"
        self._say(f'CREATE DATABASE "{name}" TEMPLATE "{template}" ENCODING \'UTF8\'')
        self._made.append(name)
        return name

    def _address(self, name: str) -> str:
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    @contextmanager
    def _inside(self, name: str) -> Iterator[Connection]:
        engine = create_engine(self._address(name), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            yield connection
        engine.dispose()

    def _say(self, statement: str) -> None:
        with self._inside(str(make_url(self.url).database)) as connection:
            connection.execute(text(statement))


def _lives(connection: psycopg.Connection[Any]) -> bool:
    """Whether a connection still leads to a server, which a test may have stopped or told to cut it."""
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


@dataclass
class Cluster:
    """A server of Debian's programs in a folder of its own, which a test may stop and start."""

    folder: Path
    programs: Path
    account: dict[str, Any]
    options: tuple[str, ...]
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://rounds@/postgres?host={self.folder}"

    def make(self) -> None:
        """Write its empty data, never waiting for the disk."""
        wanted = ("--username=rounds", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        line = [str(self.programs / "initdb"), f"--pgdata={self.folder / 'data'}", *wanted]
        with self._log() as log:
            subprocess.run(line, check=True, cwd=self.folder, stdout=log, stderr=log, **self.account)

    def start(self) -> None:
        """Start it, listening on a socket in its own folder only, and wait until it answers."""
        alone = ["timezone=UTC", "max_connections=200", "listen_addresses=", f"unix_socket_directories={self.folder}"]
        options = [part for option in (*alone, *self.options) for part in ("-c", option)]
        line = [str(self.programs / "postgres"), "-D", str(self.folder / "data"), *options]
        with self._log() as log:
            process: subprocess.Popen[bytes] = subprocess.Popen(
                line, cwd=self.folder, stdout=log, stderr=log, **self.account
            )
        self._process = process
        self._until_it_answers(process)

    def stop(self, number: int = SIGINT) -> None:
        """Stop it without waiting for connections that are left; by SIGQUIT as if the power went."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(patience.SECONDS)
            self._process = None

    def _log(self) -> IO[bytes]:
        return (self.folder / "log").open("ab")

    def _until_it_answers(self, process: "subprocess.Popen[bytes]") -> None:
        engine, deadline = create_engine(self.url), monotonic() + patience.SECONDS
        while True:
            try:
                engine.connect().close()
            except OperationalError:
                if process.poll() is not None or monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                sleep(0.05)
            else:
                engine.dispose()
                return


@contextmanager
def running(*, durable: bool = False) -> Iterator[Postgres]:
    """A PostgreSQL for as long as the block lasts; `durable` waits for the disk as a clinic's does. Raises NotFound."""
    given = os.environ.get("ROUNDS_TEST_POSTGRES_URL")
    if given:
        server = Postgres(given)
        yield server
        server.drop_all()
        return
    hasty = () if durable else ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
    with cluster(*hasty) as own:
        server = Postgres(own.url)
        yield server
        server.close()


@contextmanager
def cluster(*options: str) -> Iterator[Cluster]:
    """A running server of one's own for as long as the block lasts. Raises NotFound."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="rounds-postgres-"))
    try:
        own = Cluster(folder, programs, _account(folder), options)
        own.make()
        try:
            own.start()
            yield own
        finally:
            own.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """The folder of initdb and postgres: the newest of Debian's, or wherever the search path has them."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parts[-3].split(".")[0]))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    if on_path:
        return Path(on_path).resolve().parent
    raise NotFound("no initdb under /usr/lib/postgresql nor on the search path, and no ROUNDS_TEST_POSTGRES_URL")


def _account(folder: Path) -> dict[str, Any]:
    """Return the user that runs the server, and make them the folder's owner."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return {}
    try:
        shutil.chown(folder, SERVICE_USER, SERVICE_USER)
    except LookupError:
        raise NotFound(f"root may not run it, and there is no user {SERVICE_USER}") from None
    return {"user": SERVICE_USER, "group": SERVICE_USER, "extra_groups": []}
