"""Dates and times are typed as people in the clinic's country write them; a refusal shows how that is."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from service.storage.models import HoursException, Patient
from tests.house import Browser, House
from tests.web.frozen_clinic import Clinic, email
from tests.web.imports.uploading import send, step
from tests.web.reading import attribute, faults, one, parsed, words
from tests.web.test_languages import in_language

ORDERS = [
    ("US", "en", "03/04/1985", date(1985, 3, 4), "3/4/1985"),
    ("US", "en", "1985-03-04", date(1985, 3, 4), "3/4/1985"),
    ("US", "en", "3/4/85", date(1985, 3, 4), "3/4/1985"),
    ("GB", "en", "03/04/1985", date(1985, 4, 3), "03/04/1985"),
    ("DE", "de", "03.04.1985", date(1985, 4, 3), "03.04.1985"),
    ("DE", "de", "3.4.85", date(1985, 4, 3), "03.04.1985"),
    ("DE", "de", "٠٣/٠٤/١٩٨٥", date(1985, 4, 3), "03.04.1985"),
    ("JP", "en", "1985/04/03", date(1985, 4, 3), "1985/04/03"),
]


def desk_of(clinic: Clinic, country: str, language: str = "en", **more: Any) -> Browser:
    """The front desk of the same clinic in another country."""
    return in_country(clinic, country, language, **more).browser(email("receptionist"))


def in_country(clinic: Clinic, country: str, language: str = "en", **more: Any) -> House:
    return in_language(clinic, language, country=country, **more)


def refusal(browser: Browser, path: str, form: dict[str, str], field: str) -> str:
    """What a page says beside a field that it refuses, which still holds what was typed."""
    answer = browser.post(path, form)
    assert answer.status_code == 422
    page = parsed(answer)
    assert attribute(page, f"#{field}", "value") == form[field]
    assert attribute(page, f"#{field}", "aria-describedby") == f"{field}-error"
    assert faults(answer.get_data(as_text=True)) == []
    return words(one(page, f"#{field}-error"))


@pytest.mark.parametrize(("country", "language", "typed", "meant", "shown"), ORDERS)
def test_a_birth_date_is_typed_and_shown_again_in_the_clinics_order(
    clinic: Clinic, country: str, language: str, typed: str, meant: date, shown: str
) -> None:
    desk = desk_of(clinic, country, language)
    record = desk.post("/patients/new", {"name": "Nora Neu", "birth_date": typed}).location
    with clinic.house.reading() as session:
        assert session.scalars(select(Patient.birth_date).where(Patient.name == "Nora Neu")).one() == meant
    assert attribute(parsed(desk.get(f"{record}/edit")), "#birth_date", "value") == shown
    found = words(parsed(desk.get("/patients", query_string={"q": typed})).find("main"))
    assert "Nora Neu" in found
    other = date(meant.year, meant.day, meant.month)
    assert "Nora Neu" not in words(parsed(desk.get(f"/patients?q={other}")).find("main"))


@pytest.mark.parametrize(
    ("country", "language", "typed", "sentence"),
    [
        ("US", "en", "31/05/1985", "“31/05/1985” isn't a date. Write it like 5/31/1985."),
        ("GB", "en", "05/31/1985", "“05/31/1985” isn't a date. Write it like 31/05/1985."),
        ("DE", "de", "gestern", "„gestern“ ist kein Datum. Schreiben Sie es wie 31.05.1985."),
        ("US", "en", "2/30/1985", "“2/30/1985” isn't a date. Write it like 5/31/1985."),
    ],
)
def test_an_unreadable_birth_date_is_refused_with_an_example(
    clinic: Clinic, country: str, language: str, typed: str, sentence: str
) -> None:
    desk = desk_of(clinic, country, language)
    assert refusal(desk, "/patients/new", {"name": "Nora", "birth_date": typed}, "birth_date") == sentence


def test_two_digits_of_a_birth_year_are_the_last_such_year_that_has_begun(clinic: Clinic) -> None:
    desk = desk_of(clinic, "US")
    for typed, year in (("5/5/26", 2026), ("5/7/26", 1926), ("5/6/27", 1927)):
        desk.post("/patients/new", {"name": f"Born {typed}", "birth_date": typed, "confirm": "y"})
        with clinic.house.reading() as session:
            born = session.scalars(select(Patient.birth_date).where(Patient.name == f"Born {typed}")).one()
        assert born is not None
        assert born.year == year


def test_elsewhere_a_year_that_may_be_two_is_asked_for(clinic: Clinic) -> None:
    desk = desk_of(clinic, "US")
    form = {"doctor_id": str(clinic.people["doctor"].doctor_id), "first_day": "7/1/85"}
    sentence = "Write the year of “7/1/85” with four digits, like 5/31/2026."
    assert refusal(desk, "/time-off", form, "first_day") == sentence
    assert refusal(desk, "/time-off", {**form, "first_day": "7/1/2101"}, "first_day").startswith(
        "Enter a date from 1/1/"
    )
    assert desk.post("/time-off", {**form, "first_day": "7/1/26"}).status_code == 303
    assert clinic.house.count(HoursException, HoursException.first_day == date(2026, 7, 1)) == 1


@pytest.mark.parametrize(
    ("country", "starts", "ends"),
    [("US", "2:30 PM", "4.30pm"), ("US", "14:30", "16:30"), ("DE", "14.30", "4:30 pm"), ("DE", "٢:٣٠ PM", "16 h 30")],
)
def test_hours_are_typed_on_either_clock(clinic: Clinic, country: str, starts: str, ends: str) -> None:
    form = {"doctor_id": str(clinic.people["doctor"].doctor_id), "first_day": "2026-08-03"}
    answer = desk_of(clinic, country).post("/time-off", {**form, "starts": starts, "ends": ends})
    assert answer.status_code == 303
    with clinic.house.reading() as session:
        row = session.scalars(select(HoursException).where(HoursException.first_day == date(2026, 8, 3))).one()
    assert (str(row.starts), str(row.ends)) == ("14:30", "16:30")


def test_an_unreadable_time_is_refused_with_an_example(clinic: Clinic) -> None:
    doctor = clinic.people["doctor"].doctor_id
    form = {"weekdays": "6", "starts": "", "ends": "18:00", "slot_minutes": "15"}
    path = f"/doctors/{doctor}/hours"
    us, de = desk_of(clinic, "US"), desk_of(clinic, "DE")
    assert refusal(us, path, {**form, "starts": "25:00"}, "starts") == "“25:00” isn't a time. Write it like 2:30 PM."
    assert refusal(de, path, {**form, "starts": "abends"}, "starts") == "“abends” isn't a time. Write it like 14:30."


def test_no_field_shows_the_browsers_order_or_clock(clinic: Clinic) -> None:
    desk, doctor = desk_of(clinic, "US"), clinic.people["doctor"].doctor_id
    for path in ("/patients/new", "/time-off", f"/doctors/{doctor}", "/calendar"):
        page = parsed(desk.get(path))
        assert page.select("input[type=date], input[type=time], input[type=month]") == [], path
        for field in page.select("input[data-date]"):
            assert field["type"] == "text"
            assert "/31/" in str(field["placeholder"])
    assert next(str(name["abbr"]) for name in page.find_all("th", abbr=True)) == "Sunday"
    assert parsed(desk.get("/today")).find(id="date-picker") is None


def test_the_calendar_goes_to_a_typed_day_and_says_when_it_cannot(clinic: Clinic) -> None:
    desk = desk_of(clinic, "US")
    answer = desk.get("/calendar?date=06/02/2026")
    assert (answer.status_code, attribute(parsed(answer), "#date", "value")) == (200, "6/2/2026")
    assert "Tuesday, June 2" in words(parsed(answer).find("h1"))
    answer = desk.get("/calendar?date=31/06/2026")
    assert answer.status_code == 400
    assert faults(answer.get_data(as_text=True)) == []
    assert attribute(parsed(answer), "#date", "value") == "31/06/2026"
    assert words(one(parsed(answer), "#date-error")) == "“31/06/2026” isn't a date. Write it like 5/31/2026."


def test_the_audit_takes_typed_days_and_birth_dates(clinic: Clinic) -> None:
    admin = in_country(clinic, "US").browser(email("admin"))
    with clinic.house.writing() as session:
        session.get_one(Patient, clinic.pia).birth_date = date(1985, 3, 4)
    admin.get(f"/patients/{clinic.pia}")
    page = parsed(admin.get("/audit?from=5/6/2026&until=05/06/2026&patient=03/04/1985"))
    assert [attribute(page, name, "value") for name in ("#from", "#until")] == ["5/6/2026", "5/6/2026"]
    assert "Pia Ahorn" in words(one(page, "table.audit"))
    assert parsed(admin.get("/audit?patient=04/03/1985")).select("table.audit") == []
    answer = admin.get("/audit?from=13/13/2026")
    assert answer.status_code == 400
    assert words(one(parsed(answer), "#from-error")).startswith("“13/13/2026” isn't a date.")
    assert admin.get("/audit/file?from=13/13/2026").status_code == 400


@pytest.mark.parametrize(
    ("country", "language", "meant", "sentence"),
    [
        ("US", "en", date(1985, 3, 4), "as March 4, 1985."),
        ("GB", "en", date(1985, 4, 3), "as 3 April 1985."),
        ("DE", "de", date(1985, 4, 3), "als 3. April 1985."),
    ],
)
@pytest.mark.parametrize("typed", ["03/04/1985", "03 04 1985"])
def test_a_file_whose_dates_do_not_tell_is_read_as_usual_here_and_the_page_says_so(
    clinic: Clinic, country: str, language: str, meant: date, sentence: str, typed: str
) -> None:
    admin = in_country(clinic, country, language).browser(email("admin"))
    path = send(admin, f"Name,DOB\nNora Neu,{typed}\n").location
    page = parsed(admin.get(path))
    assert "Autom" in words(one(page, "#day_first option[selected]"))
    assert words(one(page, "#assumption")).endswith(sentence)
    step(admin, path, "map", day_first="day" if meant.month == 4 else "month")
    assert parsed(admin.get(path)).select("#assumption") == []
    assert step(admin, path, "import").status_code == 303
    assert clinic.house.count(Patient, Patient.name == "Nora Neu", Patient.birth_date == meant) == 1


@pytest.mark.parametrize("born", ["1985-04-03", "3.4.1985.", "25 12 1985", "04/04/1985"])
def test_nothing_is_assumed_where_no_date_can_be_read_in_two_ways(clinic: Clinic, born: str) -> None:
    admin = in_country(clinic, "US").browser(email("admin"))
    page = parsed(admin.get(send(admin, f"Name,DOB\nNora Neu,{born}\n").location))
    assert page.select("#assumption, #day_first") == []
    assert "Nora Neu" in words(one(page, "tbody"))


@pytest.mark.parametrize("born", ["03/04/1985", "03 04 1985", "03–04–1985", "03.04/1985"])
@pytest.mark.parametrize("country", ["CA", "SE"])
def test_where_the_year_comes_first_someone_chooses_the_order_of_a_file(
    clinic: Clinic, country: str, born: str
) -> None:
    admin = in_country(clinic, country).browser(email("admin"))
    path = send(admin, f"Name,DOB\nNora Neu,{born}\n").location
    assert "can be read in two ways" in words(one(parsed(admin.get(path)), "tbody"))
    assert step(admin, path, "import").status_code == 422
    assert clinic.house.count(Patient, Patient.name == "Nora Neu") == 0
    assert step(admin, path, "map", day_first="day").status_code == 303
    assert step(admin, path, "import").status_code == 303
    assert clinic.house.count(Patient, Patient.name == "Nora Neu", Patient.birth_date == date(1985, 4, 3)) == 1


@pytest.mark.parametrize("path", ["/today", "/today/sheet", "/messages/morning", "/appointments/new", "/calendar"])
def test_every_address_with_a_date_takes_it_as_it_is_typed(clinic: Clinic, path: str) -> None:
    desk, doctor = desk_of(clinic, "DE"), clinic.people["doctor"].doctor_id
    usual = f"{path}?patient_id={clinic.pia}&doctor_id={doctor}" if path == "/appointments/new" else f"{path}?"
    heads = set()
    for typed in ("2026-05-07", "7.5.2026", "07/05/26", "20260507", "2026-05-07T00:00"):
        answer = desk.get(f"{usual}&date={typed}")
        assert answer.status_code == 200, typed
        heads.add(words(one(parsed(answer), "h1")))
    assert len(heads) == 1
    assert desk.get(f"{usual}&date=32.5.2026").status_code == (400 if path == "/calendar" else 404)


def test_a_files_own_order_goes_before_the_clinics(clinic: Clinic) -> None:
    admin = in_country(clinic, "US").browser(email("admin"))
    lines = "".join(f"Person {number},0{number}/04/1985\n" for number in range(1, 10))
    path = send(admin, f"Name,DOB\n{lines}Last,31/12/1985\nDotted,05.04.1985\n").location
    assert step(admin, path, "import").status_code == 303
    assert clinic.house.count(Patient, Patient.name == "Person 3", Patient.birth_date == date(1985, 4, 3)) == 1
    assert clinic.house.count(Patient, Patient.name == "Dotted", Patient.birth_date == date(1985, 4, 5)) == 1
    page = parsed(admin.get(send(admin, "Name,DOB\nX,31.06.1985\nY,3/4/85\n").location))
    shown = words(page.find("main"))
    assert "“31.06.1985” isn't a date. Write it like 5/31/1985." in shown
    assert "Write the year of “3/4/85” with four digits, like 5/31/1985." in shown


def test_figures_are_read_by_machines_whatever_the_locale(clinic: Clinic) -> None:
    house = in_country(clinic, "DE", "de")
    page = parsed(house.browser(email("admin")).get("/dashboard"))
    figures = {str(one["data-figure"]): one for one in page.select("[data-figure]")}
    assert {one.name for one in figures.values()} == {"data"}
    assert all(float(str(one["value"])) >= 0 for one in figures.values())
    shown = {name: one for name, one in figures.items() if name.endswith("_rate")}
    assert shown
    for one_rate in shown.values():
        assert words(one_rate) == f"{float(str(one_rate['value'])):.1f}".replace(".", ",")
