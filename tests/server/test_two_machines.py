"""The example of docs/scale-out.md, as it is written there: systemd understands it, and a day is played through it."""

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from service.config.settings import Settings
from service.jobs import schedule
from tests.crowd import together
from tests.faults.clinic import part_files
from tests.faults.disks import missing
from tests.house import PASSWORD
from tests.patience import until
from tests.process.launching import ON_SERVER, Answer, Client, change, configure, run, zone_of_the_morning
from tests.server.machines import BEAT, FILES, WEB, WORKER, Site
from tests.services import redis as redis_server
from tests.services.mail_server import MailServer, running
from tests.services.postgres import Postgres
from tests.services.redis import Redis
from tests.services.workers import Process

PATIENCE = 150.0
"""Longer than the claim of a killed worker."""
ADMIN, DESK, PATIENT = "admin@demo.example", "reception@demo.example", "patient1@demo.example"
JOBS = {row.job for row in schedule.table(Settings())}


@contextmanager
def owned(postgres: Postgres) -> Iterator[str]:
    """The URL of an empty database as step 1 makes it: its owner may do nothing else on the server."""
    url = postgres.empty()
    database = make_url(url).database
    owner, address = f"{database}_owner", url.replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True) as server:
        server.execute(f"CREATE ROLE {owner} LOGIN PASSWORD 'PASSWORD'".encode())
        server.execute(f"ALTER DATABASE {database} OWNER TO {owner}".encode())
    yield make_url(url).set(username=owner).render_as_string(hide_password=False)
    postgres.drop(url)
    with psycopg.connect(postgres.url.replace("+psycopg", ""), autocommit=True) as server:
        server.execute(f"DROP ROLE {owner}".encode())


@pytest.fixture
def site(postgres: Postgres, redis: Redis, tmp_path: Path) -> Iterator[Site]:
    """A clinic that was on SQLite, copied over; nothing runs yet."""
    for program in ("nginx", "caddy", "pg_dump"):
        if shutil.which(program) is None:
            missing(program)
    server, old, zone = MailServer(), tmp_path / "old", zone_of_the_morning()
    old.mkdir()
    configure(old, f'[clinic]\ntimezone = "{zone}"')
    size = ("--doctors", "6", "--patients", "150", "--appointments", "2500")
    assert run(old, "demo", *size, "--password", PASSWORD).returncode == 0
    began = "'2020-01-01 00:00:00.000000'"
    change(old, f"UPDATE installation SET created_at = {began}, zone_chosen_at = {began}")
    with ExitStack() as stack:
        url = stack.enter_context(owned(postgres))
        broker = stack.enter_context(redis_server.alone())
        stack.enter_context(running(server))
        made = Site(tmp_path, url, broker, server, zone=zone)
        for machine in ("web1", "web2", "worker1"):
            made.furnish(machine)
        (tmp_path / "shared").mkdir()
        ON_SERVER[tmp_path] = url
        copied = run(old, "copy-database", f"sqlite:///{old / 'rounds.db'}", url)
        assert copied.returncode == 0, copied.stderr
        yield made
        for process in made.processes:
            process.kill()
        del ON_SERVER[tmp_path]


def only(pattern: str, text: str) -> str:
    """What the first place in a page that looks so says."""
    found = re.search(pattern, text)
    assert found is not None, text
    return found[1]


def as_of(page: Answer) -> str:
    """When the dashboard's figures were counted."""
    return only(r'As of <time datetime="([^"]+)"', page.text)


def mails_sent(site: Site) -> Counter[str]:
    """How many mails each address got, by the log."""
    return Counter(str(one) for (one,) in site.rows("SELECT recipient FROM messages WHERE status = 'sent'"))


def pressed_export(patient: Client) -> str:
    answer = patient.post("/exports")
    assert answer.status == 303, answer.status
    return answer.location


def is_there(patient: Client, page: str) -> bool:
    return 'data-state="available"' in patient.get(page).text


def signed_in(site: Site, machine: str, email: str) -> Client:
    client = site.client(machine)
    assert client.sign_in(email).status == 303
    client.token()
    return client


@pytest.mark.foreign
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
def test_the_units_of_the_example_are_understood_by_systemd(tmp_path: Path) -> None:
    site = Site(tmp_path, "", Redis(""), MailServer())
    for unit in (WEB, WORKER, BEAT):
        file = tmp_path / f"{unit.replace('@', '@1')}.service"
        file.write_text(site.local(FILES[f"/etc/systemd/system/{unit}.service"], "web1"), encoding="utf-8")
        judged = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, check=False)
        assert (judged.returncode, judged.stderr) == (0, "")


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_day_on_two_web_machines_and_a_worker(site: Site) -> None:
    webs = [site.start(WEB, name) for name in ("web1", "web2")]
    worker = site.start(WORKER, "worker1", "1")
    with site.nginx():
        a_morning(site)
        a_session_and_a_booking_are_the_same_everywhere(site)
        one_time_for_one_of_many(site)
        figures_months_and_a_backup(site)
        worker = exports_whatever_dies(site, worker)
        one_web_stops(site, webs[0])
    webs[0] = site.start(WEB, "web1")
    with site.caddy():
        one_web_stops(site, webs[1])
        assert "ok broker: Redis answers" in site.by_hand("check")
        site.by_hand("audit verify")
    until(lambda: site.mail.told == mails_sent(site))
    assert part_files(site.folder) == []
    assert [one.stop() for one in (webs[0], worker)] == [0, 0]
    (visits,) = site.rows("SELECT count(*) FROM appointments")
    site.by_hand(f"restore {max((site.folder / 'shared' / 'backups').glob('*.zip'))} --yes")
    site.by_hand("audit verify")
    assert site.rows("SELECT count(*) + 2 FROM appointments") == [visits]  # all but what one_web_stops booked


