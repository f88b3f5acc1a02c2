"""Cookies: the session token, from which form tokens are derived, and the mark of a browser that was signed in before.

Flask-WTF keeps its CSRF secret in `flask.session`. Here, it's computed from the session token and our key: nothing is
stored for visitors, and every sign-in, which makes a new token, changes the secret.
"""

import hashlib
import hmac
import re
from typing import Any

from flask import Flask, Request, Response, request
from flask.sessions import SessionInterface, SessionMixin

from service.domain.accounts import known_browsers
from service.domain.foundation import tokens

API = "/api/"
"""Paths below this one are for API clients: cookies are neither read nor set there."""
MARK = 12
"""How many digits of the clinic's id distinguish its cookies from another clinic's."""
_token = re.compile(r"[A-Za-z0-9_-]{43}").fullmatch


class BrowserSession(dict[str, Any], SessionMixin):
    """The `flask.session`: the token, and the CSRF secret derived from it."""

    def __init__(self, token: str, key: bytes, *, known: bool, renamed: bool = False, known_by: str = "") -> None:
        super().__init__()
        self._key = key
        self.token = token
        self.known = known
        """Whether the browser sent this token itself."""
        self.renamed = renamed
        """Whether it did so under the former name that all clinics shared."""
        self.used = False
        self.known_by = known_by
        """The token of a browser that was signed in before; empty for others."""
        self.is_remembered = False
        """Whether that token has to be sent to the browser."""
        self._derive()

    def renew(self, token: str) -> None:
        """Switch to a new session token, and send it with this response."""
        self.token, self.known, self.used = token, False, True
        self._derive()

    def remember(self, token: str) -> None:
        """Mark the browser as known by a new token. An empty one changes nothing."""
        if token:
            self.known_by, self.is_remembered = token, True

    def _derive(self) -> None:
        self["csrf_token"] = hmac.new(self._key, self.token.encode(), hashlib.sha256).hexdigest()

    def __contains__(self, name: object) -> bool:
        self.used = True
        return super().__contains__(name)

    @property
    def reference(self) -> str:
        """Return a name for this visitor that is safe for error pages and logs."""
        return hashlib.sha256(self.token.encode()).hexdigest()[:10] if self.known else "visitor"


class Cookies(SessionInterface):
    """Reads and writes the cookies, under names of this clinic.

    Cookies ignore ports: with the same names, two clinics on one computer would sign each other's users out.
    """

    def __init__(self, key: bytes, clinic_id: str) -> None:
        self._key = key
        self._mark = f"rounds-{clinic_id[:MARK]}"

    def name(self, request: Request) -> str:
        """Return the name of the session cookie; under TLS, one that browsers accept only from this host."""
        return self._prefix(request) + self._mark

    def known_name(self, request: Request) -> str:
        """Return the name of the cookie that marks a known browser."""
        return f"{self.name(request)}-known"

    def notice_name(self) -> str:
        """Return the name of the cookie that carries a notice across a redirect."""
        return f"{self._mark}-notice"

    def language_name(self) -> str:
        """Return the name of the cookie with the language a visitor chose."""
        return f"{self._mark}-language"

    def open_session(self, app: Flask, request: Request) -> BrowserSession:
        """Return the visitor's session, with a new token if there's no cookie of ours.

        A session under the name that all clinics once shared continues under the new name.
        """
        if request.path.startswith(API):
            return BrowserSession(tokens.new(), self._key, known=False)
        sent = request.cookies.get(self.name(request), "")
        before = request.cookies.get(f"{self._prefix(request)}rounds", "")
        known_by = request.cookies.get(self.known_name(request), "")
        known_by = known_by if _token(known_by) else ""
        if _token(sent):
            return BrowserSession(sent, self._key, known=True, known_by=known_by)
        if _token(before):
            return BrowserSession(before, self._key, known=True, renamed=True, known_by=known_by)
        return BrowserSession(tokens.new(), self._key, known=False, known_by=known_by)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Send the cookie if the page has a form and the browser doesn't have the token yet."""
        if request.path.startswith(API):
            return
        response.vary.add("Cookie")
        assert isinstance(session, BrowserSession)
        settings: dict[str, Any] = {"httponly": True, "samesite": "Lax", "secure": request.is_secure, "path": "/"}
        if (session.used and not session.known) or session.renamed:
            response.set_cookie(self.name(request), session.token, **settings)
        if session.is_remembered:
            response.set_cookie(self.known_name(request), session.known_by, max_age=known_browsers.LASTS, **settings)

    @staticmethod
    def _prefix(request: Request) -> str:
        return "__Host-" if request.is_secure else ""
