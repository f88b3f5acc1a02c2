"""Which clients go first under load: signed-in browsers, and addresses where staff were recently active."""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from time import monotonic
from typing import NamedTuple

from service.domain.foundation import throttle

LASTS = 15 * 60.0
"""How many seconds an action counts."""
MOST = 4096
"""How many browsers and addresses to remember; the oldest are dropped."""
COOKIES_READ = 20
"""How many tokens of a Cookie header to look up."""
_tokens = re.compile(r"=([A-Za-z0-9_-]{43})(?=;|\s|$)").finditer


class Browser(NamedTuple):
    """A browser that was signed in at its last request."""

    key: str
    is_staff: bool


class KnownClients:
    """Known clients, stored only in memory and as digests. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._browsers: OrderedDict[str, tuple[float, bool]] = OrderedDict()
        self._addresses: OrderedDict[str, tuple[float, bool]] = OrderedDict()

    def note(self, token: str, address: str, *, is_staff: bool) -> None:
        """Remember a signed-in browser and, for staff, its address, which may be empty."""
        with self._lock:
            _note(self._browsers, _digest(token), is_staff)
        if is_staff:
            self.note_addresses([address])

    def note_addresses(self, addresses: Iterable[str]) -> None:
        """Remember that staff were just active at these addresses."""
        with self._lock:
            for network in filter(None, map(_network, addresses)):
                _note(self._addresses, network, is_staff=True)

    def forget(self, token: str) -> None:
        """Forget a browser that was signed out."""
        with self._lock:
            self._browsers.pop(_digest(token), None)

    def browser(self, cookies: str) -> Browser | None:
        """Return the browser of a Cookie header; None if it's unknown."""
        for found, _at in zip(_tokens(cookies), range(COOKIES_READ), strict=False):
            key = _digest(found[1])
            with self._lock:
                at, is_staff = self._browsers.get(key, (-LASTS, False))
            if monotonic() - at < LASTS:
                return Browser(key, is_staff)
        return None

    def is_staffed(self, address: str) -> bool:
        """Return whether staff were active at an address in the last 15 minutes. IPv6 is compared by /64."""
        with self._lock:
            at, _is_staff = self._addresses.get(_network(address), (-LASTS, False))
        return monotonic() - at < LASTS


def _note(seen: OrderedDict[str, tuple[float, bool]], key: str, is_staff: bool) -> None:
    seen[key] = (monotonic(), is_staff)
    seen.move_to_end(key)
    if len(seen) > MOST:
        seen.popitem(last=False)


def _network(address: str) -> str:
    return next(iter(throttle.networks(address)), "")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
