"""The page of an export in each of its states, and the download."""

import io
from collections.abc import Callable
from datetime import timedelta
from zipfile import ZipFile

import pytest
from werkzeug.test import TestResponse

from service.domain.exports.export_formats import FORMATS
from service.storage.models import AuditEntry, Export, ExportFormat, ExportStatus
from tests import patience
from tests.house import Browser, House
from tests.patience import until
from tests.web.frozen_clinic import NOW, Clinic, email
from tests.web.pages import after_expiry
from tests.web.reading import attribute, links, one, parsed, words


def put(clinic: Clinic, status: ExportStatus, **values: object) -> str:
    """Bring Pia's export into a state; returns its page."""
    with clinic.house.writing() as session:
        export = session.get_one(Export, clinic.export)
        export.status, export.lease_until = status, NOW.replace(hour=23)
        for name, value in values.items():
            setattr(export, name, value)
    return f"/exports/{clinic.export}"


def state(browser: Browser, path: str) -> str:
    return attribute(parsed(browser.get(path)), "main", "data-state")


@pytest.mark.parametrize("status", ExportStatus)
def test_the_page_names_the_state_and_links_to_the_file_only_when_it_is_there(
    clinic: Clinic, status: ExportStatus
) -> None:
    path, browser = put(clinic, status), clinic.browser("patient")
    page = parsed(browser.get(path))
    assert state(browser, path) == status
    assert links(page) == ([f"{path}/file"] if status == "available" else [])


@pytest.mark.parametrize("status", ExportStatus)
def test_without_scripts_an_unfinished_page_refreshes_itself_and_a_finished_one_does_not(
    clinic: Clinic, status: ExportStatus
) -> None:
    page = clinic.browser("patient").get(put(clinic, status)).get_data(as_text=True)
    unfinished = status in (ExportStatus.PENDING, ExportStatus.RUNNING)
    assert ('<noscript><meta http-equiv="refresh" content="' in page) is unfinished
    assert ("hx-get" in page) is unfinished
    assert ("htmx.min.js" in page) is unfinished


def test_progress_is_shown_in_rows(clinic: Clinic) -> None:
    page = parsed(clinic.browser("patient").get(put(clinic, ExportStatus.RUNNING, rows_done=250, rows_total=1000)))
    assert (attribute(page, "progress", "value"), attribute(page, "progress", "max")) == ("25", "100")
    assert "250 of 1.000 rows" in words(page)


def test_a_running_export_of_nobody_knows_how_many_rows_is_no_error(clinic: Clinic) -> None:
    assert (
        clinic.browser("patient").get(put(clinic, ExportStatus.RUNNING, rows_done=0, rows_total=0)).status_code == 200
    )


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (ExportStatus.PENDING, 409),
        (ExportStatus.RUNNING, 409),
        (ExportStatus.FAILED, 409),
        (ExportStatus.CANCELLED, 409),
        (ExportStatus.AVAILABLE, 200),
        (ExportStatus.EXPIRED, 410),
    ],
)
def test_the_file_is_only_there_when_it_is(clinic: Clinic, status: ExportStatus, code: int) -> None:
    path = put(clinic, status)
    answer = clinic.browser("patient").get(f"{path}/file", buffered=True)
    assert answer.status_code == code
    downloads = AuditEntry.act == "export.download"
    assert clinic.house.count(AuditEntry, downloads) == (1 if code == 200 else 0)


@pytest.mark.parametrize("status", [ExportStatus.FAILED, ExportStatus.CANCELLED, ExportStatus.EXPIRED])
def test_what_failed_or_expired_can_be_started_again(clinic: Clinic, status: ExportStatus) -> None:
    clinic.clock.shift(60)
    path, browser = put(clinic, status), clinic.browser("patient")
    patient = attribute(parsed(browser.get(path)), "main form[action='/exports'] input[name=patient_id]", "value")
    answer = browser.post("/exports", {"patient_id": patient})
    assert answer.status_code == 303
    assert answer.location != path


