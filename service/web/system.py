"""The system page: is all well, which versions, how much room, which backups; and a file for whoever helps."""

import io

from flask import Blueprint, render_template, send_file
from flask.typing import ResponseReturnValue

from service import clock, context
from service.jobs import last_backup, readiness, system
from service.jobs.health import Check
from service.translation import gettext as _

blueprint = Blueprint("system", __name__)


@blueprint.get("/system")
def show() -> ResponseReturnValue:
    """Checks, versions, sizes and backups."""
    checks = _checks()
    settings = context.wiring().settings
    return render_template(
        "system/show.html",
        checks=checks,
        system=system.describe(context.reading(), settings),
        size=last_backup.size,
        backup_on=bool(settings.backup.folder),
        folder=settings.backups,
        kinds={
            "nightly": _("by night or by the button"),
            "before-upgrade": _("before an upgrade"),
            "before-restore": _("before a restore"),
            "before-wipe": _("before the demo clinic was wiped"),
        },
    )


@blueprint.get("/system/problem.txt")
def problem() -> ResponseReturnValue:
    """A file that tells a helper how the system is, and nothing about patients."""
    checks = _checks()
    text = system.problem_file(context.reading(), context.wiring().settings, checks)
    day = clock.today(context.wiring().settings.clinic.zone)
    made = io.BytesIO(text.encode())
    name = f"rounds-problem-{day}.txt"
    return send_file(made, mimetype="text/plain", as_attachment=True, download_name=name, max_age=0)


def _checks() -> list[Check]:
    wiring = context.wiring()
    return readiness.checks(wiring.database, wiring.settings)
