"""PostgreSQL stopped, cut off or held: 503 with a word meanwhile, then well again by itself; nothing is lost."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from secrets import token_hex
from signal import SIGQUIT
from threading import Event, Thread

import psycopg
import pytest

from service import clock
from tests import patience
from tests.faults.clinic import begun_visits, wall
from tests.faults.disks import missing
from tests.house import House
from tests.patience import until
from tests.process.launching import Answer, Client, Service, command, configure, environment, rows, run, serving
from tests.services.postgres import Cluster, NotFound, Postgres, cluster

pytestmark = pytest.mark.postgresql

NOW = wall("2026-05-04 09:00")
OTHERS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()"""


@pytest.fixture
def database_kind() -> str:
    """PostgreSQL only."""
    return "postgresql"


@pytest.fixture(scope="module")
def own() -> Iterator[Cluster]:
    """A server that only these tests stop, and that keeps what it has acknowledged."""
    try:
        with cluster("fsync=off") as made:
            yield made
    except NotFound as reason:
        missing(f"PostgreSQL: {reason}")


@pytest.fixture(scope="module")
def postgres(own: Cluster) -> Iterator[Postgres]:
    """Databases on it."""
    server = Postgres(own.url)
    yield server
    server.close()


@pytest.fixture
def service(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service with a doctor, whose scheduler ticks every second."""
    house.user("doctor", "ada@clinic.example", "Dr Ada")
    configure(tmp_path)
    monkeypatch.setenv("TEST_TICK", "1")
    with serving(tmp_path, at=clock.now()) as running:
        yield running


@contextmanager
def outside(url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Someone else at the database."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def ticked(folder: Path) -> datetime:
    """When the scheduler ticked last."""
    return rows(folder, "SELECT ticked_at FROM installation")[0][0] or datetime.min.replace(tzinfo=clock.now().tzinfo)


class Writers:
    """Doctors who write one treatment after the other, whatever is answered."""

    def __init__(self, clients: list[Client], visits: list[int]) -> None:
        self.acknowledged: dict[int, str] = {}
        self.refused: list[Answer] = []
        self._visits = visits
        self._over = Event()
        self._threads = [Thread(target=self._write, args=(client,)) for client in clients]

    def __enter__(self) -> "Writers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(patience.SECONDS)

    def _write(self, doctor: Client) -> None:
        while not self._over.is_set() and self._visits:
            visit, words = self._visits.pop(), token_hex(40)
            try:
                answer = doctor.post(f"/appointments/{visit}/treatment", {"diagnosis": words})
            except (OSError, HTTPException):  # a request that found no one is no promise either
                continue
            if answer.status == 303:
                self.acknowledged[visit] = words
            else:
                self.refused.append(answer)


def test_f29_a_server_that_dies_under_load_and_comes_back_loses_nothing_that_was_acknowledged(
    own: Cluster, house: House, service: Service, tmp_path: Path
) -> None:
    visits = begun_visits(house, 1, house.patient("Eve"), 3_000)
    clients = [service.client("ada@clinic.example") for _ in range(4)]
    for client in clients:
        client.token()
    with Writers(clients, visits) as writers:
        until(lambda: len(writers.acknowledged) > 20)
        own.stop(SIGQUIT)
        try:
            until(lambda: len(writers.refused) > 8)
            page = service.client().get("/sign-in")
            assert service.client().get("/livez").status == 200
        finally:
            own.start()
        before = len(writers.acknowledged)
        until(lambda: len(writers.acknowledged) > before + 20)
    assert page.status in (200, 503)
    assert {answer.status for answer in writers.refused} == {503}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in writers.refused)
    assert "reach the data" in writers.refused[0].text
    stored = dict(rows(tmp_path, "SELECT appointment_id, diagnosis FROM treatments"))
    assert {visit: stored.get(visit) for visit in writers.acknowledged} == writers.acknowledged
    completed = rows(tmp_path, "SELECT id FROM appointments WHERE status = 'completed'")
    assert {visit for (visit,) in completed} == set(stored)
    last = ticked(tmp_path)
    until(lambda: ticked(tmp_path) > last)
    assert service.stop() == 0


def test_f29_a_service_that_starts_while_the_server_is_away_says_so_in_a_line(
    own: Cluster, house: House, tmp_path: Path
) -> None:
    configure(tmp_path)
    own.stop()
    try:
        done = run(tmp_path, "serve")
    finally:
        own.start()
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "does not answer" in done.stderr


def test_f29_connections_cut_by_the_server_are_replaced_unnoticed(
    house: House, service: Service, database_url: str, tmp_path: Path
) -> None:
    ada = service.client("ada@clinic.example")
    visits = begun_visits(house, 1, house.patient("Eve"), 6)
    for visit in visits:
        assert ada.get("/today").status == 200
        with outside(database_url) as other:
            other.execute(OTHERS)
        assert ada.post(f"/appointments/{visit}/treatment", {"diagnosis": "Cold"}).status == 303
    last = ticked(tmp_path)
    until(lambda: ticked(tmp_path) > last)


def test_f9_who_waits_for_another_ones_lock_is_told_and_reading_goes_on(
    house: House, service: Service, database_url: str
) -> None:
    visit = house.visit(1, house.patient("Eve"), clock.now() - timedelta(minutes=5))
    form = f"/appointments/{visit}/treatment"
    writer, reader = service.client("ada@clinic.example"), service.client("ada@clinic.example")
    with outside(database_url) as other, other.transaction(force_rollback=True):
        other.execute("SELECT 1 FROM appointments FOR UPDATE")
        other.execute("LOCK TABLE treatments IN EXCLUSIVE MODE")
        finish = writer.begin_post(form, {"diagnosis": "Cold"})
        for path in ("/today", form, "/livez"):
            assert reader.get(path).status == 200
        refused = finish()
    assert refused.status == 503
    assert int(refused.headers["retry-after"]) > 0
    assert "Nothing was changed" in refused.text
    assert writer.post(form, {"diagnosis": "Cold"}).status == 303


def test_f4_a_migration_that_is_killed_leaves_no_table_and_can_start_again(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.empty()
    configure(tmp_path, f'[database]\nurl = "{url}"')
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    with outside(url) as other, outside(url) as looking:
        with other.transaction(force_rollback=True):
            other.execute("CREATE TABLE job_runs (id int)")  # no one sees it, but who makes one of that name waits
            process = subprocess.Popen(command(tmp_path, "migrate"), env=environment(tmp_path), cwd=tmp_path)
            until(lambda: looking.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone())
            process.kill()
            process.wait(patience.SECONDS)
        until(lambda: looking.execute("SELECT count(*) FROM pg_stat_activity WHERE query ~ 'job_runs'").fetchone())
        assert looking.execute(tables).fetchone() == (0,)
        assert run(tmp_path, "migrate").returncode == 0
        found = looking.execute(tables).fetchone()
    assert found is not None
    assert found[0] != 0
    postgres.drop(url)
