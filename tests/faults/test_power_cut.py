"""The power goes: what was acknowledged is on the disk (F5, O1), because every commit waits for it (FULL)."""

import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from service.storage.database import Database
from tests import patience
from tests.faults.clinic import begun_visits
from tests.faults.disks import ext4
from tests.faults.test_kill import write_treatments
from tests.house import House
from tests.patience import until
from tests.process.launching import configure, rows, serving


@pytest.mark.sqlite("how it writes its file")
def test_o1_every_connection_waits_for_the_disk(house: House) -> None:
    database: Database = house.wiring.database
    for way in (database.transaction(), database.transaction(wait=False), database.reading(), database.reading_long()):
        with way as session:
            asked = session.connection().exec_driver_sql
            assert (asked("PRAGMA synchronous").scalar(), asked("PRAGMA journal_mode").scalar()) == (2, "wal")


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(3))
def test_f5_a_power_cut_loses_no_treatment_that_was_acknowledged(house: House, tmp_path: Path, turn: int) -> None:
    """The service stands still, its disk is copied as it is below the file system, and the copy is what a PC finds."""
    patient = house.patient("Eve")
    visits: dict[str, list[int]] = {}
    for number in range(3):
        doctor = house.user("doctor", f"dr{number}@clinic.example", f"Dr {number}")
        assert doctor.doctor_id is not None
        visits[f"dr{number}@clinic.example"] = begun_visits(house, doctor.doctor_id, patient, 300)
    house.wiring.database.close()
    acknowledged: dict[int, str] = {}
    with ext4(tmp_path / "disk.img", tmp_path / "disk") as home:
        with (
            closing(sqlite3.connect(tmp_path / "rounds.db")) as source,
            closing(sqlite3.connect(home / "rounds.db")) as copy,
        ):
            source.backup(copy)
        configure(home)
        with serving(home) as service:
            clients = [
                Thread(target=write_treatments, args=(service.client(who), visits[who], acknowledged)) for who in visits
            ]
            for client in clients:
                client.start()
            until(lambda: len(acknowledged) >= 150 + 100 * turn)
            service.process.send_signal(signal.SIGSTOP)
            (home / "not-synced").write_text("lost", encoding="utf-8")
            safe = dict(acknowledged)
            shutil.copyfile(tmp_path / "disk.img", tmp_path / "after.img")
            service.kill()
            for client in clients:
                client.join(patience.SECONDS)
    with ext4(tmp_path / "after.img", tmp_path / "after") as found:
        assert not (found / "not-synced").exists(), "the copy holds what was never synced: it is no power cut"
        assert rows(found, "PRAGMA integrity_check") == [("ok",)]
        stored = dict(rows(found, "SELECT appointment_id, diagnosis FROM treatments"))
        assert {visit: stored.get(visit) for visit in safe} == safe
        assert len(safe) >= 150
        with serving(found) as service:
            assert service.client("dr0@clinic.example").get(f"/patients/{patient}").status == 200
            assert service.stop() == 0
