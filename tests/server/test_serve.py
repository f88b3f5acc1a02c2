"""`serve` from outside: it starts as the README says, is used over HTTP, and stops on a signal."""

import os
import signal
import socket
import sqlite3
import subprocess
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest
from filelock import FileLock

from service import clock
from tests import patience
from tests.faults.clinic import big_history, part_files
from tests.faults.disks import disk, read_only
from tests.house import PASSWORD, House
from tests.patience import until
from tests.process.launching import (
    Client,
    Service,
    command,
    configure,
    environment,
    rows,
    run,
    run_all,
    sentence,
    serving,
)

Signal = Literal[signal.Signals.SIGTERM, signal.Signals.SIGINT]
SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


def refused(folder: Path, *args: str) -> str:
    """The one line with which a start is refused."""
    return sentence(run(folder, "serve", *args))


def test_a_clinic_starts_as_the_readme_says_and_is_used_over_http(tmp_path: Path) -> None:
    configure(tmp_path)
    who = ("--role", "doctor", "--email", "ada@clinic.example", "--name", "Dr Ada")
    assert run(tmp_path, "add-user", *who, "--password-stdin", given=f"{PASSWORD}\n", itself=True).returncode == 0
    with serving(tmp_path, itself=True) as service:
        ada = service.client("ada@clinic.example")
        assert ada.get("/").location == "/today"
        page = ada.get("/today")
        assert page.status == 200
        assert "Dr Ada" in page.text
        assert ada.get("/livez").text == "ok\n"
        assert ada.post("/sign-out").location == "/sign-in"
        assert ada.get("/today").status == 303


