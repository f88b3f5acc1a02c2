"""Monthly reports: the archive, one report, and its file that stands alone."""

from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup

from service.clock import month_bounds
from service.domain.reports import reports
from service.storage.models import Doctor, Report, ReportVersion
from tests.house import at, day
from tests.recounting import Recount, hours_open
from tests.web.frozen_clinic import NOW, Clinic, reported
from tests.web.reading import attribute, links, one, parsed, tenths, words

WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def test_the_admin_sees_all_reports_a_doctor_their_own(clinic: Clinic) -> None:
    mine, others = f"/reports/{clinic.report}", f"/reports/{clinic.other_report}"
    whole = f"/clinic-reports/{clinic.clinic_report}"
    assert links(parsed(clinic.browser("admin").get("/reports"))) == [whole, others, mine]
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
        assert len(seen) <= 75
    april = {f"/reports/{clinic.report}", f"/reports/{clinic.other_report}", f"/clinic-reports/{clinic.clinic_report}"}
    assert set(seen) == wanted | april
    assert len(seen) == 75
    assert named[:4] == ["April 2026", "April 2026", "April 2026", "December 2025"]
    assert named[-1] == "January 2023"


def tiles(page: BeautifulSoup) -> dict[str, str]:
    """The figures of the first screen: name -> the figure and what stands below."""
    return {
        words(tile.find("dt")): " ".join(words(line) for line in tile.find_all("dd"))
        for tile in page.select(".report-tiles > div")
    }


def lines(page: BeautifulSoup, selector: str) -> list[list[str]]:
    """The rows of a table, head cells too."""
    return [[words(cell) for cell in row.find_all(["th", "td"])] for row in page.select(f"{selector} tbody tr")]


def test_the_first_screen_says_what_hand_written_sql_counts(clinic: Clinic) -> None:
    house, doll = clinic.house, clinic.people["doctor"].doctor_id
    inside = [at("2026-02-28 23:00"), at("2026-03-15 10:00"), at("2026-03-31 21:59")]
    for moment in [*inside, at("2026-02-28 22:59"), at("2026-03-31 22:00")]:
        house.treated(doll, clinic.pia, moment, diagnosis=f"Seen {moment:%d %H}")
    for hour, status in enumerate(("no_show", "cancelled", "cancelled", "booked", "completed")):
        late = {"cancelled_late": True} if hour == 1 else {}
        house.visit(doll, clinic.otto, at(f"2026-03-20 {hour + 8:02}:00"), status=status, **late)
    report = reported(house, doll, "2026-03")
    page = parsed(clinic.browser("doctor").get(f"/reports/{report}"))
    zone = house.settings.clinic.zone
    counted = Recount(house, *month_bounds("2026-03", zone), doll)
    ended, patients, times = counted.ended(), counted.patients("completed"), counted.times(zone)
    opened = hours_open(house, doll, day("2026-03-01"), day("2026-03-31"))
    assert (ended["visits"], ended["late"], patients, opened) == (8, 1, {"new": 1, "returning": 1}, 20460)
    busiest = WEEKDAYS[times["weekdays"].index(max(times["weekdays"]))]
    assert tiles(page) == {
        "Appointments": "8 7 more than in February 2026 none in March 2025",
        "No-shows": f"{tenths(ended['no_show_rate'])} % 1 of 5 0,0 % in February 2026",
        "Late cancellations": f"{tenths(ended['late_rate'])} % 1 of 6 slots used 0,0 % in February 2026",
        "Patients seen": "2 1 here for the first time 1 came again",
        "Hours booked": f"{tenths(counted.minutes() / 60)} h of {opened // 60} h open 0 % of them",
        "Busiest": f"{busiest} {max(times['weekdays'])} appointments most from 00:00: 1",
        "Booked ahead": f"{tenths(times['lead_days'])} days half of the appointments earlier than that",
        "To complete": f"{len(counted.unfinished())} without outcome or note show them",
    }
    before, year = (Recount(house, *month_bounds(month, zone), doll).ended() for month in ("2026-02", "2025-03"))
    ways = {"Appointments": "visits", "Completed": "completed", "No outcome yet": "to_complete", "No-show": "no_show"}
    ways |= {"Canceled": "cancelled", "of these late": "late"}
    table = {row[0]: row[1:] for row in lines(page, ".report-numbers")}
    for name, key in ways.items():
        assert table[name] == [str(month[key]) for month in (ended, before, year)]
    assert table["No-shows"] == [f"{tenths(ended['no_show_rate'])} %", "0,0 %", "–"]
    by_weekday, by_hour = page.select(".columns")
    assert [int(words(cell)) for cell in by_weekday.select("td")] == times["weekdays"]
    shown = {
        int(words(head)): int(words(cell))
        for head, cell in zip(by_hour.select("th"), by_hour.select("td"), strict=True)
    }
    assert shown == {hour: times["hours"][hour] for hour in shown}
    assert sum(shown.values()) == sum(times["hours"])
    treatments = [row[3] for row in lines(page, ".report-rows") if row[3].startswith("Seen")]
    assert treatments == ["Seen 28 23", "Seen 15 10", "Seen 31 21"]


