"""O3, F27: a backup is put back, whole or not at all; nothing that may have been said already is said again."""

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine

from service.backups import making, restoring
from service.backups.errors import BackupError
from service.storage.models import Export
from tests import patience
from tests.backups.drill import FIRST, backed_up, backups, message, names, small_clinic
from tests.house import House, at
from tests.patience import until
from tests.process.launching import (
    change,
    command,
    configure,
    environment,
    printed_everywhere,
    rows,
    run,
    sentence,
    serving,
)

pytestmark = pytest.mark.sqlite("its file is replaced; PostgreSQL's own programs restore: test_postgresql.py")

EIGHT = at("2026-05-04 06:00")
TODAY = at("2026-05-04 12:00")


def restored(folder: Path, file: Path, *, at_time: object = None) -> str:
    done = run(folder, "restore", str(file), "--yes", at=at_time)  # type: ignore[arg-type]
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_o3_the_drill_a_clinic_is_as_it_was_and_what_was_there_is_kept(house: House, tmp_path: Path) -> None:
    small_clinic(house)
    house.wiring.database.close()
    file = backed_up(tmp_path)
    clinic = rows(tmp_path, "SELECT clinic_id FROM installation")
    change(tmp_path, "UPDATE patients SET name = 'Mistake'")
    said = restored(tmp_path, file)
    assert names(tmp_path) == ["Lena", "Otto"]
    assert rows(tmp_path, "SELECT clinic_id FROM installation") == clinic
    assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    assert rows(tmp_path, "SELECT act FROM audit ORDER BY id DESC LIMIT 1") == [("backup.restore",)]
    assert run(tmp_path, "audit", "verify").returncode == 0
    (kept,) = backups(tmp_path, "*before-restore*")
    assert str(kept) in said
    assert restored(tmp_path, kept)
    assert names(tmp_path) == ["Mistake", "Mistake"], "a restore is undone by a restore"
    with serving(tmp_path) as service:
        assert service.client("ada@clinic.example").get("/today").status == 200


def test_o3_what_stands_in_the_log_beside_the_file_is_neither_lost_nor_laid_over_the_restored_one(
    house: House, tmp_path: Path
) -> None:
    small_clinic(house)
    file = backed_up(tmp_path)
    killed = (
        "import os, sqlite3\n"
        "c = sqlite3.connect('rounds.db'); c.execute(\"UPDATE patients SET name = 'In the log'\"); c.commit()\n"
        "os._exit(0)"
    )
    house.wiring.database.close()
    subprocess.run([sys.executable, "-c", killed], cwd=tmp_path, check=True)
    assert (tmp_path / "rounds.db-wal").stat().st_size > 0
    restored(tmp_path, file)
    assert names(tmp_path) == ["Lena", "Otto"]
    (kept,) = backups(tmp_path, "*before-restore*")
    restored(tmp_path, kept)
    assert names(tmp_path) == ["In the log", "In the log"]


def test_o3_no_old_reminder_goes_out_after_a_restore(house: House, tmp_path: Path) -> None:
    """The backup is of three o'clock; the reminders went out at eight; at ten it is restored."""
    configure(tmp_path)
    doctor, lena = small_clinic(house)
    with time_machine.travel(FIRST, tick=False):
        for days in (0, 1):
            house.visit(doctor, lena, TODAY + timedelta(days=days))
        old = house.visit(doctor, lena, FIRST - timedelta(days=2))
        message(house, old, FIRST - timedelta(days=2), "queued")
    house.wiring.database.close()
    assert run(tmp_path, "backup", at=FIRST).returncode == 0
    (file,) = backups(tmp_path)
    with serving(tmp_path, at=EIGHT):
        until(lambda: rows(tmp_path, "SELECT 1 FROM messages WHERE status = 'sent'"))
    assert printed_everywhere(tmp_path).count("lena@clinic.example") == 1
    restored(tmp_path, file, at_time=EIGHT + timedelta(hours=2))
    assert rows(tmp_path, "SELECT status, skip_reason FROM messages") == [("skipped", "too_late")]
    with serving(tmp_path, at=EIGHT + timedelta(hours=2, minutes=10)):
        until(lambda: rows(tmp_path, "SELECT 1 FROM job_runs WHERE job = 'make_backup' AND status = 'done'"))
        slot = "SELECT status, outcome FROM job_runs WHERE job = 'send_daily_reminders' AND slot = '2026-05-04'"
        assert rows(tmp_path, slot) == [("skipped", '{"reason": "restored"}')]
    assert printed_everywhere(tmp_path).count("lena@clinic.example") == 1
    with serving(tmp_path, at=EIGHT + timedelta(days=1)):
        until(lambda: rows(tmp_path, "SELECT 1 FROM messages WHERE status = 'sent'"))
    assert printed_everywhere(tmp_path).count("lena@clinic.example") == 2, "tomorrow's is sent as ever"


