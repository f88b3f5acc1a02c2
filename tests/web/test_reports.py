"""Monthly reports: the archive, one report, and its file that stands alone."""

from datetime import timedelta

import pytest

from service.models import Doctor, Report
from tests.house import at
from tests.web.clinic import NOW, Clinic, reported
from tests.web.reading import attribute, links, parsed, words


def test_the_admin_sees_all_reports_a_doctor_their_own(clinic: Clinic) -> None:
    mine, others = f"/reports/{clinic.report}", f"/reports/{clinic.other_report}"
    assert set(links(parsed(clinic.browser("admin").get("/reports")))) == {mine, others}
    assert links(parsed(clinic.browser("doctor").get("/reports"))) == [mine]
    assert links(parsed(clinic.browser("other doctor").get("/reports"))) == [others]


def test_the_page_says_when_the_next_ones_are_made(clinic: Clinic) -> None:
    page = parsed(clinic.browser("doctor").get("/reports"))
    assert attribute(page, "#lead time", "datetime") == "2026-06-01T00:00:00+02:00"


def test_an_empty_archive_says_so(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        session.query(Report).delete()
    assert "No reports yet" in words(parsed(clinic.browser("doctor").get("/reports")).find("main"))


def test_the_archive_is_paged_newest_first_without_gap_or_repetition(clinic: Clinic) -> None:
    doctors = [clinic.people[who].doctor_id for who in ("doctor", "other doctor")]
    months = [f"{year}-{month:02}" for year in (2023, 2024, 2025) for month in range(1, 13)]
    wanted = {f"/reports/{reported(clinic.house, doctor, month)}" for month in months for doctor in doctors}
    browser, path, seen, named = clinic.browser("admin"), "/reports", list[str](), list[str]()
    while path:
        page = parsed(browser.get(path))
        older = page.find("a", class_="older")
        seen += [link for link in links(page) if "before" not in link]
        named += [words(link).split(" · ")[0] for link in page.select("tbody th a")]
        path = str(older["href"]) if older else ""
        assert len(seen) <= 74
    assert set(seen) == wanted | {f"/reports/{clinic.report}", f"/reports/{clinic.other_report}"}
    assert len(seen) == 74
    assert named[:4] == ["April 2026", "April 2026", "December 2025", "December 2025"]
    assert named[-1] == "January 2023"


def test_a_report_counts_the_visits_of_the_month_in_the_clinics_zone(clinic: Clinic) -> None:
    house, doll = clinic.house, clinic.people["doctor"].doctor_id
    inside = [at("2026-02-28 23:00"), at("2026-03-15 10:00"), at("2026-03-31 21:59")]
    for moment in [*inside, at("2026-02-28 22:59"), at("2026-03-31 22:00")]:
        house.treated(doll, clinic.pia, moment, diagnosis=f"Seen {moment:%d %H}")
    for status in ("no_show", "cancelled", "booked"):
        house.visit(doll, clinic.otto, at("2026-03-20 10:00"), status=status)
    report = reported(house, doll, "2026-03")
    page = parsed(clinic.browser("doctor").get(f"/reports/{report}"))
    figures = {words(pair.find("dt")): words(pair.find("dd")) for pair in page.select("dl.report-summary > div")}
    assert figures == {
        "Visits": "6",
        "Patients seen": "1",
        "Completed": "3",
        "No-show": "1",
        "Cancelled": "1",
        "No outcome yet": "1",
    }
    treatments = [words(row) for row in page.select("table")[1].select("tbody tr")]
    assert [row.split("Seen ")[1] for row in treatments] == ["28 23", "15 10", "31 21"]


def test_a_report_stays_as_it_was_made(clinic: Clinic) -> None:
    before = words(parsed(clinic.browser("doctor").get(f"/reports/{clinic.report}")).find("main"))
    with clinic.house.writing() as session:
        session.get_one(Doctor, clinic.people["doctor"].doctor_id).name = "Dr. Renamed"
    clinic.house.visit(clinic.people["doctor"].doctor_id, clinic.otto, NOW - timedelta(days=20))
    assert words(parsed(clinic.browser("admin").get(f"/reports/{clinic.report}")).find("main")) == before


@pytest.mark.parametrize("visitor", ["doctor", "admin"])
def test_the_file_is_an_attachment_that_stands_alone(clinic: Clinic, visitor: str) -> None:
    answer = clinic.browser(visitor).get(f"/reports/{clinic.report}/file")
    assert answer.headers["Content-Disposition"] == "attachment; filename=report-2026-04.html"
    assert answer.mimetype == "text/html"
    text = answer.get_data(as_text=True)
    page = parsed(answer)
    assert words(page.find("h1")) == "Report of April 2026"
    assert not page.find_all(["a", "link", "script", "img", "iframe", "form"])
    assert "/static" not in text
    assert "http" not in text
    assert page.find("style") is not None


def test_the_file_says_the_same_as_the_page(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    page, file = (parsed(browser.get(f"/reports/{clinic.report}{tail}")) for tail in ("", "/file"))
    assert words(page.select_one("div.report")) == words(file.select_one("div.report"))
    assert "Hay fever" in words(file)


def test_a_month_without_visits_is_a_report_too(clinic: Clinic) -> None:
    report = reported(clinic.house, clinic.people["doctor"].doctor_id, "2025-12")
    for tail in ("", "/file"):
        page = parsed(clinic.browser("doctor").get(f"/reports/{report}{tail}"))
        assert "No visits in this month." in words(page)


def test_every_state_of_a_visit_has_its_word(clinic: Clinic) -> None:
    for hour, status in enumerate(("booked", "arrived", "completed", "cancelled", "no_show")):
        clinic.house.visit(
            clinic.people["doctor"].doctor_id, clinic.otto, at(f"2026-03-02 {hour + 8:02}:00"), status=status
        )
    report = reported(clinic.house, clinic.people["doctor"].doctor_id, "2026-03")
    page = parsed(clinic.browser("doctor").get(f"/reports/{report}"))
    said = [words(row.find_all("td")[-1]) for row in page.select("table")[0].select("tbody tr")]
    assert said == ["Booked", "Arrived", "Completed", "Cancelled", "No-show"]
