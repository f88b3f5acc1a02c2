"""Quotas of connections and body bytes per network, with some reserved for this computer and for staff addresses."""

from collections import Counter
from collections.abc import Callable, Mapping
from threading import Lock
from typing import NamedTuple, Protocol

from service.domain.foundation import throttle

MIB = 1024 * 1024
EVERYONE, STRANGERS, PROXY = "everyone", "strangers", "proxy"
SMALL = 64 * 1024
"""Bytes of a request that stay in memory and don't count: the header and a form."""


class Budget(NamedTuple):
    """What can be held at the same time."""

    connections: int
    body_bytes: int
    """Of larger requests that are being received or answered, in temporary files."""


ALL = Budget(300, 40 * MIB)
"""Windows can select at most 512 sockets."""
ALL_STRANGERS = Budget(200, 20 * MIB)
"""The rest is reserved for this computer and for addresses where staff is active."""
PER_NETWORK = Budget(40, 5 * MIB)
"""Per IPv4 address or IPv6 /64; a /48 gets a multiple, as with other budgets."""
PER_STAFF_NETWORK = Budget(100, 40 * MIB)
"""The same for this computer and for a staff address: a whole clinic may share one."""
IDLE_PROXY = Budget(100, 0)
"""Connections of the trusted proxy without a request: they count for no client."""


class Holder(Protocol):
    """A connection, as quotas see it."""

    @property
    def may_go(self) -> bool:
        """Whether it can be closed for another connection: no whole request has arrived."""

    @property
    def is_stuck(self) -> bool:
        """Whether it can be closed if none may go: its answer has long been unread."""

    @property
    def patience(self) -> tuple[bool, bool, float]:
        """The sort key; the smallest is closed first: is it staff's, is it busy, since when has it been idle."""

    def let_go(self) -> None:
        """Have it closed soon: another connection has its place."""


class QuotaExceeded(Exception):
    """A budget is used up; the argument is its name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.is_own = name not in (EVERYONE, STRANGERS, PROXY)
        """Whether it's the budget of one network rather than of all together."""


class Admission(NamedTuple):
    """The budgets a connection counts against."""

    budgets: Mapping[str, Budget]
    times: Mapping[str, int]
    """Its networks, each with its multiple of the budget."""


class Quotas:
    """Counts the connections of all listeners. Thread-safe."""

    def __init__(self, is_reserved: Callable[[str], bool]) -> None:
        """`is_reserved` tells whether an address gets reserved connections."""
        self._is_reserved = is_reserved
        self._lock = Lock()
        self._admissions: dict[Holder, Admission] = {}
        self._bodies: dict[Holder, int] = {}
        self._held: Counter[str] = Counter()
        self._body_bytes: Counter[str] = Counter()

    def admit(self, holder: Holder, address: str) -> None:
        """Count a connection for an address, instead of what it counted for before. May close another connection.

        Raises QuotaExceeded.
        """
        is_reserved = self._is_reserved(address)
        one = PER_STAFF_NETWORK if is_reserved else PER_NETWORK
        networks = throttle.networks(address)
        own = {name: Budget(one.connections * times, one.body_bytes * times) for name, times in networks.items()}
        shared = {EVERYONE: ALL} if is_reserved else {STRANGERS: ALL_STRANGERS, EVERYONE: ALL}
        self._admit(holder, Admission(own | shared, networks))

    def admit_proxy(self, holder: Holder) -> None:
        """Count a connection of the trusted proxy whose client isn't known yet."""
        self._admit(holder, Admission({PROXY: IDLE_PROXY}, {}))

    def release(self, holder: Holder) -> None:
        """Stop counting a connection that is closed or about to be."""
        with self._lock:
            self._drop(holder)

    def note_bytes(self, holder: Holder, size: int) -> None:
        """Note how many bytes of a connection's requests are here. Raises QuotaExceeded if they outgrow a budget."""
        with self._lock:
            size = size if size > SMALL else 0
            growth = size - self._bodies.get(holder, 0)
            if not growth or holder not in self._admissions:
                return
            budgets = self._admissions[holder].budgets
            self._bodies[holder] = size
            for name in budgets:
                self._body_bytes[name] += growth
            for name, budget in budgets.items():
                if growth > 0 and self._body_bytes[name] > budget.body_bytes:
                    raise QuotaExceeded(name)

    def _admit(self, holder: Holder, admission: Admission) -> None:
        with self._lock:
            self._drop(holder)
            for name, budget in admission.budgets.items():
                while self._held[name] >= budget.connections:
                    goes = self._to_close(name)
                    self._drop(goes)
                    goes.let_go()
            self._admissions[holder] = admission
            self._held.update(dict.fromkeys(admission.budgets, 1))

    def _to_close(self, name: str) -> Holder:
        """Return the connection to close for a new one: the least patient of the network that holds most.

        Raises QuotaExceeded.
        """
        counted = [one for one, admission in self._admissions.items() if name in admission.budgets]
        going = [one for one in counted if one.may_go] or [one for one in counted if one.is_stuck]
        if not going:
            raise QuotaExceeded(name)
        return min(going, key=lambda one: (self._shares(one), *one.patience))

    def _shares(self, holder: Holder) -> list[float]:
        """Return the negative shares of its networks, the largest first."""
        return sorted(-self._held[name] / times for name, times in self._admissions[holder].times.items())

    def _drop(self, holder: Holder) -> None:
        size = self._bodies.pop(holder, 0)
        admission = self._admissions.pop(holder, None)
        for name in admission.budgets if admission is not None else ():
            self._held[name] -= 1
            self._body_bytes[name] -= size
            if not self._held[name]:
                del self._held[name], self._body_bytes[name]
