"""A morning of 10,000 reminders: planned beside bare inserts, sent along few connections, felt at the desk."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, sleep

import trustme

from bench.data.clinics import ROOT, Bench, Clinic
from bench.service import memory
from bench.service.process import serving
from bench.service.visitor import Visitor
from bench.table import Row, in_ms, in_turn, ratio_of
from service import clock
from service.config.settings import Settings, load
from service.domain.outbox import reminders
from service.notifications.email import Email
from service.notifications.message import OutgoingMessage
from service.storage.database import Database
from service.storage.models import Channel

TICK = 0.05
"""Seconds between two pages at the desk: 20 a second."""
DESK = "reception@demo.example"


@dataclass(frozen=True)
class MailServer:
    """A mail server in a process of its own."""

    process: subprocess.Popen[str]
    port: int
    authority: Path

    def counts(self) -> dict[str, int]:
        """Connections and mails since it was asked last."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print("counts", file=self.process.stdin, flush=True)
        return dict(json.loads(self.process.stdout.readline()))

    @property
    def toml(self) -> str:
        """The settings of a clinic that uses it."""
        return (
            f'[email]\nenabled = true\nhost = "127.0.0.1"\nport = {self.port}\nsecurity = "tls"\n'
            f'sender = "desk@demo.example"\nca_file = "{self.authority}"\n'
            '[jobs]\nreminders_at = "23:59"\n'  # so that today's own do not leave beside them
        )


def rows(bench: Bench) -> Iterator[Row]:
    """Plan, send, and open the day at the desk meanwhile."""
    clinic, count = bench.usual.copied(bench.folder / "morning"), bench.size(10_000, 300)
    day = clock.today(load(clinic.config).clinic.zone) + timedelta(days=1)
    _fill(clinic, day, count)
    yield _planning(clinic, day, count, bench.size(7, 2))
    with mail_server(bench.folder) as server:
        with clinic.config.open("a", encoding="utf-8") as config:
            config.write(server.toml)
        yield _connections(load(clinic.config), bench.size(300, 40), bench.size(5, 2))
        server.counts()
        yield from _morning(clinic, day, count, server, bench.size(400, 60))


def _fill(clinic: Clinic, day: date, count: int) -> None:
    """So many patients with an appointment that day, all with an address."""
    first = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
    booked = f"{first - timedelta(days=9):%F %T.%f}"
    with closing(sqlite3.connect(clinic.database)) as connection, connection:
        last = connection.execute("SELECT max(id) FROM patients").fetchone()[0]
        people = [
            (last + 1 + number, f"Patient {number}", f"m{number}@demo.example", booked) for number in range(count)
        ]
        person = "INSERT INTO patients (id, name, email, email_key, created_at) VALUES (?1, ?2, ?3, ?3, ?4)"
        connection.executemany(person, people)
        visits = []
        for number, (patient, *_rest) in enumerate(people):
            at = first + timedelta(minutes=number % 480)
            visits.append((patient, f"{at:%F %T.%f}", f"{at + timedelta(minutes=15):%F %T.%f}", booked))
        connection.executemany(
            "INSERT INTO appointments (doctor_id, patient_id, starts_at, ends_at, status, overbooked, created_at) "
            "VALUES (1, ?, ?, ?, 'booked', 1, ?)",
            visits,
        )


def _planning(clinic: Clinic, day: date, count: int, rounds: int) -> Row:
    """One INSERT … SELECT beside as many inserts of finished rows into the same table."""
    settings = load(clinic.config)
    database = Database(settings.database_url)

    def ours() -> float:
        _forget(clinic)
        start = perf_counter()
        with database.transaction() as session:
            reminders.plan(session, reminders.of_day(day, settings.clinic.zone), (Channel.EMAIL,))
        return perf_counter() - start

    def bare() -> float:
        with closing(sqlite3.connect(clinic.database)) as connection:
            query = (
                "SELECT appointment_id, patient_id, starts_at, rule, channel, recipient, status, due_at, lease_until"
            )
            finished = connection.execute(f"{query}, created_at FROM messages").fetchall()
            _forget(clinic)
            columns = query.removeprefix("SELECT ") + ", created_at"
            connection.execute("PRAGMA synchronous = FULL")
            start = perf_counter()
            with connection:
                connection.executemany(f"INSERT INTO messages ({columns}) VALUES ({', '.join('?' * 10)})", finished)
            return perf_counter() - start

    took = in_turn(rounds, ours, bare)
    database.close()
    mine, theirs = (median(each) for each in took)
    ratio = ratio_of(took)
    return Row(f"Plan {count:,} reminders", in_ms(mine), f"{in_ms(theirs)}, bare inserts", ratio, "<= 3", ratio <= 3)