def a_morning(site: Site) -> None:
    """Beat starts while someone runs the reminders by hand: nobody gets a message twice."""
    with ThreadPoolExecutor(1) as pool:
        by_hand = pool.submit(site.by_hand, "run-job reminders --json")
        site.start(BEAT, "worker1")
        by_hand.result()
    until(lambda: {job for (job,) in site.rows("SELECT job FROM job_runs WHERE status = 'done'")} == JOBS)
    until(lambda: not site.rows("SELECT 1 FROM messages WHERE status NOT IN ('sent', 'skipped')"))
    told = mails_sent(site)
    assert len(told) > 10
    assert told == site.mail.told
    again = json.loads(site.by_hand("run-job reminders --json").splitlines()[-1])
    assert not again["run"].get("sent")
    assert told == site.mail.told


def a_session_and_a_booking_are_the_same_everywhere(site: Site) -> None:
    desk = signed_in(site, "front", DESK)
    one, two = site.client("web1", desk), site.client("web2", desk)
    assert [where.get("/today").status for where in (desk, one, two)] == [200] * 3
    free = free_time(site, one)
    booked = one.post("/appointments", {"patient_id": "5", "doctor_id": "1", "starts_at": free, "reason": "Cough"})
    assert booked.status == 303
    assert two.get(booked.location).status == 200
    assert two.post(f"{booked.location}/cancellation", {"reason": "Well again"}).status == 303
    assert one.post("/sign-out").status == 303
    assert two.get("/today").status == 303


def one_time_for_one_of_many(site: Site) -> None:
    clients = [signed_in(site, ("web1", "web2")[turn % 2], DESK) for turn in range(8)]
    free = free_time(site, clients[0])

    def book(turn: int) -> int:
        form = {"patient_id": str(10 + turn), "doctor_id": "1", "starts_at": free}
        return clients[turn].post("/appointments", form).status

    assert Counter(together(8, book)) == {303: 1, 409: 7}


def free_time(site: Site, desk: Client) -> str:
    """A free time of the first doctor, far ahead."""
    day = site.rows("SELECT (now() + interval '80 days')::date::text")[0][0]
    return only(r'name="starts_at"[^>]* value="([^"]+)"', desk.get(f"/appointments/new?doctor_id=1&date={day}").text)


def figures_months_and_a_backup(site: Site) -> None:
    one = signed_in(site, "web1", ADMIN)
    two = site.client("web2", one)
    first = as_of(one.get("/dashboard"))
    assert as_of(two.get("/dashboard")) == first
    until(lambda: two.post("/dashboard").status == 303 and as_of(one.get("/dashboard")) > first)
    assert as_of(one.get("/dashboard")) == as_of(two.get("/dashboard"))
    report = only(r'href="(/reports/\d+)"', two.get("/reports").text)
    assert one.get(report).status == 200
    backups = site.folder / "shared" / "backups"
    before = len(list(backups.glob("*.zip")))
    assert one.post("/jobs/make_backup/runs").status == 303
    until(lambda: len(list(backups.glob("*.zip"))) == before + 1)


def exports_whatever_dies(site: Site, worker: Process) -> Process:
    """Pressed here and fetched there; the worker is killed at it, then the broker forgets everything."""
    one = signed_in(site, "web1", PATIENT)
    two = site.client("web2", one)
    page = pressed_export(one)
    until(partial(is_there, two, page))
    assert two.get(f"{page}/file").body.startswith(b'\xef\xbb\xbf"Patient ID"')
    with psycopg.connect(site.url.replace("+psycopg", "")) as server:
        server.execute("LOCK TABLE treatments IN ACCESS EXCLUSIVE MODE")
        other = signed_in(site, "web2", "patient2@demo.example")
        cut_off = pressed_export(other)
        until(lambda: 'data-state="running"' in other.get(cut_off).text)
        worker.kill()
    worker = site.start(WORKER, "worker1", "2")
    until(partial(is_there, other, cut_off), PATIENCE)
    assert site.rows("SELECT attempts FROM exports WHERE id = ?", cut_off.removeprefix("/exports/")) == [(2,)]
    site.broker.stop()
    third = signed_in(site, "front", "patient3@demo.example")
    forgotten = pressed_export(third)
    site.broker.start()
    until(partial(is_there, third, forgotten), PATIENCE)
    return worker


def one_web_stops(site: Site, web: Process) -> None:
    """Clients of the front notice nothing."""
    desk = signed_in(site, "front", DESK)
    assert web.stop() == 0
    assert {desk.get("/today").status for _look in range(12)} == {200}
    free = free_time(site, desk)
    assert desk.post("/appointments", {"patient_id": "7", "doctor_id": "1", "starts_at": free}).status == 303