def test_the_page_says_expired_before_the_clean_up_has_passed(clinic: Clinic) -> None:
    after_expiry(clinic)
    browser = clinic.house.browser(email("patient"))
    assert state(browser, f"/exports/{clinic.export}") == "expired"
    assert clinic.house.count(Export, Export.id == clinic.export, Export.status == "available") == 1
    clinic.house.clean_up()
    assert clinic.house.count(Export, Export.id == clinic.export, Export.status == "expired") == 1
    assert browser.get(f"/exports/{clinic.export}/file").status_code == 410


def test_a_file_that_was_removed_is_gone_not_an_error(clinic: Clinic) -> None:
    (clinic.house.settings.histories / f"{clinic.export}.csv").unlink()
    assert clinic.browser("patient").get(f"/exports/{clinic.export}/file").status_code == 410


def test_an_interrupted_download_is_resumed_where_it_stopped(clinic: Clinic) -> None:
    browser, path = clinic.browser("patient"), f"/exports/{clinic.export}/file"
    whole = browser.get(path, buffered=True)
    assert whole.headers["Accept-Ranges"] == "bytes"
    half = len(whole.data) // 2
    rest = browser.get(path, headers={"Range": f"bytes={half}-", "If-Range": whole.headers["ETag"]}, buffered=True)
    assert rest.status_code == 206
    assert rest.headers["Content-Range"] == f"bytes {half}-{len(whole.data) - 1}/{len(whole.data)}"
    assert whole.data[:half] + rest.data == whole.data
    assert rest.headers["Content-Disposition"] == whole.headers["Content-Disposition"]


def test_a_resumed_download_of_another_file_starts_over(clinic: Clinic) -> None:
    browser, path = clinic.browser("patient"), f"/exports/{clinic.export}/file"
    answer = browser.get(path, headers={"Range": "bytes=10-", "If-Range": '"another"'}, buffered=True)
    assert answer.status_code == 200


def test_a_range_behind_the_end_is_refused(clinic: Clinic) -> None:
    path = f"/exports/{clinic.export}/file"
    answer = clinic.browser("patient").get(path, headers={"Range": "bytes=9999999-"}, buffered=True)
    assert answer.status_code == 416


def test_head_tells_the_size_without_the_file(clinic: Clinic) -> None:
    browser, path = clinic.browser("patient"), f"/exports/{clinic.export}/file"
    size = (clinic.house.settings.histories / f"{clinic.export}.csv").stat().st_size
    head = browser.client.head(path, buffered=True)
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", str(size))


def test_the_first_button_needs_no_choice_when_there_is_one_patient(clinic: Clinic) -> None:
    clinic.clock.shift(60)
    assert clinic.browser("patient").post("/exports").status_code == 303


@pytest.mark.parametrize("wrong", ["x", "0", "-1", "1.5", str(2**63), "9" * 5000])
def test_an_id_that_is_none_is_refused(clinic: Clinic, wrong: str) -> None:
    assert clinic.browser("patient").post("/exports", {"patient_id": wrong}).status_code == 422


def test_a_doctor_must_say_whose_history(clinic: Clinic) -> None:
    assert clinic.browser("doctor").post("/exports").status_code == 422


# Choosing


def choose(browser: Browser, **fields: object) -> TestResponse:
    return browser.post("/exports", {name: str(value) for name, value in fields.items()})


def made(browser: Browser, path: str) -> str:
    """Wait until the export behind a page is ready; returns the address of its file."""
    until(lambda: state(browser, path) == "available")
    return f"{path}/file"


@pytest.mark.parametrize(
    ("form", "media_type"),
    [("csv", "text/csv; charset=utf-8"), ("json", "application/json"), ("zip", "application/zip")],
)
def test_e7_each_form_has_its_type_and_a_name_that_tells_nothing(clinic: Clinic, form: str, media_type: str) -> None:
    clinic.clock.shift(60)
    browser = clinic.browser("patient")
    answer = browser.get(made(browser, choose(browser, format=form).location), buffered=True)
    assert answer.headers["Content-Type"] == media_type
    assert answer.headers["Content-Disposition"] == f"attachment; filename=history-2026-05-06.{form}"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("visitor", ["patient", "doctor"])
