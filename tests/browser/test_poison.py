"""One clinic full of hostile texts, opened page by page in a real browser by every role (W1)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import MONDAY
from tests.browser.visitor import Visitor, kind
from tests.house import PASSWORD
from tests.process.launching import Service, change, configure, result, rows, run, serving
from tests.trust.test_texts import POISONS

pytestmark = [pytest.mark.browser, pytest.mark.tour]

POISON = " ".join([*POISONS, "<a href=javascript:alert(1)>x</a>", "\u202e gnp.exe", "<style>*{display:none}</style>"])
HOMES = {
    "admin": ("/dashboard", {"/audit", "/users", "/patients/N", "/reports/N"}),
    "reception": ("/today", {"/patients/N", "/appointments/N", "/doctors/N"}),
    "doctor1": ("/today", {"/patients/N", "/patients/N/changes", "/appointments/N", "/reports/N"}),
    "patient1": ("/appointments", {"/treatments", "/who-looked", "/appointments/N"}),
}


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@pytest.fixture(name="poisoned", scope="module")
def a_poisoned_clinic(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Path]]:
    """A small demo clinic whose every word of people is hostile, with reports, reminders and day sheets made of it."""
    folder = tmp_path_factory.mktemp("poisoned")
    configure(folder)
    demo = ("demo", "--doctors", "2", "--patients", "12", "--appointments", "120", "--password", PASSWORD)
    assert run(folder, *demo, at=MONDAY).returncode == 0
    text = quoted(POISON)
    short, long = f"substr({text}, 1, 190)", text
    clinical = ", ".join(f"{name} = {long}" for name in ("symptoms", "diagnosis", "treatment", "prescription", "notes"))
    change(
        folder,
        f"UPDATE patients SET name = {short}, phone = substr({text}, 1, 20), allergies = {long}, alerts = {long}",
        f"UPDATE patients SET email = {quoted(POISONS[1])} || id WHERE id > 3",
        f"UPDATE users SET name = {short}",
        f"UPDATE doctors SET name = {short}, department = substr({text}, 1, 90)",
        f"UPDATE visit_types SET name = substr({text}, 1, 50) || id",
        f"UPDATE appointments SET reason = {short}, cancellation_reason = {short}",
        f"UPDATE treatments SET {clinical}, visit_type = substr({text}, 1, 60)",
        f"UPDATE waiting_list SET note = {short}",
    )
    result(run(folder, "run-job", "reports", "--json", at=MONDAY))
    result(run(folder, "run-job", "reminders", "--json", at=MONDAY))
    with serving(folder, at=MONDAY) as service:
        _act(service, folder)
        yield service, folder


def _act(service: Service, folder: Path) -> None:
    """What only forms can write: a correction, a legal hold, an emergency."""
    doctor, admin = service.client("doctor1@demo.example"), service.client("admin@demo.example")
    ((visit, patient),) = rows(
        folder,
        "SELECT a.id, a.patient_id FROM appointments a JOIN treatments t ON t.appointment_id = a.id "
        "WHERE a.doctor_id = 1 ORDER BY a.patient_id, a.id LIMIT 1",
    )
    texts = {"diagnosis": f"again {POISON}", "notes": POISON}
    assert doctor.post(f"/appointments/{visit}/treatment", texts).status == 303
    assert admin.post(f"/patients/{patient}/holds", {"reason": POISON[:480]}).status == 303
    change(folder, "UPDATE patients SET folded_name = 'hostile', birth_date = '1980-01-02'")
    door = {"name": "Hostile", "birth_date": "1980-01-02", "reason": POISON[:480]}
    assert doctor.post("/emergency", door).status == 303
    assert doctor.get(f"/patients/{patient}/changes").status == 200


@pytest.mark.parametrize("who", HOMES)
def test_w1_every_page_of_a_poisoned_clinic_shows_texts_as_texts(
    visit: Callable[..., Visitor], poisoned: tuple[Service, Path], who: str
) -> None:
    service, _folder = poisoned
    visitor = visit(url=service.url)
    visitor.sign_in(who)
    home, expected = HOMES[who]
    wide, forged = [], []

    def look(path: str) -> None:
        if visitor.page.locator("#poison, main img, main style, main script, [onerror], [onfocus]").count():
            forged.append(path)
        for width in (1360, 360):
            visitor.page.set_viewport_size({"width": width, "height": 800})
            wide.extend([(path, width)] if visitor.too_wide() else [])
        visitor.page.set_viewport_size({"width": 1360, "height": 860})

    paths = visitor.everywhere(home, look=look)
    assert expected <= {kind(path) for path in paths}
    assert (forged, wide) == ([], [])


def test_w1_files_that_stand_alone_show_texts_as_texts(
    chromium: Browser, poisoned: tuple[Service, Path], tmp_path: Path
) -> None:
    service, folder = poisoned
    doctor = service.client("doctor1@demo.example")
    ((report,),) = rows(folder, "SELECT id FROM reports WHERE doctor_id = 1 ORDER BY month DESC LIMIT 1")
    (tmp_path / "report.html").write_bytes(doctor.get(f"/reports/{report}/file").body)
    files = [tmp_path / "report.html", *(folder / "exports" / "day").glob("*.html")]
    context = chromium.new_context()
    page, trouble = context.new_page(), list[str]()
    page.on("dialog", lambda dialog: trouble.append(f"dialog: {dialog.message}"))
    page.on("request", lambda request: trouble.append(request.url) if not request.url.startswith("file:") else None)
    for file in files:
        page.goto(file.as_uri())
        assert page.locator("#poison, img, script, iframe, [onerror], [onfocus]").count() == 0
        assert "<script>alert(1)</script>" in page.locator("body").inner_text()
    context.close()
    assert trouble == []
