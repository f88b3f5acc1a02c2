"""The plan of the demo clinic: how many appointments each day has, and who sees whom when."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from service.demo import people
from service.domain.foundation.errors import Invalid
from service.language.translation import gettext as _

SLOTS = 60
"""Quarter hours from 07:00 to 22:00."""
FULL = 45
"""A doctor's appointments on the busiest day."""
USUAL = 8
"""A doctor's appointments today, if there are enough."""
YEAR, AHEAD = 365, 91
TURNS = 20
"""The first patient's appointments in the past year, each with a treatment."""


@dataclass(frozen=True)
class Size:
    """The size of the demo clinic. Raises Invalid for impossible numbers."""

    doctors: int = 4
    patients: int = 300
    appointments: int = 2500

    def __post_init__(self) -> None:
        if not 1 <= self.doctors <= 500:
            raise Invalid(_("A demo clinic has 1 to 500 doctors."), "doctors")
        if self.patients < 1:
            raise Invalid(_("A demo clinic has at least one patient."), "patients")
        if not 0 <= self.appointments <= 1_000_000 * self.rooms:
            raise Invalid(_("That many appointments don't fit into the days of this demo clinic."), "appointments")

    @property
    def rooms(self) -> int:
        """Return how many doctors can see patients at the same time."""
        return min(self.doctors, self.patients)


class Visit(NamedTuple):
    """A doctor, a patient, and a slot of a day, all counted from 0."""

    slot: int
    doctor: int
    patient: int
    turn: int | None = None
    """A number for appointments that aren't random: they take place, and it selects the note."""


# The plan: how many appointments on which day


def _visits_today(size: Size) -> int:
    if not size.appointments:
        return 0
    average = size.appointments // (YEAR + AHEAD)
    usual = max(USUAL * size.rooms, min(FULL * size.rooms, average * 3 // 2))
    return max(1, min(usual, size.appointments // 5, size.appointments - TURNS))


def arranged(size: Size) -> dict[int, list[Visit]]:
    """Return the appointments that every demo clinic has, by day: the first patient's, and today a family's."""
    today = [Visit(SLOTS - 1, 0, 0, 0)]
    if size.patients >= people.FAMILY:
        slots = (44, 45, 48)
        patients = people.family(size.patients)
        today += [Visit(slot, size.rooms - 1, who, 0) for slot, who in zip(slots, patients, strict=True)]
    visits = {0: today[: _visits_today(size)]}
    for_adults = [doctor for doctor in range(size.doctors) if not people.is_for_children(doctor)]
    for turn in range(min(TURNS, size.appointments - _visits_today(size))):
        doctor = for_adults[(turn + 1) // 2 % len(for_adults)] if turn % 2 else 0
        visits[-5 - 17 * turn] = [Visit(7 * turn % SLOTS, doctor, 0, turn)]
    return visits


def counts(size: Size, fixed: Mapping[int, Sequence[Visit]], today: date, rng: Random) -> dict[int, int]:
    """Return how many other appointments each day has. If they don't fit, the past gets longer."""
    today_count = _visits_today(size) - len(fixed[0])
    rest = size.appointments - sum(map(len, fixed.values())) - today_count
    most = FULL * size.rooms
    limits = {offset: math.ceil(most * (1 - 0.7 * offset / AHEAD)) for offset in range(1, AHEAD + 1)}
    past = max(YEAR, math.ceil((rest - sum(limits.values())) / most) + 1)
    limits |= dict.fromkeys(range(-past, 0), most)
    weights = {offset: _weight(offset, today, rng) for offset in sorted(limits)}
    return {0: today_count, **_spread(rest, weights, limits)}


def _weight(offset: int, today: date, rng: Random) -> float:
    """Return how busy a day is: near days more than far ones, weekends less, and some at random."""
    nearness = 1 + 4 * math.exp(-abs(offset) / 7)
    fading = 1 - 0.7 * offset / AHEAD if offset > 0 else 1.0
    weekend = (1.0, 1.0, 1.0, 1.0, 0.9, 0.7, 0.5)[(today + timedelta(days=offset)).weekday()]
    return nearness * fading * weekend * (0.75 + rng.random() / 2)


def _spread(total: int, weights: Mapping[int, float], limits: Mapping[int, int]) -> dict[int, int]:
    """Distribute exactly `total` over the days by weight. What doesn't fit on a full day goes to the others."""
    left, mass = total, sum(weights.values())
    counts = {}
    for day in sorted(weights, key=lambda day: limits[day] / weights[day]):
        counts[day] = min(limits[day], left, round(left * weights[day] / mass))
        left -= counts[day]
        mass -= weights[day]
    for day in sorted(weights, key=abs):
        extra = min(left, limits[day] - counts[day])
        counts[day] += extra
        left -= extra
    return counts


# One day: who comes when


def day(size: Size, rng: Random, offset: int, count: int, fixed: Sequence[Visit]) -> list[Visit]:
    """Return the appointments of a day in order: the arranged ones and `count` more."""
    visits = list(fixed)
    seen, taken = {visit.patient for visit in fixed}, {(visit.slot, visit.patient) for visit in fixed}
    lead, barred = fixed[0].doctor if fixed else offset % size.doctors, _barred(offset)
    for place in range(size.rooms):
        doctor = (lead + place) % size.doctors
        occupied = {visit.slot for visit in fixed if visit.doctor == doctor}
        free = [slot for slot in range(SLOTS) if slot not in occupied]
        for slot in _slots(rng, free, (count + place) // size.rooms):
            patient = _patient(size, rng, doctor, slot, seen, taken, barred)
            seen.add(patient)
            taken.add((slot, patient))
            visits.append(Visit(slot, doctor, patient))
    return sorted(visits)


def _slots(rng: Random, free: Sequence[int], count: int) -> Iterator[int]:
    """Yield `count` of the free slots, spread over the day."""
    for stretch in range(count):
        start, end = stretch * len(free) // count, (stretch + 1) * len(free) // count
        yield free[start + int(rng.random() * (end - start))]


def _barred(offset: int) -> frozenset[int]:
    """Return patients with an account who get no more upcoming appointments, so that they can book some themselves."""
    return frozenset(who for who in range(people.ACCOUNTS) if offset > 0 and who % AHEAD != offset - 1)


def _patient(
    size: Size,
    rng: Random,
    doctor: int,
    slot: int,
    seen: set[int],
    taken: set[tuple[int, int]],
    barred: frozenset[int],
) -> int:
    """Return a patient: mostly one of the doctor's own, not twice a day, and never twice at the same time."""
    own = -(-(size.patients - doctor) // size.doctors)
    loyalty = 1.0 if people.is_for_children(doctor) else 0.8
    for _attempt in range(8):
        is_own = rng.random() < loyalty and own > 0
        patient = doctor + size.doctors * int(rng.random() * own) if is_own else int(rng.random() * size.patients)
        if patient not in seen and patient not in barred:
            return patient
    patient = int(rng.random() * size.patients)
    while (slot, patient) in taken:
        patient = (patient + 1) % size.patients
    return patient
