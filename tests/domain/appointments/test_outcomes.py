"""Outcomes: states only move forward, actions are idempotent, undo is logged, and missing outcomes are listed."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from service.domain.appointments import outcomes, possible, timeline
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Conflict, Forbidden, NotFound
from service.storage.models import AuditEntry, CancelledBy, Message, Treatment
from tests.domain.clinic_week import RULES, Week, open_week
from tests.house import House, at

NINE = at("2026-05-11 07:00")
"""Nine o'clock in Berlin on a Monday, in UTC."""


@pytest.fixture
def week(house: House, clock: time_machine.Traveller) -> Week:
    """The clinic of clinic_week.py on Monday, 4 May 2026, 8 o'clock."""
    return open_week(house)


@pytest.fixture
def visit(week: Week) -> int:
    """Pia's appointment with Dr Ahrens at nine."""
    return week.book(week.pia, NINE)


def act(week: Week, verb: str, visit: int, actor: Actor | None = None) -> None:
    more: dict[str, dict[str, Any]] = {
        "arrive": {"zone": week.zone},
        "cancel": {"reason": "Ill", "rules": RULES},
        "undo": {"settings": week.house.settings},
    }
    with week.house.writing() as session:
        getattr(outcomes, verb)(session, actor or week.desk, visit, **more.get(verb, {}))


@pytest.mark.parametrize(
    ("verbs", "status"),
    [
        (["confirm"], "booked"),
        (["arrive"], "arrived"),
        (["arrive", "complete"], "completed"),
        (["complete"], "completed"),
        (["no_show"], "no_show"),
        (["cancel"], "cancelled"),
        (["arrive", "cancel"], "cancelled"),
    ],
)
def test_an_appointment_moves_forward_through_its_states(
    week: Week, visit: int, clock: time_machine.Traveller, verbs: list[str], status: str
) -> None:
    clock.move_to(NINE - timedelta(minutes=1) if verbs == ["confirm"] else NINE)
    for verb in verbs:
        act(week, verb, visit)
    assert week.row(visit).status == status


@pytest.mark.parametrize(
    ("before", "verb"),
    [
        ("complete", "arrive"),
        ("cancel", "arrive"),
        ("no_show", "arrive"),
        ("cancel", "complete"),
        ("no_show", "complete"),
        ("arrive", "no_show"),
        ("complete", "no_show"),
        ("cancel", "no_show"),
        ("complete", "cancel"),
        ("no_show", "cancel"),
        ("arrive", "confirm"),
    ],
)
def test_an_appointment_never_moves_backward_or_sideways(
    week: Week, visit: int, clock: time_machine.Traveller, before: str, verb: str
) -> None:
    clock.move_to(NINE)
    act(week, before, visit)
    status = week.row(visit).status
    with pytest.raises(Conflict):
        act(week, verb, visit)
    assert week.row(visit).status == status


@pytest.mark.parametrize("verb", ["arrive", "complete", "no_show", "cancel"])
def test_repeating_an_action_does_nothing_and_is_logged_once(
    week: Week, visit: int, clock: time_machine.Traveller, verb: str
) -> None:
    clock.move_to(NINE)
    act(week, verb, visit)
    act(week, verb, visit)
    assert week.house.count(AuditEntry, AuditEntry.act == f"appointment.{verb}") == 1


@pytest.mark.parametrize("verb", ["arrive", "complete", "no_show"])
def test_no_outcome_can_be_recorded_days_before(week: Week, visit: int, verb: str) -> None:
    with pytest.raises(Conflict):
        act(week, verb, visit)
    assert week.row(visit).status == "booked"


def test_a_patient_can_check_in_early_on_the_day(week: Week, visit: int, clock: time_machine.Traveller) -> None:
    clock.move_to(NINE - timedelta(hours=8))
    act(week, "arrive", visit)
    act(week, "complete", visit)
    assert week.row(visit).status == "completed"


def test_a_patient_can_check_in_on_another_date_around_midnight(week: Week, clock: time_machine.Traveller) -> None:
    def arrives(starts_at: str, now: str) -> str:
        visit = week.house.visit(week.ahrens.doctor_id, min(week.pia.patient_ids), at(starts_at))
        clock.move_to(at(now))
        with suppress(Conflict):
            act(week, "arrive", visit)
        return week.row(visit).status

    # Berlin is two hours ahead of UTC: 12:15 a.m. on May 12, and 11:45 p.m. on May 13.
    assert arrives("2026-05-11 22:15", "2026-05-11 20:14") == "booked"
    assert arrives("2026-05-11 22:15", "2026-05-11 21:50") == "arrived"
    assert arrives("2026-05-13 21:45", "2026-05-13 22:05") == "arrived"
    assert arrives("2026-05-14 21:45", "2026-05-14 23:46") == "booked"


