"""Budgets for what costs the processor or the disk much: counted in memory, by each process for itself.

A row in the database for each search would cost as much as the search. What is used grows back evenly, so a budget of
60 per minute gives one per second to the person who has used it up.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from threading import Lock

from service import clock
from service.domain.foundation import throttle
from service.domain.foundation.errors import Throttled
from service.domain.foundation.throttle import BUDGETS, WIDER, Act
from service.language.translation import gettext as _

MOST = 10_000
"""Accounts and networks that are counted; anyone who was here longest ago is forgotten first."""


@dataclass
class _Used:
    amount: float
    at: datetime


class Meter:
    """What has been used of the budgets of costly requests."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._used: OrderedDict[str, _Used] = OrderedDict()

    def spend(self, act: Act, *, account: object = None, network: str | None = None) -> None:
        """Count an act before it is done. Raises Throttled when its account or its network has used its budget up."""
        wait = self._take(act, throttle.limits(act, account, None, network), 1)
        if wait:
            raise Throttled(_("You asked for this very often. Wait a moment, then try again."), ceil(wait))

    def has_room(self, act: Act, amount: int, *, network: str) -> bool:
        """Use an amount of a network's budget, if it is there; else nothing is used.

        Those of whom only the proxy is known share one, four times as large.
        """
        shared = {f"{act}:unnamed": (BUDGETS[act].network or 0) * WIDER}
        return not self._take(act, throttle.limits(act, None, None, network) or shared, amount)

    def _take(self, act: Act, limits: dict[str, int], amount: int) -> float:
        """The seconds until there would be room for it; 0 when there is, and then it is used."""
        now, window, wait = clock.now(), BUDGETS[act].window.total_seconds(), 0.0
        with self._lock:
            after = {key: self._still_used(key, now, limit / window) + amount for key, limit in limits.items()}
            for key, limit in limits.items():
                wait = max(wait, (after[key] - limit) * window / limit)
            if wait == 0:
                self._used.update((key, _Used(used, now)) for key, used in after.items())
                for key in after:
                    self._used.move_to_end(key)
                while len(self._used) > MOST:
                    self._used.popitem(last=False)
        return wait

    def _still_used(self, key: str, now: datetime, per_second: float) -> float:
        """What has not grown back yet; of a clock that went back nothing is expected."""
        used = self._used.get(key)
        if used is None:
            return 0.0
        return max(0.0, used.amount - max(0.0, (now - used.at).total_seconds()) * per_second)
