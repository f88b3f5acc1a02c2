"""Starts run.py as a process of its own and talks to it over HTTP, as a clinic's computer and its browsers do."""

import json
import os
import re
import signal
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Literal
from urllib.parse import urlencode, urlsplit

import psycopg

from tests import patience
from tests.house import PASSWORD
from tests.patience import until
from tests.process.preloaded import Copy

ROOT = Path(__file__).resolve().parents[2]
READY = re.compile(r"^Rounds is ready on (http://\S+)$", re.MULTILINE)
LAST_WORDS = 12_000
"""So many characters at the end of what a service printed are shown when a test fails."""
ANOTHER_TIME = ROOT / "tests" / "faults" / "another_time.py"
ON_SERVER: dict[Path, str] = {}
"""The URL of a folder's clinic where that is on PostgreSQL; else it is in the folder's `rounds.db`."""


def zone_of_the_morning() -> str:
    """A zone in which it is after nine now: the reminders are due, the day's appointments are to come."""
    ahead = (9 - datetime.now(UTC).hour + 12) % 24 - 12
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


def configure(folder: Path, text: str = "") -> Path:
    """Write a config.toml with a free port into the folder; `text` is further TOML."""
    file = folder / "config.toml"
    file.write_text(f"{text}\n" if "[server]" in text else f"[server]\nport = 0\n{text}\n", encoding="utf-8")
    return file


def command(folder: Path, *args: str, at: datetime | None = None) -> list[str]:
    """The command line that starts run.py with the folder's settings; `at` is the instant the process lives at."""
    program = ANOTHER_TIME if at else ROOT / "run.py"
    return [sys.executable, str(program), *args, "--config", str(folder / "config.toml")]


def environment(folder: Path, at: datetime | None = None) -> dict[str, str]:
    """The environment without settings of this computer, with what a process at another time needs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROUNDS_")}
    kept["PYTHONFAULTHANDLER"] = "1"
    if folder in ON_SERVER:
        kept["ROUNDS_DATABASE_URL"] = ON_SERVER[folder]
    return {**kept, "TEST_NOW": at.isoformat(), "TEST_CLOCK": str(folder / "clock")} if at else kept


def jump(folder: Path, to: datetime) -> None:
    """Set the clock of a running process that lives at another time."""
    new = folder / "clock.new"
    new.write_text(to.isoformat(), encoding="utf-8")
    new.rename(folder / "clock")
    until(lambda: not (folder / "clock").exists())


def run(
    folder: Path,
    *args: str,
    at: datetime | None = None,
    given: str = "",
    cwd: Path | None = None,
    config: bool = True,
    itself: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a command of run.py to its end; `config=False` leaves naming the settings to `args`.

    `itself` starts Python again for it, as a person does, instead of a copy of one that has the program loaded.
    """
    line = command(folder, *args, at=at)
    line = line if config else line[:-2]
    with TemporaryFile() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
        stdin.write(given.encode())
        stdin.seek(0)
        process = _launch(line, cwd or folder, environment(folder, at), (stdin, stdout, stderr), itself=itself)
        try:
            code = process.wait(patience.SECONDS)
        except BaseException:
            process.kill()
            process.wait(patience.SECONDS)
            raise
        printed = []
        for stream in (stdout, stderr):
            stream.seek(0)
            printed.append(stream.read().decode())
    return subprocess.CompletedProcess(line, code, *printed)


def _launch(
    line: list[str],
    folder: Path,
    variables: dict[str, str],
    streams: tuple[IO[bytes] | int, IO[bytes], IO[bytes]],
    *,
    itself: bool,
) -> subprocess.Popen[bytes] | Copy:
    """Start a command line of `command`."""
    stdin, stdout, stderr = streams
    if itself:
        return subprocess.Popen(line, stdin=stdin, stdout=stdout, stderr=stderr, env=variables, cwd=folder)
    return Copy(line[1:], folder, variables, streams)


