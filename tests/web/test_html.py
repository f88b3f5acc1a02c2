"""Every page of every role is sound HTML5: an empty clinic's, a full one's, and those that say no."""

import pytest

from service import clock
from service.domain.appointments import appointments
from service.storage.models import Export, ExportStatus
from tests import patience
from tests.house import Browser, House
from tests.web.frozen_clinic import VISITORS, Clinic, email
from tests.web.pages import after_expiry, pages_of
from tests.web.reading import faults


def check(browser: Browser, paths: list[str], *, stands_alone: bool = False) -> None:
    found = {}
    for path in paths:
        answer = browser.get(path, buffered=True, follow_redirects=True)
        assert answer.mimetype == "text/html", path
        wrong = faults(answer.get_data(as_text=True), stands_alone=stands_alone)
        if wrong:
            found[path] = wrong
    assert found == {}


@pytest.mark.tour
@pytest.mark.parametrize("visitor", VISITORS)
def test_every_page_of_a_working_clinic(clinic: Clinic, visitor: str) -> None:
    check(clinic.browser(visitor), [*pages_of(clinic, visitor), "/"])


@pytest.mark.tour
@pytest.mark.parametrize("visitor", VISITORS)
def test_every_page_of_a_crowded_day(clinic: Clinic, visitor: str) -> None:
    crowd(clinic)
    check(clinic.browser(visitor), pages_of(clinic, visitor))


def crowd(clinic: Clinic) -> None:
    """More doctors than tabs, appointments in each state, more rows than a page has, failed and caught-up jobs."""
    house, doll = clinic.house, clinic.people["doctor"].doctor_id
    for number in range(9):
        house.user("doctor", f"more{number}@clinic.example", f"Dr. More {number}")
    ghost = house.patient("No Address")
    for status in ("arrived", "completed", "cancelled", "no_show"):
        house.visit(doll, ghost, clock.now(), status=status, arrived_at=clock.now())
    for day in range(1, 31):
        moment = clock.now().replace(month=1, day=day)
        house.treated(doll, clinic.pia, moment, visit_type="Check-up", notes="x\n\ny")
    house.tick(house.wiring.queue)
    house.wiring.queue.stop(patience.SECONDS)


@pytest.mark.parametrize("role", ["patient", "doctor", "receptionist", "admin"])
def test_every_page_of_a_clinic_on_its_first_day(house: House, role: str) -> None:
    house.user(role, email(role), "Only One")
    home = ["/", "/nowhere"]
    more = {
        "patient": ["/appointments", "/treatments"],
        "doctor": ["/today", "/reports"],
        "receptionist": ["/today"],
        "admin": ["/today", "/dashboard", "/jobs", "/reports"],
    }
    check(house.browser(email(role)), [*home, *more[role]])


def test_setup(house: House) -> None:
    browser = house.browser()
    check(browser, ["/", "/setup", "/sign-in", "/nowhere"])
    for form in ({}, {"name": "<", "email": "x", "password": "short"}):
        for path in ("/setup", "/setup/demo"):
            answer = browser.post(path, dict(form))
            assert (answer.status_code, faults(answer.get_data(as_text=True))) == (422, [])
    away = browser.get("/setup", environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert faults(away.get_data(as_text=True)) == []


def test_the_reports_file_stands_alone(clinic: Clinic) -> None:
    check(clinic.browser("doctor"), [f"/reports/{clinic.report}/file"], stands_alone=True)


def test_each_state_of_an_export(clinic: Clinic) -> None:
    browser = clinic.browser("patient")
    for status in ExportStatus:
        with clinic.house.writing() as session:
            session.get_one(Export, clinic.export).status = status
        check(browser, [f"/exports/{clinic.export}", "/treatments"])


def test_pages_after_everything_has_expired(clinic: Clinic) -> None:
    after_expiry(clinic)
    browser = clinic.house.browser(email("patient"))
    check(browser, [f"/exports/{clinic.export}", f"/exports/{clinic.export}/file"])


def test_refused_forms(clinic: Clinic) -> None:
    doctor, nobody = clinic.browser("doctor"), clinic.browser("nobody")
    form = f"/appointments/{clinic.past}/treatment"
    answers = [
        doctor.post(form, {"next_visit": "soon", "visit_type": "x" * 61}),
        doctor.post(form, {"notes": "mine", "version": "0"}),
        doctor.post(form, {"notes": "mine", "role": "admin"}),
        doctor.post("/exports", {"patient_id": "x"}),
        nobody.post("/sign-in", {"email": "", "password": ""}),
        nobody.post("/sign-in", {"email": '"><b>', "password": "x", "next": '"><b>'}),
        nobody.post(f"/invite/{clinic.invite}", {"password": "short"}),
        nobody.client.post("/sign-in", data={}),
        nobody.client.delete("/sign-in"),
        nobody.get("/sign-in", headers={"Host": "evil.example"}),
    ]
    assert [answer.status_code for answer in answers] == [422, 409, 422, 422, 422, 422, 422, 400, 405, 400]
    assert [faults(answer.get_data(as_text=True)) for answer in answers] == [[]] * len(answers)


def test_a_throttled_sign_in_and_an_error_of_ours(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody, doctor = clinic.browser("nobody"), clinic.browser("doctor")
    for _try in range(6):
        answer = nobody.sign_in("ghost@clinic.example", "wrong")
    assert (answer.status_code, faults(answer.get_data(as_text=True))) == (429, [])
    monkeypatch.setattr(appointments, "day", None)
    answer = doctor.get("/today")
    assert (answer.status_code, faults(answer.get_data(as_text=True))) == (500, [])


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ("<!doctype html><html lang=en><title>x</title><h1>x</h1><p style=color:red>", "<p style>"),
        ("<!doctype html><html lang=en><title>x</title><h1>x</h1><input name=a>", "no label for a"),
        ("<!doctype html><html lang=en><title>x</title><h1 id=a>x</h1><p id=a>", "id a twice"),
        ("<!doctype html><html lang=en><title>x</title><h1>x</h1><a href=//e>x</a>", "href=//e"),
        ("<!doctype html><html><title>x</title><h1>x</h1>", "no language"),
        ("<!doctype html><html lang=en><title>x</title>", "0 h1 elements"),
    ],
)
def test_the_check_finds_what_it_is_for(page: str, fault: str) -> None:
    assert fault in faults(page)
