"""The page of an export in each of its states, and the download."""

import pytest

from service.models import AuditEntry, Export
from tests.house import Browser
from tests.web.clinic import NOW, Clinic, email
from tests.web.pages import after_expiry
from tests.web.reading import attribute, links, parsed, words


def put(clinic: Clinic, status: str, **values: object) -> str:
    """Bring Pia's export into a state; returns its page."""
    with clinic.house.writing() as session:
        export = session.get_one(Export, clinic.export)
        export.status, export.lease_until = status, NOW.replace(hour=23)
        for name, value in values.items():
            setattr(export, name, value)
    return f"/exports/{clinic.export}"


def state(browser: Browser, path: str) -> str:
    return attribute(parsed(browser.get(path)), "main", "data-state")


@pytest.mark.parametrize("status", ["pending", "running", "available", "failed", "expired"])
def test_the_page_names_the_state_and_links_to_the_file_only_when_it_is_there(clinic: Clinic, status: str) -> None:
    path, browser = put(clinic, status), clinic.browser("patient")
    page = parsed(browser.get(path))
    assert state(browser, path) == status
    assert links(page) == ([f"{path}/file"] if status == "available" else [])


@pytest.mark.parametrize("status", ["pending", "running", "available", "failed", "expired"])
def test_without_scripts_an_unfinished_page_refreshes_itself_and_a_finished_one_does_not(
    clinic: Clinic, status: str
) -> None:
    page = clinic.browser("patient").get(put(clinic, status)).get_data(as_text=True)
    unfinished = status in ("pending", "running")
    assert ('<noscript><meta http-equiv="refresh" content="' in page) is unfinished
    assert ("hx-get" in page) is unfinished
    assert ("htmx.min.js" in page) is unfinished


def test_progress_is_shown_in_rows(clinic: Clinic) -> None:
    page = parsed(clinic.browser("patient").get(put(clinic, "running", rows_done=250, rows_total=1000)))
    assert (attribute(page, "progress", "value"), attribute(page, "progress", "max")) == ("25", "100")
    assert "250 of 1000 rows" in words(page)


def test_a_running_export_of_nobody_knows_how_many_rows_is_no_error(clinic: Clinic) -> None:
    assert clinic.browser("patient").get(put(clinic, "running", rows_done=0, rows_total=0)).status_code == 200


@pytest.mark.parametrize(
    ("status", "code"), [("pending", 409), ("running", 409), ("failed", 409), ("available", 200), ("expired", 410)]
)
def test_the_file_is_only_there_when_it_is(clinic: Clinic, status: str, code: int) -> None:
    path = put(clinic, status)
    answer = clinic.browser("patient").get(f"{path}/file", buffered=True)
    assert answer.status_code == code
    downloads = AuditEntry.act == "export.download"
    assert clinic.house.count(AuditEntry, downloads) == (1 if code == 200 else 0)


@pytest.mark.parametrize("status", ["failed", "expired"])
def test_what_failed_or_expired_can_be_started_again(clinic: Clinic, status: str) -> None:
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
    clinic.house.wiring.tasks.clean_up()
    assert clinic.house.count(Export, Export.id == clinic.export, Export.status == "expired") == 1
    assert browser.get(f"/exports/{clinic.export}/file").status_code == 410


def test_a_file_that_somebody_removed_is_gone_not_an_error(clinic: Clinic) -> None:
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