def run_all(folders: Iterable[Path], lines: Iterable[tuple[str, ...]]) -> list[subprocess.CompletedProcess[str]]:
    """Run command lines, each in its folder, two at a time: starting a process is most of their work."""
    with ThreadPoolExecutor(2) as pool:
        turns = [pool.submit(run, folder, *line) for folder, line in zip(folders, lines, strict=False)]
        return [turn.result() for turn in turns]


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The one line with which a command was refused."""
    assert (done.returncode, done.stdout) == (1, ""), done
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("Error: ")
    return done.stderr


def result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON in the last line of a command that went well."""
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def rows(folder: Path, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What the folder's database answers to a query, asked from outside."""
    if folder in ON_SERVER:
        with psycopg.connect(_address(folder)) as server:
            return server.execute(query.replace("?", "%s").encode(), values or None).fetchall()
    with closing(sqlite3.connect(folder / "rounds.db", timeout=patience.SECONDS)) as connection:
        return connection.execute(query, values).fetchall()


def change(folder: Path, *statements: str) -> None:
    """Change the folder's database from outside, in one transaction."""
    if folder in ON_SERVER:
        with psycopg.connect(_address(folder)) as server:
            for statement in statements:
                server.execute(statement.encode())
        return
    with closing(sqlite3.connect(folder / "rounds.db", timeout=patience.SECONDS)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def _address(folder: Path) -> str:
    return ON_SERVER[folder].replace("+psycopg", "")


@dataclass(frozen=True)
class Answer:
    """A response, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def location(self) -> str:
        return urlsplit(self.headers.get("location", "")).path


@dataclass
class Client:
    """A browser without a screen: keeps cookies, sends the form token of its own pages."""

    url: str
    seconds: float = patience.SECONDS
    cookies: dict[str, str] = field(default_factory=dict)
    _token: str = ""
    context: ssl.SSLContext | None = None
    """With it the line is closed."""
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with each request."""
    source: str | None = None
    """The address of this computer that it comes from."""

    def begin(self, method: str, path: str, body: str | None = None) -> Callable[[], Answer]:
        """Send a request; what is returned waits for its answer."""
        host = urlsplit(self.url).netloc
        plain = self.context is None
        connection = (
            HTTPConnection(host, timeout=self.seconds, source_address=(self.source, 0) if self.source else None)
            if plain
            else HTTPSConnection(host, timeout=self.seconds, context=self.context)
        )
        form = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        headers = {**form, **self.headers}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())

        def finish() -> Answer:
            with closing(connection):
                response = connection.getresponse()
                answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
            for name, value in response.getheaders():
                if name.lower() == "set-cookie":
                    key, _, rest = value.partition("=")
                    self.cookies[key] = rest.partition(";")[0]
            return answer

        try:
            connection.request(method, path, body, headers)
        except BaseException:
            connection.close()
            raise
        return finish

    def get(self, path: str) -> Answer:
        return self.begin("GET", path)()

    def begin_post(self, path: str, fields: dict[str, str] | None = None) -> Callable[[], Answer]:
        return self.begin("POST", path, urlencode({"csrf_token": self._token or self.token(), **(fields or {})}))

    def post(self, path: str, fields: dict[str, str] | None = None) -> Answer:
        return self.begin_post(path, fields)()

    def token(self) -> str:
        """The form token of the page this visitor is led to; good until the next sign-in."""
        answer = self.get("/")
        while answer.status == 303:
            answer = self.get(answer.location)
        found = re.search(r'name="csrf_token" value="([^"]+)"', answer.text)
        assert found is not None, answer.status
        self._token = found[1]
        return self._token

    def sign_in(self, email: str, password: str = PASSWORD) -> Answer:
        answer = self.post("/sign-in", {"email": email, "password": password})
        self._token = ""
        return answer


@dataclass
class Service:
    """A running `serve`; what it prints goes to files of its folder."""

    process: subprocess.Popen[bytes] | Copy
    out: Path
    err: Path
    url: str = ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def printed(self) -> str:
        return self.out.read_text(encoding="utf-8")

    def client(self, email: str | None = None) -> Client:
        """A visitor, signed in when an e-mail is given."""
        client = Client(self.url)
        if email is not None:
            assert client.sign_in(email).status == 303
        return client

    def kill(self) -> None:
        """As if the power went: kill -9."""
        self.process.kill()
        self.process.wait(patience.SECONDS)

    def last_words(self) -> str:
        """What a failed test needs to know: the end of what it printed, and where its threads stand."""
        if os.name == "posix" and self.process.poll() is None:
            self.process.send_signal(signal.SIGABRT)  # faulthandler writes the stacks
            self.ended()
        return self.err.read_text(encoding="utf-8")[-LAST_WORDS:]

    def stop(self, number: Literal[signal.Signals.SIGTERM, signal.Signals.SIGINT] = signal.SIGTERM) -> int:
        """Ask it to end; returns the exit code."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        return self.process.wait(patience.SECONDS)


def start(folder: Path, *args: str, at: datetime | None = None, itself: bool = False) -> Service:
    """Start `serve` and wait until it says that it is ready; `itself` as in `run`."""
    turn = len(list(folder.glob("serve-*.out"))) + 1
    out, err = folder / f"serve-{turn}.out", folder / f"serve-{turn}.err"
    line = command(folder, "serve", *args, at=at)
    with Path(os.devnull).open("rb") as nothing, out.open("wb") as stdout, err.open("wb") as stderr:
        process = _launch(line, folder, environment(folder, at), (nothing, stdout, stderr), itself=itself)
    service = Service(process, out, err)
    try:
        found = until(lambda: READY.search(service.printed) or process.poll() is not None)
        assert isinstance(found, re.Match), err.read_text(encoding="utf-8")
    except BaseException:
        service.kill()
        raise
    service.url = found[1]
    return service


@contextmanager
def serving(folder: Path, *args: str, at: datetime | None = None, itself: bool = False) -> Iterator[Service]:
    """A running `serve` for the length of a block; what is left of it then is killed."""
    service = start(folder, *args, at=at, itself=itself)
    try:
        yield service
    except BaseException as failure:
        failure.add_note(service.last_words())
        raise
    finally:
        service.kill()


def printed_everywhere(folder: Path) -> str:
    """Everything that all `serve` of the folder have printed so far."""
    return "".join(file.read_text(encoding="utf-8") for file in sorted(folder.glob("serve-*.out")))
