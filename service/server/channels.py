"""waitress's connections with limits of ours: who may have one, how long a request may take, how large it may be.

Written for waitress 3.0.2, whose channel and server these classes add to.
"""

import socket
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import Any, cast

import structlog
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import WSGITask

from service.app import LARGEST_BODY
from service.server import bodies, refusals
from service.server.crowd import Crowd
from service.server.incoming import ANSWER_PACE, FIRST_SECONDS, IDLE_SECONDS, Pace, Request
from service.server.places import Full
from service.server.refusals import Refusal
from service.server.turns import Rank, Turn

log = structlog.get_logger()
LINGER_SECONDS = 2.0
"""After a refusal, so that whoever is still sending sees it."""
MOST_LEAVING = 64
ACCEPTED_AT_ONCE = 32


class Question:
    """Asks the application how large a body may be, by a thread, because that may need the database."""

    def __init__(self, channel: "Channel", request: Request, turn: Turn) -> None:
        self.turn = turn
        self._channel, self._request = channel, request

    def service(self) -> None:
        """Ask, and let the connection read on."""
        channel = self._channel
        try:
            environ = WSGITask(channel, cast(Any, self._request)).get_environment()
            most = bodies.asking(environ, channel.server.application)
        except Exception:
            log.exception("a request cannot be looked at before it is read")
            most = LARGEST_BODY
        channel.may_bring(self._request, most)

    def cancel(self) -> None:
        """The service ends."""


