"""Check that a form was sent from one of our own pages, with a separate error for each reason.

Flask-WTF compares the form token afterwards.
"""

from flask import request
from werkzeug.exceptions import BadRequest

from service.http import origins
from service.http.cookies import BrowserSession
from service.language.translation import gettext as _


class NotOurForm(BadRequest):
    """The form didn't come from one of our pages, or is incomplete."""


def check(browser: BrowserSession, public_url: str) -> None:
    """Raise NotOurForm for a form from another site (under TLS), without its token, or without our cookie."""
    if request.is_secure:
        _check_page(public_url)
    if not request.form.get("csrf_token"):
        raise NotOurForm(
            _("This form was sent without its security token. Open the page again and send it from there.")
        )
    if not browser.known:
        raise NotOurForm(
            _("Your browser didn't send our cookie. Allow cookies for this site, then open the page again.")
        )


def _check_page(public_url: str) -> None:
    """Check the page in the Origin header, or in Referer if Origin is missing or hidden."""
    page = request.headers.get("Origin", "null")
    if page == "null":
        page = request.headers.get("Referer", "")
    if not page:
        raise NotOurForm(
            _("Your browser didn't say which page this form came from. Allow it to send the Origin or Referer header.")
        )
    ours = {found for found in map(origins.origin, (request.host_url, public_url)) if found and found[0] == "https"}
    if origins.origin(page) not in ours:
        raise NotOurForm(_("This form was sent from another site. Open it here and send it again."))
