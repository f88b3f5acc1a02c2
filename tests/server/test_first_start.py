"""The first start over real sockets: the pages, the settings file, and the restart."""

import os
import re
import socket
import sqlite3
import stat
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from service.process import listening
from tests import patience
from tests.faults.disks import missing
from tests.house import PASSWORD
from tests.patience import until
from tests.process.launching import Client, Service, configure, rows, run, serving
from tests.services.mail_server import MailServer, running

CLINIC = {"name": 'Dr "Ö" & Söhne 🦷 """', "timezone": "Europe/Vienna", "country": "AT", "language": "de", "phone": ""}
DOCTOR = {"name": "Dr Ada", "department": "Eyes", "email": "ada@clinic.example", "slot_minutes": "20"}
WEEK = {"starts": "08:00", "ends": "12:00", "starts_2": "13:00", "ends_2": "17:00", "weekdays": "0"}
ADMIN = {"name": "Ines", "email": "ines@clinic.example", "password": PASSWORD}
COMMENTED = "# ours\n[server]\nport = 0\n\n[clinic]   # who we are\nname = 'Our clinic' # on the door\n"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    (tmp_path / "config.toml").write_text(COMMENTED, encoding="utf-8")
    with serving(tmp_path) as running_service:
        yield running_service


def said(folder: Path) -> dict[str, dict[str, object]]:
    return tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def test_all_pages_take_effect_together_and_the_service_restarts_by_itself(service: Service, tmp_path: Path) -> None:
    visitor = service.client()
    for page, form, leads_to in (
        ("clinic", CLINIC, "/setup/reach"),
        ("reach", {"act": "skip"}, "/setup/doctor"),
        ("doctor", {**DOCTOR, **WEEK}, "/setup/mail"),
        ("mail", {"act": "skip"}, "/setup"),
    ):
        answer = visitor.post(f"/setup/{page}", form)
        assert (answer.status, answer.location) == (303, leads_to), answer.text
        assert (tmp_path / "config.toml").read_text(encoding="utf-8") == COMMENTED
        assert rows(tmp_path, "SELECT count(*) FROM users") == [(0,)]
    assert visitor.post("/setup", ADMIN).location == "/sign-in"
    assert (
        "Söhne" in visitor.get("/sign-in").text
    )  # requested at once: connections during the restart wait instead of failing
    assert said(tmp_path)["clinic"] == {
        "name": CLINIC["name"],
        "timezone": "Europe/Vienna",
        "country": "AT",
        "language": "de",
        "clock": 24,
        "first_weekday": "monday",
        "phone": "",
    }
    text = (tmp_path / "config.toml").read_text(encoding="utf-8")
    assert text.startswith("# ours\n[server]\nport = 0\n\n[clinic]   # who we are\n")
    assert "# on the door" in text
    assert rows(tmp_path, "SELECT name, role FROM users ORDER BY id") == [("Ines", "admin"), ("Dr Ada", "doctor")]
    assert rows(tmp_path, "SELECT weekday, slot_minutes FROM doctor_hours") == [(0, 20)] * 2
    until(lambda: "To: ada@clinic.example" in service.printed)
    assert "Our clinic" not in service.printed  # the invitation waited for the clinic's name
    assert visitor.get("/setup").status == visitor.get("/setup/clinic").status == 404
    admin = service.client(ADMIN["email"])
    assert admin.get("/").location == "/dashboard"
    assert service.printed.count("Rounds is ready on") == 2
    assert run(tmp_path, "audit", "verify").returncode == 0
    assert rows(tmp_path, "SELECT count(*) FROM audit WHERE act = 'settings.change'") == [(1,)]
    assert service.stop() == 0


def test_no_turn_of_a_job_is_judged_in_a_zone_that_nobody_chose(service: Service, tmp_path: Path) -> None:
    assert rows(tmp_path, "SELECT count(*) FROM job_runs") == [(0,)]
    visitor = service.client()
    assert visitor.post("/setup/clinic", {**CLINIC, "timezone": "America/Chicago", "language": "en"}).status == 303
    assert visitor.post("/setup", ADMIN).location == "/sign-in"
    admin = service.client(ADMIN["email"])
    slot = until(lambda: rows(tmp_path, "SELECT slot FROM job_runs WHERE job = 'send_daily_reminders'"))[0][0]
    judged = rows(tmp_path, "SELECT DISTINCT status, outcome FROM job_runs")
    assert judged == [("skipped", '{"reason": "before_start"}')]
    for page in ("/jobs", f"/messages/morning?date={slot}"):
        assert "was due before this clinic started using Rounds" in admin.get(page).text
    assert service.stop() == 0


