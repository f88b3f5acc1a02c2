"""Limit how much the requests of one network may log, so that a flood can't fill the disk with log lines."""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Lock

import structlog

from service import clock
from service.domain.foundation import throttle
from service.domain.foundation.meter import Meter
from service.domain.foundation.throttle import BUDGETS, Act

log = structlog.get_logger()
MOST = 1000
"""How many networks can have lines left out at once. Beyond that, the oldest gets its summary line early."""


@dataclass
class _LeftOut:
    since: datetime
    lines: int = 0


class LogBudget:
    """Counts log lines that are left out, and logs one summary per network and minute."""

    def __init__(self, meter: Meter) -> None:
        self._meter, self._lock, self._salt = meter, Lock(), secrets.token_bytes(16)
        self._left_out: OrderedDict[str, _LeftOut] = OrderedDict()

    def of(self, address: str) -> Callable[[int], bool]:
        """Return a function that says whether a line of so many characters may be logged for an address."""
        return partial(self._has_room, address)

    def close(self) -> None:
        """Log the summaries that are due."""
        now, window = clock.now(), BUDGETS[Act.LOG].window
        while True:
            with self._lock:
                network = next(iter(self._left_out), None)
                if network is None or (self._left_out[network].since > now - window and len(self._left_out) <= MOST):
                    return
                ended = self._left_out.pop(network)
            log.warning("log lines left out", network=network, lines=ended.lines, since=ended.since.isoformat())

    def _has_room(self, address: str, size: int) -> bool:
        if self._meter.has_room(Act.LOG, size, network=address):
            return True
        with self._lock:
            self._left_out.setdefault(self._name(address), _LeftOut(clock.now())).lines += 1
        return False

    def _name(self, address: str) -> str:
        """Return a pseudonym for a network that hides its address, stable for the life of the process."""
        network = next(iter(throttle.networks(address)), "")
        return hashlib.sha256(self._salt + network.encode()).hexdigest()[:10]
