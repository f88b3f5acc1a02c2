"""All connections: which client a request counts for, which quotas it uses, and which queue it waits in."""

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
    """The connections of all listeners, with their quotas and queues."""

    def __init__(self, known_clients: KnownClients, trusted_proxy: str) -> None:
        self._known_clients = known_clients
        self._trusted_proxy = origins.bare_address(trusted_proxy)
        self.quotas = Quotas(self._is_reserved)
        self.tally = Tally()
        self.leaving: deque[Any] = deque()
        """Connections that are closing and no longer count."""

    def is_proxy(self, peer: str) -> bool:
        """Return whether a connection comes from the trusted proxy, where each request has its own client."""
        return bool(self._trusted_proxy) and origins.bare_address(peer) == self._trusted_proxy

    def client(self, peer: str, request: HTTPRequestParser) -> str:
        """Return the address that a request counts for; empty if the proxy didn't pass it on."""
        return origins.client(peer, request.headers.get("X_FORWARDED_FOR", ""), self._trusted_proxy)

    def turn(self, peer: str, request: HTTPRequestParser) -> Turn:
        """Return the queue a request waits in: that of its signed-in browser, or else of its client's network.

        Requests whose client the proxy didn't pass on get a queue each.
        """
        if request.error:
            return Turn(Rank.REFUSED, "")
        browser = self._known_clients.browser(request.headers.get("COOKIE", ""))
        if browser is not None:
            return Turn(Rank.STAFF if browser.is_staff else Rank.OTHERS, browser.key)
        client = self.client(peer, request)
        return Turn(Rank.OTHERS, next(iter(throttle.networks(client)), client) or f"request {id(request)}")

    def refusal(self, full: QuotaExceeded) -> Refusal:
        """Return the refusal for a quota that is used up."""
        return refusals.too_many() if full.is_own else refusals.too_crowded()

    def _is_reserved(self, address: str) -> bool:
        return is_loopback(address) or self._known_clients.is_staffed(address)