def test_each_visit_without_outcome_or_note_is_a_link(clinic: Clinic) -> None:
    house, doll = clinic.house, clinic.people["doctor"].doctor_id
    house.treated(doll, clinic.pia, at("2026-03-09 08:00"))
    bare = house.visit(doll, clinic.pia, at("2026-03-10 08:00"), status="completed")
    open_visit = house.visit(doll, clinic.otto, at("2026-03-11 08:00"))
    report = reported(house, doll, "2026-03")
    doctor = clinic.browser("doctor")
    page = parsed(doctor.get(f"/reports/{report}"))
    assert [(link["href"], words(link.parent).rpartition(" · ")[2]) for link in page.select(".report-open a")] == [
        (f"/appointments/{bare}", "no note"),
        (f"/appointments/{open_visit}", "no outcome"),
    ]
    assert doctor.get(f"/appointments/{bare}").status_code == 200


def test_a_report_of_the_time_before_there_were_figures_is_shown(clinic: Clinic) -> None:
    old: Any = {
        "doctor_name": "Dr. Doll",
        "department": "Eyes",
        "outcomes": {"completed": 1, "no_show": 0, "cancelled": 0, "to_complete": 0},
        "patients_seen": 1,
        "visits": [
            {
                "starts_at": "2025-11-10T09:00:00+00:00",
                "patient_id": 1,
                "patient_name": "Pia Ahorn",
                "status": "completed",
                "reason": "knee",
            }
        ],
        "treatments": [],
    }
    doll = clinic.people["doctor"].doctor_id
    assert doll is not None
    with clinic.house.writing() as session:
        reports.store(session, doll, "2025-11", old)
    with clinic.house.reading() as session:
        report = session.query(Report.id).filter(Report.month == "2025-11").scalar()
    for tail in ("", "/file"):
        page = parsed(clinic.browser("doctor").get(f"/reports/{report}{tail}"))
        assert tiles(page)["Completed"] == "1"
        assert lines(page, ".report-rows") == [["Mon, 10 Nov, 10:00", "Pia Ahorn", "", "knee", "Completed"]]


def test_a_report_stays_as_it_was_made(clinic: Clinic) -> None:
    before = words(parsed(clinic.browser("doctor").get(f"/reports/{clinic.report}")).select_one(".report"))
    with clinic.house.writing() as session:
        session.get_one(Doctor, clinic.people["doctor"].doctor_id).name = "Dr. Renamed"
    clinic.house.visit(clinic.people["doctor"].doctor_id, clinic.otto, NOW - timedelta(days=20))
    assert words(parsed(clinic.browser("doctor").get(f"/reports/{clinic.report}")).select_one(".report")) == before


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
        assert "No appointments in this month." in words(page)


