"""The page behind the link in a waitlist offer: accept or decline the slot."""

from collections.abc import Callable
from functools import partial

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.diary import offers
from service.domain.foundation.errors import Conflict, Invalid
from service.domain.messages import message_links
from service.http import context
from service.language.translation import gettext as _
from service.storage.models import LinkPurpose
from service.web import notices
from service.web.forms import Form
from service.web.links import found

blueprint = Blueprint("offer_links", __name__)


@blueprint.get("/offer/<token:token>")
def show(token: str) -> ResponseReturnValue:
    """Show the slot, how long it is held, and two buttons to answer; later, the outcome."""
    return _page(token)


@blueprint.post("/offer/<token:token>/acceptance")
def accept(token: str) -> ResponseReturnValue:
    """Accept the offer and book the appointment."""
    settings = context.wiring().settings
    return _answer(token, partial(offers.accept, rules=settings.booking, zone=settings.clinic.zone))


@blueprint.post("/offer/<token:token>/decline")
def decline(token: str) -> ResponseReturnValue:
    """Decline the offer: the slot is free again, and the patient stays on the waitlist."""
    return _answer(token, offers.decline)


def _answer(token: str, act: Callable[..., object]) -> ResponseReturnValue:
    found(token, LinkPurpose.OFFER)
    if not Form(request.form).validate():
        raise Invalid(_("This form was sent with a field it doesn't have."))
    with context.counting() as session:
        message_links.attempt(session, token)
    try:
        with context.transaction() as session:
            link = message_links.to_act(session, token, LinkPurpose.OFFER)
            offer_id = offers.of_message(session, link.message_id)
            act(session, message_links.patient(link.patient_id, context.address()), offer_id)
    except Invalid as error:
        return _page(token, str(error)), 422
    except Conflict as error:
        return _page(token, str(error)), 409
    if act is offers.decline:
        notices.say("offer_left")
    return redirect(url_for("offer_links.show", token=token), 303)


def _page(token: str, refusal: str | None = None) -> str:
    link, session = found(token, LinkPurpose.OFFER), context.reading()
    offer_id = offers.of_message(session, link.message_id)
    told = offers.told(session, message_links.patient(link.patient_id, context.address()), offer_id)
    return render_template("diary/offer_link.html", token=token, told=told, refusal=refusal)
