"""All who are connected: whose request it is, what place it has, and which line it waits in."""

from collections import deque
from typing import Any

from waitress.parser import HTTPRequestParser

from service.domain.foundation import throttle
from service.http import origins
from service.process.known_clients import KnownClients
from service.process.listening import is_loopback
from service.server import refusals
from service.server.quotas import QuotaExceeded, Quotas
from service.server.refusals import Refusal, Tally
from service.server.turns import Rank, Turn


class Connections:
    """All connections of all listeners: their places, and whose turn it is."""

    def __init__(self, known_clients: KnownClients, trusted_proxy: str) -> None:
        self._known_clients = known_clients
        self._trusted_proxy = origins.bare_address(trusted_proxy)
        self.quotas = Quotas(self._is_reserved)
        self.tally = Tally()
        self.leaving: deque[Any] = deque()
        """Have their answer, and hold no place any more."""

    def is_proxy(self, peer: str) -> bool:
        """Whether a connection comes from the trusted proxy, so that each request on it has a client of its own."""
        return bool(self._trusted_proxy) and origins.bare_address(peer) == self._trusted_proxy

    def client(self, peer: str, request: HTTPRequestParser) -> str:
        """The address that a request counts for; empty for one that only the proxy knows."""
        return origins.client(peer, request.headers.get("X_FORWARDED_FOR", ""), self._trusted_proxy)

    def turn(self, peer: str, request: HTTPRequestParser) -> Turn:
        """The line that a request waits in: its browser's where that is signed in, else its client's network's.

        The requests of clients whom only the proxy knows have a line each.
        """
        if request.error:
            return Turn(Rank.REFUSED, "")
        browser = self._known_clients.browser(request.headers.get("COOKIE", ""))
        if browser is not None:
            return Turn(Rank.STAFF if browser.is_staff else Rank.OTHERS, browser.key)
        client = self.client(peer, request)
        return Turn(Rank.OTHERS, next(iter(throttle.networks(client)), client) or f"request {id(request)}")

    def refusal(self, full: QuotaExceeded) -> Refusal:
        """How somebody is refused for whom there is no room."""
        return refusals.too_many() if full.is_own else refusals.too_crowded()

    def _is_reserved(self, address: str) -> bool:
        return is_loopback(address) or self._known_clients.is_staffed(address)