def _forget(clinic: Clinic) -> None:
    with closing(sqlite3.connect(clinic.database, timeout=20)) as connection, connection:
        connection.execute("DELETE FROM messages")


def _connections(settings: Settings, messages: int, rounds: int) -> Row:
    """The e-mail channel as it is, beside one connection per message; both with TLS."""
    channel = Email(settings.email, "", settings.clinic)

    def seconds(*, alone: bool) -> float:
        start = perf_counter()
        for number in range(messages):
            channel.send(OutgoingMessage(number, f"m{number}@demo.example", "Your visit", "Hello\n"), lambda: None)
            if alone:
                channel.close()
        channel.close()
        return perf_counter() - start

    took = in_turn(rounds, lambda: messages / seconds(alone=False), lambda: messages / seconds(alone=True))
    mine, theirs = (median(each) for each in took)
    ratio = ratio_of(took)
    beside = f"{theirs:.0f}/s, a connection each"
    return Row("Mails with TLS along one connection", f"{mine:.0f}/s", beside, ratio, ">= 2", ratio >= 2)


def _morning(clinic: Clinic, day: date, count: int, server: MailServer, pages: int) -> Iterator[Row]:
    """All of them leave from the running service, while someone at the desk opens today 20 times a second."""
    _forget(clinic)
    _pause(clinic, "2026-01-01 00:00:00.000000")
    settings = load(clinic.config)
    database = Database(settings.database_url)
    with database.transaction() as session:
        reminders.plan(session, reminders.of_day(day, settings.clinic.zone), (Channel.EMAIL,))
    database.close()
    left = "SELECT count(*) FROM messages WHERE status IN ('queued', 'sending', 'handing_over')"
    count = clinic.ask(left)  # with those of the demo clinic's own appointments that day
    with serving(clinic) as service:
        desk = Visitor(service.port, DESK)
        for _warming in range(20):
            desk.timed("/today")
        idle, resting = _opened(desk, pages), memory.resident(service.process.pid)
        _pause(clinic, None)
        while clinic.ask(left) == count:
            sleep(0.05)
        start, busy, most = perf_counter(), [], resting
        while clinic.ask(left):
            busy += _opened(desk, 10)
            most = max(most, memory.resident(service.process.pid))
        took = perf_counter() - start
        desk.close()
    counts, sent = server.counts(), clinic.ask("SELECT count(*) FROM messages WHERE status = 'sent'")
    words = f"{counts['mails']:,} in {took:.0f} s, {count / took:.0f}/s, {counts['connections']} connections"
    right = counts["mails"] == sent == count and counts["connections"] <= 100
    yield Row(f"Send {count:,} reminders with TLS", words, "", None, "each once, <= 100 connections", right)
    grown = most - resting
    yield Row("… memory over idle", f"{grown:.1f} MiB", f"{resting:.0f} MiB idle", None, "<= 64 MiB", grown <= 64)
    calm, felt = (quantiles(each, n=100)[-1] for each in (idle, busy))
    beside, ratio = f"{in_ms(calm)} idle", felt / calm
    yield Row("… today at 20 a second, p99", in_ms(felt), beside, ratio, "<= 3", ratio <= 3)


def _opened(desk: Visitor, pages: int) -> list[float]:
    """The seconds each of so many pages took, one every TICK."""
    found, start = [], perf_counter()
    for turn in range(pages):
        sleep(max(0.0, start + turn * TICK - perf_counter()))
        found.append(desk.timed("/today"))
    return found


def _pause(clinic: Clinic, since: str | None) -> None:
    with closing(sqlite3.connect(clinic.database, timeout=20)) as connection, connection:
        connection.execute("UPDATE installation SET messages_paused_at = ?", (since,))


@contextmanager
def mail_server(folder: Path) -> Iterator[MailServer]:
    """A mail server with TLS for as long as the block lasts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    words = (sys.executable, "-m", "bench.service.mail_server", str(folder / "server.pem"))
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            yield MailServer(process, int(process.stdout.readline()), folder / "authority.pem")
        finally:
            process.kill()
