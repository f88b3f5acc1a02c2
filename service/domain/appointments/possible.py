"""Which actions an appointment allows now; pages, links, the API, and the actions themselves use the same rules.

Each `why_not_…` returns None if the action is possible, else a sentence that explains why not.
"""

from datetime import timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Booking
from service.domain.appointments import admission
from service.domain.foundation.actor import Actor, Role
from service.language.translation import gettext as _
from service.storage.models import NOT_COMING, OPEN, Appointment, AppointmentStatus, CancelledBy, MoveProposal

UNDO_FOR = timedelta(minutes=10)
"""How long patients can undo their cancellation; its message is sent after that."""
AROUND_MIDNIGHT = timedelta(hours=2)
"""How long before or after the start patients can check in on a different date."""


class Act(StrEnum):
    CONFIRM = "confirm"
    ARRIVE = "arrive"
    COMPLETE = "complete"
    NO_SHOW = "no_show"
    MOVE = "move"
    CANCEL = "cancel"
    UNDO = "undo"


def acts(session: Session, actor: Actor, visit: Appointment, rules: Booking, zone: ZoneInfo) -> frozenset[Act]:
    """Return the actions a page offers the actor as buttons. The actions themselves check again."""
    if actor.role == Role.DOCTOR and visit.doctor_id != actor.doctor_id:
        return frozenset()
    refusals = {
        Act.MOVE: why_not_moved(session, actor, visit, rules),
        Act.CANCEL: why_not_cancelled(session, actor, visit, rules),
    }
    if actor.role != Role.PATIENT:  # patients confirm and undo with the links in their messages
        refusals |= {
            Act.ARRIVE: why_not_arrived(visit, zone),
            Act.COMPLETE: why_not_completed(visit),
            Act.NO_SHOW: why_not_missed(visit),
            Act.UNDO: why_not_undone(actor, visit),
        }
        if visit.confirmed_at is None:
            refusals[Act.CONFIRM] = why_not_confirmed(visit)
    return frozenset(act for act, refusal in refusals.items() if refusal is None)


def why_not_moved(session: Session, actor: Actor, visit: Appointment, rules: Booking) -> str | None:
    """Only booked appointments can be rescheduled, by patients until the cutoff."""
    if visit.status != AppointmentStatus.BOOKED:
        return _("This appointment is no longer booked, so it can't be rescheduled.")
    return _why_too_late(session, actor, visit, rules)


def why_not_cancelled(session: Session, actor: Actor, visit: Appointment, rules: Booking) -> str | None:
    """Only open appointments can be canceled, by patients until the cutoff and before they check in."""
    if visit.status not in OPEN:
        return _("This appointment is over or was rescheduled, so it can't be canceled.")
    if actor.role == Role.PATIENT and visit.status == AppointmentStatus.ARRIVED:
        return _("You're already checked in for this appointment. Please talk to reception.")
    return _why_too_late(session, actor, visit, rules)


def why_not_confirmed(visit: Appointment) -> str | None:
    """Only booked, upcoming appointments can be confirmed."""
    if not is_ahead(visit):
        return _("Only upcoming appointments can be confirmed.")
    return None


def why_not_arrived(visit: Appointment, zone: ZoneInfo) -> str | None:
    """Patients check in on the day of the appointment; around midnight also shortly before or after it."""
    if visit.status != AppointmentStatus.BOOKED:
        return _("This appointment is over or was canceled. Undo that first.")
    is_today = visit.starts_at.astimezone(zone).date() == clock.today(zone)
    if not is_today and abs(visit.starts_at - clock.now()) > AROUND_MIDNIGHT:
        return _("This appointment isn't today.")
    return None


def why_not_completed(visit: Appointment) -> str | None:
    """An appointment can be completed once it has started or its patient has checked in."""
    if visit.status not in OPEN:
        return _("This appointment is over or was canceled. Undo that first.")
    if visit.status == AppointmentStatus.BOOKED and not has_begun(visit):
        return _("This appointment hasn't started yet.")
    return None


def why_not_missed(visit: Appointment) -> str | None:
    """A patient who has checked in cannot be a no-show."""
    if visit.status == AppointmentStatus.ARRIVED:
        return _("The patient is checked in. Undo that first.")
    return why_not_completed(visit)


def why_not_undone(actor: Actor, visit: Appointment) -> str | None:
    """There must be a status to undo; patients can undo only their own cancellation.

    booking.admit_again() checks whether the slot is still free.
    """
    if actor.role == Role.PATIENT and not may_take_back(visit):
        return _("You can no longer undo this online. Please call the clinic.")
    if visit.status == AppointmentStatus.BOOKED or visit.rescheduled_at is not None:
        return _("There's nothing to undo.")
    if was_called_off_ahead(visit) and has_begun(visit):
        return admission.past()
    return None


def why_not_recorded(visit: Appointment) -> str | None:
    """Treatments are recorded for appointments that take place, once they have started."""
    if visit.status in NOT_COMING:
        return _("This appointment didn't take place, so there's no treatment to record.")
    if not has_begun(visit):
        return _("This appointment hasn't started yet. Record the treatment once it has.")
    return None


def may_record(actor: Actor, visit: Appointment) -> bool:
    """Return whether the actor may record the treatment; only the doctor of the appointment may."""
    return actor.role == Role.DOCTOR and actor.doctor_id == visit.doctor_id and why_not_recorded(visit) is None


def may_take_back(visit: Appointment) -> bool:
    """Return whether the patient canceled so recently that they can still undo it."""
    return (
        visit.status == AppointmentStatus.CANCELLED
        and visit.rescheduled_at is None
        and visit.cancelled_by == CancelledBy.PATIENT
        and visit.cancelled_at is not None
        and visit.cancelled_at > clock.now() - UNDO_FOR
        and not has_begun(visit)
    )


def was_called_off_ahead(visit: Appointment) -> bool:
    """Return whether it was canceled before its start: undoing that is a booking, undoing a later one a correction."""
    at = visit.cancelled_at if visit.status == AppointmentStatus.CANCELLED else None
    return at is not None and at < visit.starts_at


def has_begun(visit: Appointment) -> bool:
    """Return whether the start of the appointment has passed."""
    return visit.starts_at <= clock.now()


def is_ahead(visit: Appointment) -> bool:
    """Return whether the appointment is booked and has not started."""
    return visit.status == AppointmentStatus.BOOKED and not has_begun(visit)


def is_late(visit: Appointment, rules: Booking) -> bool:
    """Return whether the clinic's cutoff before the appointment has passed."""
    return clock.now() > visit.starts_at - timedelta(hours=rules.cancel_cutoff_hours)


def _why_too_late(session: Session, actor: Actor, visit: Appointment, rules: Booking) -> str | None:
    """Patients can change appointments until the cutoff, or until the start if the clinic proposed new times."""
    if actor.role != Role.PATIENT:
        return None
    if has_begun(visit) or (is_late(visit, rules) and session.get(MoveProposal, visit.id) is None):
        return _(
            "Online changes are possible until %(hours)s hours before the appointment. Please call the clinic."
        ) % {"hours": rules.cancel_cutoff_hours}
    return None
