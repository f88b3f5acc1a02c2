"""Incoming requests: waitress's parser with a body limit and timeouts."""

from time import monotonic

from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser
from waitress.utilities import RequestEntityTooLarge

from service.app import LARGEST_BODY
from service.server import refusals
from service.server.refusals import Refusal

FIRST_SECONDS = 20.0
"""Timeout of the first byte of a new connection, and of the rest of a header."""
IDLE_SECONDS = 60.0
"""Timeout between two requests."""
PROXY_IDLE_SECONDS = 150.0
"""The same for the trusted proxy: longer than its own keep-alive, or it would send to a closed connection."""
STUCK_SECONDS = 10.0
"""How long an unread answer holds its place before the connection can be closed for another one."""
BODY_PACE = (20.0, 80 * 1024)
ANSWER_PACE = (60.0, 60 * 1024)
"""Seconds and bytes: if fewer bytes are received or sent within them, the connection is closed."""


class Pace:
    """Checks every few seconds that enough bytes are transferred."""

    def __init__(self, seconds: float, least: int) -> None:
        self._seconds, self._least = seconds, least
        self._at, self._had = monotonic(), 0

    def is_too_slow(self, had: int, now: float) -> bool:
        """Return whether fewer than `least` bytes were transferred since the last check; `had` is the total."""
        if now - self._at < self._seconds:
            return False
        too_slow = had - self._had < self._least
        self._at, self._had = now, had
        return too_slow


class Request(HTTPRequestParser):
    """A request while it arrives."""

    def __init__(self, adj: Adjustments) -> None:
        super().__init__(adj)
        self.began = monotonic()
        self.pace = Pace(*BODY_PACE)
        """Of the body; restarts when the body starts."""
        self.most = LARGEST_BODY
        """The limit of the body, in bytes."""
        self.asks_for_more = False
        """Whether the body is larger than that, and its actual limit isn't known yet."""
        self.is_asked_for = False
        self.is_admitted = False
        """Whether the proxy connection already counts for the client of this request."""
        self.expects_word = False
        """Whether the client waits for `100 Continue`."""

    @property
    def size(self) -> int:
        """Bytes received so far."""
        return self.header_bytes_received + self.body_bytes_received

    def received(self, data: bytes) -> int:
        """Parse data and return how many of its bytes belong to this request."""
        knew_header = self.headers_finished
        consumed = super().received(data)
        if self.headers_finished and not knew_header and not self.completed:
            self.pace = Pace(*BODY_PACE)
            self.asks_for_more = self.chunked or self.content_length > self.most
            if self.asks_for_more:
                self.expects_word, self.expect_continue = self.expect_continue, False
        if not self.completed and not self.asks_for_more and self.body_bytes_received > self.most:
            self.refuse(refusals.too_large())
        if isinstance(self.error, RequestEntityTooLarge):
            self.refuse(refusals.too_large())
        return len(data) if self.error else consumed

    def may_have(self, most: int) -> None:
        """Set the actual limit of the body, in bytes."""
        self.most, self.asks_for_more = most, False
        self.pace = Pace(*BODY_PACE)
        if self.content_length > most or self.body_bytes_received > most:
            self.refuse(refusals.too_large())
        else:
            self.expect_continue = self.expects_word

    def refuse(self, refusal: Refusal) -> None:
        """Stop reading and answer with a refusal, also if the client waits for `100 Continue`."""
        self.error, self.completed, self.expect_continue, self.asks_for_more = refusal, True, False, False

    def is_overdue(self, now: float, begins_by: float) -> bool:
        """Return whether the request timed out, on a connection where it had to start by `begins_by`."""
        if not self.headers_finished:
            return now - self.began > FIRST_SECONDS or now - begins_by > FIRST_SECONDS
        return not self.asks_for_more and self.pace.is_too_slow(self.body_bytes_received, now)
