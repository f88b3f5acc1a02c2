"""What may be done with a visit now: pages, links, the API and the acts themselves all ask here.

Each `why_not_…` is None where the act is possible, else the sentence that says why it is not.
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
"""So long patients may take their cancellation back; it is told them when that is over."""
AROUND_MIDNIGHT = timedelta(hours=2)
"""So long before or after their visit patients may arrive on another date than the visit's."""


class Act(StrEnum):
    CONFIRM = "confirm"
    ARRIVE = "arrive"
    COMPLETE = "complete"
    NO_SHOW = "no_show"
    MOVE = "move"
    CANCEL = "cancel"
    UNDO = "undo"


def acts(session: Session, actor: Actor, visit: Appointment, rules: Booking, zone: ZoneInfo) -> frozenset[Act]:
    """What the actor may do with a visit now: the buttons a page shows. The acts themselves check again."""
    if actor.role == Role.DOCTOR and visit.doctor_id != actor.doctor_id:
        return frozenset()
    refusals = {
        Act.MOVE: why_not_moved(session, actor, visit, rules),
        Act.CANCEL: why_not_cancelled(session, actor, visit, rules),
    }
    if actor.role != Role.PATIENT:  # patients confirm and undo by the links of their messages
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
    """Booked visits are moved; by patients until the cut-off."""
    if visit.status != AppointmentStatus.BOOKED:
        return _("This visit is not booked any more, so it cannot be moved.")
    return _why_too_late(session, actor, visit, rules)


def why_not_cancelled(session: Session, actor: Actor, visit: Appointment, rules: Booking) -> str | None:
    """Open visits are called off; by patients until the cut-off, and not once they are here."""
    if visit.status not in OPEN:
        return _("This visit is over or was moved, so it cannot be cancelled.")
    if actor.role == Role.PATIENT and visit.status == AppointmentStatus.ARRIVED:
        return _("You have arrived for this visit: please tell the desk.")
    return _why_too_late(session, actor, visit, rules)


def why_not_confirmed(visit: Appointment) -> str | None:
    """Only what is booked and ahead."""
    if not is_ahead(visit):
        return _("Only a booked visit that is still ahead can be confirmed.")
    return None


def why_not_arrived(visit: Appointment, zone: ZoneInfo) -> str | None:
    """Patients arrive on the day of their visit; around midnight also shortly before or after that day."""
    if visit.status != AppointmentStatus.BOOKED:
        return _("This visit is over or was cancelled: undo that first.")
    is_today = visit.starts_at.astimezone(zone).date() == clock.today(zone)
    if not is_today and abs(visit.starts_at - clock.now()) > AROUND_MIDNIGHT:
        return _("This visit is not today.")
    return None


def why_not_completed(visit: Appointment) -> str | None:
    """A visit is completed once it has begun, or its patient is here."""
    if visit.status not in OPEN:
        return _("This visit is over or was cancelled: undo that first.")
    if visit.status == AppointmentStatus.BOOKED and not has_begun(visit):
        return _("This visit has not begun yet.")
    return None


def why_not_missed(visit: Appointment) -> str | None:
    """Nobody who is here has missed their visit."""
    if visit.status == AppointmentStatus.ARRIVED:
        return _("The patient has arrived: undo that first.")
    return why_not_completed(visit)


def why_not_undone(actor: Actor, visit: Appointment) -> str | None:
    """Something was said about the visit; patients take back their own cancellation only.

    Whether its time is still to be had is for booking.admit_again() to say.
    """
    if actor.role == Role.PATIENT and not may_take_back(visit):
        return _("This cannot be taken back here any more: please call the clinic.")
    if visit.status == AppointmentStatus.BOOKED or visit.rescheduled_at is not None:
        return _("There is nothing to undo.")
    if was_called_off_ahead(visit) and has_begun(visit):
        return admission.past()
    return None


def why_not_recorded(visit: Appointment) -> str | None:
    """Treatments are written of visits that take place, once they have begun."""
    if visit.status in NOT_COMING:
        return _("This visit did not take place, so there is no treatment to record.")
    if not has_begun(visit):
        return _("This visit has not begun yet: record the treatment once it has.")
    return None


def may_record(actor: Actor, visit: Appointment) -> bool:
    """Whether the actor may write this visit's treatment: only its doctor does."""
    return actor.role == Role.DOCTOR and actor.doctor_id == visit.doctor_id and why_not_recorded(visit) is None


def may_take_back(visit: Appointment) -> bool:
    """Whether the patient's own cancellation is so fresh that they may still take it back."""
    return (
        visit.status == AppointmentStatus.CANCELLED
        and visit.rescheduled_at is None
        and visit.cancelled_by == CancelledBy.PATIENT
        and visit.cancelled_at is not None
        and visit.cancelled_at > clock.now() - UNDO_FOR
        and not has_begun(visit)
    )


def was_called_off_ahead(visit: Appointment) -> bool:
    """Whether it was cancelled before its time came: taking that back is a booking, later it is a correction."""
    at = visit.cancelled_at if visit.status == AppointmentStatus.CANCELLED else None
    return at is not None and at < visit.starts_at


def has_begun(visit: Appointment) -> bool:
    """Whether the time of the visit has come, whoever is here."""
    return visit.starts_at <= clock.now()


def is_ahead(visit: Appointment) -> bool:
    """Whether the visit is booked and has not begun."""
    return visit.status == AppointmentStatus.BOOKED and not has_begun(visit)


def is_late(visit: Appointment, rules: Booking) -> bool:
    """Whether the clinic's cut-off before the visit has passed."""
    return clock.now() > visit.starts_at - timedelta(hours=rules.cancel_cutoff_hours)


def _why_too_late(session: Session, actor: Actor, visit: Appointment, rules: Booking) -> str | None:
    """Patients change their visits until the cut-off, or until they begin where the clinic itself asked them to."""
    if actor.role != Role.PATIENT:
        return None
    if has_begun(visit) or (is_late(visit, rules) and session.get(MoveProposal, visit.id) is None):
        return _("It is too late to change this visit here (%(hours)s hours before): please call the clinic.") % {
            "hours": rules.cancel_cutoff_hours
        }
    return None