@pytest.mark.parametrize("verb", ["arrive", "complete", "no_show", "cancel"])
def test_undo_restores_the_state_before_and_is_logged(
    week: Week, visit: int, clock: time_machine.Traveller, verb: str
) -> None:
    clock.move_to(NINE)
    act(week, verb, visit)
    act(week, "undo", visit)
    row = week.row(visit)
    assert (row.status, row.arrived_at, row.ended_at, row.cancelled_at, row.cancelled_by) == ("booked", *[None] * 4)
    assert week.house.count(AuditEntry, AuditEntry.act == "appointment.undo") == 1


def test_undoing_a_completion_returns_the_patient_to_the_waiting_room(
    week: Week, visit: int, clock: time_machine.Traveller
) -> None:
    clock.move_to(NINE)
    for verb in ("arrive", "complete", "undo"):
        act(week, verb, visit)
    assert week.row(visit).status == "arrived"


def test_a_cancellation_cannot_be_undone_if_its_slot_is_taken(week: Week, visit: int) -> None:
    act(week, "cancel", visit)
    week.book(week.otto, NINE)
    with pytest.raises(Conflict, match="was just taken"):
        act(week, "undo", visit)
    assert week.row(visit).status == "cancelled"


def test_booked_rescheduled_and_recorded_appointments_have_nothing_to_undo(
    week: Week, visit: int, clock: time_machine.Traveller
) -> None:
    with pytest.raises(Conflict, match="nothing to undo"):
        act(week, "undo", visit)
    moved = week.book(week.otto, NINE + timedelta(hours=1))
    week.move(week.otto, moved, "2026-05-11 08:30")
    with pytest.raises(Conflict, match="nothing to undo"):
        act(week, "undo", moved)
    clock.move_to(NINE)
    act(week, "complete", visit)
    with week.house.writing() as session:
        session.add(Treatment(appointment_id=visit, created_at=NINE, updated_at=NINE, notes="x"))
    with pytest.raises(Conflict, match="recorded"):
        act(week, "undo", visit)


def test_patients_can_cancel_until_the_cutoff(week: Week, visit: int, clock: time_machine.Traveller) -> None:
    clock.move_to(NINE - timedelta(hours=RULES.cancel_cutoff_hours) + timedelta(seconds=1))
    with pytest.raises(Conflict, match="call the clinic"):
        act(week, "cancel", visit, week.pia)
    clock.move_to(NINE - timedelta(hours=RULES.cancel_cutoff_hours))
    act(week, "cancel", visit, week.pia)
    row = week.row(visit)
    assert (row.cancelled_by, row.cancelled_late, row.cancellation_reason) == ("patient", False, "Ill")


@pytest.mark.parametrize(("by", "late"), [(CancelledBy.PATIENT, True), (CancelledBy.CLINIC, False)])
def test_i7_after_the_cutoff_only_cancellations_by_patients_are_late(
    week: Week, visit: int, clock: time_machine.Traveller, by: CancelledBy, late: bool
) -> None:
    clock.move_to(NINE - timedelta(minutes=5))
    with week.house.writing() as session:
        outcomes.cancel(session, week.desk, visit, reason="", rules=RULES, by=by)
    row = week.row(visit)
    assert (row.cancelled_by, row.cancelled_late) == (by, late)


def test_i7_patients_cannot_cancel_for_the_clinic(week: Week, visit: int) -> None:
    with pytest.raises(Forbidden, match="on behalf of the clinic"), week.house.writing() as session:
        outcomes.cancel(session, week.pia, visit, reason="", rules=RULES, by=CancelledBy.CLINIC)
    assert week.row(visit).status == "booked"


def test_a_canceled_appointment_frees_its_slot_and_stays_in_the_history(week: Week, visit: int) -> None:
    act(week, "cancel", visit)
    assert week.book(week.otto, NINE) != visit
    assert week.row(visit).status == "cancelled"


@pytest.mark.parametrize("verb", ["arrive", "complete", "no_show"])
def test_patients_cannot_record_outcomes(week: Week, visit: int, verb: str) -> None:
    with pytest.raises(Forbidden):
        act(week, verb, visit, week.pia)
    with pytest.raises(NotFound):
        act(week, verb, visit, week.otto)


def test_patients_can_confirm_only_their_own_appointments(week: Week, visit: int) -> None:
    with pytest.raises(NotFound):
        act(week, "confirm", visit, week.otto)
    act(week, "confirm", visit, week.pia)
    assert week.row(visit).confirmed_at is not None


def test_patients_can_undo_their_cancellation_within_ten_minutes(
    week: Week, visit: int, clock: time_machine.Traveller
) -> None:
    act(week, "cancel", visit, week.pia)
    clock.shift(possible.UNDO_FOR - timedelta(seconds=1))
    act(week, "undo", visit, week.pia)
    assert week.row(visit).status == "booked"
    act(week, "cancel", visit, week.pia)
    clock.shift(possible.UNDO_FOR)
    with pytest.raises(Conflict):
        act(week, "undo", visit, week.pia)


