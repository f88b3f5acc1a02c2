"""The clinic's monthly report: every number on the page is one that hand-written SQL counts."""

from typing import Any

from service.clock import month_bounds
from service.domain.reports import clinic_reports
from service.storage.models import ClinicReport, ReportVersion
from tests.house import at, day
from tests.recounting import Recount, hours_open
from tests.web.frozen_clinic import Clinic, clinic_reported, reported
from tests.web.reading import attribute, hours, links, parsed, tenths, words
from tests.web.reports.test_reports import lines, remake, tiles


def furnish(clinic: Clinic) -> None:
    """Appointments of both doctors in March."""
    house, people = clinic.house, clinic.people
    doll, dora = people["doctor"].doctor_id, people["other doctor"].doctor_id
    for number in range(5):
        house.treated(doll, clinic.pia, at(f"2026-03-{number + 2:02} 09:00"))
        house.visit(dora, clinic.otto, at(f"2026-03-{number + 2:02} 10:00"), status="completed")
    house.visit(dora, clinic.pia, at("2026-03-12 09:00"), status="no_show")
    house.visit(dora, clinic.otto, at("2026-03-13 09:00"))
    house.visit(doll, clinic.otto, at("2026-03-13 09:00"), status="cancelled", cancelled_late=True)
    house.visit(doll, clinic.otto, at("2026-03-16 09:00"), status="cancelled", rescheduled_at=at("2026-03-15 09:00"))
    house.visit(doll, clinic.pia, at("2026-02-16 09:00"), status="completed")


def test_every_number_of_the_clinics_report_is_counted_by_sql(clinic: Clinic) -> None:
    furnish(clinic)
    house, zone = clinic.house, clinic.house.settings.clinic.zone
    doctors = {who: clinic.people[who].doctor_id for who in ("doctor", "other doctor")}
    report = clinic_reported(house, "2026-03")
    page = parsed(clinic.browser("admin").get(f"/clinic-reports/{report}"))
    bounds, days = month_bounds("2026-03", zone), (day("2026-03-01"), day("2026-03-31"))
    whole = Recount(house, *bounds)
    ended, patients, times = whole.ended(), whole.patients("completed"), whole.times(zone)
    opened = sum(hours_open(house, doctor, *days) for doctor in doctors.values())
    assert (ended["visits"], ended["late"], patients) == (13, 1, {"new": 1, "returning": 1})
    shown = tiles(page)
    assert shown["Appointments"].split()[:3] == ["13", "12", "more"]
    assert shown["No-shows"].startswith(f"{tenths(ended['no_show_rate'])} % 1 of 11 ")
    assert shown["Late cancellations"].startswith(f"{tenths(ended['late_rate'])} % 1 of 12 ")
    assert shown["Patients seen"] == "2 1 new to the clinic 1 came again"
    assert shown["Hours booked"].startswith(f"{hours(whole.minutes())} h of {hours(opened)} h open")
    assert shown["Booked ahead"].startswith(f"{tenths(times['lead_days'])} days")
    assert shown["To complete"].split()[0] == str(len(whole.unfinished())) == "6"
    assert [int(words(cell)) for cell in page.select(".columns")[0].select("td")] == times["weekdays"]
    by_doctor, by_department = page.select(".report-figures")
    found = {row[0]: row[1:] for row in lines(parsed(str(by_doctor)), "table")}
    assert found == {
        name: line(clinic, doctors[who], zone) for name, who in (("Dr. Doll", "doctor"), ("Dr. Dora", "other doctor"))
    }
    alone = [["1", *row[:5], *row[6:9]] for row in found.values()]  # each is the only one of a department
    assert sorted(row[1:] for row in lines(parsed(str(by_department)), "table")) == sorted(alone)


def line(clinic: Clinic, doctor: int | None, zone: Any) -> list[str]:
    """A doctor's line of the table, as it has to be."""
    counted = Recount(clinic.house, *month_bounds("2026-03", zone), doctor)
    ended, opened = counted.ended(), hours_open(clinic.house, doctor, day("2026-03-01"), day("2026-03-31"))
    return [
        str(ended["visits"]),
        str(ended["completed"]),
        f"{tenths(ended['no_show_rate'])} %",
        f"{tenths(ended['late_rate'])} %",
        str(ended["patients_seen"]),
        str(counted.patients("completed")["new"]),
        hours(counted.minutes()),
        hours(opened),
        tenths(counted.times(zone)["lead_days"]),
        str(len(counted.unfinished())),
    ]


def test_each_doctors_line_leads_to_their_report(clinic: Clinic) -> None:
    furnish(clinic)
    mine = reported(clinic.house, clinic.people["doctor"].doctor_id, "2026-03")
    report = clinic_reported(clinic.house, "2026-03")
    page = parsed(clinic.browser("admin").get(f"/clinic-reports/{report}"))
    assert [link for link in links(page) if link.startswith("/reports/")] == [f"/reports/{mine}"]


def test_the_file_stands_alone_and_says_the_same(clinic: Clinic) -> None:
    path = f"/clinic-reports/{clinic.clinic_report}"
    page, answer = parsed(clinic.browser("admin").get(path)), clinic.browser("admin").get(f"{path}/file")
    assert answer.headers["Content-Disposition"] == "attachment; filename=clinic-report-2026-04.html"
    file = parsed(answer)
    assert not file.find_all(["a", "link", "script", "img", "iframe", "form"])
    assert words(file.select_one(".report")) == words(page.select_one(".report")).replace(" show them", "")


def test_the_clinics_report_names_no_patient(clinic: Clinic) -> None:
    furnish(clinic)
    report = clinic_reported(clinic.house, "2026-03")
    text = words(parsed(clinic.browser("admin").get(f"/clinic-reports/{report}")).find("main"))
    assert "Pia" not in text
    assert "Otto" not in text


def test_it_is_made_again_on_purpose_and_the_earlier_one_stays(clinic: Clinic) -> None:
    path = f"/clinic-reports/{clinic.clinic_report}"
    before = tiles(parsed(clinic.browser("admin").get(path)))
    clinic.house.visit(clinic.people["doctor"].doctor_id, clinic.otto, at("2026-04-20 08:00"), status="completed")
    clinic.clock.shift(60)
    assert remake(clinic, path).status_code == 303
    page = parsed(clinic.browser("admin").get(path))
    assert tiles(page)["Appointments"] != before["Appointments"]
    assert tiles(parsed(clinic.browser("admin").get(attribute(page, ".report-versions a", "href")))) == before
    assert clinic.house.count(ReportVersion, ReportVersion.doctor_id.is_(None)) == 1


def test_of_two_runs_the_first_report_stays(clinic: Clinic) -> None:
    late: Any = {"figures": {"visits": 0}}
    with clinic.house.writing() as session:
        assert not clinic_reports.store(session, "2026-04", late)
    assert clinic.house.count(ClinicReport) == 1
