"""Compare the table in fields.py with everything that comes back, as every user (Z1, Z5, Z6)."""

from collections import defaultdict

import pytest
from sqlalchemy import JSON, Date, String, Text

from service.storage.models import Base
from tests.trust import field_walk
from tests.trust.fields import DERIVED, MARKS, PLAIN, READERS, Surface
from tests.web.frozen_clinic import NOBODY, PEOPLE, VISITORS, Clinic
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock

OTHER_GUARDIANS = tuple(field_walk.GUARDIANS)
PROGRAMS = (*PEOPLE, *OTHER_GUARDIANS, "doctor, read only")


def allowed(who: str, surfaces: frozenset[Surface]) -> field_walk.Found:
    """What the table lets someone read on some kinds of surface."""
    found = defaultdict(set)
    for field, readers in READERS.items():
        for surface in surfaces & readers.keys():
            if who in readers[surface]:
                found[field].add(surface)
    return {field: frozenset(some) for field, some in found.items()}


def without_errors(found: field_walk.Found) -> field_walk.Found:
    """What was seen, once it is checked that errors repeat only what their reader finds elsewhere too."""
    assert [field for field, surfaces in found.items() if surfaces == {Surface.ERROR}] == []
    return {field: surfaces - {Surface.ERROR} for field, surfaces in found.items()}


def test_every_field_that_holds_words_has_a_row() -> None:
    kinds = (String, Text, JSON, Date)
    there = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        if not table.info.get("secret")
        for column in table.columns
        if isinstance(column.type, kinds) and not column.info.get("secret")
    }
    rows = {field.partition(":")[0] for field in READERS} | DERIVED.keys() | PLAIN
    assert (there - rows, rows - there) == (set(), set())
    assert not READERS.keys() & (DERIVED.keys() | PLAIN)
    assert MARKS.keys() == READERS.keys()


@pytest.mark.tour
@pytest.mark.parametrize("who", [*VISITORS, *OTHER_GUARDIANS])
def test_a_browser_shows_each_visitor_what_the_table_says(clinic: Clinic, who: str) -> None:
    found = field_walk.of_browser(field_walk.prepare(clinic), who)
    assert without_errors(found) == allowed(who, frozenset(Surface) - {Surface.API, Surface.CALENDAR})


@pytest.mark.tour
@pytest.mark.parametrize("who", PROGRAMS)
def test_a_program_is_told_what_its_user_may_read(clinic: Clinic, who: str) -> None:
    found = field_walk.of_program(field_walk.prepare(clinic), who)
    assert without_errors(found) == allowed(who, frozenset({Surface.API}))


@pytest.mark.tour
def test_letters_and_calendar_entries_say_no_more_than_the_table(clinic: Clinic) -> None:
    assert field_walk.of_mailbox(field_walk.prepare(clinic)) == allowed("mailbox", frozenset(Surface))


@pytest.mark.tour
def test_a_link_shows_nothing_about_the_patient_but_the_appointment(clinic: Clinic) -> None:
    found = field_walk.of_links(field_walk.prepare(clinic))
    assert found == allowed(NOBODY, frozenset(Surface))


@pytest.mark.tour
def test_the_walk_finds_a_field_that_comes_out_where_it_may_not(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.domain.privacy.audit_log.CLINICAL", frozenset())
    found = without_errors(field_walk.of_browser(field_walk.prepare(clinic), "admin"))
    assert Surface.AUDIT in found["audit_details.changes:diagnosis"]
