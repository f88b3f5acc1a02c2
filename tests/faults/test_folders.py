"""Folders and the key file change while the service is running: it keeps working, or says what it can't do."""

import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from service import clock
from tests.faults.clinic import big_history
from tests.faults.disks import disk, read_only
from tests.house import House
from tests.patience import until
from tests.process.launching import Client, Service, configure, run, sentence, serving

CLINIC = {"name": "Practice at the Park", "timezone": "Europe/Berlin", "country": "DE", "language": "en", "phone": ""}


@pytest.fixture
def service(house: House, tmp_path: Path) -> Iterator[Service]:
    """A clinic with a patient who has a history, and an admin."""
    big_history(house, "eve@clinic.example", 3)
    house.user("admin", "ann@clinic.example", "Ann")
    configure(tmp_path)
    with serving(tmp_path) as running:
        yield running


def exported(patient: Client) -> tuple[str, bytes]:
    """The state in which an export ends, and its file."""
    page = patient.post("/exports").location
    found = until(lambda: re.search(r'data-state="(available|failed)"', patient.get(page).text))
    assert found is not None
    return found[1], patient.get(f"{page}/file").body


def test_h12_exports_folder_that_is_removed_is_made_again_and_closed_to_others(
    service: Service, tmp_path: Path
) -> None:
    eve = service.client("eve@clinic.example")
    shutil.rmtree(tmp_path / "exports")
    state, file = exported(eve)
    assert (state, file.count(b"\r\n")) == ("available", 4)
    assert stat.S_IMODE((tmp_path / "exports" / "histories").stat().st_mode) == 0o700
    assert service.stop() == 0


@pytest.mark.parametrize("there", [True, False], ids=["to a folder", "to nowhere"])
def test_h12_an_exports_folder_that_becomes_a_link_is_followed_or_the_export_says_why_not(
    service: Service, tmp_path: Path, there: bool
) -> None:
    eve = service.client("eve@clinic.example")
    shutil.rmtree(tmp_path / "exports")
    target = tmp_path / "elsewhere"
    if there:
        target.mkdir()
    (tmp_path / "exports").symlink_to(target)
    state, _file = exported(eve)
    assert state == ("available" if there else "failed")
    assert all(stat.S_IMODE(one.stat().st_mode) == 0o600 for one in target.rglob("*.csv"))
    (tmp_path / "exports").unlink()
    assert exported(eve)[0] == "available"
    assert service.stop() == 0


@pytest.mark.sqlite("a disk of the file's own")
def test_h12_a_folder_that_becomes_read_only_keeps_working_until_the_next_start_says_why_not(
    house: House, tmp_path: Path
) -> None:
    house.user("doctor", "ada@clinic.example", "Dr Ada")
    visit = house.visit(1, house.patient("Eve"), clock.now())
    house.wiring.database.close()
    form = f"/appointments/{visit}/treatment"
    with disk(tmp_path / "disk", "20m") as small:
        shutil.copy(tmp_path / "rounds.db", small / "rounds.db")
        configure(tmp_path, f'[database]\nurl = "sqlite:///{small}/rounds.db"\n')
        with serving(tmp_path) as service:
            ada = service.client("ada@clinic.example")
            ada.token()
            small.chmod(0o500)
            assert ada.post(form, {"diagnosis": "first"}).status == 303, "its files are open"
            assert "first" in ada.get(form).text
            assert service.stop() == 0
        with read_only(small):
            assert "cannot be written" in sentence(run(tmp_path, "serve"))


def test_h12_a_key_file_that_is_deleted_under_the_service_changes_nothing_until_it_ends(
    service: Service, tmp_path: Path
) -> None:
    key = (tmp_path / "secret.key").read_bytes()
    ann = service.client("ann@clinic.example")
    ann.token()
    (tmp_path / "secret.key").unlink()
    assert ann.get("/dashboard").status == 200
    assert ann.post("/settings/clinic", CLINIC).status == 303
    until(lambda: "Practice at the Park" in ann.get("/settings").text)
    assert (tmp_path / "secret.key").read_bytes() == key, "it starts again with the key it has"
    assert service.stop() == 0


def test_h12_a_key_file_that_is_gone_at_the_start_is_said_in_the_log(service: Service, tmp_path: Path) -> None:
    assert service.stop() == 0
    (tmp_path / "secret.key").unlink()
    with serving(tmp_path) as again:
        assert again.client("ann@clinic.example").get("/dashboard").status == 200
        assert "secret.key was gone" in again.err.read_text(encoding="utf-8")
        assert again.stop() == 0
