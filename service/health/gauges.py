"""Metrics for monitoring: counts by state, without anything about people."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from service.domain.foundation import installation
from service.domain.messages import deliveries
from service.storage.models import Export, JobRun, Message, RunStatus

Status = TypeVar("Status", bound=str)


@dataclass(frozen=True)
class Gauges:
    """Counts by status, and times."""

    messages: dict[str, int]
    exports: dict[str, int]
    runs: dict[str, int]
    done_at: dict[str, datetime]
    """Job -> when it last ran successfully."""
    oldest_due_at: datetime | None
    ticked_at: datetime | None


def read(session: Session) -> Gauges:
    """Read the current values."""
    done = select(JobRun.job, func.max(JobRun.finished_at)).where(JobRun.status == RunStatus.DONE).group_by(JobRun.job)
    return Gauges(
        messages=_by(session, Message.status),
        exports=_by(session, Export.status),
        runs=_by(session, JobRun.status),
        done_at={job: at for job, at in session.execute(done) if at is not None},
        oldest_due_at=deliveries.oldest_due(session),
        ticked_at=installation.ticked_at(session),
    )


def _by(session: Session, status: InstrumentedAttribute[Status]) -> dict[str, int]:
    query = select(status, func.count()).group_by(status)
    return {row[0]: row[1] for row in session.execute(query)}
