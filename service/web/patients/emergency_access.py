"""Emergency access: a doctor enters a name, a birth date, and a reason, and an administrator reviews it later."""

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.foundation.errors import Invalid
from service.domain.patients import emergency_access
from service.http import context
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.web import notices
from service.web.date_fields import BirthDateField
from service.web.forms import Form, at_most, required

blueprint = Blueprint("emergency_access", __name__)


class EmergencyForm(Form):
    name = wtforms.StringField(_l("Full name"), [required(), at_most(200)])
    birth_date = BirthDateField(_l("Birth date"), [required()])
    reason = wtforms.TextAreaField(_l("Reason for access"), [required(), at_most(emergency_access.LONGEST_REASON)])


@blueprint.get("/emergency")
def new() -> ResponseReturnValue:
    """Show the form."""
    return _page(EmergencyForm())


@blueprint.post("/emergency")
def create() -> ResponseReturnValue:
    """Open the record for some hours. A failed attempt is recorded too."""
    form = EmergencyForm(request.form)
    if not form.validate() or form.birth_date.data is None:
        return _page(form), 422
    try:
        with context.transaction() as session:
            found = emergency_access.open_records(
                session,
                context.actor(),
                name=form.name.data or "",
                birth_date=form.birth_date.data,
                reason=form.reason.data or "",
                hours=context.wiring().settings.privacy.emergency_hours,
            )
    except Invalid as error:
        form.refuse(error)
        return _page(form), 422
    if not found:
        form.form_errors = [_("No patient has exactly this name and birth date. Check the spelling, or ask reception.")]
        return _page(form), 422
    notices.say("emergency_opened")
    if len(found) == 1:
        return redirect(url_for("patients.record", patient_id=found[0].id), 303)
    return redirect(url_for("patients.index"), 303)


@blueprint.post("/emergencies/<row_id:access_id>/review")
def mark_seen(access_id: int) -> ResponseReturnValue:
    """Mark an access as reviewed."""
    with context.transaction() as session:
        emergency_access.mark_seen(session, context.actor(), access_id)
    return redirect(url_for("audit.index"), 303)


def _page(form: EmergencyForm) -> str:
    return render_template(
        "patients/emergency_access.html", form=form, hours=context.wiring().settings.privacy.emergency_hours
    )
