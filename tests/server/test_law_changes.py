"""Clinics of five countries before and after their parliaments change the clock: what was promised is kept."""

import re
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from service import clock
from tests.house import PASSWORD
from tests.patience import until
from tests.process.launching import Client, change, configure, rows, run, serving

LAWS = {
    "America/Vancouver": "Etc/GMT+8",
    "Africa/Casablanca": "Etc/GMT-2",
    "Australia/Lord_Howe": "Etc/GMT-11",
    "Asia/Kathmandu": "Asia/Kolkata",
    "Pacific/Apia": "Pacific/Pago_Pago",
}
"""Zone -> whose clock its parliament takes over."""


def write_law(folder: Path, zone: str, data_of: str) -> None:
    """Zone data as a newer release of them would be."""
    file = folder / zone
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(files("tzdata").joinpath("zoneinfo", *data_of.split("/")).read_bytes())


def open_clinic(folder: Path, zone: str) -> None:
    """A doctor who works from eight to six every day, a patient, and the desk."""
    configure(folder, f'[clinic]\ntimezone = "{zone}"\n')
    for role, name in (("receptionist", "Rita"), ("doctor", "Dr Ada"), ("patient", "Pia")):
        who = ("--role", role, "--email", f"{role}@clinic.example", "--name", name)
        assert run(folder, "add-user", *who, "--password-stdin", given=f"{PASSWORD}\n").returncode == 0
    for weekday in range(7):
        change(
            folder,
            "INSERT INTO doctor_hours (doctor_id, weekday, starts, ends, slot_minutes)"
            f" VALUES (1, {weekday}, 480, 1080, 30)",
        )


def book(desk: Client, day: str, at: str) -> str:
    """The desk books for the patient; the appointment's address."""
    fields = {"doctor_id": "1", "patient_id": "1", "starts_at": f"{day}T{at}", "reason": ""}
    answer = desk.post("/appointments", fields)
    assert answer.status == 303, answer.text
    return answer.location


def shown(client: Client, path: str) -> list[str]:
    """The instants on a page, as it writes them for machines."""
    return re.findall(r'<time datetime="([^"]+)"', client.get(path).text)


@pytest.mark.parametrize("zone", LAWS)
def test_an_appointment_stays_at_its_local_time_when_the_law_changes(
    zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laws, folder = tmp_path / "laws", tmp_path / "clinic"
    folder.mkdir()
    write_law(laws, zone, zone)
    monkeypatch.setenv("PYTHONTZPATH", str(laws))
    open_clinic(folder, zone)
    here = ZoneInfo(zone)
    year = clock.today(here).year + 1
    days = (f"{year}-01-15", f"{year}-07-15")
    with serving(folder, itself=True) as service:
        desk = service.client("receptionist@clinic.example")
        paths = [book(desk, day, "10:00") for day in days]
        assert all(any("T10:00" in one for one in shown(desk, path)) for path in paths)
    before = rows(folder, "SELECT starts_at, ends_at FROM appointments ORDER BY id")

    write_law(laws, zone, LAWS[zone])
    with serving(folder, itself=True) as service:
        desk, patient = (service.client(f"{who}@clinic.example") for who in ("receptionist", "patient"))
        for client in (desk, patient):
            assert all(any("T10:00" in one for one in shown(client, path)) for path in paths)
        after = rows(folder, "SELECT starts_at, ends_at FROM appointments ORDER BY id")
        moved = sum(old != new for old, new in zip(before, after, strict=True))
        assert moved > 0
        sentence = f"{moved} appointment{'s' if moved > 1 else ''} kept"
        assert sentence in desk.get("/today").text
        change_path = re.search(r'href="(/zone-changes/\d+)"', desk.get("/today").text)
        assert change_path is not None
        assert "Every appointment kept its local time" in desk.get(change_path[1]).text
        assert desk.post(f"{change_path[1]}/seen").status == 303
        assert "/zone-changes/" not in desk.get("/today").text
        assert patient.get(change_path[1]).status == 403
    local = rows(folder, "SELECT local_start, local_fold, zone FROM appointments ORDER BY id")
    assert local == [(f"{day}T10:00", 0, zone) for day in days]

    with serving(folder, itself=True):  # a third start under the same law finds nothing to do
        assert rows(folder, "SELECT starts_at, ends_at FROM appointments ORDER BY id") == after
        assert rows(folder, "SELECT count(*) FROM zone_changes") == [(1,)]


@pytest.mark.parametrize(("chosen", "local", "moved"), [("local", "T10:00", True), ("instant", "T09:00", False)])
def test_a_zone_set_right_on_the_settings_page_keeps_what_was_promised(
    chosen: str, local: str, moved: bool, tmp_path: Path
) -> None:
    open_clinic(tmp_path, "Europe/Berlin")
    who = ("--role", "admin", "--email", "admin@clinic.example", "--name", "Ada")
    assert run(tmp_path, "add-user", *who, "--password-stdin", given=f"{PASSWORD}\n").returncode == 0
    day = f"{clock.today(ZoneInfo('Europe/Berlin')).year + 1}-01-15"
    with serving(tmp_path) as service:
        path = book(service.client("receptionist@clinic.example"), day, "10:00")
        before = rows(tmp_path, "SELECT starts_at FROM appointments")
        admin = service.client("admin@clinic.example")
        assert "1 appointment is coming up" in admin.get("/settings/clinic").text
        form = {"name": "Park", "timezone": "Europe/London", "country": "DE", "language": "en", "phone": ""}
        assert admin.post("/settings/clinic", {**form, "appointments": chosen}).status == 303
        until(lambda: rows(tmp_path, "SELECT zone FROM installation") == [("Europe/London",)])
        desk = service.client("receptionist@clinic.example")
        assert any(local in one for one in shown(desk, path))
    assert (rows(tmp_path, "SELECT starts_at FROM appointments") != before) is moved
