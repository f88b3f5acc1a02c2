"""Every command from outside: what it prints, its exit code, and that what fails leaves things as they were."""

import json
import os
import sqlite3
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, time, timedelta
from pathlib import Path
from zipfile import ZipFile
from zoneinfo import ZoneInfo

import pytest
import time_machine

from service import clock
from service.domain.clinic import zone_changes
from tests.faults.clinic import booked_morning, wall
from tests.faults.disks import disk, fill
from tests.house import PASSWORD, House
from tests.process.launching import (
    change,
    command,
    configure,
    environment,
    printed_everywhere,
    result,
    rows,
    run,
    run_all,
    sentence,
    serving,
)

LONG_AGO = "2020-01-01 08:00:00.000000"


MORNING = wall("2026-05-04 07:00")
DEMO = ("demo", "--doctors", "2", "--patients", "20", "--appointments", "120", "--password", PASSWORD)


@pytest.fixture
def clinic(house: House, tmp_path: Path) -> Path:
    """The folder of a clinic with ten appointments on 4 May 2026, one of them of a patient without an address."""
    with time_machine.travel(wall("2026-04-10 12:00")):
        booked_morning(house, wall("2026-05-04 10:00"), 9)
        house.visit(1, house.patient("No Address"), wall("2026-05-04 15:00"))
        house.treated(1, 1, wall("2026-03-02 09:00"), diagnosis="Cold")
        zone = house.settings.clinic.zone
        with house.writing() as session:  # as every start leaves it
            zone_changes.keep(session, zone, zone)
    configure(tmp_path)
    return tmp_path


def dump(folder: Path) -> list[str]:
    """Everything in the folder's database, as text."""
    with closing(sqlite3.connect(folder / "rounds.db")) as connection:
        return list(connection.iterdump())


