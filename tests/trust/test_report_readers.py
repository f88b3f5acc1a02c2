"""What each role can read in a report: administrators see figures and names, and each access is audited (H10)."""

from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from service.cli import rounds
from service.storage.models import AuditEntry
from tests.api.program import token_of
from tests.web.frozen_clinic import NOW, Clinic, reported
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.reading import parsed, words

CLINICAL = ("Hay fever", "Eye drops", "Check-up", "Control of the eyes")


def texts(clinic: Clinic, who: str, report: int) -> dict[str, str]:
    """The report by each door."""
    browser = clinic.browser(who)
    doors: dict[str, dict[str, Any]] = {
        f"/reports/{report}": {},
        f"/reports/{report}/file": {},
        f"/api/v1/reports/{report}": {"headers": {"Authorization": f"Bearer {token_of(clinic.house, who)}"}},
    }
    found = {path: browser.get(path, **more) for path, more in doors.items()}
    assert {answer.status_code for answer in found.values()} == {200}
    return {path: answer.get_data(as_text=True) for path, answer in found.items()}


def looks(clinic: Clinic) -> list[str]:
    """The lines of Pia's page about who looked, newest first."""
    page = parsed(clinic.browser("patient").get("/who-looked"))
    return [words(line) for line in page.select("ul.rows li")]


def test_h10_the_admin_reads_figures_and_names_by_every_door(clinic: Clinic) -> None:
    may = reported(clinic.house, clinic.people["doctor"].doctor_id, "2026-05")  # with reasons of appointments
    for report in (clinic.report, may):
        for path, text in texts(clinic, "admin", report).items():
            assert "Pia Ahorn" in text, path
            assert not [one for one in CLINICAL if one in text], path
    assert "Hay fever" in "".join(texts(clinic, "doctor", clinic.report).values())
    assert "Control of the eyes" in texts(clinic, "doctor", may)[f"/reports/{may}"]


def test_h10_an_earlier_version_and_a_refused_form_show_the_admin_no_more(clinic: Clinic) -> None:
    admin, path = clinic.browser("admin"), f"/reports/{clinic.report}"
    clinic.clock.shift(60)
    seen = parsed(admin.get(path)).select_one("input[name=seen]")
    assert seen is not None
    refused = admin.post(f"{path}/remake", {"reason": "", "seen": seen["value"]})
    assert refused.status_code == 422
    assert admin.post(f"{path}/remake", {"reason": "Late notes", "seen": seen["value"]}).status_code == 303
    earlier = admin.get(f"{path}?version=1")
    assert "This is an earlier version" in earlier.get_data(as_text=True)
    for answer in (refused, earlier):
        assert "Pia Ahorn" in answer.get_data(as_text=True)
        assert "Hay fever" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("who", ["doctor", "admin"])
def test_h10_reading_a_report_is_audited_for_each_patient_it_lists(clinic: Clinic, who: str) -> None:
    texts(clinic, who, clinic.report)
    name = clinic.people[who].name
    mine = [line for line in looks(clinic) if name in line and "report" in line]
    assert [("Downloaded a report" in line, "Read a report" in line) for line in mine] == [
        (False, True),  # the API
        (True, False),
        (False, True),
    ]
    with clinic.house.reading() as session:
        others = select(AuditEntry.id).where(AuditEntry.act.like("report.%"), AuditEntry.patient_id == clinic.otto)
        assert session.scalars(others).all() == []


def test_h10_an_export_of_all_data_is_a_look_at_each_record(clinic: Clinic) -> None:
    before = looks(clinic)
    assert clinic.browser("admin").get(f"/clinic-exports/{clinic.clinic_export}/file", buffered=True).data
    clinic.browser("admin").get("/audit/file")
    new = [line for line in looks(clinic) if line not in before]
    assert any("Ada Leitung" in line and "Downloaded all clinic data" in line for line in new)
    assert any("Ada Leitung" in line and "Downloaded the audit log" in line for line in new)


def test_h10_an_export_of_all_data_before_the_record_existed_is_no_look_at_it(clinic: Clinic) -> None:
    assert clinic.browser("admin").get(f"/clinic-exports/{clinic.clinic_export}/file", buffered=True).data
    clinic.clock.shift(60)
    clinic.house.user("patient", "late@mail.example", "Lena Spät", birth_date=NOW.date())
    page = parsed(clinic.house.browser("late@mail.example").get("/who-looked"))
    assert "all clinic data" not in words(page)


def test_h10_a_history_written_by_command_is_a_look_without_a_name(clinic: Clinic) -> None:
    folder = clinic.house.settings.base
    (folder / "config.toml").write_text(f'[database]\nurl = "{clinic.house.settings.database_url}"\n')
    wanted = ["--config", str(folder / "config.toml"), "--patient", str(clinic.pia)]
    answer = CliRunner().invoke(rounds, ["export", *wanted, "--output", str(folder / "history.csv")])
    assert answer.exit_code == 0, answer.output
    assert any("Someone at the clinic's computer Exported the history to a file" in line for line in looks(clinic))


def test_h10_printing_a_day_sheet_is_audited_for_each_patient_on_it(clinic: Clinic) -> None:
    before = looks(clinic)
    clinic.browser("receptionist").get("/today/sheet")
    clinic.browser("other doctor").get("/today/sheet")  # their own, where Pia is not
    new = [line for line in looks(clinic) if line not in before]
    assert ["Rita Tresen" in line and "Opened the printable day sheet" in line for line in new] == [True]
