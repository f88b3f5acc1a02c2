"""What people wrote stays text: in pages (W1) it is never markup, and in the log (L5) it never appears."""

from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from io import TextIOWrapper

import html5lib
import pytest
import structlog
from sqlalchemy import update

from service import logs
from service.storage.models import Appointment, Doctor, JobRun, Message, Patient, Report, RunStatus, Treatment, User
from tests.house import PASSWORD, Browser, House
from tests.patience import until
from tests.web.frozen_clinic import (
    VISITORS,
    Clinic,
    email,
    opened,
    reported,
)
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.frozen_clinic import the_log as the_log
from tests.web.pages import pages_of

POISONS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</title></textarea></script><b id=poison>",
    "javascript:alert(1)//",
    "{{7*7}}{% include 'error.html' %}${7*7}",
    "&lt;i&gt; &#60;u&#62; --!><!-- x",
    '" autofocus onfocus=alert(1) x="',
]


GROWING = ("/audit", "/who-looked", "/messages")
"""Pages that have more to tell each time that someone looks."""
FORGED = frozenset({"b", "i", "u", "img", "iframe", "object", "embed"})
"""Elements that our pages do not have."""


def poison(house: House, text: str) -> None:
    """Write a text into every field that holds words of people, past all checks of forms."""
    names = {"name": text}
    clinical = dict.fromkeys(("symptoms", "diagnosis", "treatment", "prescription", "notes"), f"{text}\n{text}")
    with house.writing() as session:
        for table, values in (
            (User, names),
            (Patient, {**names, "phone": text, "email": text}),
            (Doctor, {**names, "department": text}),
            (Appointment, {"reason": text, "cancellation_reason": text}),
            (Treatment, {**clinical, "visit_type": text}),
            (JobRun, {"last_error": text}),
        ):
            session.execute(update(table).values(**values))
        session.query(Report).delete()


