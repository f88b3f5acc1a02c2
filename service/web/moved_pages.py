"""Old addresses of pages, so that bookmarks and links in notes keep working."""

from collections.abc import Mapping

from flask import Blueprint, redirect, request
from flask.typing import ResponseReturnValue

from service.http.access import ANYONE

MOVED: Mapping[str, str] = {"/waiting-list": "/waitlist"}
"""Old path -> new path, each with everything below it."""
blueprint = Blueprint("moved_pages", __name__)


def follow(old: str, rest: str = "") -> ResponseReturnValue:
    """Redirect to a page's new address, which decides who may open it."""
    return redirect(MOVED[old] + request.full_path.removeprefix(old).rstrip("?"), 308)


for path in MOVED:
    blueprint.add_url_rule(path, view_func=follow, defaults={"old": path})
    blueprint.add_url_rule(f"{path}/<path:rest>", view_func=follow, defaults={"old": path})

BLUEPRINTS = (blueprint,)
ACCESS = {"moved_pages.follow": ANYONE}
