"""Exports of the whole clinic for administrators: requested, followed, downloaded, removed, and audited."""

import io
import json
from zipfile import ZipFile

from service.storage.models import AuditEntry, Export, ExportStatus
from tests import patience
from tests.web.exports.test_exports import made
from tests.web.frozen_clinic import VISITORS, Clinic
from tests.web.reading import attribute, links, parsed, words


def test_e10_the_admin_takes_all_data_along(clinic: Clinic) -> None:
    clinic.clock.shift(60)
    admin = clinic.browser("admin")
    assert "/clinic-exports" in links(parsed(admin.get("/jobs")))
    page = parsed(admin.get("/clinic-exports"))
    assert "users.password_hash" in words(page), "what stays here is said"
    path = admin.post(attribute(page, "main form", "action")).location
    file = made(admin, path)
    assert links(parsed(admin.get(path)))[-1] == file
    answer = admin.get(file, buffered=True)
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == "attachment; filename=clinic-2026-05-06.zip"
    assert answer.headers["Cache-Control"] == "no-store"
    with ZipFile(io.BytesIO(answer.data)) as found:
        people = json.loads(found.read("clinic-2026-05-06/patients.json"))
        done = json.loads(found.read("clinic-2026-05-06/treatments.json"))
    assert {person["name"] for person in people} >= {"Pia Ahorn", "Otto Birke"}
    assert {row["diagnosis"] for row in done} == {"Hay fever", "Tinnitus"}
    for act in ("export.request", "export.download"):
        assert clinic.house.count(AuditEntry, AuditEntry.act == act, AuditEntry.subject == f"export/{path[-32:]}") == 1


def test_e4_a_clinic_s_file_is_no_patient_s_and_a_patient_s_none_of_the_clinic(clinic: Clinic) -> None:
    for visitor in VISITORS:
        browser = clinic.browser(visitor)
        for path in (f"/exports/{clinic.clinic_export}/file", f"/clinic-exports/{clinic.export}/file"):
            assert browser.get(path, buffered=True).status_code in (303, 403, 404), (visitor, path)
    assert clinic.house.count(AuditEntry, AuditEntry.act == "export.download") == 0


def test_the_admin_stops_and_removes_it(clinic: Clinic) -> None:
    admin, path = clinic.browser("admin"), f"/clinic-exports/{clinic.clinic_export}"
    file = clinic.house.settings.histories / f"{clinic.clinic_export}.zip"
    assert file.exists()
    admin.post(attribute(parsed(admin.get(path)), "main form", "action"))
    assert not file.exists()
    assert admin.get(f"{path}/file").status_code == 410
    clinic.house.wiring.queue.stop(patience.SECONDS)  # no one works at the next one
    clinic.clock.shift(60)
    admin = clinic.house.browser("admin@clinic.example")
    path = admin.post("/clinic-exports").location
    admin.post(f"{path}/cancellation")
    assert clinic.house.count(Export, Export.status == "cancelled") == 1


def test_why_it_failed_is_said_to_the_admin(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        export = session.get_one(Export, clinic.clinic_export)
        export.status, export.last_error = ExportStatus.FAILED, "there is not enough room on the disk"
    page = words(parsed(clinic.browser("admin").get(f"/clinic-exports/{clinic.clinic_export}")))
    assert "What went wrong: there is not enough room on the disk." in page
