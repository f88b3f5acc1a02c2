"""Staff record who canceled, and the message, the history, the reports, and the exports show it."""

import csv
import io
import zipfile

import pytest

from service.storage.models import Appointment
from tests.api.program import Program, token_of
from tests.house import at
from tests.web.exports.test_exports import choose, made
from tests.web.frozen_clinic import Clinic, clinic_reported
from tests.web.mail import letter
from tests.web.reading import parsed, words
from tests.web.reports.test_reports import tiles


def said(clinic: Clinic, visit: int) -> tuple[str, bool]:
    """Return who canceled an appointment, and whether late."""
    with clinic.house.reading() as session:
        row = session.get_one(Appointment, visit)
        return str(row.cancelled_by), row.cancelled_late


def test_i7_staff_choose_who_canceled_and_a_phone_call_counts_as_the_patients(clinic: Clinic) -> None:
    desk = clinic.browser("receptionist")
    page = parsed(desk.get(f"/appointments/{clinic.ahead}"))
    assert [one.get("value") for one in page.select("input[name=by][checked]")] == ["patient"]
    assert desk.post(f"/appointments/{clinic.ahead}/cancellation", {"reason": "Telephoned"}).status_code == 303
    shown = words(parsed(desk.get(f"/appointments/{clinic.ahead}")))
    assert "Canceled by the patient" in shown
    assert "Canceled by the patient" in shown
    assert "ed by the clinic" not in shown
    assert "This appointment was canceled as you asked:" in letter(clinic, "visit_cancelled").body
    own = words(parsed(clinic.browser("patient").get(f"/appointments/{clinic.ahead}")))
    assert "Canceled by you" in own


def test_i7_the_message_says_that_the_clinic_canceled(clinic: Clinic) -> None:
    desk = clinic.browser("receptionist")
    assert desk.post(f"/appointments/{clinic.ahead}/cancellation", {"by": "clinic"}).status_code == 303
    assert said(clinic, clinic.ahead) == ("clinic", False)
    assert "We had to cancel this appointment:" in letter(clinic, "visit_cancelled").body
    for visitor in ("patient", "receptionist", "doctor"):
        assert "Canceled by the clinic" in words(parsed(clinic.browser(visitor).get(f"/appointments/{clinic.ahead}")))


def test_i7_the_history_keeps_who_canceled_after_an_undo(clinic: Clinic) -> None:
    desk = clinic.browser("receptionist")
    for by in ("clinic", "patient"):
        desk.post(f"/appointments/{clinic.ahead}/cancellation", {"by": by})
        if by == "clinic":
            desk.post(f"/appointments/{clinic.ahead}/undo")
    history = [words(line) for line in parsed(desk.get(f"/appointments/{clinic.ahead}")).select(".timeline li strong")]
    assert [line for line in history if line.startswith("Canceled")] == [
        "Canceled by the clinic",
        "Canceled by the patient",
    ]


@pytest.mark.parametrize(
    ("visitor", "fields"),
    [("receptionist", {"by": "nobody"}), ("doctor", {"by": ""}), ("patient", {"by": "clinic"})],
)
def test_i7_no_one_else_can_cancel(clinic: Clinic, visitor: str, fields: dict[str, str]) -> None:
    assert clinic.browser(visitor).post(f"/appointments/{clinic.ahead}/cancellation", fields).status_code == 422
    assert said(clinic, clinic.ahead) == ("None", False)


def test_i7_the_api_records_who_canceled(clinic: Clinic) -> None:
    desk, pia = (Program(clinic.house.app, token_of(clinic.house, who)) for who in ("receptionist", "patient"))
    refused = pia.post(f"/appointments/{clinic.ahead}/cancellation", {"by": "clinic"})
    assert refused.status_code == 403
    assert desk.post(f"/appointments/{clinic.ahead}/cancellation", {"by": "me"}).status_code == 422
    by_clinic = desk.post(f"/appointments/{clinic.ahead}/cancellation", {"by": "clinic"}).get_json()
    by_patient = desk.post(f"/appointments/{clinic.later}/cancellation").get_json()
    assert (by_clinic["cancelled_by"], by_patient["cancelled_by"]) == ("clinic", "patient")


def test_i7_only_late_cancellations_by_patients_count_in_reports_and_exports(clinic: Clinic) -> None:
    house, doll = clinic.house, clinic.people["doctor"].doctor_id
    second = house.visit(doll, clinic.guest, at("2026-05-06 13:00"))
    clinic.clock.shift(60)
    desk = clinic.browser("receptionist")
    desk.post(f"/appointments/{clinic.later}/cancellation", {"by": "patient"})
    desk.post(f"/appointments/{second}/cancellation", {"by": "clinic"})
    assert (said(clinic, clinic.later), said(clinic, second)) == (("patient", True), ("clinic", False))
    house.visit(doll, clinic.otto, at("2026-05-05 07:00"), status="completed")
    clinic.clock.move_to(at("2026-06-02 08:00"))
    admin = house.browser("admin@clinic.example")
    report = tiles(parsed(admin.get(f"/clinic-reports/{clinic_reported(house, '2026-05')}")))
    assert report["Late cancellations"].startswith("50,0 % 1 of 2 ")
    rate = parsed(admin.get("/dashboard")).select_one("[data-figure=late_cancel_rate]")
    assert words(rate) == "50,0"
    pia = house.browser("patient@clinic.example")
    path = made(pia, choose(pia, format="zip", visits="y").location)
    with zipfile.ZipFile(io.BytesIO(pia.get(path, buffered=True).data)) as parts:
        (name,) = [name for name in parts.namelist() if name.endswith("visits.csv")]
        rows = list(csv.DictReader(io.TextIOWrapper(parts.open(name), "utf-8-sig")))
    assert {row["Cancelled By"] for row in rows if row["Visit ID"] == str(clinic.later)} == {"patient"}
