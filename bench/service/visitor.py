"""A browser's worth of HTTP: one kept connection, the cookie, the form token."""

import re
from http.client import HTTPConnection
from time import perf_counter
from urllib.parse import urlencode

from bench.data.clinics import PASSWORD

COOKIE = "rounds"
"""The name of the session's cookie without the mark of a clinic, which the service understands as well."""
_session = re.compile(r"rounds(-[0-9a-f]+)?").fullmatch


class Visitor:
    """Someone at the service, signed in when an e-mail or a session's token is given."""

    def __init__(self, port: int, email: str | None = None, *, token: str = "") -> None:
        self.token = token
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._connection.connect()
        if email is not None:
            self.post("/sign-in", email=email, password=PASSWORD, form="/sign-in")

    def get(self, path: str, expected: int = 200) -> str:
        """The page at a path."""
        self._connection.request("GET", path, headers=self._headers())
        return self._read(path, expected)[0]

    def timed(self, path: str) -> float:
        """How many seconds a page takes."""
        start = perf_counter()
        self.get(path)
        return perf_counter() - start

    def form_token(self, page: str) -> str:
        """The form token of a page."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get(page))
        assert found is not None, f"{page} has no form"
        return found[1]

    def post(self, path: str, *, form: str, **fields: str) -> str:
        """Send a form that stands on the page `form`; returns where the answer leads."""
        return self.press(path, {"csrf_token": self.form_token(form), **fields})

    def press(self, path: str, fields: dict[str, str]) -> str:
        """Send a form whose token is known; returns where the answer leads."""
        headers = {**self._headers(), "Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request("POST", path, urlencode(fields), headers)
        return self._read(path, 303)[1]

    def another(self) -> "Visitor":
        """The same person through one connection more."""
        return Visitor(self._connection.port, token=self.token)

    def close(self) -> None:
        self._connection.close()

    def _headers(self) -> dict[str, str]:
        return {"Cookie": f"{COOKIE}={self.token}"} if self.token else {}

    def _read(self, path: str, expected: int) -> tuple[str, str]:
        answer = self._connection.getresponse()
        body = answer.read().decode()
        assert answer.status == expected, f"{path} answered {answer.status}"
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            if _session(name):
                self.token = value
        return body, answer.headers.get("Location", "")
