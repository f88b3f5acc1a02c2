"""Whose request gets the next thread: staff first, then each network and each signed-in browser in turn."""

from collections import Counter, OrderedDict, deque
from enum import IntEnum
from threading import Lock
from time import monotonic
from typing import Any, NamedTuple, Protocol, cast

from waitress.task import ThreadedTaskDispatcher

STAFF_WORKS_SECONDS = 0.5
"""How long after a request of the staff's the others still get fewer threads: the next one is often on its way."""


class Rank(IntEnum):
    """The order of those who wait."""

    REFUSED = 0
    """A refusal, which takes no time."""
    STAFF = 1
    OTHERS = 2


class Turn(NamedTuple):
    """A line that somebody waits in; each line moves on by one in its turn."""

    rank: Rank
    key: str


class Waiting(Protocol):
    """What waits for a thread."""

    turn: Turn

    def service(self) -> None:
        """Do it."""

    def cancel(self) -> None:
        """Do not."""


class _Served:
    """What has a thread, until it gives it back."""

    def __init__(self, waiting: Waiting, turn: Turn, turns: "Turns") -> None:
        self._waiting, self._turn, self._turns = waiting, turn, turns

    def service(self) -> None:
        """Do it."""
        try:
            self._waiting.service()
        finally:
            self._turns.ended(self._turn)

    def cancel(self) -> None:
        """Do not."""
        self._waiting.cancel()


class Turns:
    """Stands for the deque that waitress's threads take their work from; all but ended() runs under their lock.

    Half of the threads are only for staff, and no line has more than a quarter of them at a time, so that one browser
    that asks for much does not hold up the others. While the staff works, all others get half of that: threads that
    have one share the processor, and each makes the page of a receptionist slower.
    """

    def __init__(self, threads: int, lock: Lock) -> None:
        self._threads = threads
        self._staff_works_until = 0.0
        self._lock = lock
        self._lines: OrderedDict[Turn, deque[Waiting]] = OrderedDict()
        self._running: Counter[Turn] = Counter()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __bool__(self) -> bool:
        """Whether somebody may have a thread now."""
        return self._next() is not None

    def append(self, waiting: Waiting) -> None:
        """Put it at the end of its line."""
        self._lines.setdefault(waiting.turn, deque()).append(waiting)

    def popleft(self) -> _Served:
        """What is next. Raises IndexError."""
        turn = self._next()
        if turn is None:
            raise IndexError
        line = self._lines.pop(turn)
        waiting = line.popleft()
        if line:
            self._lines[turn] = line  # behind the other lines
        self._running[turn] += 1
        self._note(turn)
        return _Served(waiting, turn, self)

    def ended(self, turn: Turn) -> None:
        """A thread is free again."""
        with self._lock:
            self._running[turn] -= 1
            if not self._running[turn]:
                del self._running[turn]
            self._note(turn)

    def _note(self, turn: Turn) -> None:
        if turn.rank is Rank.STAFF:
            self._staff_works_until = monotonic() + STAFF_WORKS_SECONDS

    def _next(self) -> Turn | None:
        others = sum(count for turn, count in self._running.items() if turn.rank is Rank.OTHERS)
        share = 2 if monotonic() < self._staff_works_until else 1
        may = [turn for turn in self._lines if self._may(turn, others, share)]
        return min(may, key=lambda turn: turn.rank) if may else None

    def _may(self, turn: Turn, others: int, share: int) -> bool:
        """Whether a line may have one more thread; others have one part of `share` of what they may have at most."""
        match turn.rank:
            case Rank.REFUSED:
                return True
            case Rank.STAFF:
                return self._running[turn] < max(1, self._threads // 4)
            case Rank.OTHERS:
                return others < max(1, self._threads // 2 // share) and (
                    self._running[turn] < max(1, self._threads // 4 // share)
                )


class Dispatcher(ThreadedTaskDispatcher):
    """waitress's threads, with turns instead of one queue."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self._turns = Turns(threads, self.lock)
        self.queue = cast(Any, self._turns)
        self.set_thread_count(threads)

    def add_task(self, task: Any) -> None:
        """Have a thread do what is Waiting; unlike waitress, without a line in the log each time that it has to."""
        with self.lock:
            self._turns.append(task)
            self.queue_cv.notify()
