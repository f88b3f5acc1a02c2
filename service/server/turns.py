"""Fair scheduling of requests: staff first, then each network and each signed-in browser in turn."""

from collections import Counter, OrderedDict, deque
from enum import IntEnum
from threading import Lock
from time import monotonic
from typing import Any, NamedTuple, Protocol, cast

from waitress.task import ThreadedTaskDispatcher

STAFF_WORKS_SECONDS = 0.5
"""How long after a staff request the others still get fewer threads, because the next one often follows soon."""


class Rank(IntEnum):
    """The priority of a request."""

    REFUSED = 0
    """A refusal, which takes no time to send."""
    STAFF = 1
    OTHERS = 2


class Turn(NamedTuple):
    """The queue a request waits in; the queues of one rank advance in turn."""

    rank: Rank
    key: str


class Waiting(Protocol):
    """A task that waits for a thread."""

    turn: Turn

    def service(self) -> None:
        """Run the task."""

    def cancel(self) -> None:
        """Cancel the task."""


class _Served:
    """A task that has a thread, until it ends."""

    def __init__(self, waiting: Waiting, turn: Turn, turns: "Turns") -> None:
        self._waiting, self._turn, self._turns = waiting, turn, turns

    def service(self) -> None:
        """Run the task."""
        try:
            self._waiting.service()
        finally:
            self._turns.ended(self._turn)

    def cancel(self) -> None:
        """Cancel the task."""
        self._waiting.cancel()


class Turns:
    """Replaces the deque from which waitress's threads take tasks. All methods but ended() run under waitress's lock.

    Half of the threads are reserved for staff, and no queue gets more than a quarter of them, so that one busy browser
    doesn't delay the others. While staff is active, all others get half of that, because busy threads share the
    processor and slow down the pages of reception.
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
        """Return whether any task can run now."""
        return self._next() is not None

    def append(self, waiting: Waiting) -> None:
        """Add a task to the end of its queue."""
        self._lines.setdefault(waiting.turn, deque()).append(waiting)

    def popleft(self) -> _Served:
        """Return the next task. Raises IndexError."""
        turn = self._next()
        if turn is None:
            raise IndexError
        line = self._lines.pop(turn)
        waiting = line.popleft()
        if line:
            self._lines[turn] = line  # behind the other queues
        self._running[turn] += 1
        self._note(turn)
        return _Served(waiting, turn, self)

    def ended(self, turn: Turn) -> None:
        """Note that a thread is free again."""
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
        """Return whether a queue can get another thread. `share` divides what others can have."""
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
    """waitress's threads with fair scheduling instead of one queue."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self._turns = Turns(threads, self.lock)
        self.queue = cast(Any, self._turns)
        self.set_thread_count(threads)

    def add_task(self, task: Any) -> None:
        """Queue a task. Unlike waitress, log nothing when it has to wait."""
        with self.lock:
            self._turns.append(task)
            self.queue_cv.notify()
