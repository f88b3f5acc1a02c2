"""A report is made again only on purpose: by the admin, with a reason, and what it said before stays."""

from typing import Any, cast

import pytest

from service.domain.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from service.domain.reports import report_versions
from service.domain.reports.contents import DoctorContent
from service.storage.models import AuditEntry, Report, ReportVersion
from tests.domain.reports.test_reports import doctor, store
from tests.house import House


def remade(house: House, report: int, found: Any, seen: str, reason: str = "late notes") -> None:
    with house.writing() as session:
        row, boss = session.get_one(Report, report), house.actor("admin@clinic.example")
        report_versions.replace(session, boss, row, content=found, visits=0, reason=reason, seen=seen)


@pytest.fixture
def kept(house: House) -> tuple[int, str]:
    """A report that was made once: its id, and when it was made."""
    house.user("admin", "admin@clinic.example", "Ines Vogel")
    store(house, doctor(house))
    with house.reading() as session:
        row = session.query(Report).one()
        return row.id, row.created_at.isoformat()


def test_a_report_made_again_keeps_what_it_said_with_who_and_why(house: House, kept: tuple[int, str]) -> None:
    report, seen = kept
    remade(house, report, {"visits": [], "by": "second"}, seen)
    with house.reading() as session:
        row = session.get_one(Report, report)
        assert row.content["by"] == "second"
        (earlier,) = report_versions.of(session, row)
        assert (earlier.reason, earlier.created_at.isoformat()) == ("late notes", seen)
        assert earlier.replaced_by is not None
        assert earlier.replaced_by.name == "Ines Vogel"
        assert report_versions.fetch(session, row, earlier.id).content["by"] == "first"
    assert house.count(AuditEntry, AuditEntry.act == "report.remake", AuditEntry.subject == f"report/{report}") == 1


def test_the_same_press_twice_makes_one_version_and_an_old_page_none(house: House, kept: tuple[int, str]) -> None:
    report, seen = kept
    for _press in range(2):
        remade(house, report, {"visits": [], "by": "second"}, seen)
    with pytest.raises(Conflict):
        remade(house, report, {"visits": [], "by": "third"}, seen, "another reason")
    assert house.count(ReportVersion) == 1


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201])
def test_a_report_is_not_made_again_without_a_reason(house: House, kept: tuple[int, str], reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        remade(house, kept[0], {"visits": []}, kept[1], reason)
    assert refused.value.field == "reason"
    assert house.count(ReportVersion) == 0


def test_z2_nobody_but_the_admin_has_a_report_made_again(house: House, kept: tuple[int, str]) -> None:
    mine, empty = house.actor("doctor@clinic.example"), cast(DoctorContent, {})
    with house.writing() as session:
        row = session.get_one(Report, kept[0])
        with pytest.raises(Forbidden):
            report_versions.replace(session, mine, row, content=empty, visits=0, reason="why not", seen=kept[1])


def test_a_version_of_another_report_is_not_there(house: House, kept: tuple[int, str]) -> None:
    remade(house, kept[0], {"visits": []}, kept[1])
    store(house, doctor(house, "other@clinic.example"))
    with house.reading() as session:
        other = session.query(Report).filter(Report.id != kept[0]).one()
        assert report_versions.of(session, other) == []
        with pytest.raises(NotFound):
            report_versions.fetch(session, other, session.query(ReportVersion).one().id)
