"""Appointment types: who can book which, and who can edit them."""

from typing import Any

import pytest

from service.domain.appointments import visit_types
from service.domain.appointments.visit_types import TypeDetails
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from service.storage.models import AuditEntry, VisitType
from tests.house import House

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def desk(house: House) -> Actor:
    """A receptionist, who can edit types."""
    return house.user("receptionist", "desk@clinic.example", "Rita")


def add(house: House, actor: Actor, name: str, **changed: Any) -> int:
    with house.writing() as session:
        values = {"minutes": 30, "colour": 1, "online": True, **changed}
        return visit_types.add(session, actor, TypeDetails(name=name, **values)).id


def change(house: House, actor: Actor, row: int, **changed: Any) -> None:
    archived, version = changed.pop("archived", False), changed.pop("version", 1)
    details = TypeDetails(**{"name": "Check-up", "minutes": 30, "colour": 1, "online": True, **changed})
    with house.writing() as session:
        visit_types.change(session, actor, row, details, archived=archived, version=version)


def offered(house: House, actor: Actor) -> list[str]:
    with house.reading() as session:
        return [row.name for row in visit_types.offered(session, actor)]


def test_patients_get_the_online_types_and_staff_all_active_ones(house: House, desk: Actor) -> None:
    patient = house.user("patient", "lena@mail.example", "Lena Vogt")
    doctor = house.user("doctor", "doctor@clinic.example", "Dr. Ada Berg")
    talk, check = add(house, desk, "Talk", online=False), add(house, desk, "Check-up")
    old = add(house, desk, "Old way")
    change(house, desk, old, name="Old way", archived=True)
    assert offered(house, patient) == ["Check-up"]
    assert offered(house, doctor) == offered(house, desk) == ["Check-up", "Talk"]
    with house.reading() as session:
        assert visit_types.fetch(session, patient, check).name == "Check-up"
        assert visit_types.fetch(session, doctor, old).name == "Old way"
        for hidden in (talk, old, 999_999):
            with pytest.raises(NotFound):
                visit_types.fetch(session, patient, hidden)
        assert [row.id for row in visit_types.archived(session, desk)] == [old]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"name": "a\u200bb"}, "name"),
        ({"name": "TALK"}, "name"),
        ({"minutes": 4}, "minutes"),
        ({"minutes": 721}, "minutes"),
        ({"colour": 8}, "colour"),
        ({"colour": -1}, "colour"),
    ],
)
def test_invalid_details_are_refused(house: House, desk: Actor, changed: dict[str, Any], field: str) -> None:
    add(house, desk, "Talk")
    row = add(house, desk, "Check-up")
    with pytest.raises(Invalid) as refusal:
        add(house, desk, **{"name": "New", **changed})
    assert refusal.value.field == field
    with pytest.raises(Invalid) as refusal:
        change(house, desk, row, **changed)
    assert refusal.value.field == field
    assert house.count(VisitType) == 2


def test_a_stale_version_is_refused_but_repeated_values_are_accepted(house: House, desk: Actor) -> None:
    row = add(house, desk, "Check-up")
    change(house, desk, row, minutes=45)
    change(house, desk, row, minutes=45)  # a double click
    with pytest.raises(Conflict):
        change(house, desk, row, minutes=60)
    with house.reading() as session:
        assert (session.get_one(VisitType, row).minutes, session.get_one(VisitType, row).version) == (45, 2)
    assert house.count(AuditEntry, AuditEntry.act == "visit_type.change") == 1


def test_only_receptionists_and_administrators_can_edit_types(house: House, desk: Actor) -> None:
    row = add(house, desk, "Check-up")
    for role in ("doctor", "patient"):
        actor = house.user(role, f"{role}@clinic.example")
        with pytest.raises(Forbidden):
            add(house, actor, "Mine")
        with pytest.raises(Forbidden):
            change(house, actor, row, minutes=60)
        with house.reading() as session, pytest.raises(Forbidden):
            visit_types.archived(session, actor)
    with pytest.raises(NotFound):
        change(house, desk, 999_999)
