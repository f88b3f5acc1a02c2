"""Exports on disks that fail them: no room, no folder, no right to write; stopped midway; none of it stops the rest."""

import shutil
from pathlib import Path

import pytest

from tests.faults.clinic import big_history, part_files
from tests.faults.disks import disk, fill, read_only
from tests.house import House
from tests.patience import until
from tests.process.launching import Client, change, configure, rows, serving

EVE = "eve@clinic.example"


def ended(client: Client, page: str, state: str) -> None:
    until(lambda: f'data-state="{state}"' in client.get(page).text)


def exported(client: Client) -> str:
    """Ask for a new export and wait until it is ready; returns its page."""
    page = client.post("/exports").location
    ended(client, page, "available")
    return page


def test_f7_a_large_export_does_not_begin_on_a_disk_without_room_for_it(house: House, tmp_path: Path) -> None:
    big_history(house, EVE, 3_000)
    with disk(tmp_path / "disk", "4m") as small:
        configure(tmp_path, f'[exports]\nfolder = "{small}"\n')
        with serving(tmp_path) as service:
            eve = service.client(EVE)
            film = fill(small)
            with film.open("r+b") as cut:
                cut.truncate(film.stat().st_size - (1 << 20))  # the file itself would fit just so
            page = eve.post("/exports").location
            ended(eve, page, "failed")
            assert rows(tmp_path, "SELECT last_error, rows_done FROM exports") == [
                ("there is not enough room on the disk", 0)
            ]
            assert list((small / "histories").iterdir()) == []
            film.unlink()
            assert eve.get(f"{exported(eve)}/file").body.count(b"\r\n") == 3_001


def test_f7_the_folder_is_created_again_if_it_is_removed_while_the_service_runs(house: House, tmp_path: Path) -> None:
    big_history(house, EVE, 60_000)
    configure(tmp_path)
    with serving(tmp_path) as service:
        eve, folder = service.client(EVE), tmp_path / "exports"
        shutil.rmtree(folder)
        first = exported(eve)
        assert (folder / "histories").stat().st_mode & 0o777 == 0o700
        shutil.rmtree(folder)
        assert eve.get(f"{first}/file").status == 410
        change(tmp_path, "UPDATE treatments SET updated_at = '2999-01-01 00:00:00.000000' WHERE id = 1")
        page = eve.post("/exports").location
        until(lambda: part_files(folder) if folder.exists() else [])
        shutil.rmtree(folder)
        ended(eve, page, "failed")
        assert eve.get(f"{exported(eve)}/file").status == 200
        assert service.stop() == 0


def test_f7_a_folder_that_turns_read_only_fails_the_export_and_nothing_else(house: House, tmp_path: Path) -> None:
    big_history(house, EVE, 10)
    with disk(tmp_path / "disk", "2m") as small:
        configure(tmp_path, f'[exports]\nfolder = "{small}"\n')
        with serving(tmp_path) as service:
            eve = service.client(EVE)
            with read_only(small):
                page = eve.post("/exports").location
                ended(eve, page, "failed")
                assert "tell the clinic's admin" in eve.get(page).text
                assert eve.get("/treatments").status == 200
            assert eve.get(f"{exported(eve)}/file").status == 200
            assert service.stop() == 0


def test_an_export_that_is_stopped_while_it_is_written_leaves_nothing(house: House, tmp_path: Path) -> None:
    big_history(house, EVE, 100_000)
    configure(tmp_path)
    with serving(tmp_path) as service:
        eve = service.client(EVE)
        page = eve.post("/exports", {"format": "zip"}).location
        until(lambda: part_files(tmp_path))
        assert eve.post(f"{page}/cancellation").status == 303
        until(lambda: not part_files(tmp_path))
        assert 'data-state="cancelled"' in eve.get(page).text
        assert eve.get(f"{page}/file").status == 409
        assert list((tmp_path / "exports" / "histories").iterdir()) == []
        assert service.stop() == 0


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_history_of_a_million_rows_comes_whole(house: House, tmp_path: Path) -> None:
    big_history(house, EVE, 1_000_000)
    configure(tmp_path)
    with serving(tmp_path) as service:
        eve = service.client(EVE)
        page = eve.post("/exports").location
        until(lambda: 'data-state="available"' in eve.get(page).text, 300)
        assert eve.get(f"{page}/file").body.count(b"\r\n") == 1_000_001
