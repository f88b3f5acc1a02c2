"""Messages: the log with what waits for the desk, one message from plan to answer, and the switch that stops all."""

from typing import Any

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service import clock
from service.domain.foundation import installation
from service.domain.foundation.errors import Invalid, NotFound
from service.domain.messages import call_lists, content_preview, message_log, messages
from service.domain.messages.message_log import Listed
from service.domain.outbox import message_rules
from service.http import context
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.web import notices
from service.web.forms import Form
from service.web.local_times import day_of, valid_row_id

blueprint = Blueprint("messages", __name__)
LONGEST_SEARCH = 200
CAUSES = {
    "schedule": _l("Scheduled"),
    "appointment.book": _l("Appointment booked"),
    "appointment.move": _l("Appointment rescheduled"),
    "appointment.cancel": _l("Appointment canceled"),
    "appointment.undo": _l("Cancellation undone"),
    "appointment.propose": _l("New times suggested"),
    "offer.make": _l("Slot offered"),
    "export.available": _l("Export ready"),
    "report.make": _l("Report ready"),
    "guardian.add": _l("Account linked to a patient record"),
    "emergency.open": _l("Emergency access to a record"),
    "user.add": _l("User added"),
    "user.invite": _l("Invite slip printed"),
    "user.register": _l("Registered"),
    "user.register_again": _l("Registered with a known address"),
    "user.email": _l("E-mail address changed"),
    "user.email_asked": _l("New e-mail address entered"),
    "user.phone": _l("Phone number changed"),
    "user.password": _l("Password changed"),
    "password.reset": _l("Password reset by e-mail"),
    "sign_in_link.asked": _l("Sign-in link requested"),
    "session.refused": _l("Many failed sign-ins"),
    "second_factor.on": _l("Second factor turned on"),
    "second_factor.off": _l("Second factor turned off"),
    "second_factor.reset": _l("Second factor removed"),
}
"""What made the program write a message, by its event; messages of early versions have none."""


class TapForm(Form):
    """One tap: nothing to fill in, only where it stood."""

    back = wtforms.HiddenField()
    date = wtforms.HiddenField()


@blueprint.get("/messages")
def index() -> ResponseReturnValue:
    """The log, newest first: `?state=`, `?rule=`, `?q=` a name or an address."""
    actor, session = context.actor(), context.reading()
    state, rule = request.args.get("state", ""), request.args.get("rule", "")
    text = request.args.get("q", "").strip()[:LONGEST_SEARCH]
    if state not in ("", *Listed) or rule not in ("", *message_rules.RULES):
        raise NotFound
    before = request.args.get("before")
    listed = Listed(state) if state else None
    oldest = valid_row_id(before) if before else None
    page = message_log.page(
        session, actor, state=listed, rule=rule, text=text, order=context.formats().order, before=oldest
    )
    asked: dict[str, Any] = {"state": state or None, "rule": rule or None, "q": text or None}
    return render_template(
        "messages/list.html",
        entries=page.entries,
        older_url=url_for("messages.index", **asked, before=page.older) if page.older else None,
        counts=message_log.counts(session, actor),
        most=message_log.MOST_COUNTED,
        rules=list(message_rules.RULES.values()),
        state=state,
        rule=rule,
        text=text,
        sending=sending(),
    )


@blueprint.get("/messages/<row_id:message_id>")
def show(message_id: int) -> ResponseReturnValue:
    """One message, from what caused it to what the other side answered, with its text."""
    actor, session = context.actor(), context.reading()
    entry = message_log.fetch(session, actor, message_id)
    covered = message_log.covered(session, entry.message)
    text = content_preview.of(session, entry.message, context.wiring().settings)
    with context.transaction_if_possible("message.view") as writing:
        message_log.note_opened(writing, actor, entry)
    months = context.wiring().settings.messages.keep_text_months
    return render_template(
        "messages/show.html",
        entry=entry,
        cause=CAUSES.get(entry.message.event, ""),
        covered=covered,
        text=text,
        text_months=months,
        sending=sending(),
    )


@blueprint.post("/messages/<row_id:message_id>/retry")
def retry(message_id: int) -> ResponseReturnValue:
    """Send a failed message, or one that may be lost, again."""
    form = _tapped()
    with context.transaction() as session:
        messages.send_again(session, context.actor(), message_id)
    return _back(form, message_id, "message_queued")


@blueprint.post("/messages/<row_id:message_id>/holding")
def hold(message_id: int) -> ResponseReturnValue:
    """Keep one message that waits back."""
    form = _tapped()
    with context.transaction() as session:
        messages.hold_back(session, context.actor(), message_id)
    return _back(form, message_id, "message_held")


@blueprint.post("/messages/<row_id:message_id>/holding/removal")
def let_go(message_id: int) -> ResponseReturnValue:
    """Let it go after all."""
    form = _tapped()
    with context.transaction() as session:
        messages.hold_no_longer(session, context.actor(), message_id)
    return _back(form, message_id, "message_let_go")


@blueprint.post("/messages/<row_id:message_id>/call")
def mark_phoned(message_id: int) -> ResponseReturnValue:
    """The patient was told by phone."""
    form = _tapped()
    with context.transaction() as session:
        call_lists.mark_phoned(session, context.actor(), message_id)
    return _back(form, message_id, "message_phoned")


@blueprint.post("/messages/<row_id:message_id>/call/removal")
def unmark_phoned(message_id: int) -> ResponseReturnValue:
    """That was the wrong line."""
    form = _tapped()
    with context.transaction() as session:
        call_lists.unmark_phoned(session, context.actor(), message_id)
    return _back(form, message_id, "message_unphoned")


@blueprint.post("/messages/pause")
def pause() -> ResponseReturnValue:
    """Stop everything that would be sent."""
    _tapped()
    with context.transaction() as session:
        messages.pause(session, context.actor())
    notices.say("messages_paused")
    return redirect(url_for("messages.index"), 303)


@blueprint.post("/messages/pause/removal")
def resume() -> ResponseReturnValue:
    """Go on: what waited is sent now."""
    _tapped()
    with context.transaction() as session:
        messages.resume(session, context.actor())
    notices.say("messages_resumed")
    return redirect(url_for("messages.index"), 303)


@blueprint.post("/messages/release")
def release() -> ResponseReturnValue:
    """Send those that wait now, although all are held."""
    _tapped()
    with context.transaction() as session:
        messages.release_all(session, context.actor())
    notices.say("messages_released")
    return redirect(url_for("messages.index"), 303)


def sending() -> dict[str, object]:
    """Whether and how messages leave just now, for the banner of each of these pages."""
    settings, session = context.wiring().settings, context.reading()
    return {
        "paused_at": messages.paused_at(session),
        "clock_in_doubt": installation.clock_in_doubt(session),
        "now": clock.now(),
        "hold": settings.messages.hold,
        "email": settings.email.enabled,
        "sms": settings.sms.enabled,
    }


def _tapped() -> TapForm:
    form = TapForm(request.form)
    if not form.validate():
        raise Invalid(_("This form was sent with a field it doesn't have."))
    return form


def _back(form: TapForm, message_id: int, notice: str) -> ResponseReturnValue:
    """To the list the button stood in, else to the message."""
    notices.say(notice)
    if form.back.data == "morning":
        return redirect(url_for("call_list.show", date=day_of(form.date.data or "")), 303)
    if form.back.data == "to-do":
        return redirect(url_for("messages.index", state=Listed.TO_DO), 303)
    if form.back.data == "next-run":
        return redirect(url_for("upcoming_reminders.index"), 303)
    return redirect(url_for("messages.show", message_id=message_id), 303)
