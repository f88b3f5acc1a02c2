"""Tomorrow's messages: read them, hold or change one, and call those whom none will reach."""

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service import clock
from service.domain.foundation.errors import Invalid
from service.domain.messages import upcoming_reminders
from service.http import context
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.web import notices
from service.web.forms import Form, at_most, required
from service.web.messages.messages import TapForm, sending

blueprint = Blueprint("upcoming_reminders", __name__)
ONE = "/messages/tomorrow/<row_id:appointment_id>/<rule>"


class TextForm(Form):
    """The text of one message."""

    subject = wtforms.StringField(_l("Subject"), [at_most(upcoming_reminders.LONGEST_SUBJECT)])
    body = wtforms.TextAreaField(_l("Text"), [required(), at_most(upcoming_reminders.LONGEST_BODY)])


@blueprint.get("/messages/tomorrow")
def index() -> ResponseReturnValue:
    """What the next run will send."""
    settings = context.wiring().settings
    run = upcoming_reminders.of(context.reading(), settings)
    return render_template(
        "messages/upcoming_reminders.html",
        run=run,
        is_today=run.day == clock.today(settings.clinic.zone),
        sending=sending(),
    )


@blueprint.get(ONE)
def edit(appointment_id: int, rule: str) -> ResponseReturnValue:
    """The form with the text as it will be sent."""
    found = upcoming_reminders.find(context.reading(), context.wiring().settings, appointment_id, rule)
    return _form_page(found, TextForm(subject=found.subject, body=found.body.strip()))


@blueprint.post(ONE)
def save(appointment_id: int, rule: str) -> ResponseReturnValue:
    """Keep the text that someone wrote."""
    form, settings = TextForm(request.form), context.wiring().settings
    if form.validate():
        try:
            with context.transaction() as session:
                texts = {"subject": form.subject.data or "", "body": form.body.data or ""}
                upcoming_reminders.edit(session, context.actor(), appointment_id, rule, settings, **texts)
        except Invalid as error:
            form.refuse(error)
        else:
            notices.say("message_edited")
            return redirect(url_for("upcoming_reminders.index"), 303)
    return _form_page(upcoming_reminders.find(context.reading(), settings, appointment_id, rule), form), 422


@blueprint.post(f"{ONE}/text/removal")
def restore(appointment_id: int, rule: str) -> ResponseReturnValue:
    """Take the usual text again."""
    return _tap(upcoming_reminders.restore, appointment_id, rule, "message_restored")


@blueprint.post(f"{ONE}/holding")
def hold(appointment_id: int, rule: str) -> ResponseReturnValue:
    """Keep a message back."""
    return _tap(upcoming_reminders.hold, appointment_id, rule, "message_held")


@blueprint.post(f"{ONE}/holding/removal")
def let_go(appointment_id: int, rule: str) -> ResponseReturnValue:
    """Let it go with the others after all."""
    return _tap(upcoming_reminders.let_go, appointment_id, rule, "message_let_go")


@blueprint.post(f"{ONE}/call")
def mark_phoned(appointment_id: int, rule: str) -> ResponseReturnValue:
    """Someone whom no message will reach was called."""
    return _tap(upcoming_reminders.mark_phoned, appointment_id, rule, "message_phoned")


def _tap(act: upcoming_reminders.Act, appointment_id: int, rule: str, notice: str) -> ResponseReturnValue:
    if not TapForm(request.form).validate():
        raise Invalid(_("This form was sent with a field it doesn't have."))
    with context.transaction() as session:
        act(session, context.actor(), appointment_id, rule, context.wiring().settings)
    notices.say(notice)
    return redirect(url_for("upcoming_reminders.index"), 303)


def _form_page(found: upcoming_reminders.Expected, form: TextForm) -> str:
    return render_template("messages/edit.html", expected=found, form=form, longest=upcoming_reminders.LONGEST_BODY)
