"""Which messages patients get: set by themselves in their account, or for them at the desk."""

from typing import Any

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import AnyOf

from service.domain.foundation.actor import Role
from service.domain.foundation.errors import Invalid
from service.domain.patients import consent, patients
from service.http import context
from service.language import message_texts
from service.language.translation import gettext as _
from service.storage.models import ConsentVia, Patient
from service.web import notices
from service.web.forms import Form

blueprint = Blueprint("consent", __name__)
WAYS = {"email": _("E-mail"), "sms": _("SMS")}


class ConsentForm(Form):
    """What is wanted, by which way first, in which language."""

    email = wtforms.BooleanField(_("By e-mail"))
    sms = wtforms.BooleanField(_("By SMS"))
    preferred = wtforms.StringField(_("Which way first"), [AnyOf(WAYS, _("Choose e-mail or SMS."))], default="email")
    language = wtforms.StringField(
        _("Language"), [AnyOf(("", *message_texts.LANGUAGES), _("Choose one of the languages."))], default=""
    )

    def wishes(self) -> dict[str, Any]:
        """What the domain is told."""
        return {name: self[name].data for name in ("email", "sms", "preferred", "language")}

    @property
    def choices(self) -> dict[str, dict[str, str]]:
        """What the two lists offer, by field."""
        return {"preferred": WAYS, "language": {"": _("The clinic's"), **message_texts.LANGUAGES}}


def form_of(patient: Patient) -> ConsentForm:
    """The form as a patient's wishes stand."""
    values = {
        "email": patient.email_allowed,
        "sms": patient.sms_allowed,
        "preferred": patient.preferred_channel,
        "language": patient.language or "",
    }
    return ConsentForm(data=values)


@blueprint.get("/contact")
def mine() -> ResponseReturnValue:
    """The messages to each person one looks after."""
    people = patients.in_care_of(context.reading(), context.actor())
    return render_template("patients/consent/mine.html", people=[(one, form_of(one)) for one in people])


@blueprint.post("/patients/<row_id:patient_id>/consent")
def save(patient_id: int) -> ResponseReturnValue:
    """Something else is wanted from now on."""
    form, actor = ConsentForm(request.form), context.actor()
    if not form.validate():
        raise Invalid(_("Choose one of the values the form offers."))
    own = actor.role == Role.PATIENT
    with context.transaction() as session:
        consent.change(session, actor, patient_id, via=ConsentVia.ACCOUNT if own else ConsentVia.DESK, **form.wishes())
    notices.say("consent_saved")
    return redirect(url_for("consent.mine") if own else url_for("patients.record", patient_id=patient_id), 303)
