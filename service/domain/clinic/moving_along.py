"""What follows appointments whose instants are recomputed: messages, offers, suggestions, covers, notices."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from service import clock
from service.domain.appointments.promises import Promise
from service.domain.clinic.rederiving import Ahead
from service.domain.foundation.zone_rules import ZoneRules
from service.domain.outbox import calendar_updates
from service.storage.models import Appointment, Cover, Message, MoveProposal, Offer

BATCH = 5_000
MOMENT = "%Y-%m-%dT%H:%M:%SZ"
Moves = Sequence[tuple[Ahead, timedelta]]


def move(session: Session, moves: Moves, zone: ZoneInfo) -> None:
    """Give appointments their new instants, one after the other, and their messages too.

    A message names the start it is about, so that no one is reminded twice of an appointment that only kept its time.
    """
    place = update(Appointment).where(Appointment.id == bindparam("row"))
    waiting = iter(moves)
    while batch := list(islice(waiting, BATCH)):
        rows = [_moved(one, shift, zone) for one, shift in batch]
        session.connection().execute(place.values({name: bindparam(name) for name in rows[0] if name != "row"}), rows)
        _move_messages(session, batch)
        calendar_updates.queue(session, Appointment.id.in_([one.id for one, _shift in batch]))
    session.expire_all()


def _move_messages(session: Session, moves: Moves) -> None:
    """Only for appointments that have any: a statement for each of the others would take as long."""
    ids = [one.id for one, _shift in moves]
    told = set(session.scalars(select(Message.appointment_id).where(Message.appointment_id.in_(ids)).distinct()))
    rows = [
        {"row": one.id, "before": one.starts_at, "now": one.starts_at + shift} for one, shift in moves if one.id in told
    ]
    if rows:
        about = (Message.appointment_id == bindparam("row"), Message.starts_at == bindparam("before"))
        session.connection().execute(update(Message).where(*about).values(starts_at=bindparam("now")), rows)


def _moved(one: Ahead, shift: timedelta, zone: ZoneInfo) -> dict[str, object]:
    return {
        "row": one.id,
        "starts_at": one.starts_at + shift,
        "ends_at": one.ends_at + shift,
        "blocked_from": one.blocked_from + shift,
        "blocked_until": one.blocked_until + shift,
        "local_fold": Promise.of(one.starts_at + shift, zone).local_fold,
    }


def follow(session: Session, before: ZoneRules, zone: ZoneInfo) -> None:
    """Offers that stand, times that were proposed, and covers keep their local times too."""

    def again(instant: datetime) -> datetime:
        wall = before.wall(instant).replace(tzinfo=zone)
        found = wall.astimezone(UTC)
        return found if found.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None) else instant

    now = clock.now()
    for offer in session.scalars(select(Offer).where(Offer.closed_at.is_(None), Offer.starts_at > now)):
        length = offer.ends_at - offer.starts_at
        offer.starts_at = again(offer.starts_at)
        offer.ends_at = offer.starts_at + length
    for proposal in session.scalars(select(MoveProposal).join(Appointment).where(Appointment.starts_at > now)):
        times = [
            {**one, "starts_at": f"{again(_moment(one['starts_at'])):{MOMENT}}"} for one in proposal.times["times"]
        ]
        proposal.times = {"times": times}
    for cover in session.scalars(select(Cover).where(Cover.ends_at > now)):
        cover.starts_at, cover.ends_at = again(cover.starts_at), again(cover.ends_at)
    session.flush()


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")
