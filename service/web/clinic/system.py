"""The system page: is all well, which versions, how much room, which backups; and a file for the person who helps."""

import io

import wtforms
from flask import Blueprint, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import InputRequired

from service import clock
from service.demo import wipe
from service.domain.clinic import zone_changes
from service.domain.foundation import demo_mark, installation
from service.domain.foundation.errors import Invalid, NotFound
from service.health import last_backup, readiness, system, unfinished
from service.health.health import Check
from service.http import context
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.storage.database import DatabaseError
from service.web import notices
from service.web.forms import Form
from service.web.messages.messages import sending
from service.web.privacy import audit_words

blueprint = Blueprint("system", __name__)


class WipeForm(Form):
    sure = wtforms.BooleanField(
        _l("Delete all made-up people, appointments, and accounts"), [InputRequired(_l("Select this to confirm."))]
    )


@blueprint.get("/system")
def show() -> ResponseReturnValue:
    """Checks, versions, sizes and backups."""
    checks = _checks()
    settings = context.wiring().settings
    return render_template(
        "clinic/system/show.html",
        checks=checks,
        zone_changes=zone_changes.unseen(context.reading()),
        todos=unfinished.todos(context.reading(), settings),
        trouble=context.wiring().restart.trouble,
        system=system.describe(context.reading(), settings),
        size=lambda number: last_backup.size(number, context.formats()),
        sending=sending(),
        backup_on=bool(settings.backup.folder),
        backup_at=settings.backup.at,
        unfinished=system.backup_under_way(context.reading()),
        folder=settings.backups,
        kinds={
            "nightly": _("Scheduled or manual"),
            "before-upgrade": _("Before an upgrade"),
            "before-restore": _("Before a restore"),
            "before-wipe": _("Before the demo clinic was deleted"),
        },
    )


@blueprint.post("/system/clock")
def confirm_clock() -> ResponseReturnValue:
    """The clock was in doubt, and is right."""
    with context.transaction() as session:
        installation.confirm_clock(session, context.actor())
    notices.say("clock_confirmed")
    return redirect(url_for("system.show"), 303)


@blueprint.get("/system/problem.txt")
def problem() -> ResponseReturnValue:
    """A file that tells a helper how the system is, and nothing about patients."""
    checks = _checks()
    text = system.problem_file(context.reading(), context.wiring().settings, checks)
    day = clock.today(context.wiring().settings.clinic.zone)
    made = io.BytesIO(text.encode())
    name = f"rounds-problem-{day}.txt"
    return send_file(made, mimetype="text/plain", as_attachment=True, download_name=name, max_age=0)


@blueprint.get("/system/demo")
def show_demo() -> ResponseReturnValue:
    """Whether the demo clinic may be wiped, or what was entered into it."""
    return _demo_page(WipeForm())


@blueprint.post("/system/demo")
def wipe_demo() -> ResponseReturnValue:
    """Back up the demo clinic, then restart with an empty database."""
    session, form, wiring = context.reading(), WipeForm(request.form), context.wiring()
    if not form.validate():
        return _demo_page(form), 422
    demo_mark.check_may_wipe(session, context.actor())
    try:
        wipe.back_up(wiring.database, wiring.settings)
    except DatabaseError as error:
        form.refuse(Invalid(_("The backup failed, so nothing was deleted: %(why)s") % {"why": error}))
        return _demo_page(form), 422
    wiring.restart.ask(wipe_demo=True)
    notices.say_to_successor("demo_wiped")
    return redirect(url_for("home.home"), 303)


def _demo_page(form: WipeForm) -> str:
    session = context.reading()
    if not installation.is_demo(session):
        raise NotFound
    entered = [(audit_words.act(one.act), one) for one in demo_mark.entered_by_hand(session)]
    return render_template(
        "clinic/system/demo.html", form=form, entered=entered, folder=context.wiring().settings.backups
    )


def _checks() -> list[Check]:
    wiring = context.wiring()
    return readiness.checks(wiring.database, wiring.settings)