def test_what_is_chosen_on_the_page_is_what_the_file_has(clinic: Clinic, visitor: str) -> None:
    clinic.clock.shift(60)
    browser = clinic.browser(visitor)
    page = parsed(browser.get(f"/exports/new?patient_id={clinic.pia}"))
    assert attribute(page, "input[name=format][checked]", "value") == "zip"
    answer = choose(browser, patient_id=clinic.pia, format="zip", visits="y")
    file = browser.get(made(browser, answer.location), buffered=True)
    with ZipFile(io.BytesIO(file.data)) as found:
        names = {name.partition("/")[2] for name in found.namelist()}
    assert names == {"README.txt", "history.html", "treatments.csv", "consent.csv", "visits.csv", "history.json"}
    assert "as a page, a table, and JSON in one zip · with appointments" in words(parsed(browser.get(answer.location)))


def test_one_table_and_more_is_refused_beside_the_choice_and_the_form_is_kept(clinic: Clinic) -> None:
    answer = choose(clinic.browser("patient"), format="csv", visits="y")
    page = parsed(answer)
    assert answer.status_code == 422
    assert "One table has room for the treatments only" in words(one(page, "#format-error"))
    assert attribute(page, "input[name=format][checked]", "value") == "csv"
    assert page.select("input[name=visits][checked]")
    assert not page.select("input[name=messages][checked]")


@pytest.mark.parametrize("wrong", ["xlsx", "CSV", "csv/..", "../zip", "\u202ecsv"])
def test_e6_a_form_that_is_none_is_refused(clinic: Clinic, wrong: str) -> None:
    before = clinic.house.count(Export)
    assert choose(clinic.browser("patient"), format=wrong).status_code == 422
    assert clinic.house.count(Export) == before


def test_e8_another_form_while_one_is_under_way_leads_to_that_one_and_says_so(clinic: Clinic) -> None:
    clinic.clock.shift(60)
    clinic.house.wiring.queue.stop(patience.SECONDS)  # no one works at it
    browser = clinic.browser("patient")
    first = choose(browser)
    second = choose(browser, format="json")
    assert second.location == first.location
    assert "Another export of this history is already in progress" in words(parsed(browser.get(second.location)))


def test_e8_a_full_queue_says_when_to_come_back(clinic: Clinic, make_house: Callable[..., House]) -> None:
    with clinic.house.writing() as session:
        session.get_one(Export, clinic.other_export).status = ExportStatus.PENDING
    clinic.clock.shift(60)
    house = make_house(exports={"most_waiting": 1})
    house.wiring.queue.stop(patience.SECONDS)
    answer = house.browser(email("patient")).post("/exports")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert "Try again in a minute" in words(parsed(answer))


@pytest.mark.parametrize("format", ExportFormat)
def test_every_format_is_offered_made_and_handed_out(clinic: Clinic, format: ExportFormat) -> None:
    browser, form = clinic.browser("patient"), FORMATS[format]
    choices = words(parsed(browser.get("/exports/new")))
    assert form.label in choices
    assert form.help in choices
    path = put(clinic, ExportStatus.AVAILABLE, format=format)
    assert form.holds in words(parsed(browser.get(path)))
    clinic.house.wiring.settings.histories.joinpath(f"{clinic.export}.{form.suffix}").write_bytes(b"whole")
    answer = browser.get(f"{path}/file", buffered=True)
    assert answer.mimetype == form.media_type
    assert answer.headers["Content-Disposition"].endswith(f".{form.suffix}")


def test_every_status_has_words_and_a_page_of_its_own(clinic: Clinic) -> None:
    patient, admin, headings, badges = clinic.browser("patient"), clinic.browser("admin"), set(), set()
    for status in ExportStatus:
        page = parsed(patient.get(put(clinic, status)))
        headings.add(words(one(page, "main section h2")))
        with clinic.house.writing() as session:
            session.get_one(Export, clinic.clinic_export).status = status
        badges.add(
            words(one(parsed(admin.get("/clinic-exports")), f'[href="/clinic-exports/{clinic.clinic_export}"] .pill'))
        )
    assert len(headings) == len(badges) == len(ExportStatus)


