"""Who may hold a connection: so many for each network, some kept free for this computer and for staff's addresses."""

from collections import Counter
from collections.abc import Callable, Mapping
from threading import Lock
from typing import NamedTuple, Protocol

from service.domain.foundation import throttle

MIB = 1024 * 1024
EVERYONE, STRANGERS, PROXY = "everyone", "strangers", "proxy"
SMALL = 64 * 1024
"""Bytes of a request that stay in memory and are not counted: the header and a form."""


class Budget(NamedTuple):
    """What may be held at a time."""

    connections: int
    body_bytes: int
    """Of larger requests that are being received or answered: they lie in temporary files."""


ALL = Budget(300, 40 * MIB)
"""Windows waits for 512 sockets at most."""
ALL_STRANGERS = Budget(200, 20 * MIB)
"""The rest is kept for this computer and for addresses where staff works."""
PER_NETWORK = Budget(40, 5 * MIB)
"""Of one IPv4 address or one /64 of IPv6; a /48 gets as many times that as of other budgets."""
PER_STAFF_NETWORK = Budget(100, 40 * MIB)
"""The same for this computer and for an address where staff works: a whole clinic may stand behind one."""
IDLE_PROXY = Budget(100, 0)
"""Connections of the trusted proxy on which no request is under way: they count for nobody."""


class Holder(Protocol):
    """A connection, as far as places are concerned."""

    @property
    def may_go(self) -> bool:
        """Whether it can be closed for the sake of another: no whole request has arrived."""

    @property
    def is_stuck(self) -> bool:
        """Whether it can be closed for another when nobody may go: its answer has waited long to be read."""

    @property
    def patience(self) -> tuple[bool, bool, float]:
        """Smallest goes first: whether it is staff's, whether it is not between two requests, since when it waits."""

    def let_go(self) -> None:
        """Have it closed soon: its place is another's already."""


class QuotaExceeded(Exception):
    """There is no room, by the name of the budget that is used up."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.is_own = name not in (EVERYONE, STRANGERS, PROXY)
        """Whether one network has too much, and not all together."""


class Admission(NamedTuple):
    """What a connection counts for."""

    budgets: Mapping[str, Budget]
    times: Mapping[str, int]
    """Its own networks, each with how many times the budget of one it gets."""


class Quotas:
    """The places of all listeners together; any thread may ask."""

    def __init__(self, is_reserved: Callable[[str], bool]) -> None:
        """`is_reserved` tells of an address whether places are kept for it."""
        self._is_reserved = is_reserved
        self._lock = Lock()
        self._admissions: dict[Holder, Admission] = {}
        self._bodies: dict[Holder, int] = {}
        self._held: Counter[str] = Counter()
        self._body_bytes: Counter[str] = Counter()

    def admit(self, holder: Holder, address: str) -> None:
        """Give a connection a place for an address, instead of the one it had; another may lose its place to it.

        Raises QuotaExceeded.
        """
        is_reserved = self._is_reserved(address)
        one = PER_STAFF_NETWORK if is_reserved else PER_NETWORK
        networks = throttle.networks(address)
        own = {name: Budget(one.connections * times, one.body_bytes * times) for name, times in networks.items()}
        shared = {EVERYONE: ALL} if is_reserved else {STRANGERS: ALL_STRANGERS, EVERYONE: ALL}
        self._admit(holder, Admission(own | shared, networks))

    def admit_proxy(self, holder: Holder) -> None:
        """The same for a connection of the trusted proxy that does not say yet whose request it brings."""
        self._admit(holder, Admission({PROXY: IDLE_PROXY}, {}))

    def release(self, holder: Holder) -> None:
        """A connection is closed, or about to be."""
        with self._lock:
            self._drop(holder)

    def note_bytes(self, holder: Holder, size: int) -> None:
        """So many bytes of a connection's requests are here now. Raises Full when it grew beyond what may be."""
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
        """What its networks hold, the largest share of a budget first, all negative."""
        return sorted(-self._held[name] / times for name, times in self._admissions[holder].times.items())

    def _drop(self, holder: Holder) -> None:
        size = self._bodies.pop(holder, 0)
        admission = self._admissions.pop(holder, None)
        for name in admission.budgets if admission is not None else ():
            self._held[name] -= 1
            self._body_bytes[name] -= size
            if not self._held[name]:
                del self._held[name], self._body_bytes[name]
