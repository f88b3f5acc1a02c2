"""The guide for the first day, one for each role."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

blueprint = Blueprint("help", __name__)


@blueprint.get("/help")
def show() -> ResponseReturnValue:
    """Show the guide of the signed-in user's role."""
    return render_template("help/show.html")
