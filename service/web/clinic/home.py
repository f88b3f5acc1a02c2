"""The front door: everyone to the page they work on."""

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from service.domain.accounts import users
from service.domain.foundation.actor import Role
from service.http import context

blueprint = Blueprint("home", __name__)

HOMES = {
    Role.ADMIN: "dashboard.dashboard",
    Role.RECEPTIONIST: "today.board",
    Role.DOCTOR: "today.board",
    Role.PATIENT: "appointments.index",
}


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """To the role's home, to sign-in, or to setup while no one exists."""
    visitor = context.visitor()
    if visitor is not None:
        return redirect(url_for(HOMES[visitor.role]), 303)
    first = users.none_exist(context.reading())
    return redirect(url_for("setup.setup" if first else "sessions.sign_in"), 303)