# Following, stopping, taking away


def test_time_left_and_percent_are_shown_while_it_runs(clinic: Clinic) -> None:
    path = put(clinic, ExportStatus.RUNNING, rows_done=250, rows_total=1000, started_at=NOW - timedelta(seconds=30))
    assert "250 of 1.000 rows · 25 % · about 2 minutes left" in words(parsed(clinic.browser("patient").get(path)))


def test_a_waiting_export_shows_how_many_are_ahead(clinic: Clinic) -> None:
    path = put(clinic, ExportStatus.PENDING, created_at=NOW + timedelta(seconds=1))
    with clinic.house.writing() as session:
        session.get_one(Export, clinic.other_export).status = ExportStatus.PENDING
    assert "1 export is ahead of this one." in words(parsed(clinic.browser("patient").get(path)))


def test_an_export_is_stopped_by_its_button(clinic: Clinic) -> None:
    path, browser = put(clinic, ExportStatus.RUNNING), clinic.browser("patient")
    action = attribute(parsed(browser.get(path)), "main form", "action")
    answer = browser.post(action)
    assert (answer.status_code, answer.location) == (303, path)
    assert state(browser, path) == "cancelled"
    assert browser.get(f"{path}/file").status_code == 409
    assert browser.post(action).status_code == 303


def test_e5_a_removed_file_is_gone_from_the_disk_and_its_link_leads_nowhere(clinic: Clinic) -> None:
    browser, path = clinic.browser("patient"), f"/exports/{clinic.export}"
    file = clinic.house.settings.histories / f"{clinic.export}.csv"
    assert file.exists()
    action = attribute(parsed(browser.get(path)), "main form", "action")
    assert browser.post(action).location == path
    assert not file.exists()
    assert state(browser, path) == "expired"
    assert "This file was removed" in words(parsed(browser.get(path)))
    assert browser.get(f"{path}/file").status_code == 410
    assert "Removed" in words(parsed(browser.get("/treatments")))


def test_downloads_are_counted_and_shown_to_whom_it_belongs(clinic: Clinic) -> None:
    browser, path = clinic.browser("patient"), f"/exports/{clinic.export}"
    assert "Downloaded not yet" in words(parsed(browser.get(path)))
    browser.client.head(f"{path}/file", buffered=True)
    browser.get(f"{path}/file", headers={"Range": "bytes=9999999-"}, buffered=True)
    assert clinic.house.count(AuditEntry, AuditEntry.act == "export.download") == 0, "nothing was handed out"
    browser.get(f"{path}/file", buffered=True)
    assert "Downloaded once, Wed, 6 May, 10:00" in words(parsed(browser.get(path)))
    browser.get(f"{path}/file", headers={"Range": "bytes=10-"}, buffered=True)
    assert "Downloaded once" in words(parsed(browser.get(path))), "it only went on"
    clinic.browser("doctor").get(f"{path}/file", headers={"Range": "bytes=0-"}, buffered=True)
    assert "Downloaded 2 times, last" in words(parsed(browser.get(path)))
    assert clinic.house.count(AuditEntry, AuditEntry.act == "export.download") == 3, "each part is on record"


def test_start_again_asks_for_the_same(clinic: Clinic) -> None:
    clinic.clock.shift(60)
    path, browser = put(clinic, ExportStatus.FAILED, format="zip", with_messages=True), clinic.browser("patient")
    form = one(parsed(browser.get(path)), "main form")
    fields = {str(field["name"]): str(field["value"]) for field in form.select("input[type=hidden]")}
    again = browser.post("/exports", fields).location
    with clinic.house.reading() as session:
        made = session.get_one(Export, again.rpartition("/")[2])
        assert (made.format, made.with_visits, made.with_messages) == ("zip", False, True)