def test_every_state_of_a_visit_has_its_word(clinic: Clinic) -> None:
    doll = clinic.people["doctor"].doctor_id
    for hour, status in enumerate(("booked", "arrived", "completed", "cancelled", "cancelled", "no_show")):
        late = {"cancelled_late": True} if hour == 4 else {}
        clinic.house.visit(doll, clinic.otto, at(f"2026-03-02 {hour + 8:02}:00"), status=status, **late)
    report = reported(clinic.house, doll, "2026-03")
    page = parsed(clinic.browser("doctor").get(f"/reports/{report}"))
    said = [row[-1] for row in lines(page, ".report-rows")]
    assert said == ["Booked", "Arrived", "Completed", "Canceled", "Canceled late", "No-show"]


def test_w1_names_and_texts_are_escaped_on_the_page_and_in_the_file(clinic: Clinic) -> None:
    house, doll = clinic.house, clinic.people["doctor"].doctor_id
    nasty = "<img src=x onerror=alert(1)>"
    house.treated(doll, house.patient(nasty), at("2026-03-02 08:00"), diagnosis=nasty, visit_type=nasty)
    house.visit(doll, house.patient(nasty), at("2026-03-03 08:00"), reason=nasty)
    report = reported(house, doll, "2026-03")
    for tail in ("", "/file"):
        answer = clinic.browser("doctor").get(f"/reports/{report}{tail}")
        assert not parsed(answer).find_all("img")
        assert words(parsed(answer)).count(nasty) == 8


# Made again


def remake(clinic: Clinic, path: str, reason: str = "Notes came late", **more: str) -> Any:
    seen = attribute(parsed(clinic.browser("admin").get(path)), "input[name=seen]", "value")
    return clinic.browser("admin").post(f"{path}/remake", {"reason": reason, "seen": seen, **more})


def test_the_admin_makes_a_report_again_and_the_earlier_one_stays(clinic: Clinic) -> None:
    path, doll = f"/reports/{clinic.report}", clinic.people["doctor"].doctor_id
    before = tiles(parsed(clinic.browser("doctor").get(path)))
    clinic.house.visit(doll, clinic.otto, at("2026-04-20 08:00"), status="completed")
    clinic.clock.shift(60)
    answer = remake(clinic, path)
    assert (answer.status_code, answer.location) == (303, path)
    page = parsed(clinic.browser("doctor").get(path))
    assert tiles(page)["Appointments"] != before["Appointments"]
    assert "Notes came late" in words(one(page, ".report-versions"))
    earlier = parsed(clinic.browser("doctor").get(attribute(page, ".report-versions a", "href")))
    assert tiles(earlier) == before
    assert "earlier version" in words(one(earlier, ".note-warning"))
    assert clinic.browser("other doctor").get(f"{path}?version=1").status_code == 404
    assert clinic.browser("doctor").get(f"{path}?version=999").status_code == 404
    assert clinic.browser("admin").get(f"/reports/{clinic.other_report}?version=1").status_code == 404


def test_without_a_reason_the_page_comes_again_with_a_word_beside_the_field(clinic: Clinic) -> None:
    answer = remake(clinic, f"/reports/{clinic.report}", reason=" ")
    assert answer.status_code == 422
    assert "Say why" in words(one(parsed(answer), "#reason-error")) or "fill" in words(
        one(parsed(answer), "#reason-error")
    )
    assert clinic.house.count(ReportVersion) == 0


def test_b7_a_report_that_someone_else_has_recomputed_is_a_conflict(clinic: Clinic) -> None:
    path = f"/reports/{clinic.report}"
    clinic.clock.shift(60)
    remake(clinic, path)
    assert remake(clinic, path, "Again", seen=NOW.isoformat()).status_code == 409
    assert clinic.house.count(ReportVersion) == 1


def test_a_doctor_has_no_button_to_make_a_report_again(clinic: Clinic) -> None:
    page = parsed(clinic.browser("doctor").get(f"/reports/{clinic.report}"))
    assert not page.select("input[name=reason]")
