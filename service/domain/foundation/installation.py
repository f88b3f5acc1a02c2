"""This installation: whether it's a demo clinic, its address, its heartbeat, and whether its clock may be wrong."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from service import clock
from service.domain.foundation import audit
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Forbidden
from service.language.translation import gettext as _
from service.storage.models import Installation, User

FAR = timedelta(days=180)
"""Longer than a clinic is ever closed. Wrong clocks are mostly off by a year or more."""
CHECK_EVERY = timedelta(seconds=10)
SHOWN_ACCOUNTS = ("admin@demo.example", "reception@demo.example", "doctor1@demo.example", "patient1@demo.example")


def is_demo(session: Session) -> bool:
    """Return whether this is a demo clinic, with only made-up people."""
    return session.scalar(select(Installation.demo_at)) is not None


def clinic_id(session: Session) -> str:
    """Return the random id of this clinic, which stays with its database wherever that is moved."""
    return session.execute(select(Installation.clinic_id)).scalar_one()


def demo_accounts(session: Session) -> Sequence[str]:
    """Return one account per role of the demo clinic for the sign-in page; none in other clinics."""
    if not is_demo(session):
        return []
    return session.scalars(select(User.email).where(User.email_key.in_(SHOWN_ACCOUNTS)).order_by(User.id)).all()


def began_at(session: Session, zone: ZoneInfo) -> datetime | None:
    """Return since when the clinic's zone is known; None if it isn't yet, or is about to change.

    No slot of a job is considered before that, because 8:00 has no meaning without a zone.
    """
    here = session.get_one(Installation, 1)
    return here.zone_chosen_at if here.zone in (None, zone.key) else None


def note_first_user(session: Session) -> None:
    """Record that the clinic has its first user, so that its zone is final. Later users change nothing."""
    unknown = update(Installation).where(Installation.zone_chosen_at.is_(None))
    session.execute(unknown.values(zone_chosen_at=clock.now()))


def note_zone(session: Session, zone: ZoneInfo) -> None:
    """Record the zone chosen at the first start. This process uses it after a restart."""
    session.execute(update(Installation).values(zone=zone.key, zone_rules=None))


def note_served_at(session: Session, url: str) -> None:
    """Record the address of the running service, for anyone who starts a second one."""
    session.execute(update(Installation).values(served_at=url))


def note_tick(session: Session) -> None:
    """Record the scheduler's heartbeat, if the clock isn't in doubt."""
    session.execute(update(Installation).values(ticked_at=clock.now()))


def clock_in_doubt(session: Session) -> datetime | None:
    """Return when the scheduler last ticked if that's so far from now, ahead or back, that the clock may be wrong.

    Until the clock is corrected or an administrator confirms it, nothing runs or is sent automatically.
    """
    last = session.get_one(Installation, 1).ticked_at
    return last if last is not None and abs(clock.now() - last) > FAR else None


def confirm_clock(session: Session, actor: Actor) -> None:
    """Confirm that the clock is right. Raises Forbidden."""
    if actor.role != Role.ADMIN:
        raise Forbidden(_("Only an administrator can confirm the clock."))
    if clock_in_doubt(session) is not None:
        note_tick(session)
        audit.record(session, actor, "clock.confirm")


def note_check(session: Session) -> None:
    """Record a readiness check, which shows that the database can be written.

    Writes only once every ten seconds, so that checks don't keep the disk busy.
    """
    now, seen = clock.now(), Installation.checked_at
    stale = or_(seen.is_(None), seen < now - CHECK_EVERY, seen > now)
    session.execute(update(Installation).where(stale).values(checked_at=now))


def ticked_at(session: Session) -> datetime | None:
    """Return when the scheduler last ticked."""
    return session.scalar(select(Installation.ticked_at))


def served_at(session: Session) -> str | None:
    """Return the address of the last start."""
    return session.scalar(select(Installation.served_at))
