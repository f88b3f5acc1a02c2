"""Waitlist offers: whom to call, and the answer."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from service import clock
from service.domain.diary import doctors, offers
from service.domain.foundation.errors import Conflict, Invalid
from service.http import context
from service.web import notices

blueprint = Blueprint("offers", __name__)


@blueprint.get("/offers/<row_id:offer_id>")
def show(offer_id: int) -> ResponseReturnValue:
    """Show whom to call, what to say, and two buttons for the answer."""
    return _page(offer_id)


@blueprint.post("/offers/<row_id:offer_id>/acceptance")
def accept(offer_id: int) -> ResponseReturnValue:
    """Accept the offer and book the appointment."""
    settings = context.wiring().settings
    try:
        with context.transaction() as session:
            visit_id = offers.accept(
                session, context.actor(), offer_id, rules=settings.booking, zone=settings.clinic.zone
            ).id
    except Invalid as error:
        return _page(offer_id, str(error)), 422
    except Conflict as error:
        return _page(offer_id, str(error)), 409
    notices.say("visit_booked")
    return redirect(url_for("appointments.show", appointment_id=visit_id), 303)


@blueprint.post("/offers/<row_id:offer_id>/decline")
def decline(offer_id: int) -> ResponseReturnValue:
    """Decline the offer: the slot is free again, and the patient stays on the waitlist."""
    try:
        with context.transaction() as session:
            offers.decline(session, context.actor(), offer_id)
    except Conflict as error:
        return _page(offer_id, str(error)), 409
    notices.say("offer_declined")
    return redirect(url_for("waitlist.index"), 303)


def _page(offer_id: int, refusal: str | None = None) -> str:
    session = context.reading()
    offer = offers.fetch(session, context.actor(), offer_id)
    return render_template(
        "diary/waitlist/offer.html",
        offer=offer,
        patient=offer.entry.patient,
        visit_type=offer.entry.visit_type,
        doctor=doctors.fetch(session, offer.doctor_id),
        open=offer.closed_at is None and offer.entry.closed_at is None,
        stands=offer.closed_at is None and offer.expires_at > clock.now(),
        visit_id=offer.entry.appointment_id,
        refusal=refusal,
    )
