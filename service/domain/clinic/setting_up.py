"""First start: create the first administrator and the first doctor with weekly hours, all or nothing."""

import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import clock
from service.clock import DayTime
from service.config.settings import Clinic
from service.domain.accounts import users
from service.domain.accounts.users import NewUser
from service.domain.diary import hours
from service.domain.diary.hours import WeekBlock
from service.domain.foundation import audit, contact_details, installation, throttle
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden, Invalid
from service.domain.foundation.throttle import Act
from service.language.translation import gettext as _
from service.storage.models import Doctor, User


@dataclass(frozen=True)
class FirstDoctor:
    """A doctor and their usual weekly hours."""

    name: str
    department: str
    email: str
    weekdays: Collection[int]
    stretches: Sequence[tuple[DayTime, DayTime]]
    slot_minutes: int

    def check(self) -> None:
        """Raise Invalid, with the form's field, for what cannot be accepted later on."""
        contact_details.checked_name(self.name)
        contact_details.checked_department(self.department)
        contact_details.checked_email(self.email)
        if not self.weekdays:
            raise Invalid(_("Choose at least one day of the week."), "weekdays")
        for turn, (starts, ends) in enumerate(self.stretches, 1):
            try:
                hours.check_length(starts, ends, self.slot_minutes)
            except Invalid as error:
                raise Invalid(str(error), error.field if turn == 1 or error.field != "ends" else "ends_2") from None
        blocks = self.week()
        if len(blocks) == 2:
            first, second = blocks
            if second.starts < first.ends:
                raise Invalid(_("The hours after the break start before the hours before it end."), "starts_2")
            if hours.overlap(first, second, clock.now().date()):
                raise Invalid(_("The hours after the break run into the next day's hours."), "ends_2")

    def week(self) -> list[WeekBlock]:
        """The same stretches on each of the weekdays."""
        return [WeekBlock(self.weekdays, starts, ends, self.slot_minutes) for starts, ends in self.stretches]


def is_code(session: Session, typed: str, code: str, address: str) -> bool:
    """Whether someone read the setup code off the console. Raises Throttled for an address that guesses."""
    throttle.attempt(session, Act.SETUP_CODE, network=address)
    right = hmac.compare_digest(typed.encode(), code.encode())
    if right:
        throttle.succeeded(session, Act.SETUP_CODE, network=address)
    return right


def begin(
    session: Session,
    first: NewUser,
    doctor: FirstDoctor | None,
    clinic: Clinic,
    *,
    address: str,
) -> Actor:
    """Make the first admin, and the first doctor where one is named; returns the admin, who sits at `address`.

    Raises Invalid, and NotFound once a user exists.
    """
    user = users.add_first_admin(session, first, address)
    installation.note_zone(session, clinic.zone)
    admin = _admin(user, address)
    if doctor is None:
        return admin
    try:
        made = users.add(
            session, admin, NewUser(Role.DOCTOR, doctor.email, doctor.name, department=doctor.department), clinic
        )
    except Conflict:
        words = _("The first doctor already uses this address. Each account needs its own.")
        raise Invalid(words, "email") from None
    session.flush()
    doctor_id = session.execute(select(Doctor.id).where(Doctor.user_id == made.id)).scalar_one()
    for block in doctor.week():
        hours.add(session, admin, doctor_id, block, clinic.zone)
    return admin


def note_settings(session: Session, actor: Actor, page: str, changes: audit.Changes) -> None:
    """Put changed settings on record: keys, before, after; a password only as changed. Raises Forbidden."""
    if actor.role != Role.ADMIN:
        raise Forbidden(_("Only administrators can change settings."))
    if changes:
        audit.record(session, actor, "settings.change", subject=f"settings/{page}", changes=changes)


def _admin(user: User, address: str) -> Actor:
    return Actor(Role.ADMIN, user.name, user.id, address=address)
