"""Old addresses of pages, so that bookmarks and links in notes keep working."""

from collections.abc import Mapping
from string import punctuation
from urllib.parse import quote

from flask import Blueprint, redirect, request
from flask.typing import ResponseReturnValue

from service.http.access import ANYONE

MOVED: Mapping[str, str] = {"/waiting-list": "/waitlist"}
"""Old path -> new path, each with everything below it."""
blueprint = Blueprint("moved_pages", __name__)


def follow(old: str, rest: str = "") -> ResponseReturnValue:
    """Redirect to a page's new address, which decides who may open it; a form is sent there again."""
    path = f"{MOVED[old]}/{quote(rest)}" if rest else MOVED[old]
    query = quote(request.query_string, safe=punctuation)
    return redirect(f"{path}?{query}" if query else path, 308)


for path in MOVED:
    for rule in (path, f"{path}/<path:rest>"):
        blueprint.add_url_rule(rule, view_func=follow, defaults={"old": path}, methods=["GET", "POST"])

BLUEPRINTS = (blueprint,)
ACCESS = {"moved_pages.follow": ANYONE}
