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

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from service.database import Database, migrate
from service.domain import audit_chain
from service.models import Base

SERVICE_USER = "postgres"
"""Who runs the server when the tests run as root, which PostgreSQL refuses to be."""

BEGUN = """UPDATE installation SET created_at = '2020-01-01 00:00:00+00',
           demo_at = NULL, served_at = NULL, ticked_at = NULL, checked_at = NULL, messages_paused_at = NULL"""
UNSEALED = f"UPDATE audit_head SET last_id = 0, seal = '{audit_chain.FIRST}'"
ALONE = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND pid <> pg_backend_pid()"""
FROM_ONE = "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false) FROM pg_sequences"


class NotFound(Exception):
    """There is no PostgreSQL here; the text says what was looked for."""


@dataclass
class Postgres:
    """A running server that makes databases: empty ones, and copies of a migrated one."""

    url: str
    _prefix: str = field(default_factory=lambda: f"rounds_test_{token_hex(4)}")
    _numbers: Iterator[int] = field(default_factory=count)
    _made: list[str] = field(default_factory=list)
    _template: str = ""
    _clean: list[str] = field(default_factory=list)

    def empty(self) -> str:
        """The URL of a new database with nothing in it."""
        name = self._make("template0")
        return self._address(name)

    def migrated(self) -> str:
        """The URL of a new database at the newest revision, begun long ago."""
        if not self._template:
            name = self._make("template0")
            database = Database(self._address(name))
            migrate(database)
            database.close()
            with self._inside(name) as connection:
                connection.execute(text(BEGUN))
            self._template = name
        return self._address(self._clean.pop() if self._clean else self._make(self._template))

    def wipe(self, url: str) -> None:
        """Take back a migrated database: emptied, it is the next test's, which is faster than another copy."""
        name = str(make_url(url).database)
        with self._inside(name) as connection:
            connection.execute(text(ALONE))
            connection.execute(text("SET session_replication_role = replica"))  # no trigger guards the audit
            for table in reversed(Base.metadata.sorted_tables):
                if table.name not in ("installation", "audit_head"):
                    connection.execute(table.delete())
            connection.execute(text(UNSEALED))
            connection.execute(text(FROM_ONE))
            connection.execute(text(BEGUN))
        self._clean.append(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected to it."""
        name = make_url(url).database
        assert name in self._made
        self._made.remove(name)
        self._say(f'DROP DATABASE "{name}" WITH (FORCE)')

    def drop_all(self) -> None:
        """Remove everything that was made here."""
        for name in list(self._made):
            self.drop(self._address(name))

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


@contextmanager
def running() -> Iterator[Postgres]:
    """A PostgreSQL for as long as the block lasts. Raises NotFound."""
    given = os.environ.get("ROUNDS_TEST_POSTGRES_URL")
    if given:
        server = Postgres(given)
        yield server
        server.drop_all()
        return
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="rounds-postgres-"))
    try:
        account = _account(folder)
        with (folder / "log").open("wb") as log:
            process = _start(programs, folder, account, log)
            try:
                yield Postgres(_when_it_answers(process, folder))
            finally:
                process.send_signal(SIGINT)  # does not wait for connections that are left
                process.wait(20)
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
    """Who the server runs as; the folder becomes theirs."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return {}
    try:
        shutil.chown(folder, SERVICE_USER, SERVICE_USER)
    except LookupError:
        raise NotFound(f"root may not run it, and there is no user {SERVICE_USER}") from None
    return {"user": SERVICE_USER, "group": SERVICE_USER, "extra_groups": []}


def _start(programs: Path, folder: Path, account: dict[str, Any], log: IO[bytes]) -> "subprocess.Popen[bytes]":
    """Make a cluster that only listens on a socket in its own folder, and never waits for the disk."""
    data, keep = folder / "data", {"cwd": folder, "stdout": log, "stderr": log, **account}
    wanted = ("--username=rounds", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
    subprocess.run([str(programs / "initdb"), f"--pgdata={data}", *wanted], check=True, **keep)
    fast = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200"]
    alone = ["listen_addresses=", f"unix_socket_directories={folder}"]
    options = [part for option in (*fast, *alone) for part in ("-c", option)]
    return subprocess.Popen([programs / "postgres", "-D", data, *options], **keep)


def _when_it_answers(process: "subprocess.Popen[bytes]", folder: Path) -> str:
    """The server's URL, once it takes connections."""
    url = f"postgresql+psycopg://rounds@/postgres?host={folder}"
    engine, deadline = create_engine(url), monotonic() + 20
    while True:
        try:
            engine.connect().close()
        except OperationalError:
            if process.poll() is not None or monotonic() > deadline:
                raise RuntimeError((folder / "log").read_text()) from None
            sleep(0.05)
        else:
            engine.dispose()
            return url
