"""A request as it arrives: waitress's parser, with a limit for its body and with an eye on the time."""

from time import monotonic

from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser
from waitress.utilities import RequestEntityTooLarge

from service.app import LARGEST_BODY
from service.server import refusals
from service.server.refusals import Refusal

FIRST_SECONDS = 20.0
"""For the first word on a new connection, and for the rest of a header."""
IDLE_SECONDS = 60.0
"""Between two requests."""
PROXY_IDLE_SECONDS = 150.0
"""The same for the trusted proxy: longer than it keeps a connection itself, or it would ask on a closed one."""
STUCK_SECONDS = 10.0
"""For the client to read an answer, before its place may be given away because nobody else can go."""
BODY_PACE = (20.0, 80 * 1024)
ANSWER_PACE = (60.0, 60 * 1024)
"""Within so many seconds at least so many bytes have to come, or to be read, or the connection ends."""


class Pace:
    """Whether bytes keep coming, looked at every so many seconds."""

    def __init__(self, seconds: float, least: int) -> None:
        self._seconds, self._least = seconds, least
        self._at, self._had = monotonic(), 0

    def is_too_slow(self, had: int, now: float) -> bool:
        """Whether fewer than `least` bytes came since the last look, of which `had` have come in all."""
        if now - self._at < self._seconds:
            return False
        too_slow = had - self._had < self._least
        self._at, self._had = now, had
        return too_slow


class Request(HTTPRequestParser):
    """A request as it arrives."""

    def __init__(self, adj: Adjustments) -> None:
        super().__init__(adj)
        self.began = monotonic()
        self.pace = Pace(*BODY_PACE)
        """Of the body; begins anew with it."""
        self.most = LARGEST_BODY
        """Bytes that the body may have."""
        self.asks_for_more = False
        """Whether that is not enough, and it is not known yet how many there may be."""
        self.is_asked_for = False
        self.is_admitted = False
        """Whether the connection is counted for the client of this request, which a proxy brings."""
        self.expects_word = False
        """Whether the client waits to be told that it may send the body."""

    @property
    def size(self) -> int:
        """Bytes that are here."""
        return self.header_bytes_received + self.body_bytes_received

    def received(self, data: bytes) -> int:
        """Read on; how many bytes of `data` belonged to this request."""
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
        """The body may have so many bytes."""
        self.most, self.asks_for_more = most, False
        self.pace = Pace(*BODY_PACE)
        if self.content_length > most or self.body_bytes_received > most:
            self.refuse(refusals.too_large())
        else:
            self.expect_continue = self.expects_word

    def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal instead of reading on, also where the client waits to be told to go on."""
        self.error, self.completed, self.expect_continue, self.asks_for_more = refusal, True, False, False

    def is_overdue(self, now: float, begins_by: float) -> bool:
        """Whether the rest should be here by now, on a connection where a request has to begin by `begins_by`."""
        if not self.headers_finished:
            return now - self.began > FIRST_SECONDS or now - begins_by > FIRST_SECONDS
        return not self.asks_for_more and self.pace.is_too_slow(self.body_bytes_received, now)