def test_serve_needs_no_command_and_takes_its_options_without_one(tmp_path: Path) -> None:
    configure(tmp_path, "[server]\nport = 70\n")
    process = subprocess.Popen(
        [*command(tmp_path)[:2], "--port", "0", "--config", str(tmp_path / "config.toml")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(tmp_path),
    )
    with process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        ready = next(line for line in lines if line.startswith("Rounds is ready on "))
        assert Client(ready.split()[-1]).get("/livez").status == 200
        process.terminate()
    assert process.returncode == 0


def test_a9_the_first_start_prints_the_setup_code_and_setup_makes_an_admin_who_can_sign_in(tmp_path: Path) -> None:
    configure(tmp_path)
    with serving(tmp_path) as service:
        setup_line, folder, ready = service.printed.splitlines()
        assert f"{service.url}/setup" in setup_line
        assert "setup code" in setup_line
        assert folder == f"Everything is kept in {tmp_path}"
        assert ready == f"Rounds is ready on {service.url}"
        visitor = service.client()
        assert visitor.get("/").location == "/setup"
        assert "setup_code" not in visitor.get("/setup").text
        passed_on = urllib.request.Request(f"{service.url}/setup", headers={"X-Forwarded-For": "203.0.113.9"})
        with urllib.request.urlopen(passed_on) as page:
            assert b"setup_code" in page.read()  # by a proxy that the settings do not name
        admin = {"name": "Ines", "email": "ines@clinic.example", "password": PASSWORD}
        assert visitor.post("/setup", admin).status == 303
        assert visitor.get("/setup").status == 404
        assert visitor.sign_in("ines@clinic.example").status == 303
        assert visitor.get("/").location == "/dashboard"
    with serving(tmp_path) as again:
        assert "setup" not in again.printed


@pytest.mark.parametrize("stdin", ["empty", "closed"])
def test_serve_never_reads_standard_input(tmp_path: Path, stdin: str) -> None:
    configure(tmp_path)
    line = command(tmp_path, "serve")
    closed = ["sh", "-c", 'exec "$@" <&-', "sh", *line]
    process = subprocess.Popen(
        closed if stdin == "closed" else line,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(tmp_path),
    )
    with process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert any(line.startswith("Rounds is ready on ") for line in lines)
        process.terminate()
    assert process.returncode == 0


def busy_visit(house: House) -> str:
    """A doctor with a visit to treat; returns the path of the treatment's form."""
    doctor = house.user("doctor", "ada@clinic.example", "Dr Ada")
    return f"/appointments/{house.visit(doctor.doctor_id, house.patient('Eve'), clock.now())}/treatment"


@pytest.mark.sqlite("a lock of the file; of PostgreSQL's locks is tests/faults/test_postgresql.py")
@SIGNALS
def test_o5_a_signal_lets_the_request_under_way_finish_and_lets_nobody_in(
    house: House, tmp_path: Path, number: Signal
) -> None:
    configure(tmp_path)
    form = busy_visit(house)
    with serving(tmp_path) as service:
        ada = service.client("ada@clinic.example")
        with closing(sqlite3.connect(tmp_path / "rounds.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            finish = ada.begin_post(form, {"diagnosis": "Told in time"})
            assert ada.get("/livez").status == 200  # read after the form, so that waits in its thread by now
            service.process.send_signal(number)
            until(lambda: refuses(service.port))
            other.execute("ROLLBACK")
        assert finish().status == 303
        assert service.ended() == 0
    assert rows(tmp_path, "SELECT diagnosis FROM treatments") == [("Told in time",)]


def refuses(port: int) -> bool:
    """Whether nobody new is let in."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=patience.SECONDS).close()
    except OSError:
        return True
    return False


def test_o5_a_terminal_that_is_closed_stops_it_unless_nohup_stood_in_front(tmp_path: Path) -> None:
    configure(tmp_path)
    with serving(tmp_path) as service:
        service.process.send_signal(signal.SIGHUP)
        assert service.ended() == 0
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does for what it starts
    try:
        with serving(tmp_path, itself=True) as service:
            service.process.send_signal(signal.SIGHUP)
            assert service.client().get("/livez").status == 200
            assert service.stop() == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@SIGNALS
def test_o5_a_signal_during_an_export_leaves_it_whole(house: House, tmp_path: Path, number: Signal) -> None:
    configure(tmp_path)
    big_history(house, "eve@clinic.example", 60_000)
    with serving(tmp_path) as service:
        eve = service.client("eve@clinic.example")
        assert eve.post("/exports").status == 303
        until(lambda: rows(tmp_path, "SELECT 1 FROM exports WHERE status = 'running'"))
        assert service.stop(number) == 0
    assert part_files(tmp_path) == []
    ((export_id, status, done),) = rows(tmp_path, "SELECT id, status, rows_done FROM exports")
    assert (status, done) == ("available", 60_000)
    with (tmp_path / "exports" / "histories" / f"{export_id}.csv").open("rb") as file:
        assert sum(1 for _line in file) == 60_001


@pytest.mark.soak
def test_o5_an_export_that_cannot_end_in_time_is_cut_off_and_made_after_the_next_start(
    house: House, tmp_path: Path
) -> None:
    configure(tmp_path)
    big_history(house, "eve@clinic.example", 2_500_000)
    with serving(tmp_path) as service:
        export = service.client("eve@clinic.example").post("/exports").location
        until(lambda: rows(tmp_path, "SELECT 1 FROM exports WHERE status = 'running'"))
        assert service.stop() == 0
    assert rows(tmp_path, "SELECT status FROM exports") == [("pending",)]
    assert part_files(tmp_path) == []
    with serving(tmp_path) as service:
        until(lambda: rows(tmp_path, "SELECT 1 FROM exports WHERE status = 'available'"), 300)
        assert service.client("eve@clinic.example").get(export).status == 200


@pytest.mark.parametrize("made", [False, True])
def test_a_second_serve_while_the_first_is_about_to_make_its_tables_leaves_as_well(tmp_path: Path, made: bool) -> None:
    configure(tmp_path)
    if made:
        (tmp_path / "rounds.db").touch()
    with FileLock(tmp_path / "rounds.db.lock"):
        assert "already running on an unknown address" in refused(tmp_path)
    assert (tmp_path / "rounds.db").exists() is made


def test_a_second_serve_on_the_same_database_leaves_and_names_the_first(tmp_path: Path) -> None:
    configure(tmp_path)
    with serving(tmp_path) as service:
        line = refused(tmp_path)
        assert service.url in line
        assert service.client().get("/livez").status == 200


def test_a_port_in_use_is_one_helpful_line(tmp_path: Path) -> None:
    configure(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused(tmp_path, "--port", str(port))
    assert str(port) in line
    assert "--port" in line


def test_a_mistake_in_the_settings_is_one_line_and_nothing_is_made(tmp_path: Path) -> None:
    mistakes = [
        ("\x00\x01 = [", "config.toml"),
        ("[server]\nprot = 1\n", "server.prot"),
        ("[server]\nport = 'many'\n", "server.port"),
        ("[clinic]\ntimezone = 'Europe/Nowhere'\n", "clinic.timezone"),
    ]
    folders = [tmp_path / named for _text, named in mistakes]
    for folder, (text, _named) in zip(folders, mistakes, strict=True):
        folder.mkdir()
        (folder / "config.toml").write_text(text, encoding="utf-8")
    for folder, done in zip(folders, run_all(folders, [("serve",)] * len(folders)), strict=True):
        assert folder.name in sentence(done)
        assert os.listdir(folder) == ["config.toml"]


def test_a_named_settings_file_that_is_missing_is_one_line(tmp_path: Path) -> None:
    assert "config.toml" in refused(tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", [b"this is no database" * 500, b"SQLite format 3\x00" + b"\xff" * 8000])
def test_f28_a_damaged_database_is_one_line_and_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    configure(tmp_path)
    (tmp_path / "rounds.db").write_bytes(content)
    assert "damaged" in refused(tmp_path)
    assert (tmp_path / "rounds.db").read_bytes() == content
    assert sorted(os.listdir(tmp_path)) == ["config.toml", "rounds.db"]


def test_o6_a_newer_database_is_refused_and_not_touched(migrated: Path, tmp_path: Path) -> None:
    configure(tmp_path)
    with closing(sqlite3.connect(migrated)) as source, closing(sqlite3.connect(tmp_path / "rounds.db")) as copy:
        source.backup(copy)
        copy.execute("UPDATE alembic_version SET version_num = '9999'")
        copy.commit()
    assert "newer" in refused(tmp_path)
    assert rows(tmp_path, "SELECT version_num FROM alembic_version") == [("9999",)]
    assert sorted(os.listdir(tmp_path)) == ["config.toml", "rounds.db"]


@pytest.mark.parametrize("where", ["everything", "database", "exports"])
def test_f28_a_folder_that_may_not_be_written_is_one_line_and_nothing_is_made(tmp_path: Path, where: str) -> None:
    with disk(tmp_path / "disk", "1m") as folder:
        sections = {
            "everything": "",
            "database": f'[database]\nurl = "sqlite:///{folder}/rounds.db"\n',
            "exports": f'[exports]\nfolder = "{folder}/exports"\n',
        }
        home = folder if where == "everything" else tmp_path
        configure(home, sections[where])
        before = sorted(tmp_path.rglob("*"))
        with read_only(folder):
            assert str(folder) in refused(home)
        assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_of_the_database_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    configure(tmp_path, '[database]\nurl = "sqlite:///nowhere/rounds.db"\n')
    assert "nowhere" in refused(tmp_path)
    assert os.listdir(tmp_path) == ["config.toml"]


def test_a_service_that_was_asked_twice_still_ends_well(tmp_path: Path) -> None:
    configure(tmp_path)
    with serving(tmp_path) as service:
        twice(service)
        assert service.ended() == 0


def twice(service: Service) -> None:
    for _turn in range(2):
        service.process.send_signal(signal.SIGINT)
