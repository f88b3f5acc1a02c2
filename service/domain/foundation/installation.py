"""This installation itself: whether it is a demo clinic, where it is being served, whether its clock can be right."""

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
"""Longer than a clinic is closed; a clock that is wrong is mostly wrong by a year or more."""
CHECK_EVERY = timedelta(seconds=10)
SHOWN_ACCOUNTS = ("admin@demo.example", "reception@demo.example", "doctor1@demo.example", "patient1@demo.example")


def is_demo(session: Session) -> bool:
    """Whether the demo mark stands: all people here are made up."""
    return session.scalar(select(Installation.demo_at)) is not None


def clinic_id(session: Session) -> str:
    """The random id of this clinic: the same for as long as its database lives, wherever that is kept or served."""
    return session.execute(select(Installation.clinic_id)).scalar_one()


def demo_accounts(session: Session) -> Sequence[str]:
    """One account of each role of the demo clinic, to show at sign-in; none without the demo mark."""
    if not is_demo(session):
        return []
    return session.scalars(select(User.email).where(User.email_key.in_(SHOWN_ACCOUNTS)).order_by(User.id)).all()


def began_at(session: Session, zone: ZoneInfo) -> datetime | None:
    """Since when the clinic uses Rounds and its zone is known; None while it is not, or is about to change to another.

    No turn of a job is judged before: no one knows yet when eight o'clock is.
    """
    here = session.get_one(Installation, 1)
    return here.zone_chosen_at if here.zone in (None, zone.key) else None


def note_first_user(session: Session) -> None:
    """The clinic has its first user, and with it its zone; later ones change nothing."""
    unknown = update(Installation).where(Installation.zone_chosen_at.is_(None))
    session.execute(unknown.values(zone_chosen_at=clock.now()))


def note_zone(session: Session, zone: ZoneInfo) -> None:
    """The zone that was chosen at the first start, which this process does not use before it starts again."""
    session.execute(update(Installation).values(zone=zone.key, zone_rules=None))


def note_served_at(session: Session, url: str) -> None:
    """Write down the running service's address, for the person who starts a second one."""
    session.execute(update(Installation).values(served_at=url))


def note_tick(session: Session) -> None:
    """Write down that the scheduler ticks, by a clock that is believed."""
    session.execute(update(Installation).values(ticked_at=clock.now()))


def clock_in_doubt(session: Session) -> datetime | None:
    """When the scheduler ticked last, if that is so far from now, before or ahead, that the clock may be wrong.

    Until the clock comes back, or an admin says that it is right, nothing runs or is sent by itself.
    """
    last = session.get_one(Installation, 1).ticked_at
    return last if last is not None and abs(clock.now() - last) > FAR else None


def confirm_clock(session: Session, actor: Actor) -> None:
    """Someone has looked at the clock, and it is right. Raises Forbidden."""
    if actor.role != Role.ADMIN:
        raise Forbidden(_("Only an administrator can confirm the clock."))
    if clock_in_doubt(session) is not None:
        note_tick(session)
        audit.record(session, actor, "clock.confirm")


def note_check(session: Session) -> None:
    """Write down that someone looked whether the service is ready, which shows that the database can be written.

    Asked again within ten seconds nothing is written, so that no one keeps the disk busy by asking.
    """
    now, seen = clock.now(), Installation.checked_at
    stale = or_(seen.is_(None), seen < now - CHECK_EVERY, seen > now)
    session.execute(update(Installation).where(stale).values(checked_at=now))


def ticked_at(session: Session) -> datetime | None:
    """When the scheduler ticked last."""
    return session.scalar(select(Installation.ticked_at))


def served_at(session: Session) -> str | None:
    """The address the service was last started at."""
    return session.scalar(select(Installation.served_at))