class Channel(HTTPChannel):
    """A connection."""

    parser_class = Request
    server: "Listener"
    requests: list[Request]
    request: Request | None
    requests_lock: Lock
    hears = True
    """False while the service is about to begin anew: what is asked now is another's."""

    def __init__(
        self,
        server: "Listener",
        sock: socket.socket,
        addr: Any,
        adj: Adjustments,
        map: Any = None,
    ) -> None:
        self.peer = str(addr[0])
        self.is_of_proxy = server.crowd.is_proxy(self.peer)
        self.turn = Turn(Rank.REFUSED, "")
        self._free_since = monotonic()
        self._has_answered = False
        self._sent = 0
        self._pace = Pace(*ANSWER_PACE)
        self._is_let_go = False
        self._is_refused = False
        self._leaves_at: float | None = None
        super().__init__(server, sock, addr, adj, map=map)
        self._enter()

    # What the loop asks for

    def readable(self) -> bool:
        """Whether anything may be read now."""
        if self._leaves_at is not None:
            return self.hears
        request = self.request
        return self.hears and not self._is_let_go and not (request and request.asks_for_more) and super().readable()

    def writable(self) -> bool:
        """Whether there is anything to write, or to close."""
        return self._is_let_go or bool(super().writable())

    def received(self, data: bytes) -> bool:
        """Take in what was read."""
        if self._leaves_at is not None:
            return False
        taken_in = super().received(data)
        self._look_at_request()
        return taken_in

    def handle_write(self) -> None:
        """Send what there is; after a refusal listen for a moment, or the client would never see it."""
        if self._is_let_go:
            self._is_let_go = False
            self._end_waiting()
        elif self._is_refused and self.close_when_flushed and not self.total_outbufs_len:
            self._linger()
        else:
            super().handle_write()

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send some of it; how many bytes went."""
        sent = super().send(data, do_close)
        self._sent += sent
        self._free_since = monotonic()
        return sent

    def service(self) -> None:
        """Answer the next request, by a thread."""
        self._sent, self._pace = 0, Pace(*ANSWER_PACE)
        self._is_refused = self.requests[0].error is not None
        if isinstance(refusal := self.requests[0].error, Refusal):
            self.server.crowd.tally.count(refusal)
        super().service()
        self._has_answered, self._free_since = True, monotonic()
        self._note_size()
        if self.is_of_proxy:
            self._free_for_proxy()

    def del_channel(self, map: Any = None) -> None:
        """The connection is closed: nothing of it stays."""
        super().del_channel(map)
        self.server.crowd.places.leave(self)
        with suppress(ValueError):
            self.server.crowd.leaving.remove(self)
        if self.request is not None:
            self.request.close()

    # Places

    @property
    def may_go(self) -> bool:
        """Whether it can be closed for the sake of another: no whole header has arrived."""
        unread = self.request is None or not self.request.headers_finished
        return unread and not self.requests and not self.total_outbufs_len

    @property
    def patience(self) -> tuple[bool, float]:
        """Between two requests first, then whoever has been free for longest."""
        return self.request is not None or not self._has_answered, self._free_since

    def let_go(self) -> None:
        """Its place is another's: the loop closes it."""
        self._is_let_go = True

    def begin_turn(self) -> None:
        """The first of the requests that are here is about to wait for a thread."""
        request = self.requests[0]
        if self.is_of_proxy and not request.error and not request.has_place:
            try:
                self._place(request)
            except Full as full:
                request.refuse(self.server.crowd.refusal(full))
        self.turn = self.server.crowd.turn(self.peer, request)

    def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal whatever has arrived so far of a request."""
        with self.requests_lock:
            request = self.request or Request(self.adj)
            request.refuse(refusal)
            self._is_read(request)

    def may_bring(self, request: Request, most: int) -> None:
        """A thread has found out how large the body may be of a request that waits for that."""
        with self.requests_lock:
            if request is self.request:
                request.may_have(most)
                if request.completed:
                    self._is_read(request)
                elif request.expect_continue and not self.requests:
                    self.send_continue()
        self.server.pull_trigger()

    # Time

    def keep_time(self, now: float) -> None:
        """Close it, or refuse what is half here, when that takes too long."""
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
            if request.is_overdue(now, self._free_since):
                self.refuse(refusals.too_slow())
        elif now - self._free_since > (IDLE_SECONDS if self._has_answered else FIRST_SECONDS):
            self.handle_close()

    # Coming and going

    def _enter(self) -> None:
        """Take a place before anything is read, or be told that there is none."""
        places = self.server.crowd.places
        try:
            if self.is_of_proxy:
                places.take_for_proxy(self)
            else:
                places.take(self, self.peer)
        except Full as full:
            self._leave()
            self.refuse(self.server.crowd.refusal(full))

    def _end_waiting(self) -> None:
        """The place was given away: say so where half a request is here."""
        if self.requests:
            self._enter()  # a whole one came at the last moment
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
        """Hold no place any more; of too many who are on their way out, the first one is cut off."""
        crowd = self.server.crowd
        crowd.places.leave(self)
        if self not in crowd.leaving:
            crowd.leaving.append(self)
        if len(crowd.leaving) > MOST_LEAVING:
            crowd.leaving[0].handle_close()

    def _free_for_proxy(self) -> None:
        """Nobody's request is under way on this connection of the proxy until the loop reads another."""
        with self.requests_lock:
            if self.connected and not self.requests and self.request is None:
                try:
                    self.server.crowd.places.take_for_proxy(self)
                except Full:
                    self.will_close = True

    # What is here of a request

    def _look_at_request(self) -> None:
        """Count what is here of the next request, for its client, and ask how much of it may come."""
        request = self.request
        if self.is_of_proxy and request is not None and request.headers_finished and not self.requests:
            try:
                if not request.has_place:
                    self._place(request)
            except Full as full:
                self.refuse(self.server.crowd.refusal(full))
                return
        self._note_size()
        if request is not None and request.asks_for_more and not request.is_asked_for:
            request.is_asked_for = True
            self.server.add_task(Question(self, request, self.server.crowd.turn(self.peer, request)))

    def _place(self, request: Request) -> None:
        """Count the connection for the client whose request the proxy brings. Raises Full."""
        self.server.crowd.places.take(self, self.server.crowd.client(self.peer, request))
        request.has_place = True

    def _note_size(self) -> None:
        with self.requests_lock:
            here = [*self.requests, *([self.request] if self.request is not None else [])]
            size = sum(request.size for request in here)
        try:
            self.server.crowd.places.bring(self, size)
        except Full as full:
            if self.request is not None:
                self.refuse(self.server.crowd.refusal(full))

    def _is_read(self, request: Request) -> None:
        """A request is whole, or refused: waitress does the same where it reads one to its end."""
        self.sent_continue = False
        self.request = None
        self.requests.append(request)
        if len(self.requests) == 1:
            self.server.add_task(self)


class Listener(TcpWSGIServer):
    """A socket that people knock at."""

    channel_class = Channel

    def __init__(self, *args: Any, crowd: Crowd, **more: Any) -> None:
        self.crowd = crowd
        self._looked_at = monotonic()
        super().__init__(*args, **more)

    @property
    def channels(self) -> list[Channel]:
        """Its connections."""
        return list(cast(dict[int, Channel], self.active_channels).values())

    def readable(self) -> bool:
        """Whether newcomers are let in: always, for who may stay is decided then. Looks at the time once a second."""
        now = monotonic()
        if now - self._looked_at >= 1:
            self._looked_at = now
            for channel in self.channels:
                channel.keep_time(now)
            self.crowd.tally.write(now)
        return self.accepting

    def handle_accept(self) -> None:
        """Let some in who wait; waitress takes one at a time, which a crowd outruns."""
        for _turn in range(ACCEPTED_AT_ONCE):
            before = len(self.channels)
            super().handle_accept()
            if len(self.channels) == before:
                return

    def add_task(self, task: Any) -> None:
        """Have a thread answer a connection's next request, or do a question, when it is its turn."""
        if isinstance(task, Channel):
            task.begin_turn()
        super().add_task(task)
