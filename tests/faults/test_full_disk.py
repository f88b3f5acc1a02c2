"""A full disk: what must be written is refused with words, what is read goes on, and room is all it takes (F6, F7)."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from service import clock
from tests.faults.clinic import big_history, part_files
from tests.faults.disks import disk, fill
from tests.house import House
from tests.patience import until
from tests.process.launching import configure, serving

pytestmark = pytest.mark.sqlite("a disk of the file's own; PostgreSQL's is the server's")


def test_f6_a_full_disk_refuses_writing_for_the_time_being_and_reading_goes_on(house: House, tmp_path: Path) -> None:
    ada = house.user("doctor", "ada@clinic.example", "Dr Ada")
    eve = house.patient("Eve")
    visit = house.visit(ada.doctor_id, eve, clock.now() - timedelta(minutes=5))
    house.treated(ada.doctor_id, eve, clock.now() - timedelta(days=30), diagnosis="A cold in spring")
    words = dict.fromkeys(("symptoms", "diagnosis", "treatment", "notes"), "long " * 4000)
    form = f"/appointments/{visit}/treatment"
    with disk(tmp_path / "disk", "3m") as small:
        with (
            closing(sqlite3.connect(tmp_path / "rounds.db")) as source,
            closing(sqlite3.connect(small / "rounds.db")) as copy,
        ):
            source.backup(copy)
        configure(tmp_path, f'[database]\nurl = "sqlite:///{small}/rounds.db"\n')
        with serving(tmp_path) as service:
            client = service.client("ada@clinic.example")
            client.token()
            film = fill(small)
            refused = client.post(form, words)
            assert refused.status == 503
            assert int(refused.headers["retry-after"]) > 0
            assert "Nothing was changed" in refused.text
            assert "Traceback" not in refused.text
            assert client.get("/today").status == 200
            assert "A cold in spring" in client.get(f"/patients/{eve}").text
            assert client.get("/livez").status == 200
            assert "long long" not in client.get(form).text
            film.unlink()
            assert client.post(form, words).status == 303
            assert "long long" in client.get(form).text
            assert service.stop() == 0
        with closing(sqlite3.connect(small / "rounds.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("treatments", [3_000])
def test_f7_an_export_to_a_full_disk_says_why_it_failed_and_works_with_space(
    house: House, tmp_path: Path, treatments: int
) -> None:
    big_history(house, "eve@clinic.example", treatments)
    with disk(tmp_path / "disk", "2m") as small:
        configure(tmp_path, f'[exports]\nfolder = "{small}"\n')
        with serving(tmp_path) as service:
            eve = service.client("eve@clinic.example")
            film = fill(small)
            page = eve.post("/exports").location
            until(lambda: 'data-state="failed"' in eve.get(page).text)
            assert part_files(small) == []
            assert eve.get(f"{page}/file").status == 409
            film.unlink()
            again = eve.post("/exports").location
            assert again != page
            until(lambda: 'data-state="available"' in eve.get(again).text)
            assert eve.get(f"{again}/file").body.count(b"\r\n") == treatments + 1
            assert len(list((small / "histories").iterdir())) == 1
            assert service.stop() == 0
