"""Pages offer exactly the actions that work, in every state of an appointment and for every role."""

from collections.abc import Callable
from datetime import timedelta
from itertools import product

import pytest
import time_machine
from sqlalchemy import inspect
from sqlalchemy.orm import Session

from service.domain.appointments import appointments, booking, outcomes, possible
from service.domain.appointments.possible import Act
from service.domain.appointments.requests import MoveRequest
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Conflict, Forbidden
from service.storage.models import Appointment, AppointmentStatus, CancelledBy, MoveProposal
from tests.domain.clinic_week import RULES, Week, open_week
from tests.house import House, at

NINE = at("2026-05-11 07:00")
"""Nine o'clock in Berlin on a Monday, in UTC."""
ELSEWHEN = at("2026-05-12 08:00")
MINUTES = (-3000, -180, -30, 0, 5)


@pytest.fixture
def week(house: House, clock: time_machine.Traveller) -> Week:
    """The clinic of clinic_week.py on Monday, 4 May 2026, 8 o'clock."""
    return open_week(house)


class Undone(Exception):
    """Rolls back an action after it was tried."""


@pytest.mark.parametrize(("who", "proposed"), [("desk", False), ("ahrens", False), ("pia", False), ("pia", True)])
def test_exactly_the_offered_actions_work(week: Week, clock: time_machine.Traveller, who: str, proposed: bool) -> None:
    actor: Actor = getattr(week, who)
    acts = [act for act in Act if actor.is_staff or act in (Act.MOVE, Act.CANCEL)]
    for status, minutes in product(AppointmentStatus, MINUTES):
        clock.move_to(NINE + timedelta(minutes=minutes))
        visit = made(week, status, proposed=proposed)
        with week.house.reading() as session:
            row = appointments.fetch(session, actor, visit)
            offered = possible.acts(session, actor, row, RULES, week.zone)
        worked = {act for act in acts if changes(week, actor, visit, act)}
        assert worked == offered, (status, minutes)


def made(week: Week, status: AppointmentStatus, *, proposed: bool) -> int:
    """Add Pia's appointment at nine, with every column that its state sets."""
    visit = week.house.visit(
        week.ahrens.doctor_id,
        min(week.pia.patient_ids),
        NINE,
        status=status,
        arrived_at=NINE if status == AppointmentStatus.ARRIVED else None,
        cancelled_at=NINE - timedelta(days=5) if status == AppointmentStatus.CANCELLED else None,
        cancelled_by=CancelledBy.CLINIC if status == AppointmentStatus.CANCELLED else None,
        overbooked=True,
    )
    if proposed:
        with week.house.writing() as session:
            session.add(MoveProposal(appointment_id=visit, times={"times": []}, created_at=NINE - timedelta(days=6)))
    return visit


def changes(week: Week, actor: Actor, visit: int, act: Act) -> bool:
    """Return whether the action changes the appointment; it is rolled back."""
    try:
        with week.house.writing() as session:
            acted(week, session, actor, visit)[act]()
            row = session.get_one(Appointment, visit)
            session.flush()
            if row.version == 1 and not inspect(row).modified:
                return False
            raise Undone
    except Undone:
        return True
    except (Conflict, Forbidden):
        return False


def acted(week: Week, session: Session, actor: Actor, visit: int) -> dict[Act, Callable[[], object]]:
    return {
        Act.CONFIRM: lambda: outcomes.confirm(session, actor, visit),
        Act.ARRIVE: lambda: outcomes.arrive(session, actor, visit, week.zone),
        Act.COMPLETE: lambda: outcomes.complete(session, actor, visit),
        Act.NO_SHOW: lambda: outcomes.no_show(session, actor, visit),
        Act.MOVE: lambda: booking.reschedule(session, actor, visit, MoveRequest(ELSEWHEN), RULES, week.zone),
        Act.CANCEL: lambda: outcomes.cancel(session, actor, visit, reason="", rules=RULES),
        Act.UNDO: lambda: outcomes.undo(session, actor, visit, week.house.settings),
    }
