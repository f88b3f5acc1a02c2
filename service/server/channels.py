"""Connections: waitress channels with quotas, timeouts, and body limits.

Extends the channel of waitress 3.0.2.
"""

import socket
from contextlib import suppress
from functools import partial
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.task import WSGITask

from service.server import refusals
from service.server.bodies import Question
from service.server.incoming import (
    ANSWER_PACE,
    FIRST_SECONDS,
    IDLE_SECONDS,
    PROXY_IDLE_SECONDS,
    STUCK_SECONDS,
    Pace,
    Request,
)
from service.server.quotas import QuotaExceeded
from service.server.refusals import Refusal
from service.server.turns import Rank, Turn

if TYPE_CHECKING:
    from service.server.listener import Listener

LINGER_SECONDS = 2.0
"""How long a connection stays open after a refusal, so that a client that is still sending sees it."""
THROWN_AWAY = 256 * 1024
"""Bytes to discard per read during that time."""
MOST_LEAVING = 64
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


class Channel(HTTPChannel):
    """One client connection."""

    parser_class = Request
    server: "Listener"
    requests: list[Request]
    request: Request | None
    requests_lock: Lock
    hears = True
    """False while the service is about to restart: the next process answers new requests."""

    def __init__(
        self,
        server: "Listener",
        sock: socket.socket,
        addr: Any,
        adj: Adjustments,
        map: Any = None,
    ) -> None:
        self.peer = str(addr[0])
        self.is_of_proxy = server.connections.is_proxy(self.peer)
        self.turn = Turn(Rank.REFUSED, "")
        self._idle_seconds = PROXY_IDLE_SECONDS if self.is_of_proxy else IDLE_SECONDS
        self._free_since = self._answered_at = monotonic()
        self._has_answered = False
        self._sent = 0
        self._pace = Pace(*ANSWER_PACE)
        self._is_let_go = False
        self._is_refused = False
        self._is_last = False
        self._leaves_at: float | None = None
        super().__init__(server, sock, addr, adj, map=map)
        self._enter()

    # Called by the event loop

    def readable(self) -> bool:
        """Return whether to read now."""
        if self._is_let_go and self.is_stuck:
            self.handle_close()  # the socket isn't writable, so handle_write() won't be called
        if self.socket is None:  # closed in this iteration of the loop; Windows can't select it
            return False
        if self._leaves_at is not None:
            return self.hears
        request = self.request
        is_shut = not self.hears or self._is_let_go or self._is_last or (request is not None and request.asks_for_more)
        return not is_shut and super().readable()

    def writable(self) -> bool:
        """Return whether there is anything to write or close."""
        return self.socket is not None and (self._is_let_go or bool(super().writable()))

    def handle_read(self) -> None:
        """Read what is there; after a refusal, discard it."""
        if self._leaves_at is None:
            super().handle_read()
        else:
            with suppress(OSError):
                self.recv(THROWN_AWAY)

    def received(self, data: bytes) -> bool:
        """Parse what was read."""
        taken_in = super().received(data)
        self._one_at_a_time()
        self._look_at_request()
        return taken_in

    def handle_write(self) -> None:
        """Send what there is. After a refusal, keep reading for a moment, or the client would never see it."""
        if self._is_let_go:
            self._is_let_go = False
            self._end_waiting()
        elif self._is_refused and self.close_when_flushed and not self.total_outbufs_len:
            self._linger()
        else:
            super().handle_write()
            if self.is_of_proxy:
                self._free_for_proxy()

    def send_continue(self) -> None:
        """Queue `100 Continue`. The loop sends it, because a worker thread must not close the connection."""
        if self.request is None:
            return
        self.request.expect_continue = self.request.completed = False
        with self.outbuf_lock:
            if self.connected:
                self.outbufs[-1].append(GO_ON)
                self.current_outbuf_count += len(GO_ON)
                self.total_outbufs_len += len(GO_ON)
                self.sent_continue = True

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send some data and return how many bytes were sent."""
        sent = super().send(data, do_close)
        self._sent += sent
        self._free_since = monotonic()
        return sent

    def service(self) -> None:
        """Answer the next request, in a worker thread."""
        self._sent, self._pace = 0, Pace(*ANSWER_PACE)
        self._is_refused = self.requests[0].error is not None
        if isinstance(refusal := self.requests[0].error, Refusal):
            self.server.connections.tally.count(refusal)
        super().service()
        self._has_answered = True
        self._free_since = self._answered_at = monotonic()
        if self._is_last and not self.requests:
            self.close_when_flushed = True
            self.server.pull_trigger()
        self._note_size()
        if self.is_of_proxy:
            self._free_for_proxy()

    def del_channel(self, map: Any = None) -> None:
        """Release everything the closed connection held."""
        super().del_channel(map)
        self.server.connections.quotas.release(self)
        with suppress(ValueError):
            self.server.connections.leaving.remove(self)
        if self.request is not None:
            self.request.close()

    # Quotas

    @property
    def may_go(self) -> bool:
        """Return whether it can be closed for another connection: no whole header has arrived."""
        unread = self.request is None or not self.request.headers_finished
        return unread and not self.requests and not self.total_outbufs_len

    @property
    def is_stuck(self) -> bool:
        """Return whether the client has long not read an answer that is ready."""
        is_all_that_is_here = self.request is None and not self.requests
        waits = is_all_that_is_here and bool(self.total_outbufs_len)
        return waits and monotonic() - self._answered_at > STUCK_SECONDS

    @property
    def patience(self) -> tuple[bool, bool, float]:
        """Return the sort key for closing: staff last, idle connections first, then the longest idle one."""
        is_between = self.request is None and self._has_answered
        return self.turn.rank is Rank.STAFF, not is_between, self._free_since

    def let_go(self) -> None:
        """Have the loop close it, because another connection takes its place."""
        self._is_let_go = True

    def begin_turn(self) -> None:
        """Choose the queue in which the next request waits for a thread."""
        request = self.requests[0]
        if self.is_of_proxy and not request.error and not request.is_admitted:
            try:
                self._admit(request)
            except QuotaExceeded as full:
                request.refuse(self.server.connections.refusal(full))
        self.turn = self.server.connections.turn(self.peer, request)

    def refuse(self, refusal: Refusal) -> None:
        """Refuse the request that is arriving, whole or not."""
        with self.requests_lock:
            request = self.request or Request(self.adj)
            request.refuse(refusal)
            self._is_read(request)

    def _may_bring(self, request: Request, most: int) -> None:
        """Set the body limit that a worker thread found for a waiting request."""
        with self.requests_lock:
            if request is self.request:
                request.may_have(most)
                if request.completed:
                    self._is_read(request)
                elif request.expect_continue and not self.requests:
                    self.send_continue()
        self.server.pull_trigger()

    # Timeouts

    def keep_time(self, now: float) -> None:
        """Close the connection, or refuse a partial request, after a timeout."""
        request = self.request
        if self._leaves_at is not None:
            if now > self._leaves_at:
                self.handle_close()
        elif self.requests or self.will_close or self.close_when_flushed:
            return
        elif self.total_outbufs_len:
            if self._pace.is_too_slow(self._sent, now):
                self.handle_close()
        elif request is not None:
            if request.is_overdue(now, self._free_since + self._idle_seconds):
                self.refuse(refusals.too_slow())
        elif now - self._free_since > (self._idle_seconds if self._has_answered else FIRST_SECONDS):
            self.handle_close()

    # Connecting and disconnecting

    def _enter(self) -> None:
        """Count the new connection before anything is read, or refuse it if a quota is used up."""
        quotas = self.server.connections.quotas
        try:
            if self.is_of_proxy:
                quotas.admit_proxy(self)
            else:
                quotas.admit(self, self.peer)
        except QuotaExceeded as full:
            self._leave()
            self.refuse(self.server.connections.refusal(full))

    def _end_waiting(self) -> None:
        """Close a connection that lost its place. A partial request is refused; a whole one still gets its answer."""
        with self.requests_lock:
            is_cut_off = not self.requests and (not self.total_outbufs_len or self.is_stuck)
            if not is_cut_off:  # it arrived at the last moment
                self._is_last = True
                self.close_when_flushed = self.close_when_flushed or not self.requests
        if not is_cut_off:
            self._leave()
        elif self.request is None:
            self.handle_close()
        else:
            self._leave()
            self.refuse(refusals.too_crowded())

    def _linger(self) -> None:
        self.close_when_flushed = False
        if self.socket is not None:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
        self._leaves_at = monotonic() + LINGER_SECONDS
        self._leave()

    def _leave(self) -> None:
        """Stop counting the connection. If too many are closing, cut off the oldest one."""
        connections = self.server.connections
        connections.quotas.release(self)
        if self not in connections.leaving:
            connections.leaving.append(self)
        if len(connections.leaving) > MOST_LEAVING:
            connections.leaving[0].handle_close()

    def _free_for_proxy(self) -> None:
        """After an answer, count this proxy connection for no client until its next request."""
        with self.requests_lock:
            is_under_way = self.requests or self.request is not None or self.total_outbufs_len
            is_leaving = self._is_let_go or self._is_last or self.close_when_flushed or not self.connected
            if is_under_way or is_leaving:
                return
            try:
                self.server.connections.quotas.admit_proxy(self)
            except QuotaExceeded:
                self.close_when_flushed = True
                self.server.pull_trigger()

    # Reading requests

    def _one_at_a_time(self) -> None:
        """Drop pipelined requests, each of which could hold a file open until its turn.

        The connection closes after the current answer, so the client knows to resend them. Browsers and proxies don't
        pipeline.
        """
        with self.requests_lock:
            if self.requests and (len(self.requests) > 1 or self.request is not None):
                for request in (*self.requests[1:], self.request):
                    if request is not None:
                        request.close()
                self.requests[1:], self.request, self._is_last = [], None, True

    def _look_at_request(self) -> None:
        """Count the next request for its client, and ask for its body limit if it needs one."""
        request = self.request
        if self.is_of_proxy and request is not None and request.headers_finished and not self.requests:
            try:
                if not request.is_admitted:
                    self._admit(request)
            except QuotaExceeded as full:
                self.refuse(self.server.connections.refusal(full))
                return
        self._note_size()
        if request is not None and request.asks_for_more and not request.is_asked_for:
            request.is_asked_for = True
            turn = self.server.connections.turn(self.peer, request)
            environ = WSGITask(self, cast(Any, request)).get_environment()
            answered = partial(self._may_bring, request)
            self.server.add_task(Question(turn, environ, self.server.application, answered))

    def _admit(self, request: Request) -> None:
        """Count the connection for the client whose request the proxy brings. Raises QuotaExceeded."""
        self.server.connections.quotas.admit(self, self.server.connections.client(self.peer, request))
        request.is_admitted = True
        self._is_let_go = False  # what it lost was the place of an idle proxy connection

    def _note_size(self) -> None:
        with self.requests_lock:
            here = [*self.requests, *([self.request] if self.request is not None else [])]
            size = sum(request.size for request in here)
        try:
            self.server.connections.quotas.note_bytes(self, size)
        except QuotaExceeded as full:
            if self.request is not None:
                self.refuse(self.server.connections.refusal(full))

    def _is_read(self, request: Request) -> None:
        """Queue a request that is complete or refused, as waitress does after reading one."""
        self.sent_continue = False
        self.request = None
        self.requests.append(request)
        if len(self.requests) == 1:
            self.server.add_task(self)