def test_patients_cannot_undo_a_cancellation_by_the_clinic(week: Week, visit: int) -> None:
    with week.house.writing() as session:
        outcomes.cancel(session, week.desk, visit, reason="", rules=RULES, by=CancelledBy.CLINIC)
    with pytest.raises(Conflict):
        act(week, "undo", visit, week.pia)


@pytest.mark.parametrize("verb", ["confirm", "arrive", "complete", "no_show", "cancel", "undo"])
def test_doctors_can_change_only_their_own_appointments(week: Week, visit: int, verb: str) -> None:
    with pytest.raises(NotFound):
        act(week, verb, visit, week.beyer)
    week.book(week.pia, NINE + timedelta(hours=1), doctor_id=week.beyer.doctor_id)
    with pytest.raises(Forbidden):  # now their patient, too, but not their appointment
        act(week, verb, visit, week.beyer)


def test_to_complete_lists_past_appointments_without_an_outcome_oldest_first(
    week: Week, clock: time_machine.Traveller
) -> None:
    first, second = week.book(week.pia, NINE), week.book(week.otto, NINE, doctor_id=week.beyer.doctor_id)
    third = week.book(week.otto, NINE + timedelta(minutes=15))
    clock.move_to(NINE + timedelta(minutes=15))
    assert waiting(week, week.desk) == [first, second]
    assert waiting(week, week.ahrens) == [first]
    act(week, "complete", first)
    assert waiting(week, week.desk) == [second]
    clock.shift(timedelta(minutes=15))
    assert waiting(week, week.ahrens) == [third]


def waiting(week: Week, actor: Actor) -> list[int]:
    with week.house.reading() as session:
        found = [row.id for row in outcomes.to_complete(session, actor, week.zone)]
        assert outcomes.count_to_complete(session, actor, week.zone) == len(found)
    return found


@pytest.mark.parametrize(
    ("who", "minutes", "expected"),
    [
        ("pia", -300, {"move", "cancel"}),
        ("pia", -30, set()),
        ("desk", -60 * 24 * 2, {"move", "cancel", "confirm"}),
        ("desk", -30, {"move", "cancel", "confirm", "arrive"}),
        ("desk", 5, {"move", "cancel", "arrive", "complete", "no_show"}),
        ("ahrens", 5, {"move", "cancel", "arrive", "complete", "no_show"}),
        ("beyer", 5, set()),
    ],
)
def test_offered_actions_are_the_ones_that_work(
    week: Week, visit: int, clock: time_machine.Traveller, who: str, minutes: int, expected: set[str]
) -> None:
    clock.move_to(NINE + timedelta(minutes=minutes))
    actor = getattr(week, who)
    with week.house.reading() as session:
        assert possible.acts(session, actor, week.row(visit), RULES, week.zone) == expected


def test_the_timeline_lists_events_in_order(week: Week, visit: int, clock: time_machine.Traveller) -> None:
    clock.shift(timedelta(hours=1))
    with week.house.writing() as session:
        session.add(
            Message(
                appointment_id=visit,
                patient_id=min(week.pia.patient_ids),
                starts_at=NINE,
                rule="daily_reminder",
                channel="console",
                status="sent",
                due_at=NINE - timedelta(hours=1),
                lease_until=NINE,
                created_at=NINE - timedelta(hours=2),
                sent_at=NINE - timedelta(hours=1),
            )
        )
    clock.move_to(NINE)
    act(week, "arrive", visit)
    clock.shift(60)
    act(week, "complete", visit, week.ahrens)
    assert told(week, visit) == [
        ("book", "Pia Ahorn"),
        ("message", ""),
        ("message", ""),
        ("arrive", "Rita Tresen"),
        ("complete", "Dr. Ahrens"),
    ]


def test_the_timeline_of_a_rescheduled_appointment_links_to_the_new_one(week: Week, visit: int) -> None:
    new = week.move(week.desk, visit, "2026-05-11 08:00")
    with week.house.reading() as session:
        (moved,) = [event for event in timeline.of_visit(session, week.row(visit)) if event.act == "move"]
    assert (moved.moved_to, moved.who) == (new, "Rita Tresen")


def test_the_timeline_without_audit_entries_is_read_from_the_row(week: Week) -> None:
    more = {"status": "cancelled", "cancelled_at": NINE - timedelta(days=1), "cancelled_by": "patient"}
    visit = week.house.visit(week.ahrens.doctor_id, min(week.pia.patient_ids), NINE, **more)
    assert told(week, visit) == [("book", ""), ("cancel", "")]


def told(week: Week, visit: int) -> list[tuple[str, str]]:
    with week.house.reading() as session:
        return [(event.act, event.who) for event in timeline.of_visit(session, week.row(visit))]
