"""Keeps what patients were promised on the wall clock when the rules of the clinic's zone, or the zone itself, change.

Looked at once at each start, in one transaction: a kill leaves the state before or the one after.
"""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from service import clock
from service.domain.appointments import appointments, promises
from service.domain.appointments.promises import Promise
from service.domain.clinic import moving_along, rederiving
from service.domain.clinic.rederiving import Ahead
from service.domain.foundation import audit, locks
from service.domain.foundation.actor import SYSTEM, Actor, Role
from service.domain.foundation.errors import Forbidden, NotFound
from service.domain.foundation.zone_rules import ZoneRules
from service.language.translation import gettext as _
from service.storage.models import OPEN, TAKES_PLACE, Appointment, Installation, ZoneChange

log = structlog.get_logger()
SHOWN = 10


def keep(session: Session, zone: ZoneInfo, former: ZoneInfo) -> ZoneChange | None:
    """Derive the instants of appointments ahead again if the clinic's zone says otherwise than it did last time.

    `zone` is the clinic's as it is now; `former` is that zone as an earlier version of this program knew it, which
    stored no local times: its rows are read with that. Returns what changed, or None where nothing did.
    """
    here = session.execute(select(Installation).with_for_update()).scalar_one()  # one start at a time
    now = clock.now()
    after = ZoneRules.around(zone.key, zone, now)
    if here.zone is None or here.zone_rules is None:
        before, known = ZoneRules.around(zone.key, former, now), former
    else:
        before, known = ZoneRules.from_json(here.zone, here.zone_rules), zone
    changed = before.zone != after.zone or not before.same_from(after, now)
    if not changed and here.zone_rules is not None:
        return None
    promises.read_by(session, before, and_(Appointment.local_start.is_(None), _open_and_ahead()))
    promises.fill_in(session, known, Appointment.local_start.is_(None))
    change = None
    if changed and here.zone_at_instants == zone.key:
        promises.fill_in(session, zone, _open_and_ahead())
    elif changed:
        change = _derive(session, before, after, zone)
    here.zone, here.zone_rules, here.zone_at_instants = zone.key, after.as_json(), None
    return change


def complete(session: Session, zone: ZoneInfo) -> None:
    """Write down the local times of appointments that another program has put into the database."""
    promises.fill_in(session, zone, Appointment.local_start.is_(None))


def count_ahead(session: Session) -> int:
    """How many appointments a change of the clinic's zone concerns."""
    return session.scalar(select(func.count()).select_from(Appointment).where(_open_and_ahead())) or 0


def keep_instants_in(session: Session, zone: str) -> None:
    """Note that the clinic really moves to a zone: at the next start appointments keep their instants."""
    session.execute(update(Installation).values(zone_at_instants=zone))


def unseen(session: Session) -> Sequence[ZoneChange]:
    """The changes that no one at the desk has dealt with, newest first."""
    query = select(ZoneChange).where(ZoneChange.seen_at.is_(None))
    return session.scalars(query.order_by(ZoneChange.id.desc()).limit(SHOWN)).all()


def left(session: Session, change: ZoneChange) -> Sequence[Appointment]:
    """The appointments that could not keep their local time and are still ahead, soonest first."""
    rows = [int(row_id) for row_id in change.problems]
    query = appointments.with_people().where(Appointment.id.in_(rows), _open_and_ahead())
    return session.scalars(query.order_by(Appointment.starts_at, Appointment.id)).all()


def fetch(session: Session, actor: Actor, change_id: int) -> ZoneChange:
    """A change, for the desk. Raises Forbidden, NotFound."""
    if actor.role not in (Role.ADMIN, Role.RECEPTIONIST):
        raise Forbidden(_("Only reception and administrators can see this."))
    change = session.get(ZoneChange, change_id)
    if change is None:
        raise NotFound
    return change


def mark_seen(session: Session, actor: Actor, change_id: int) -> None:
    """Someone at the desk has dealt with it; twice is once. Raises Forbidden, NotFound."""
    change = fetch(session, actor, change_id)
    if change.seen_at is None:
        change.seen_at, change.seen_by_id = clock.now(), actor.user_id
        audit.record(session, actor, "zone.seen", subject=f"zone-change/{change.id}")


def _derive(session: Session, before: ZoneRules, after: ZoneRules, zone: ZoneInfo) -> ZoneChange | None:
    """Move what has to move, and all that goes with it."""
    locks.patients_of(session, select(Appointment.patient_id).where(_open_and_ahead()).distinct())
    locks.doctors(session)
    ahead = _ahead(session, zone)
    local = {one.id: one.local_start for one in ahead}
    plan = rederiving.plan(ahead)
    session.execute(
        update(Appointment).where(_open_and_ahead()).values(zone=zone.key).execution_options(synchronize_session=False)
    )
    moving_along.move(session, plan.moves, zone)
    promises.fill_in(session, zone, Appointment.id.in_(plan.kept))
    moving_along.follow(session, before, zone)
    if not plan.moves and not plan.kept:
        return None
    change = ZoneChange(
        at=clock.now(),
        zone_before=before.zone,
        zone_after=after.zone,
        kept_local=len(plan.moves),
        problems={str(row_id): {"why": why, "local_start": local[row_id]} for row_id, why in plan.kept.items()},
    )
    session.add(change)
    session.flush()
    told: audit.Changes = {"zone": [before.zone, after.zone], "kept_local": [None, change.kept_local]}
    audit.record(session, SYSTEM, "zone.change", subject=f"zone-change/{change.id}", changes=told)
    log.info("appointments kept their local time", count=change.kept_local, zone=zone.key, left=len(plan.kept))
    return change


def _open_and_ahead() -> ColumnElement[bool]:
    return and_(Appointment.status.in_(OPEN), Appointment.starts_at > clock.now())


def _ahead(session: Session, zone: ZoneInfo) -> list[Ahead]:
    """All that takes place and is not over; what has begun or is completed stays where it is."""
    now = clock.now()
    rows = session.execute(
        select(
            Appointment.id,
            Appointment.doctor_id,
            Appointment.patient_id,
            Appointment.starts_at,
            Appointment.ends_at,
            Appointment.blocked_from,
            Appointment.blocked_until,
            Appointment.overbooked,
            Appointment.status,
            Appointment.local_start,
            Appointment.local_fold,
        ).where(Appointment.status.in_(TAKES_PLACE), Appointment.ends_at > now)
    )
    found = []
    for id_, doctor_id, patient_id, starts_at, ends_at, blocked_from, blocked_until, overbooked, status, *local in rows:
        moves = status in OPEN and starts_at > now and local[0] is not None
        found.append(
            Ahead(
                id=id_,
                doctor_id=doctor_id,
                patient_id=patient_id,
                starts_at=starts_at,
                ends_at=ends_at,
                blocked_from=blocked_from or starts_at,
                blocked_until=blocked_until or ends_at,
                local_start=local[0] or "",
                wanted=_wanted(starts_at, Promise(local[0], local[1] or 0, zone.key), zone) if moves else starts_at,
                overbooked=overbooked,
            )
        )
    return found


def _wanted(starts_at: datetime, promise: Promise, zone: ZoneInfo) -> datetime | None:
    """The instant at which the wall clock shows what was promised, to the second of the present one."""
    instant = promise.instant(zone)
    return instant and instant.replace(second=starts_at.second, microsecond=starts_at.microsecond)