def test_f27_a_backup_of_another_month_is_migrated_and_sends_nothing_of_the_past(house: House, tmp_path: Path) -> None:
    configure(tmp_path)
    doctor, lena = small_clinic(house)
    with time_machine.travel(FIRST, tick=False):
        for days in range(-1, 40):
            house.visit(doctor, lena, TODAY + timedelta(days=days))
        message(house, 1, TODAY - timedelta(days=1), "sending")
        message(house, 2, TODAY, "handing_over")
        message(house, 3, TODAY + timedelta(days=1), "queued")
    house.wiring.database.close()
    assert run(tmp_path, "backup", at=FIRST).returncode == 0
    (file,) = backups(tmp_path)
    later = EIGHT + timedelta(days=30, hours=-2)
    restored(tmp_path, file, at_time=later)
    assert rows(tmp_path, "SELECT status FROM messages ORDER BY id") == [("skipped",), ("unknown",), ("skipped",)]
    with serving(tmp_path, at=later):
        until(lambda: rows(tmp_path, "SELECT 1 FROM job_runs WHERE job = 'make_backup' AND status = 'done'"))
        assert rows(tmp_path, "SELECT count(*) FROM messages WHERE status = 'sent'") == [(0,)]
    assert "lena@clinic.example" not in printed_everywhere(tmp_path)


def test_o3_a_message_for_a_later_day_still_waits_and_everybody_signs_in_again(house: House, tmp_path: Path) -> None:
    configure(tmp_path)
    doctor, lena = small_clinic(house)
    with time_machine.travel(FIRST, tick=False):
        tomorrow = TODAY + timedelta(days=1)
        message(house, house.visit(doctor, lena, tomorrow), tomorrow, "sending", due_at=EIGHT + timedelta(hours=1))
        assert house.browser("ada@clinic.example").get("/today").status_code == 200
        with house.writing() as session:
            for number, status in enumerate(("running", "available")):
                session.add(
                    Export(
                        id=f"{number}" * 32,
                        patient_id=lena + number,
                        status=status,
                        lease_until=FIRST,
                        created_at=FIRST,
                    )
                )
    house.wiring.database.close()
    assert run(tmp_path, "backup", at=FIRST).returncode == 0
    (file,) = backups(tmp_path)
    restored(tmp_path, file, at_time=EIGHT)
    assert rows(tmp_path, "SELECT status FROM messages") == [("queued",)]
    assert rows(tmp_path, "SELECT count(*) FROM sessions") == [(0,)]
    assert rows(tmp_path, "SELECT status FROM exports ORDER BY id") == [("failed",), ("expired",)]


def test_without_yes_and_without_a_terminal_nothing_is_restored(house: House, tmp_path: Path) -> None:
    small_clinic(house)
    file = backed_up(tmp_path)
    change(tmp_path, "UPDATE patients SET name = 'Present'")
    assert "--yes" in sentence(run(tmp_path, "restore", str(file)))
    assert names(tmp_path) == ["Present", "Present"]


def test_a_running_service_is_named_and_nothing_is_restored(house: House, tmp_path: Path) -> None:
    small_clinic(house)
    file = backed_up(tmp_path)
    with serving(tmp_path) as service:
        assert f"already running on {service.url}" in sentence(run(tmp_path, "restore", str(file), "--yes"))
    assert backups(tmp_path, "*before-restore*") == []


