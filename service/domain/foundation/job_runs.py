"""The ledger of jobs: which slot was opened, which process runs it, and how it ended."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, assert_never

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service import clock
from service.domain.foundation.leases import Leases
from service.domain.foundation.paging import cut, page_key, read_key
from service.language.translation import gettext as _
from service.storage.models import JobRun, RunStatus, RunTrigger

LEASE = timedelta(seconds=60)
LEASES = Leases(JobRun, JobRun.attempt, held=(RunStatus.RUNNING,))
ATTEMPTS = 5
RETRY_AFTER = timedelta(seconds=60)
PAGE = 30
BY_HAND = " by hand "


class RunSkip(StrEnum):
    """Why a slot was recorded without running its job."""

    BEFORE_START = "before_start"
    DAY_IS_OVER = "day_is_over"
    RESTORED = "restored"

    @property
    def words(self) -> str:
        """The reason, as shown on all pages."""
        match self:
            case RunSkip.BEFORE_START:
                return _("was due before this clinic started using Rounds")
            case RunSkip.DAY_IS_OVER:
                return _("skipped because the day was over")
            case RunSkip.RESTORED:
                return _("skipped after a restore because the messages may already have been sent")
            case _:
                assert_never(self)


def why_skipped(run: JobRun) -> RunSkip | None:
    """Return why a run was skipped; None if it wasn't."""
    reason = (run.outcome or {}).get("reason")
    return RunSkip(reason) if reason in set(RunSkip) else None


def open_slot(
    session: Session, job: str, slot: str, *, due_at: datetime, trigger: RunTrigger, skip: RunSkip | None = None
) -> int | None:
    """Insert the run of a slot unless it exists, and return its id if this call created it.

    With `skip`, the run is closed at once with that reason, so that it's visible.
    """
    now = clock.now()
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    values: dict[str, Any] = {
        "job": job,
        "slot": slot,
        "status": RunStatus.SKIPPED if skip else RunStatus.QUEUED,
        "trigger": trigger,
        "lease_until": now,
        "due_at": due_at,
        "created_at": now,
        "finished_at": now if skip else None,
        "outcome": {"reason": skip} if skip else None,
    }
    statement = insert(JobRun).values(**values).on_conflict_do_nothing().returning(JobRun.id)
    return session.execute(statement).scalar_one_or_none()


def open_manual(session: Session, job: str, slot: str, *, due_at: datetime) -> int:
    """Open a run that someone asked for, and return its id.

    It takes the slot if that is due and free, or has failed. Otherwise, it gets its own name, so that a manual run
    never replaces a scheduled one that isn't due yet.
    """
    now = clock.now()
    taken = open_slot(session, job, slot, due_at=due_at, trigger=RunTrigger.MANUAL) if due_at <= now else None
    taken = taken or _reopened(session, job, slot)
    if taken is not None:
        return taken
    name = f"{slot}{BY_HAND}{now:%Y-%m-%dT%H:%M:%S}Z {secrets.token_hex(3)}"
    run = open_slot(session, job, name, due_at=now, trigger=RunTrigger.MANUAL)
    assert run is not None, "a random name is free"
    return run


def _reopened(session: Session, job: str, slot: str) -> int | None:
    failed = and_(JobRun.job == job, JobRun.slot == slot, JobRun.status == RunStatus.FAILED)
    values = {
        "status": RunStatus.QUEUED,
        "trigger": RunTrigger.MANUAL,
        "attempt": 0,
        "lease_until": clock.now(),
        "finished_at": None,
    }
    return session.execute(update(JobRun).where(failed).values(**values).returning(JobRun.id)).scalar_one_or_none()


def leave_out(session: Session, job: str, slot: str, *, due_at: datetime, why: RunSkip) -> None:
    """Record a slot as skipped, unless it was done."""
    if open_slot(session, job, slot, due_at=due_at, trigger=RunTrigger.SCHEDULE, skip=why) is None:
        unfinished = and_(
            JobRun.job == job, JobRun.slot == slot, JobRun.status.in_((RunStatus.QUEUED, RunStatus.RUNNING))
        )
        values = {"status": RunStatus.SKIPPED, "owner": None, "finished_at": clock.now(), "outcome": {"reason": why}}
        session.execute(update(JobRun).where(unfinished).values(**values))


def last_slot(session: Session, job: str) -> str | None:
    """Return the newest slot of a job that was opened by the schedule or by hand."""
    query = select(func.max(JobRun.slot)).where(JobRun.job == job, JobRun.slot.not_like(f"%{BY_HAND}%"))
    return session.execute(query).scalar()


