"""This installation itself: whether it is a demo clinic, and where it is being served."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service import clock
from service.models import Installation, User

SHOWN_ACCOUNTS = ("admin@demo.example", "reception@demo.example", "doctor1@demo.example", "patient1@demo.example")


def is_demo(session: Session) -> bool:
    """Whether the demo mark stands: all people here are made up."""
    return session.scalar(select(Installation.demo_at)) is not None


def demo_accounts(session: Session) -> Sequence[str]:
    """One account of each role of the demo clinic, to show at sign-in; none without the demo mark."""
    if not is_demo(session):
        return []
    return session.scalars(select(User.email).where(User.email.in_(SHOWN_ACCOUNTS)).order_by(User.id)).all()


def note_served_at(session: Session, url: str) -> None:
    """Write down the running service's address, for whoever starts a second one."""
    session.execute(update(Installation).values(served_at=url))


def note_tick(session: Session) -> None:
    """Write down that the scheduler ticks."""
    session.execute(update(Installation).values(ticked_at=clock.now()))


def note_check(session: Session) -> None:
    """Write down that somebody looked whether the service is ready: the database can be written."""
    session.execute(update(Installation).values(checked_at=clock.now()))


def ticked_at(session: Session) -> datetime | None:
    """When the scheduler ticked last."""
    return session.scalar(select(Installation.ticked_at))


def served_at(session: Session) -> str | None:
    """The address the service was last started at."""
    return session.scalar(select(Installation.served_at))