def test_another_port_is_where_the_service_is_then_and_the_page_leads_there(service: Service, tmp_path: Path) -> None:
    visitor, port = service.client(), free_port()
    assert visitor.post("/setup/reach", {"reach": "computer", "port": str(port)}).status == 303
    answer = visitor.post("/setup", ADMIN)
    url = f"http://127.0.0.1:{port}"
    assert answer.status == 200
    assert f'http-equiv="refresh" content="4; url={url}/sign-in"' in answer.text
    there = Client(url)
    until(lambda: answers(there))
    assert there.sign_in(ADMIN["email"]).status == 303
    with pytest.raises(OSError, match="refused"):
        visitor.get("/livez")
    assert said(tmp_path)["server"]["port"] == port
    assert said(tmp_path)["clinic"]["public_url"] == url
    assert service.stop() == 0


def answers(client: Client) -> bool:
    try:
        return client.get("/livez").status == 200
    except OSError:
        return False


def test_the_network_is_let_in_by_the_address_that_was_found(service: Service, tmp_path: Path) -> None:
    address = listening.network_address()
    if not address:
        missing("a network")
    visitor, port = service.client(), str(service.port)
    assert f'value="{address}"' in visitor.get("/setup/reach").text
    form = {"reach": "network", "port": port, "address": address}
    assert visitor.post("/setup/reach", form).status == 303
    moved = visitor.post("/setup", ADMIN)
    assert moved.status == 200
    assert f"url={service.url}/sign-in" in moved.text  # by the name the visitor came by
    there = Client(f"http://{address}:{port}")
    until(lambda: answers(there))
    assert there.sign_in(ADMIN["email"]).status == 303
    assert said(tmp_path)["clinic"]["public_url"] == f"http://{address}:{port}"
    assert said(tmp_path)["server"]["host"] == "0.0.0.0"


@pytest.mark.soak
def test_a_database_that_is_held_meanwhile_is_waited_for(service: Service, tmp_path: Path) -> None:
    visitor = service.client()
    assert visitor.post("/setup/clinic", CLINIC).status == 303
    assert visitor.post("/setup", ADMIN).status == 303
    with closing(sqlite3.connect(tmp_path / "rounds.db", isolation_level=None, timeout=patience.SECONDS)) as other:
        other.execute("BEGIN IMMEDIATE")
        until(lambda: "cannot restart yet" in service.err.read_text(encoding="utf-8"))
        other.execute("ROLLBACK")
    assert "Söhne" in visitor.get("/sign-in").text
    assert said(tmp_path)["clinic"]["name"] == CLINIC["name"]


def test_settings_that_cannot_be_served_are_taken_back_and_it_serves_as_before(
    service: Service, tmp_path: Path
) -> None:
    visitor, port = service.client(), free_port()
    assert visitor.post("/setup/reach", {"reach": "computer", "port": str(port)}).status == 303
    with socket.create_server(("127.0.0.1", port)):
        assert visitor.post("/setup", ADMIN).status == 200
        until(lambda: service.printed.count("Rounds is ready on") == 2)
        admin = service.client(ADMIN["email"])
        page = admin.get("/settings").text
        assert "so it was undone" in page
        assert f"Port {port} on 127.0.0.1 cannot be used" in page
    assert (tmp_path / "config.toml").read_text(encoding="utf-8") == COMMENTED


def test_a_port_of_the_command_line_stays(tmp_path: Path) -> None:
    configure(tmp_path, "[server]\nport = 70\n")
    with serving(tmp_path, "--port", "0") as service:
        visitor = service.client()
        assert "server.port was set when Rounds was started" in visitor.get("/setup/reach").text
        assert visitor.post("/setup/reach", {"reach": "computer"}).status == 303
        assert visitor.post("/setup", ADMIN).location == "/sign-in"
        assert visitor.get("/sign-in").status == 200
        assert said(tmp_path)["server"]["port"] == 70


def test_mail_is_tried_out_and_its_password_lies_beside_the_settings(tmp_path: Path) -> None:
    configure(tmp_path)
    mail = MailServer(login=("desk", "secret words"))
    with serving(tmp_path) as service, running(mail):
        visitor = service.client()
        form = {"host": "127.0.0.1", "port": str(mail.port), "security": "none", "sender": "desk@clinic.example"}
        form |= {"username": "desk", "test_to": "ines@clinic.example"}
        wrong = visitor.post("/setup/mail", {**form, "password": "wrong", "act": "test"})
        assert wrong.status == 422
        assert "The test message couldn&#39;t be sent" in wrong.text
        unprotected = visitor.post("/setup/mail", {**form, "security": "starttls", "password": "x", "act": "test"})
        assert "Is security right?" in unprotected.text
        tried = visitor.post("/setup/mail", {**form, "password": "secret words", "act": "test"})
        assert tried.status == 200, tried.text
        assert mail.told == {"ines@clinic.example": 1}
        assert "secret words" not in tried.text
        assert visitor.post("/setup/mail", {**form, "password": "secret words"}).status == 303
        assert not (tmp_path / "email.password").exists()
        assert visitor.post("/setup", ADMIN).status == 303
        assert visitor.get("/sign-in").status == 200
        assert (tmp_path / "email.password").read_text(encoding="utf-8") == "secret words"
        assert stat.S_IMODE(os.stat(tmp_path / "email.password").st_mode) == 0o600
        assert "secret words" not in (tmp_path / "config.toml").read_text(encoding="utf-8")
        assert rows(tmp_path, "SELECT count(*) FROM audit_details WHERE changes LIKE '%secret words%'") == [(0,)]
        admin = service.client(ADMIN["email"])
        kept = admin.post("/settings/mail", {**form, "act": "test"})  # with the password that is kept
        assert kept.status == 200, kept.text
        assert mail.told == {"ines@clinic.example": 2}
    assert "secret words" not in re.sub(r"\s+", " ", service.err.read_text(encoding="utf-8"))


