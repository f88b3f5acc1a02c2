"""The setup steps that an administrator still has to do, each with its page."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from service.config.settings import Clinic, Settings
from service.domain.foundation import installation, job_runs
from service.jobs.make_backup import make_backup
from service.language.translation import gettext as _
from service.process.listening import is_loopback
from service.storage.models import Doctor, DoctorHours


@dataclass(frozen=True)
class Todo:
    """A step, and the page for it."""

    words: str
    link: str
    path: str


def todos(session: Session, settings: Settings) -> list[Todo]:
    """Return the steps, the most important ones first. A demo clinic has none."""
    if installation.is_demo(session):
        return []
    clinic, mail = settings.clinic, settings.email.enabled
    found = []
    if clinic.name == Clinic().name:
        found.append(Todo(_("The clinic has no name yet."), _("Name it"), "/settings/clinic"))
    if not session.scalar(select(exists().where(Doctor.archived_at.is_(None)))):
        found.append(Todo(_("There are no doctors yet."), _("Add one"), "/users/new"))
    elif not session.scalar(select(exists().where(Doctor.archived_at.is_(None), DoctorHours.doctor_id == Doctor.id))):
        found.append(Todo(_("No doctor has hours, so nobody can book."), _("Add hours"), "/doctors"))
    if not mail:
        found.append(Todo(_("E-mail is off, so patients get no reminders."), _("Set up e-mail"), "/settings/mail"))
    elif is_loopback(urlsplit(clinic.public_url).hostname):
        words = _("Links in messages only work on this computer, so patients can't open them.")
        found.append(Todo(words, _("Choose who can reach Rounds"), "/settings/reach"))
    if not settings.backup.folder:
        found.append(Todo(_("No backups are made: [backup] folder is empty."), _("Open backups"), "/system"))
    elif job_runs.latest_done(session, make_backup.__name__) is None:
        found.append(
            Todo(
                _("No backup was made yet. One is made every day at %(at)s.") % {"at": settings.backup.at},
                _("Back up now"),
                "/system",
            )
        )
    return found
