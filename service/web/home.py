"""The front door: everybody to the page they work on."""

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from service import context
from service.domain import users
from service.domain.actor import Role

blueprint = Blueprint("home", __name__)

HOMES = {
    Role.ADMIN: "dashboard.dashboard",
    Role.RECEPTIONIST: "today.board",
    Role.DOCTOR: "today.board",
    Role.PATIENT: "appointments.index",
}


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """To the role's home, to sign-in, or to setup while nobody exists."""
    visitor = context.visitor()
    if visitor is not None:
        return redirect(url_for(HOMES[visitor.role]), 303)
    first = users.none_exist(context.reading())
    return redirect(url_for("setup.setup" if first else "sessions.sign_in"), 303)