def test_an_administrator_changes_settings_later_and_it_is_audited(service: Service, tmp_path: Path) -> None:
    assert service.client().post("/setup", ADMIN).location == "/sign-in"
    admin = service.client(ADMIN["email"])
    assert "The clinic has no name yet." in admin.get("/dashboard").text
    answer = admin.post("/settings/clinic", {**CLINIC, "name": "Practice at the Park", "language": "en"})
    assert (answer.status, answer.location) == (303, "/settings")
    page = admin.get("/settings").text  # the session goes on: nobody is signed out
    assert "Practice at the Park" in page
    assert "Rounds has restarted" in page
    assert "The clinic has no name yet." not in admin.get("/dashboard").text
    assert "Changed clinic settings" in admin.get("/audit").text
    assert (
        admin.post("/settings/clinic", {**CLINIC, "name": "Practice at the Park", "language": "en"}).location
        == "/settings"
    )
    assert "Nothing to save" in admin.get("/settings").text
    assert service.printed.count("Rounds is ready on") == 2


def test_no_connection_is_dropped_during_a_restart(service: Service) -> None:
    assert service.client().post("/setup", ADMIN).location == "/sign-in"
    admin, enough = service.client(ADMIN["email"]), Event()

    def keep_asking() -> int:
        asked = 0
        while not enough.is_set():
            assert Client(service.url).get("/livez").status == 200
            asked += 1
        return asked

    with ThreadPoolExecutor(6) as visitors:
        try:
            asking = [visitors.submit(keep_asking) for _turn in range(6)]
            for turn in range(4):
                answer = admin.post("/settings/clinic", {**CLINIC, "name": f"Practice {turn}"})
                assert answer.location == "/settings"
                assert f"Practice {turn}" in admin.get("/settings").text
        finally:
            enough.set()
        assert all(one.result() > 0 for one in asking)
    assert service.printed.count("Rounds is ready on") == 5


@pytest.mark.parametrize("wait", [0.0, 0.15, 0.4])
def test_o5_a_signal_during_a_restart_stops_it(service: Service, wait: float) -> None:
    visitor = service.client()
    assert visitor.post("/setup/clinic", CLINIC).status == 303
    assert visitor.post("/setup", ADMIN).status == 303
    Event().wait(wait)
    assert service.stop() == 0
    assert "Traceback" not in service.err.read_text(encoding="utf-8")


def test_a_demo_clinic_is_wiped_after_a_backup_and_setup_comes_again(tmp_path: Path) -> None:
    configure(tmp_path)
    small = ("--doctors", "1", "--patients", "3", "--appointments", "30", "--password", PASSWORD)
    assert run(tmp_path, "demo", *small).returncode == 0
    with serving(tmp_path) as service:
        admin = service.client("admin@demo.example")
        assert "Delete the demo clinic" in admin.get("/dashboard").text
        assert admin.post("/system/demo").status == 422
        assert admin.post("/system/demo", {"sure": "y"}).status == 303
        assert admin.get("/").location == "/setup"
        assert "Welcome to Rounds" in admin.get("/setup").text
        for table in ("users", "patients", "appointments", "audit", "sessions"):
            assert rows(tmp_path, f"SELECT count(*) FROM {table}") == [(0,)]
        assert len(list((tmp_path / "backups").glob("*-before-wipe.zip"))) == 1
        assert service.client().post("/setup", ADMIN).location == "/sign-in"
        assert rows(tmp_path, "SELECT demo_at FROM installation") == [(None,)]
    assert run(tmp_path, "audit", "verify").returncode == 0


def test_what_was_entered_by_hand_keeps_a_demo_clinic(tmp_path: Path) -> None:
    configure(tmp_path)
    small = ("--doctors", "1", "--patients", "3", "--appointments", "30", "--password", PASSWORD)
    assert run(tmp_path, "demo", *small).returncode == 0
    with serving(tmp_path) as service:
        admin = service.client("admin@demo.example")
        assert admin.post("/patients/new", {"name": "Real Person", "confirm": "y"}).status == 303
        page = admin.get("/system/demo").text
        assert "Created the record" in page
        assert "can't be deleted here" in page
        assert admin.post("/system/demo", {"sure": "y"}).status == 409
        assert not (tmp_path / "backups").exists()
        assert rows(tmp_path, "SELECT count(*) FROM patients") == [(4,)]