def claim(session: Session, run_id: int, owner: str) -> tuple[str, str] | None:
    """Claim a run, and return (job, slot); None if it's done, claimed, or has failed too often."""
    now = clock.now()
    free = and_(JobRun.id == run_id, _free(now))
    started_at = func.coalesce(JobRun.started_at, now)
    columns = (JobRun.job, JobRun.slot)
    row = LEASES.claim(session, and_(free, JobRun.attempt < ATTEMPTS), owner, LEASE, *columns, started_at=started_at)
    if row is None:
        _fail_exhausted(session, free)
        return None
    return row.job, row.slot


def renew(session: Session, run_id: int, owner: str) -> bool:
    """Extend a claim by another lease. Returns False if it's no longer ours."""
    return LEASES.renew(session, _mine(run_id, owner), LEASE)


def finish(session: Session, run_id: int, owner: str, outcome: Mapping[str, Any]) -> None:
    """Close a run that did its work or had nothing to do (`reason`)."""
    values = {
        "status": RunStatus.SKIPPED if "reason" in outcome else RunStatus.DONE,
        "finished_at": clock.now(),
        "outcome": dict(outcome),
        "last_error": None,
    }
    session.execute(update(JobRun).where(_mine(run_id, owner)).values(**values))


def put_back(session: Session, run_id: int, owner: str, why: str | None = None) -> None:
    """Queue a run again: at once after a stop, or a minute later after an error, which is counted."""
    now = clock.now()
    values: dict[str, Any] = {"status": RunStatus.QUEUED, "owner": None, "lease_until": now}
    if why is None:
        values["attempt"] = JobRun.attempt - 1
    else:
        values |= {"last_error": why, "lease_until": now + RETRY_AFTER}
    session.execute(update(JobRun).where(_mine(run_id, owner)).values(**values))
    _fail_exhausted(session, and_(JobRun.id == run_id, JobRun.status == RunStatus.QUEUED))


def claimable(session: Session) -> Sequence[int]:
    """Return the ids of runs to claim: queued, or with an expired lease; oldest first."""
    return session.scalars(select(JobRun.id).where(_free(clock.now())).order_by(JobRun.id).limit(100)).all()


def release(session: Session, owner_prefix: str) -> None:
    """Release the runs claimed by earlier processes of this kind. Call it when a process starts."""
    LEASES.release(session, owner_prefix)


def latest(session: Session, job: str) -> JobRun | None:
    """Return the job's latest run that wasn't skipped; the latest skipped one if there's no other."""
    query = select(JobRun).where(JobRun.job == job)
    newest = JobRun.id.desc()
    ran = session.scalar(query.where(JobRun.status != RunStatus.SKIPPED).order_by(newest).limit(1))
    return ran or session.scalar(query.order_by(newest).limit(1))


def latest_done(session: Session, job: str) -> JobRun | None:
    """Return the job's latest successful run."""
    query = select(JobRun).where(JobRun.job == job, JobRun.status == RunStatus.DONE, JobRun.finished_at.is_not(None))
    return session.scalar(query.order_by(JobRun.finished_at.desc()).limit(1))


def first_opened_at(session: Session, job: str) -> datetime | None:
    """Return when the job's first slot was opened, as far back as the ledger goes."""
    return session.scalar(select(func.min(JobRun.created_at)).where(JobRun.job == job))


def of_slot(session: Session, job: str, slot: str) -> JobRun | None:
    """Return the run of a slot."""
    return session.scalar(select(JobRun).where(JobRun.job == job, JobRun.slot == slot))


def history(session: Session, before: str | None = None) -> tuple[Sequence[JobRun], str | None]:
    """Return runs, newest first, and the key of the next page."""
    query = select(JobRun).order_by(JobRun.id.desc()).limit(PAGE + 1)
    if before:
        query = query.where(JobRun.id < read_key(before)[1])
    runs = session.scalars(query).all()
    return cut(runs, PAGE, lambda run: page_key(run.created_at, run.id))


def prune(session: Session, keep_days: int) -> None:
    """Remove runs that are older than `keep_days`."""
    oldest = clock.now() - timedelta(days=keep_days)
    session.execute(delete(JobRun).where(JobRun.created_at < oldest, JobRun.finished_at.is_not(None)))


def _fail_exhausted(session: Session, which: ColumnElement[bool]) -> None:
    """Close runs that have been tried too often."""
    values = {"status": RunStatus.FAILED, "finished_at": clock.now()}
    session.execute(update(JobRun).where(which, JobRun.attempt >= ATTEMPTS).values(**values))


def _free(now: datetime) -> ColumnElement[bool]:
    waiting = and_(JobRun.status == RunStatus.QUEUED, JobRun.lease_until <= now)
    return or_(waiting, LEASES.dead(RunStatus.RUNNING, now))


def _mine(run_id: int, owner: str) -> ColumnElement[bool]:
    return and_(LEASES.own(run_id, owner), JobRun.status == RunStatus.RUNNING)