def structure(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """The elements of a page with the names of their attributes."""
    tree = html5lib.parse(page, treebuilder="etree", namespaceHTMLElements=False)
    return [(str(element.tag), tuple(sorted(map(str, element.keys())))) for element in tree.iter()]


def seen(clinic: Clinic, browsers: dict[str, Browser]) -> Iterator[tuple[str, str, str]]:
    """Every page of every visitor, the report's file too."""
    for visitor in VISITORS:
        browser = browsers[visitor] = browsers.get(visitor) or clinic.browser(visitor)
        files = [f"/reports/{clinic.report}/file"] if visitor in ("doctor", "admin") else []
        for path in [*pages_of(clinic, visitor), *files]:
            yield visitor, path, browser.get(path, buffered=True).get_data(as_text=True)


@pytest.mark.tour
@pytest.mark.sqlite("its texts are longer than PostgreSQL's columns; the pages are the same")
def test_w1_no_text_of_anybody_becomes_markup_on_any_page(clinic: Clinic) -> None:
    failed = opened(clinic.house, "generate_monthly_report")
    with clinic.house.writing() as session:
        run = session.get_one(JobRun, failed)
        run.status, run.last_error = RunStatus.FAILED, "OSError: harmless"
    browsers: dict[str, Browser] = {}
    harmless = poisoned(clinic, "harmless", browsers)
    text, literal = " ".join(POISONS), 0
    for where, page in poisoned(clinic, text, browsers).items():
        if where[1].startswith(GROWING):
            assert not [tag for tag, names in structure(page) if tag in FORGED or any(n[:2] == "on" for n in names)]
        else:
            assert structure(page) == structure(harmless[where]), where
        tree = html5lib.parse(page, treebuilder="etree", namespaceHTMLElements=False)
        literal += text in " ".join("".join(tree.itertext()).split())
        for link in tree.iter("a"):
            assert str(link.get("href")).startswith(("/", "?", "#", "tel:")), where
    assert literal > 20


def poisoned(clinic: Clinic, text: str, browsers: dict[str, Browser]) -> dict[tuple[str, str], str]:
    """All pages once everyone's words are this text."""
    poison(clinic.house, text)
    doll, dora = clinic.people["doctor"].doctor_id, clinic.people["other doctor"].doctor_id
    for doctor, wanted in ((doll, clinic.report), (dora, clinic.other_report)):
        made = reported(clinic.house, doctor, "2026-04")
        with clinic.house.writing() as session:
            session.execute(update(Report).where(Report.id == made).values(id=wanted))
    return {(visitor, path): page for visitor, path, page in seen(clinic, browsers)}


@pytest.mark.parametrize("text", POISONS)
def test_w1_what_a_doctor_types_comes_back_as_typed(clinic: Clinic, text: str) -> None:
    browser = clinic.browser("doctor")
    form = {"visit_type": text, "symptoms": text, "notes": text, "next_visit": text}
    refused = browser.post(f"/appointments/{clinic.begun}/treatment", form)
    assert refused.status_code == 422
    tree = html5lib.parse(refused.get_data(as_text=True), treebuilder="etree", namespaceHTMLElements=False)
    fields = {str(field.get("name")): field for field in [*tree.iter("input"), *tree.iter("textarea")]}
    assert fields["visit_type"].get("value") == text
    assert fields["next_visit"].get("value") == text
    assert (fields["symptoms"].text or "").strip() == text
    assert not [field for field in fields.values() if field.get("onfocus") or field.get("x")]


def test_l5_the_log_of_a_day_names_nobody(clinic: Clinic, logged: Callable[[], str]) -> None:
    house, texts = clinic.house, ["Tremor of the left hand", "Ropinirole 2 mg"]
    doctor, patient, admin = (clinic.browser(visitor) for visitor in ("doctor", "patient", "admin"))
    stranger = clinic.browser("nobody")
    stranger.sign_in(email("patient"), "not my password at all")
    stranger.sign_in("eve@evil.example\n2026-05-06T08:00:00Z level=error event=forged", "open sesame for me")
    stranger.sign_in(email("patient"), PASSWORD)
    stranger.get(f"/invite/{clinic.invite}")
    stranger.post(f"/invite/{clinic.invite}", {"password": "a password of my own"})
    doctor.post(f"/appointments/{clinic.begun}/treatment", {"symptoms": texts[0], "prescription": texts[1]})
    doctor.post(f"/appointments/{clinic.later}/treatment", {"symptoms": texts[0]})
    doctor.get("/today?date=Pia+Ahorn")
    doctor.get("/nowhere/Pia%20Ahorn?name=Pia+Ahorn")
    clinic.clock.shift(60)
    export = patient.post("/exports").location
    until(lambda: 'data-state="available"' in patient.get(export).get_data(as_text=True))
    patient.get(f"{export}/file", buffered=True)
    admin.post("/jobs/send_daily_reminders/runs")
    admin.post("/jobs/generate_monthly_report/runs")
    until(lambda: house.count(JobRun, JobRun.status == "done") == 2)
    assert house.count(Message, Message.status == "sent", Message.rule == "daily_reminder") == 1
    for visitor, browser in (("doctor", doctor), ("patient", patient), ("admin", admin)):
        for path in pages_of(clinic, visitor):
            browser.get(path, buffered=True)
    cookies = [browser.client.get_cookie(browser.cookie_name) for browser in (doctor, patient, admin, stranger)]
    secrets = {
        *(actor.name for actor in clinic.people.values()),
        *(part for actor in clinic.people.values() for part in actor.name.split() if len(part) > 3),
        *("clinic.example", "eve@evil.example", "forged", "+4930", "1234567", "New glasses", "Hay fever", *texts),
        *(PASSWORD, "not my password", "open sesame", "a password of my own", clinic.invite),
        *(cookie.value for cookie in cookies if cookie is not None),
    }
    log = logged()
    assert log.count("event=request") > 60
    assert [secret for secret in secrets if secret in log] == []


def test_l5_an_error_in_the_middle_of_a_text_does_not_put_the_text_into_the_log(
    clinic: Clinic, logged: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(text: str) -> str:
        raise ValueError(f"cannot fold {text}")

    monkeypatch.setattr("service.domain.exports.history_csv.write", lambda *_args: broken("Pia Ahorn: Hay fever"))
    clinic.clock.shift(60)
    browser = clinic.browser("patient")
    export = browser.post("/exports").location
    until(lambda: 'data-state="failed"' in browser.get(export).get_data(as_text=True))
    log = logged()
    assert "export failed" in log
    assert "ValueError" in log
    assert "Pia" not in log
    assert "Hay fever" not in log
    assert "Pia Ahorn:" not in browser.get(export).get_data(as_text=True)


def test_f7_a_log_that_cannot_be_written_stops_nobody(clinic: Clinic) -> None:
    with open("/dev/full", "wb", buffering=0) as disk:
        full = TextIOWrapper(disk, "utf-8", write_through=True)
        with redirect_stderr(full):
            logs.configure()
        try:
            assert clinic.browser("doctor").get("/today").status_code == 200
            assert clinic.browser("nobody").sign_in(email("doctor")).status_code == 303
            with pytest.raises(OSError, match="No space left"):
                full.write("a line")
        finally:
            structlog.reset_defaults()
