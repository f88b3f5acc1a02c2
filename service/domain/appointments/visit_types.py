"""Appointment types: the kinds of appointments the clinic books, with their length and color."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service import clock
from service.domain.foundation import audit
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from service.language.translation import gettext as _
from service.storage.models import VisitType

LONGEST_NAME = 60
SHORTEST, LONGEST = 5, 720
"""The limits of an appointment's length in minutes."""
COLOURS = 8


@dataclass(frozen=True)
class TypeDetails:
    """The name and color of a type, the length of its appointments, and whether patients can book it online."""

    name: str
    minutes: int
    colour: int
    online: bool


def offered(session: Session, actor: Actor) -> Sequence[VisitType]:
    """Return the types the actor can book now, by name; patients get only those for online booking."""
    query = select(VisitType).where(VisitType.archived_at.is_(None)).order_by(VisitType.name, VisitType.id)
    if not actor.is_staff:
        query = query.where(VisitType.online)
    return session.scalars(query).all()


def archived(session: Session, actor: Actor) -> Sequence[VisitType]:
    """Return the archived types, by name. Raises Forbidden unless the actor may edit types."""
    _check_may_edit(actor)
    return session.scalars(
        select(VisitType).where(VisitType.archived_at.is_not(None)).order_by(VisitType.name, VisitType.id)
    ).all()


def fetch(session: Session, actor: Actor, visit_type_id: int) -> VisitType:
    """Return a type; staff get archived ones too. Raises NotFound, also for a type the actor may not book."""
    found = session.get(VisitType, visit_type_id)
    for_all = found is not None and found.online and found.archived_at is None
    if found is None or not (for_all or actor.is_staff or actor.role == Role.SYSTEM):
        raise NotFound
    return found


def minutes(session: Session, actor: Actor, visit_type_id: int | None) -> int | None:
    """Return the minutes of a type, or None without one (the doctor's hours decide). Raises NotFound."""
    return None if visit_type_id is None else fetch(session, actor, visit_type_id).minutes


def add(session: Session, actor: Actor, details: TypeDetails) -> VisitType:
    """Add a type; adding an identical one again returns the first. Raises Forbidden, Invalid."""
    _check_may_edit(actor)
    details = _checked(details)
    for known in session.scalars(select(VisitType).where(VisitType.name == details.name)):
        if known.archived_at is None and _of(known) == details:
            return known  # a double click
    _check_free(session, details.name, None)
    made = VisitType(created_at=clock.now(), **vars(details))
    session.add(made)
    _flush(session)
    audit.record(session, actor, "visit_type.add", subject=f"visit_type/{made.id}")
    return made


def change(
    session: Session, actor: Actor, visit_type_id: int, details: TypeDetails, *, archived: bool, version: int
) -> VisitType:
    """Change, archive, or restore a type; booked appointments keep their length.

    `version` is the one the form was opened with. Raises NotFound, Forbidden, Invalid, and Conflict if someone else
    changed it meanwhile.
    """
    _check_may_edit(actor)
    row = session.scalar(select(VisitType).where(VisitType.id == visit_type_id).with_for_update())
    if row is None:
        raise NotFound
    details = _checked(details)
    if _of(row) == details and archived == (row.archived_at is not None):
        return row
    if version != row.version:
        raise Conflict(_("Someone else changed this appointment type while you were editing it."))
    _check_free(session, details.name, row.id)
    for key, value in vars(details).items():
        setattr(row, key, value)
    if archived != (row.archived_at is not None):
        row.archived_at = clock.now() if archived else None
    changes = audit.changes_of(row)
    _flush(session)
    audit.record(session, actor, "visit_type.change", subject=f"visit_type/{row.id}", changes=changes)
    return row


def _check_may_edit(actor: Actor) -> None:
    if actor.role not in (Role.ADMIN, Role.RECEPTIONIST):
        raise Forbidden(_("Only receptionists and administrators can change appointment types."))


def _checked(typed: TypeDetails) -> TypeDetails:
    name = " ".join(typed.name.split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Invalid(_("Enter a name of at most %(count)s characters.") % {"count": LONGEST_NAME}, "name")
    if not name.isprintable():
        raise Invalid(_("This text contains a character that can't be saved."), "name")
    if not SHORTEST <= typed.minutes <= LONGEST:
        words = {"least": SHORTEST, "most": LONGEST}
        raise Invalid(_("Enter a length of %(least)s to %(most)s minutes.") % words, "minutes")
    if not 0 <= typed.colour < COLOURS:
        raise Invalid(_("Choose one of the colors."), "colour")
    return replace(typed, name=name)


def _of(row: VisitType) -> TypeDetails:
    """Return the current details of a type."""
    return TypeDetails(row.name, row.minutes, row.colour, row.online)


def _check_free(session: Session, name: str, own_id: int | None) -> None:
    """Raise Invalid if another type has the same name, ignoring case."""
    for row_id, other in session.execute(select(VisitType.id, VisitType.name)):
        if row_id != own_id and other.casefold() == name.casefold():
            raise Invalid(_("There's already an appointment type with this name. Check the archived ones too."), "name")


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError:
        raise Invalid(_("There's already an appointment type with this name."), "name") from None
