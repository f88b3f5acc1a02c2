"""Plan how appointments move when their instants are recomputed: which ones, and in what order. No database."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

Slot = tuple[datetime, datetime, int]
"""From, until, and whose: an appointment's id."""


class Why(StrEnum):
    """Why an appointment could not keep its local time."""

    SKIPPED = "skipped"
    """Clocks skip that time now."""
    OVERLAP = "overlap"
    """It would overlap another one."""


@dataclass(frozen=True)
class Ahead:
    """An appointment that takes place and is not over; `wanted` is the start it should have, None if there is none."""

    id: int
    doctor_id: int
    patient_id: int
    starts_at: datetime
    ends_at: datetime
    blocked_from: datetime
    blocked_until: datetime
    local_start: str
    """What was promised, `YYYY-MM-DDTHH:MM`."""
    wanted: datetime | None
    overbooked: bool = False


@dataclass
class Plan:
    """The moves in an order in which no two appointments ever overlap, and those that keep their instants."""

    moves: list[tuple[Ahead, timedelta]] = field(default_factory=list)
    kept: dict[int, Why] = field(default_factory=dict)


def plan(appointments: Sequence[Ahead]) -> Plan:
    """Let as many as possible begin when they should; one that cannot keeps its instant, and so does what it meets."""
    result = Plan()
    shifts: dict[int, timedelta] = {}
    for one in appointments:
        if one.wanted is None:
            result.kept[one.id] = Why.SKIPPED
        elif one.wanted != one.starts_at:
            shifts[one.id] = one.wanted - one.starts_at
    bound = [one for one in appointments if not one.overbooked]
    while clashing := {id_ for id_ in _clashing(bound, shifts) if id_ in shifts}:
        for id_ in clashing:
            del shifts[id_]
            result.kept[id_] = Why.OVERLAP
    result.moves = list(_ordered(appointments, shifts, result))
    return result


def _clashing(bound: Sequence[Ahead], shifts: Mapping[int, timedelta]) -> Iterator[int]:
    """Those that would overlap another one of their doctor or patient."""
    for slots in _by_person(bound, shifts).values():
        slots.sort()
        last = slots[0]
        for slot in slots[1:]:
            if slot[0] < last[1]:
                yield from (slot[2], last[2])
            last = max(slot, last, key=lambda one: one[1])


def _by_person(bound: Iterable[Ahead], shifts: Mapping[int, timedelta]) -> dict[tuple[str, int], list[Slot]]:
    """What takes place for each doctor and each patient."""
    nothing = timedelta()
    found: dict[tuple[str, int], list[Slot]] = defaultdict(list)
    for one in bound:
        shift = shifts.get(one.id, nothing)
        found["doctor", one.doctor_id].append((one.blocked_from + shift, one.blocked_until + shift, one.id))
        found["patient", one.patient_id].append((one.starts_at + shift, one.ends_at + shift, one.id))
    return found


def _ordered(
    appointments: Sequence[Ahead], shifts: dict[int, timedelta], result: Plan
) -> Iterator[tuple[Ahead, timedelta]]:
    """Later from the latest on, earlier from the earliest on; anyone who still meets someone waits for them to go."""
    nothing = timedelta()
    moving = [one for one in appointments if one.id in shifts]
    later = sorted((one for one in moving if shifts[one.id] > nothing), key=lambda one: one.starts_at, reverse=True)
    waiting = later + sorted((one for one in moving if shifts[one.id] < nothing), key=lambda one: one.starts_at)
    diary = _Diary([one for one in appointments if not one.overbooked])
    while waiting:
        still = []
        for one in waiting:
            if one.overbooked or diary.move(one, shifts[one.id]):
                yield one, shifts[one.id]
            else:
                still.append(one)
        if len(still) == len(waiting):  # a circle: no one can go first
            result.kept |= dict.fromkeys((one.id for one in still), Why.OVERLAP)
            return
        waiting = still


class _Diary:
    """Where everyone's appointments are while some of them move."""

    def __init__(self, bound: Sequence[Ahead]) -> None:
        self._slots = _by_person(bound, {})
        for slots in self._slots.values():
            slots.sort()

    def move(self, one: Ahead, shift: timedelta) -> bool:
        """Move it if no one is in the way."""
        places = (
            (("doctor", one.doctor_id), one.blocked_from, one.blocked_until),
            (("patient", one.patient_id), one.starts_at, one.ends_at),
        )
        if any(self._is_taken(key, start + shift, end + shift, one.id) for key, start, end in places):
            return False
        for key, start, end in places:
            slots = self._slots[key]
            del slots[bisect_left(slots, (start, end, one.id))]
            insort(slots, (start + shift, end + shift, one.id))
        return True

    def _is_taken(self, key: tuple[str, int], start: datetime, end: datetime, but: int) -> bool:
        """Appointments of one person never overlap, so that only the one before and those until `end` can reach in."""
        slots = self._slots[key]
        place = bisect_left(slots, (start,))
        before = place - 1
        while before >= 0 and slots[before][2] == but:
            before -= 1
        if before >= 0 and slots[before][1] > start:
            return True
        while place < len(slots) and slots[place][0] < end:
            if slots[place][2] != but:
                return True
            place += 1
        return False