def tree(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def refused(folder: Path, *args: str, at: datetime | None = None) -> str:
    """The one line of a command that is refused."""
    return sentence(run(folder, *args, at=at))


def test_migrate_makes_the_database_and_is_done_when_it_is_there(tmp_path: Path) -> None:
    configure(tmp_path)
    first = run(tmp_path, "migrate")
    assert first.returncode == 0
    assert len(first.stdout.splitlines()) == 1
    before = dump(tmp_path)
    assert run(tmp_path, "migrate").stdout == first.stdout
    assert dump(tmp_path) == before


def test_migrate_refuses_a_newer_database(clinic: Path) -> None:
    change(clinic, "UPDATE alembic_version SET version_num = '9999'")
    before = dump(clinic)
    assert "newer" in refused(clinic, "migrate")
    assert dump(clinic) == before


def test_demo_fills_an_empty_database_with_exactly_so_many_and_prints_the_accounts(tmp_path: Path) -> None:
    configure(tmp_path)
    done = run(tmp_path, *DEMO)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    counts = [
        rows(tmp_path, f"SELECT count(*) FROM {table}")[0][0] for table in ("doctors", "patients", "appointments")
    ]
    assert counts == [2, 20, 120]
    assert rows(tmp_path, "SELECT count(*) FROM sqlite_stat1 WHERE tbl = 'appointments'")[0][0] > 0
    for account in ("admin", "reception", "doctor1", "patient1"):
        assert f"{account}@demo.example" in done.stdout
    with serving(tmp_path) as service:
        assert service.client("doctor2@demo.example").get("/today").status == 200
        assert service.client("patient20@demo.example").get("/treatments").status == 200


def test_demo_refuses_a_database_that_has_users(clinic: Path) -> None:
    before = dump(clinic)
    assert "empty" in refused(clinic, *DEMO)
    assert dump(clinic) == before


def test_demo_refuses_a_password_that_anybody_may_guess(tmp_path: Path) -> None:
    configure(tmp_path)
    refused(tmp_path, *DEMO[:-1], "short")
    assert tree(tmp_path) == [tmp_path / "config.toml"]


def test_add_user_prints_an_invite_link_that_lets_its_owner_in_once(tmp_path: Path) -> None:
    configure(tmp_path)
    who = ("--role", "receptionist", "--email", "joe@clinic.example", "--name", "Joe")
    done = run(tmp_path, "add-user", *who)
    assert done.returncode == 0
    link = done.stdout.splitlines()[-1]
    assert link.startswith("http://127.0.0.1:8000/invite/")
    path = link.removeprefix("http://127.0.0.1:8000")
    with serving(tmp_path) as service:
        joe = service.client()
        assert "Joe" in joe.get(path).text
        assert joe.post(path, {"password": PASSWORD}).status == 303
        assert joe.get(path).status == 410
        assert service.client("joe@clinic.example").get("/today").status == 200


def test_add_user_takes_a_password_from_standard_input_and_then_prints_no_link(tmp_path: Path) -> None:
    configure(tmp_path)
    who = ("--role", "patient", "--email", "Eve@Clinic.Example", "--name", "Eve", "--birth-date", "1980-02-29")
    done = run(tmp_path, "add-user", *who, "--phone", "030 901820", "--password-stdin", given=f"{PASSWORD}\n")
    assert done.returncode == 0
    assert "invite" not in done.stdout
    assert rows(tmp_path, "SELECT name, birth_date, email, phone FROM patients") == [
        ("Eve", "1980-02-29", "Eve@Clinic.Example", "+4930901820")
    ]
    ((stored,),) = rows(tmp_path, "SELECT password_hash FROM users")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")  # in this process tests hash for less


def test_a4_add_user_refuses_a_password_that_others_would_try_first(tmp_path: Path) -> None:
    configure(tmp_path, '[clinic]\nname = "Practice at the Park"\n')
    who = ("--role", "doctor", "--email", "dora@clinic.example", "--name", "Dr. Dora")
    done = run(tmp_path, "add-user", *who, "--password-stdin", given="Practice at the Park 2026\n")
    assert "made of the clinic's name" in sentence(done)
    assert run(tmp_path, "add-user", *who, "--password-stdin", given="kxjdrtmw\n").returncode == 1
    assert not (tmp_path / "rounds.db").exists()


def test_add_user_refuses_in_one_line_and_adds_nothing(clinic: Path) -> None:
    good = {"--role": "patient", "--email": "new@clinic.example", "--name": "New"}
    bad = [
        {"--email": "ada@clinic.example"},
        {"--name": " "},
        {"--birth-date": "2126-01-01"},
    ]
    before = dump(clinic)
    lines = [("add-user", *(word for pair in {**good, **more}.items() for word in pair)) for more in bad]
    assert len({sentence(done) for done in run_all([clinic] * 3, lines)}) == 3
    assert dump(clinic) == before


def test_run_job_reminders_sends_in_this_process_and_counts_in_json(clinic: Path) -> None:
    first = run(clinic, "run-job", "reminders", "--json", at=MORNING)
    assert (first.stderr.count("To: "), len(first.stdout.splitlines())) == (9, 1)
    outcome = json.loads(first.stdout)
    assert outcome["date"] == "2026-05-04"
    assert outcome["run"]["sent"] == outcome["total"]["sent"] == 9
    assert outcome["run"]["failed"] == outcome["total"]["failed"] == 0
    assert outcome["run"]["skipped"] == outcome["total"]["skipped"] == {"no_address": 1}
    assert outcome["early"]["date"] == "2026-05-05"
    second = run(clinic, "run-job", "reminders", "--date", "2026-05-04", "--json", at=MORNING)
    assert "To: " not in second.stderr
    again = json.loads(second.stdout)
    assert (again["run"]["sent"], again["run"]["skipped"]) == (0, {})
    assert again["total"] == outcome["total"]


def unread(folder: Path, *args: str, errors_too: bool = False) -> int:
    """The exit code of a command whose output no one reads."""
    reading, writing = os.pipe()
    os.close(reading)
    with (folder / "stderr").open("wb") as stderr, os.fdopen(writing, "wb") as nobody:
        line, variables = command(folder, *args, at=MORNING), environment(folder, MORNING)
        return subprocess.run(
            line, stdout=nobody, stderr=nobody if errors_too else stderr, env=variables, check=False, cwd=folder
        ).returncode


def statuses(folder: Path) -> dict[str, int]:
    return dict(rows(folder, "SELECT status, count(*) FROM messages WHERE rule = 'daily_reminder' GROUP BY status"))


def test_p4_when_nobody_reads_the_json_the_messages_are_still_sent(clinic: Path) -> None:
    assert unread(clinic, "run-job", "reminders", "--json") == 1
    assert statuses(clinic) == {"sent": 9, "skipped": 1}
    said = (clinic / "stderr").read_text(encoding="utf-8")
    assert (said.count("To: "), "Traceback" in said) == (9, False)


def test_p4_a_message_that_nobody_could_read_is_sent_by_the_next_run(clinic: Path) -> None:
    for words, errors_too in ((["--json"], True), ([], False)):
        unread(clinic, "run-job", "reminders", *words, errors_too=errors_too)
        assert statuses(clinic) == {"queued": 9, "skipped": 1}
    done = run(clinic, "run-job", "reminders", "--json", at=MORNING + timedelta(minutes=10))
    assert (json.loads(done.stdout)["run"]["sent"], done.stderr.count("To: ")) == (9, 9)


@pytest.mark.parametrize("words", [("reports", "--month", "2026-04"), ("reminders", "--dry-run"), ("reminders",)])
def test_p4_json_stands_alone_on_standard_output(clinic: Path, words: tuple[str, ...]) -> None:
    done = run(clinic, "run-job", *words, "--json", at=wall("2026-05-04 07:00"))
    assert done.returncode == 0
    assert isinstance(json.loads(done.stdout), dict)
    assert done.stdout.count("\n") == 1


def test_run_job_reminders_says_what_it_did(clinic: Path) -> None:
    done = run(clinic, "run-job", "reminders", "--date", "2026-05-04", at=wall("2026-05-03 18:00"))
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "Reminders of 2026-05-04: 9 sent, 0 failed, 1 skipped."


def test_a_dry_run_changes_nothing_and_says_what_would_be_sent(clinic: Path) -> None:
    before = dump(clinic)
    done = run(clinic, "run-job", "reminders", "--dry-run", "--json", at=MORNING)
    assert "To: " not in done.stderr
    assert json.loads(done.stdout)["run"]["skipped"] == {"no_address": 1}
    words = run(clinic, "run-job", "reminders", "--dry-run", at=MORNING)
    assert words.stdout == "Reminders of 2026-05-04: 9 would be sent, 0 failed, 1 would be skipped.\n"
    assert dump(clinic) == before


def test_a_clinic_that_reminds_in_the_evening_reaches_everybody_before_their_appointment(tmp_path: Path) -> None:
    configure(tmp_path, '[jobs]\nreminders_at = "18:00"\n')
    who = ("--role", "doctor", "--email", "ada@clinic.example", "--name", "Dr Ada")
    assert run(tmp_path, "add-user", *who).returncode == 0
    zone = ZoneInfo("Europe/Berlin")
    tomorrow = clock.today(zone) + timedelta(days=1)
    for number, local in enumerate((time(8, 15), time(9, 30), time(14)), 1):
        start = clock.instant(tomorrow, local, zone)
        times = [f"{at:%Y-%m-%d %H:%M:%S}.000000" for at in (start, start + timedelta(minutes=15))]
        change(
            tmp_path,
            "INSERT INTO patients (id, name, email, email_key, created_at)"
            f" VALUES ({number}, 'P', 'p{number}@a.example', 'p{number}@a.example', '{LONG_AGO}')",
            "INSERT INTO appointments (doctor_id, patient_id, starts_at, ends_at, created_at)"
            f" VALUES (1, {number}, '{times[0]}', '{times[1]}', '{LONG_AGO}')",
        )
    told = result(run(tmp_path, "run-job", "reminders", "--json"))
    assert told["early"]["run"]["sent"] == 3
    assert result(run(tmp_path, "run-job", "reminders", "--json"))["early"]["run"]["sent"] == 0


def test_reminders_of_a_day_that_is_over_are_refused(clinic: Path) -> None:
    before = dump(clinic)
    assert "2026-05-03 is in the past" in refused(clinic, "run-job", "reminders", "--date", "2026-05-03", at=MORNING)
    assert dump(clinic) == before


def test_f11_two_runs_at_once_beside_the_service_remind_everybody_exactly_once(house: House, tmp_path: Path) -> None:
    configure(tmp_path)
    with time_machine.travel(wall("2026-04-10 12:00")):
        booked_morning(house, wall("2026-05-04 10:00"), 80)
    before_eight = wall("2026-05-04 07:59").replace(second=56)
    with serving(tmp_path, at=before_eight) as service, ThreadPoolExecutor() as pool:
        turns = [
            pool.submit(run, tmp_path, "run-job", "reminders", "--json", at=before_eight.replace(second=58))
            for _turn in range(2)
        ]
        outcomes = [turn.result() for turn in turns]
        counted = [result(one) for one in outcomes]
        assert service.stop() == 0
    printed = printed_everywhere(tmp_path) + "".join(one.stderr for one in outcomes)
    told = Counter(line for line in printed.splitlines() if line.startswith("To: p"))  # the doctor hears of a report
    assert told == Counter(f"To: p{number}@clinic.example" for number in range(80))
    by_service = printed_everywhere(tmp_path).count("To: p")
    assert sum(one["run"]["sent"] for one in counted) + by_service == 80
    for one, outcome in zip(outcomes, counted, strict=True):
        assert one.stderr.count("To: ") == outcome["run"]["sent"]


def test_run_job_reports_makes_the_previous_month_by_default_and_not_again(clinic: Path) -> None:
    first = result(run(clinic, "run-job", "reports", "--json", at=wall("2026-05-01 00:30")))
    assert (first["month"], first["made"], first["already"]) == ("2026-04", 1, 0)
    again = run(clinic, "run-job", "reports", "--month", "2026-04", at=wall("2026-05-01 00:30"))
    assert again.stdout == "Reports of 2026-04: 0 made, 1 were there.\n"
    assert rows(clinic, "SELECT month FROM reports") == [("2026-04",)]


def test_reports_of_a_month_that_has_not_ended_or_is_none_are_refused(clinic: Path) -> None:
    before = dump(clinic)
    months = ("2126-05", "2026-13")
    for month, done in zip(
        months, run_all([clinic] * 2, [("run-job", "reports", "--month", month) for month in months]), strict=True
    ):
        assert month in sentence(done)
    assert dump(clinic) == before


def test_export_writes_the_same_file_as_the_button(clinic: Path) -> None:
    done = run(clinic, "export", "--patient", "1", "--output", "eve.csv")
    assert done.returncode == 0
    assert done.stdout == "1 treatments written to eve.csv.\n"
    written = (clinic / "eve.csv").read_bytes()
    assert written.startswith(b'\xef\xbb\xbf"Patient ID","Patient Name"')
    with serving(clinic) as service:
        ada = service.client("ada@clinic.example")
        export = ada.post("/exports", {"patient_id": "1"}).location
        while (answer := ada.get(f"{export}/file")).status == 409:
            pass
    assert answer.body == written


def test_e10_export_writes_other_formats_and_the_whole_clinic(clinic: Path) -> None:
    lines = [
        ("--patient", "1", "--output", "eve.json", "--format", "json", "--visits"),
        ("--patient", "1", "--output", "eve.zip", "--format", "zip", "--messages"),
        ("--clinic", "--output", "all.zip"),
    ]
    for line in lines:
        done = run(clinic, "export", *line)
        assert done.returncode == 0, done.stderr
    history = json.loads((clinic / "eve.json").read_text(encoding="utf-8"))
    assert [len(history[rows]) for rows in ("treatments", "visits")] == [1, 2]
    assert "messages" not in history
    with ZipFile(clinic / "eve.zip") as eve, ZipFile(clinic / "all.zip") as whole:
        assert [name for name in eve.namelist() if name.endswith("messages.csv")]
        assert [name for name in whole.namelist() if name.endswith("patients.json")]
    assert rows(clinic, "SELECT act, patient_id FROM audit WHERE act LIKE 'export.%' ORDER BY id") == [
        *[("export.write", 1)] * 2,
        ("export.write_clinic", None),
    ]
    assert "Choose the zip" in refused(clinic, "export", "--patient", "1", "--output", "x.csv", "--visits")
    for line in ((), ("--patient", "1", "--clinic")):
        assert run(clinic, "export", *line, "--output", "x.csv").returncode == 2


def test_export_refuses_an_existing_file_unless_it_is_forced(clinic: Path) -> None:
    file = clinic / "eve.csv"
    file.write_text("mine", encoding="utf-8")
    assert "--force" in refused(clinic, "export", "--patient", "1", "--output", str(file))
    assert file.read_text(encoding="utf-8") == "mine"
    assert run(clinic, "export", "--patient", "1", "--output", str(file), "--force").returncode == 0
    assert b"Cold" in file.read_bytes()


def test_export_that_cannot_be_made_is_one_line_and_leaves_nothing(clinic: Path) -> None:
    before, files = dump(clinic), tree(clinic)
    wrong = [("99", "eve.csv"), ("1", "nowhere/eve.csv")]
    lines = [("export", "--patient", patient, "--output", output) for patient, output in wrong]
    assert len({sentence(done) for done in run_all([clinic] * 2, lines)}) == 2
    assert (dump(clinic), tree(clinic)) == (before, files)


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_f7_an_export_to_a_full_disk_is_one_line_and_leaves_the_old_file(clinic: Path, force: tuple[str, ...]) -> None:
    change(clinic, f"UPDATE treatments SET notes = '{'long ' * 40_000}'")
    with disk(clinic / "stick", "128k") as stick:
        old = stick / "old.csv"
        old.write_text("old", encoding="utf-8")
        fill(stick)
        files = tree(clinic)
        target = old if force else stick / "new.csv"
        assert "No space left" in refused(clinic, "export", "--patient", "1", "--output", str(target), *force)
        assert tree(clinic) == files
        assert old.read_text(encoding="utf-8") == "old"


def test_relative_paths_start_from_the_settings_file_not_from_where_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    configure(tmp_path / "there", '[database]\nurl = "sqlite:///clinic.db"\n')
    away = tmp_path / "away"
    away.mkdir()
    assert run(tmp_path / "there", "migrate", cwd=away).returncode == 0
    assert os.listdir(away) == []
    assert (tmp_path / "there" / "clinic.db").exists()


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("demo", "--doctors", "1", "--patients", "3", "--appointments", "3"),
    ("migrate",),
    ("add-user", "--role", "admin", "--email", "a@clinic.example", "--name", "A"),
    ("run-job", "reminders"),
    ("run-job", "reports"),
)


