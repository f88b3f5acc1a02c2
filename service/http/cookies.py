"""The one cookie: a random token that names a sign-in session row, and that form tokens are derived from.

Flask-WTF keeps its CSRF secret in `flask.session`; here that is computed from the cookie's token with our key,
so nothing is stored for visitors, and signing in (a new token) makes a new secret.
"""

import hashlib
import hmac
import re
from typing import Any

from flask import Flask, Request, Response, request
from flask.sessions import SessionInterface, SessionMixin

from service.domain.accounts.sessions import new_token

API = "/api/"
"""Paths below belong to other programs: a cookie says nothing there, and none is set."""
_token = re.compile(r"[A-Za-z0-9_-]{43}").fullmatch


class BrowserSession(dict[str, Any], SessionMixin):
    """What `flask.session` is: the token, and the CSRF secret derived from it."""

    def __init__(self, token: str, key: bytes, *, known: bool) -> None:
        super().__init__()
        self._key = key
        self.token = token
        self.known = known
        """Whether the browser sent this token itself."""
        self.used = False
        self._derive()

    def renew(self, token: str) -> None:
        """Go on under a token that was just made; the browser gets it with this response."""
        self.token, self.known, self.used = token, False, True
        self._derive()

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
    """Reads and writes the cookie."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def name(self, request: Request) -> str:
        """The cookie's name; under TLS one that browsers refuse from anywhere but this very host."""
        return "__Host-rounds" if request.is_secure else "rounds"

    def open_session(self, app: Flask, request: Request) -> BrowserSession:
        """The visitor's session; a fresh token when there is no cookie of ours."""
        sent = "" if request.path.startswith(API) else request.cookies.get(self.name(request), "")
        if _token(sent):
            return BrowserSession(sent, self._key, known=True)
        return BrowserSession(new_token(), self._key, known=False)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Send the cookie when the page has a form and the browser does not have the token yet."""
        if request.path.startswith(API):
            return
        response.vary.add("Cookie")
        assert isinstance(session, BrowserSession)
        if session.used and not session.known:
            response.set_cookie(
                self.name(request), session.token, httponly=True, samesite="Lax", secure=request.is_secure, path="/"
            )
