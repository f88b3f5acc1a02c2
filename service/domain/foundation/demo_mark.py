"""Whether a demo clinic still has only made-up people, so that it can be wiped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.domain.foundation import installation
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden
from service.language.translation import gettext as _
from service.storage.models import AuditEntry

ENTERS_NOTHING = frozenset(
    {
        *("session.begin", "session.refused", "session.end", "session.password", "session.prove"),
        *("session.end_others", "session.end_all", "password.reset_asked", "sign_in_link.asked"),
        *("patient.view", "patient.history", "patient.print", "patient.changes", "treatment.view"),
        *("appointment.view", "message.view", "day_sheet.view", "emergency.seen", "access.seen", "audit.download"),
        *("report.make", "report.view", "report.download"),
        *("clinic-report.make", "clinic-report.view", "clinic-report.download"),
        *("export.request", "export.available", "export.write", "export.write_clinic", "export.download"),
        *("export.cancel", "export.revoke"),
        *("job.run", "messages.pause", "messages.resume", "backup.restore", "settings.change"),
        *("token.make", "token.revoke"),
    }
)
"""Audited actions that add no data. Anything else may be about a real person."""


@dataclass(frozen=True)
class Entered:
    """A manual action: how often it was done, and when last."""

    act: str
    count: int
    last_at: datetime


def entered_by_hand(session: Session) -> Sequence[Entered]:
    """Return what people have entered since the demo clinic was created, according to the audit log."""
    rows = session.execute(
        select(AuditEntry.act, func.count(), func.max(AuditEntry.at))
        .where(AuditEntry.act.not_in(ENTERS_NOTHING))
        .group_by(AuditEntry.act)
        .order_by(func.max(AuditEntry.at).desc())
    )
    return [Entered(act, count, last_at) for act, count, last_at in rows]


def check_untouched(session: Session) -> None:
    """Raise Conflict unless this is a demo clinic without any data entered by people."""
    if not installation.is_demo(session):
        raise Conflict(_("This isn't a demo clinic, so it can't be wiped."))
    if entered_by_hand(session):
        raise Conflict(_("Someone has entered data into the demo clinic, so it can't be wiped."))


def check_may_wipe(session: Session, actor: Actor) -> None:
    """Raise Forbidden unless the actor is an administrator, and Conflict if the clinic can't be wiped."""
    if actor.role != Role.ADMIN:
        raise Forbidden(_("Only an administrator can wipe the demo clinic."))
    check_untouched(session)