def test_every_command_takes_config_before_it_and_each_part_of_it_after(tmp_path: Path) -> None:
    configure(tmp_path)
    config = ("--config", str(tmp_path / "config.toml"))
    for words in COMMANDS:
        assert run(tmp_path, *config, *words, config=False, itself=True).returncode == 0
    assert run(tmp_path, "run-job", *config, "reminders", config=False).returncode == 0
    assert rows(tmp_path, "SELECT count(*) FROM users WHERE email = 'a@clinic.example'") == [(1,)]


def test_every_command_refuses_a_settings_file_that_is_missing(tmp_path: Path) -> None:
    lines = [*COMMANDS, ("export", "--patient", "1", "--output", "x.csv")]
    for done in run_all([tmp_path] * len(lines), lines):
        assert "config.toml" in sentence(done)
    assert tree(tmp_path) == []


def test_wrong_usage_is_exit_two_with_words_and_makes_nothing(tmp_path: Path) -> None:
    configure(tmp_path)
    lines = [
        ("nonsense",),
        ("serve", "--port", "70000"),
        ("add-user", "--role", "king", "--email", "a@b.example", "--name", "A"),
        ("run-job",),
        ("run-job", "reminders", "--date", "tomorrow"),
        ("export", "--patient", "nobody", "--output", "x.csv"),
    ]
    for line, done in zip(lines, run_all([tmp_path] * len(lines), lines), strict=True):
        assert (done.returncode, done.stdout) == (2, ""), line
        assert done.stderr.startswith("Usage: "), line
    assert tree(tmp_path) == [tmp_path / "config.toml"]
