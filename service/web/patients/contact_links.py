"""Message preferences through the link in a message, and one-click unsubscribe for mail programs."""

from dataclasses import replace

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.messages import message_links
from service.domain.patients import consent
from service.domain.patients.consent import Wishes
from service.http import context
from service.storage.models import Channel, ConsentVia, LinkPurpose
from service.web import notices
from service.web.links import found
from service.web.patients.consent import ConsentForm, form_of

blueprint = Blueprint("contact_links", __name__)


@blueprint.get("/contact/<token:token>")
def show(token: str) -> ResponseReturnValue:
    """Show the form with the current preferences."""
    return _page(token)


@blueprint.post("/contact/<token:token>")
def save(token: str) -> ResponseReturnValue:
    """Save the preferences of everyone the message was for."""
    form = ConsentForm(request.form)
    if not form.validate():
        return _page(token, form), 422
    _change(token, form.wishes())
    notices.say("consent_saved")
    return redirect(url_for("contact_links.show", token=token), 303)


@blueprint.get("/contact/<token:token>/unsubscribe")
def unsubscribed(token: str) -> ResponseReturnValue:
    """Redirect to the form. Mail programs that don't unsubscribe by themselves open this address."""
    found(token, LinkPurpose.CONTACT)
    return redirect(url_for("contact_links.show", token=token), 303)


@blueprint.post("/contact/<token:token>/unsubscribe")
def unsubscribe(token: str) -> ResponseReturnValue:
    """Turn off e-mail with one click in a mail program (RFC 8058). The secret in the URL replaces the form token."""
    _change(token, Wishes({Channel.EMAIL: False}))
    return "", 200


def _change(token: str, wishes: Wishes) -> None:
    found(token, LinkPurpose.CONTACT)
    with context.counting() as session:
        message_links.attempt(session, token)
    with context.transaction() as session:
        link = message_links.to_act(session, token, LinkPurpose.CONTACT)
        wishes = replace(wishes, written_to=message_links.written_to(session, link))
        for patient_id in message_links.told(session, link):
            actor = message_links.patient(patient_id, context.address())
            consent.change(session, actor, patient_id, wishes, ConsentVia.LINK)


def _page(token: str, form: ConsentForm | None = None) -> str:
    link, session = found(token, LinkPurpose.CONTACT), context.reading()
    patients = consent.of_patients(session, message_links.told(session, link))
    return render_template(
        "patients/contact_link.html", token=token, patients=patients, form=form or form_of(patients[0])
    )