@pytest.mark.parametrize("what", ["no zip", "cut off", "one byte", "another zip", "newer", "missing"])
def test_o3_a_file_that_is_no_good_backup_changes_nothing(house: House, tmp_path: Path, what: str) -> None:
    small_clinic(house)
    if what == "newer":
        change(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    file = making.make(house.wiring.database, house.settings).file
    content = file.read_bytes()
    middle = len(content) // 2
    spoiled = {
        "no zip": b"the doctor's notes " * 100,
        "cut off": content[:middle],
        "one byte": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "another zip": b"PK\x05\x06" + b"\0" * 18,
    }
    file.write_bytes(spoiled.get(what, content))
    if what == "missing":
        file.unlink()
    before = (tmp_path / "rounds.db").read_bytes()
    expected = {"newer": "newer version", "missing": "no file"}.get(what, "damaged")
    with pytest.raises(BackupError, match=expected), restoring.opened(file, house.settings):
        pass
    assert (tmp_path / "rounds.db").read_bytes() == before
    assert not list(tmp_path.glob(".rounds-work-*"))


def test_f28_a_damaged_database_is_kept_as_it_is_and_replaced(house: House, tmp_path: Path) -> None:
    small_clinic(house)
    file = backed_up(tmp_path)
    house.wiring.database.close()
    with (tmp_path / "rounds.db").open("r+b") as database:
        database.write(os.urandom(8192))
    damaged = (tmp_path / "rounds.db").read_bytes()
    said = sentence(run(tmp_path, "serve"))
    assert "damaged" in said
    assert f'restore "{file}" --config "{tmp_path / "config.toml"}"' in said
    assert (tmp_path / "rounds.db").read_bytes() == damaged, "nothing is changed by itself"
    restored(tmp_path, file)
    assert names(tmp_path) == ["Lena", "Otto"]
    (folder,) = backups(tmp_path, "damaged-*")
    assert (folder / "rounds.db").read_bytes() == damaged


def test_f28_of_the_backups_the_newest_that_is_good_is_named(house: House, tmp_path: Path) -> None:
    small_clinic(house)
    good = backed_up(tmp_path)
    house.wiring.database.close()
    (tmp_path / "rounds.db").write_bytes(b"this is no database" * 500)
    newer = good.with_name(good.name.replace("-20", "-29", 1))
    newer.write_bytes(good.read_bytes()[:-400])
    done = run(tmp_path, "serve")
    assert done.returncode == 1
    assert f'The newest backup is put back by: python run.py restore "{good}"' in done.stderr
    assert f"file={newer.name}" in done.stderr
    assert sorted(file.name for file in tmp_path.iterdir() if file.name != "secret.key") == [
        "backups",
        "config.toml",
        "rounds.db",
    ]


def test_f28_a_lost_database_is_restored_into_an_empty_folder(house: House, tmp_path: Path) -> None:
    small_clinic(house)
    file = backed_up(tmp_path)
    new = tmp_path / "new-pc"
    new.mkdir()
    configure(new)
    restored(new, file)
    assert names(new) == ["Lena", "Otto"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_belongs_to_whom_the_clinic_belongs(house: House, tmp_path: Path) -> None:
    small_clinic(house)
    house.wiring.database.close()
    for file in (tmp_path, tmp_path / "rounds.db"):
        os.chown(file, 1234, 1235)
    file = making.make(house.wiring.database, house.settings).file
    house.wiring.database.close()
    with restoring.opened(file, house.settings) as found:
        restoring.put_in_place(found, house.settings, lambda _session: None)
    made = [file.parent, *file.parent.iterdir(), tmp_path / "rounds.db"]
    assert {(one.stat().st_uid, one.stat().st_gid) for one in made} == {(1234, 1235)}


def test_the_restored_file_has_the_mode_of_the_one_before(house: House, tmp_path: Path) -> None:
    small_clinic(house)
    file = backed_up(tmp_path)
    house.wiring.database.close()
    (tmp_path / "rounds.db").chmod(0o640)
    restored(tmp_path, file)
    assert stat.S_IMODE((tmp_path / "rounds.db").stat().st_mode) == 0o640


def test_a_database_that_another_program_writes_to_is_not_replaced(house: House, tmp_path: Path) -> None:
    small_clinic(house)
    file = backed_up(tmp_path)
    with closing(sqlite3.connect(tmp_path / "rounds.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE patients SET name = 'Being written'")
        done = run(tmp_path, "restore", str(file), "--yes")
        assert (done.returncode, done.stdout) == (1, "")
        assert "Another program" in done.stderr.splitlines()[-1]
        other.execute("COMMIT")
    assert names(tmp_path) == ["Being written", "Being written"]


KILLED = """
import os, sys
from itertools import count
sys.path.insert(0, sys.argv[1])
step = [0]
def die(event, _args):
    if event in ("os.rename", "os.remove", "sqlite3.connect", "shutil.copymode", "shutil.rmtree"):
        step[0] += 1
        if step[0] == int(sys.argv[2]):
            os._exit(9)
sys.addaudithook(die)
from service import cli
cli.main(["restore", sys.argv[3], "--yes", "--config", "config.toml"])
"""


@pytest.mark.kill
def test_o3_a_restore_that_is_killed_at_any_step_leaves_the_present_or_the_restored_state(
    house: House, tmp_path: Path
) -> None:
    small_clinic(house)
    file = backed_up(tmp_path)
    house.wiring.database.close()
    change(tmp_path, "UPDATE patients SET name = 'Present'")
    root = str(Path(command(tmp_path)[1]).parent)
    seen = set()
    for step in range(4, 200, 9):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, root, str(step), str(file)],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            check=False,
            timeout=patience.SECONDS,
        )
        assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]
        state = tuple(names(tmp_path))
        assert state in {("Present", "Present"), ("Lena", "Otto")}
        seen.add(state)
        if done.returncode != 9:
            break
        change(tmp_path, "UPDATE patients SET name = 'Present'")
    assert done.returncode == 0, done.stderr
    assert len(seen) == 2
