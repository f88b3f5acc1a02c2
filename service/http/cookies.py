"""The cookie with a random token that names a sign-in session row, and that form tokens are derived from; and the one
by which a browser is known that somebody has signed in with.

Flask-WTF keeps its CSRF secret in `flask.session`; here that is computed from the cookie's token with our key,
so nothing is stored for visitors, and signing in (a new token) makes a new secret.
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
"""Paths below belong to other programs: a cookie says nothing there, and none is set."""
MARK = 12
"""So many digits of the clinic's id tell its cookies from another's."""
_token = re.compile(r"[A-Za-z0-9_-]{43}").fullmatch


class BrowserSession(dict[str, Any], SessionMixin):
    """What `flask.session` is: the token, and the CSRF secret derived from it."""

    def __init__(self, token: str, key: bytes, *, known: bool, renamed: bool = False, known_by: str = "") -> None:
        super().__init__()
        self._key = key
        self.token = token
        self.known = known
        """Whether the browser sent this token itself."""
        self.renamed = renamed
        """Whether it did so under the name that the cookies of all clinics had."""
        self.used = False
        self.known_by = known_by
        """What shows that somebody has signed in with this browser; empty where nobody has."""
        self.is_remembered = False
        """Whether it is to show something else from now on."""
        self._derive()

    def renew(self, token: str) -> None:
        """Go on under a token that was just made; the browser gets it with this response."""
        self.token, self.known, self.used = token, False, True
        self._derive()

    def remember(self, token: str) -> None:
        """Be known by a token that was just made; nothing changes without one."""
        if token:
            self.known_by, self.is_remembered = token, True

    def _derive(self) -> None:
        self["csrf_token"] = hmac.new(self._key, self.token.encode(), hashlib.sha256).hexdigest()

    def __contains__(self, name: object) -> bool:
        self.used = True
        return super().__contains__(name)

    @property
    def reference(self) -> str:
        """A name for this visitor that may stand on an error page and in the log."""
        return hashlib.sha256(self.token.encode()).hexdigest()[:10] if self.known else "visitor"


class Cookies(SessionInterface):
    """Reads and writes the cookie, under a name of this clinic's own.

    Browsers know hosts and no ports: two clinics on one computer would sign each other's users out.
    """

    def __init__(self, key: bytes, clinic_id: str) -> None:
        self._key = key
        self._mark = f"rounds-{clinic_id[:MARK]}"

    def name(self, request: Request) -> str:
        """The cookie's name; under TLS one that browsers refuse from anywhere but this very host."""
        return self._prefix(request) + self._mark

    def known_name(self, request: Request) -> str:
        """The name of the cookie by which the browser is known."""
        return f"{self.name(request)}-known"

    def notice_name(self) -> str:
        """The name of the cookie that carries a sentence over a redirect."""
        return f"{self._mark}-notice"

    def language_name(self) -> str:
        """The name of the cookie that keeps the language a visitor chose."""
        return f"{self._mark}-language"

    def open_session(self, app: Flask, request: Request) -> BrowserSession:
        """The visitor's session; a fresh token when there is no cookie of ours.

        Whoever signed in while all clinics' cookies had one name goes on, under the new one.
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
        """Send the cookie when the page has a form and the browser does not have the token yet."""
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
