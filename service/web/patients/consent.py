"""Message preferences: patients set them in their account, reception on the patient's page."""

from collections.abc import Mapping

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import AnyOf

from service.domain.foundation.actor import Role
from service.domain.foundation.errors import Invalid
from service.domain.outbox.channels import CHANNELS, WAYS, Kind
from service.domain.patients import consent, patients
from service.domain.patients.consent import Wishes
from service.http import context
from service.language import catalogs
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.storage.models import Channel, ConsentVia, Patient
from service.web import notices
from service.web.forms import Form

blueprint = Blueprint("consent", __name__)
TITLES: Mapping[str, str] = {way: CHANNELS[way].title for way in WAYS}


class ConsentForm(Form):
    """The preferred channel and language. Each channel also has a checkbox, added below."""

    preferred = wtforms.StringField(
        _l("Preferred method"), [AnyOf(TITLES, _l("Choose e-mail or SMS."))], default=Channel.EMAIL
    )
    language = wtforms.StringField(_l("Language"), default="")

    def wishes(self) -> Wishes:
        """Return the form as a domain request."""
        return Wishes({way: self[way].data for way in WAYS}, self.preferred.data, self.language.data)

    @property
    def boxes(self) -> list[tuple[Kind, wtforms.Field]]:
        """Return the channels, each with its checkbox."""
        return [(CHANNELS[way], self[way]) for way in WAYS]

    @property
    def choices(self) -> Mapping[str, Mapping[str, str]]:
        """Return the choices of the two lists, by field."""
        return {"preferred": TITLES, "language": {"": _("Clinic's language"), **catalogs.names()}}


for _way in WAYS:
    setattr(ConsentForm, _way, wtforms.BooleanField(CHANNELS[_way].wish))


def form_of(patient: Patient) -> ConsentForm:
    """Return the form with a patient's current preferences."""
    allowed: dict[str, bool] = {way: CHANNELS[way].is_allowed_by(patient) for way in WAYS}
    return ConsentForm(data={**allowed, "preferred": patient.preferred_channel, "language": patient.language or ""})


@blueprint.get("/contact")
def mine() -> ResponseReturnValue:
    """Show the preferences of each patient the user is a guardian of."""
    people = patients.in_care_of(context.reading(), context.actor())
    return render_template("patients/consent/mine.html", people=[(one, form_of(one)) for one in people])


@blueprint.post("/patients/<row_id:patient_id>/consent")
def save(patient_id: int) -> ResponseReturnValue:
    """Save the preferences of a patient."""
    form, actor = ConsentForm(request.form), context.actor()
    if not form.validate():
        raise Invalid(_("Choose one of the options on the form."))
    own = actor.role == Role.PATIENT
    with context.transaction() as session:
        consent.change(session, actor, patient_id, form.wishes(), ConsentVia.ACCOUNT if own else ConsentVia.DESK)
    notices.say("consent_saved")
    return redirect(url_for("consent.mine") if own else url_for("patients.record", patient_id=patient_id), 303)
