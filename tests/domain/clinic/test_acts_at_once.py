"""Whatever two people do at the same moment about a patient, a doctor or a slot, it is as if one had come first."""

import os
from collections.abc import Callable, Iterator
from itertools import product
from random import Random

import pytest
import time_machine

from service.domain.privacy import audit_check
from tests import acts
from tests.acts import ACTS, Clinic, Go, Scene, wrong
from tests.house import House
from tests.interleaving import END, alone, interleaved

Pair = tuple[Callable[[Scene], Go], Callable[[Scene], Go]]
PAIRS = tuple(product(ACTS, ACTS))
DEALT, STATEMENTS = 30, 30
GOES = (acts.archive, acts.erase, acts.merge)
COMES = (acts.walk_in, acts.wait, acts.put_hold, acts.book, acts.offer, acts.import_visit, acts.give_access)


@pytest.fixture(name="clinic")
def a_clinic(house: House, clock: time_machine.Traveller) -> Iterator[Clinic]:
    """One clinic for all pairs; at the end its audit is whole."""
    yield Clinic.of(house)
    with house.reading() as session:
        audit_check.verify(session)


def in_a_row(clinic: Clinic, first: Callable[[Scene], Go], second: Callable[[Scene], Go]) -> tuple[bool, bool]:
    """Which of the two are done when one comes after the other."""
    scene = Scene(clinic)
    one, other = first(scene), second(scene)
    done = alone(clinic.house, one, other)
    assert wrong(scene) == [], "in a row"
    return done[0], done[1]


def at_once(clinic: Clinic, pair: Pair, pause_after: int) -> list[str]:
    """What is wrong after the two at the same moment."""
    first, second = pair
    possible = {in_a_row(clinic, first, second), in_a_row(clinic, second, first)[::-1]}
    scene = Scene(clinic)
    one, other = first(scene), second(scene)
    *done, collisions = interleaved(clinic.house, one, other, pause_after=pause_after)
    found = wrong(scene)
    if tuple(done) not in possible:
        found.append(f"done: {done}, one after the other: {sorted(possible)}")
    if collisions:
        found.append(f"{collisions} collisions")
    return found


def named(pair: Pair, pause_after: int) -> str:
    first, second = pair
    where = "before its commit" if pause_after == END else f"after statement {pause_after}"
    return f"{first.__name__} paused {where}, {second.__name__}"


def check(clinic: Clinic, dealt: list[tuple[Pair, int]]) -> None:
    """Raises AssertionError with all that is wrong."""
    found = {named(pair, pause): at_once(clinic, pair, pause) for pair, pause in dealt}
    assert {name: wrongs for name, wrongs in found.items() if wrongs} == {}


def deal(seed: int, pairs: int, pauses: int) -> list[tuple[Pair, int]]:
    """So many pairs in an order of chance, each with some places at which the first one pauses."""
    random = Random(seed)
    chosen = random.sample(PAIRS, pairs)
    return [(pair, random.choice((END, *range(1, STATEMENTS)))) for pair in chosen for _turn in range(pauses)]


on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)


@on_postgresql
@pytest.mark.parametrize("goes", GOES, ids=lambda act: act.__name__)
def test_h13_nothing_is_open_for_somebody_who_goes_at_the_same_moment(
    clinic: Clinic, goes: Callable[[Scene], Go]
) -> None:
    check(clinic, [(pair, END) for comes in COMES for pair in ((goes, comes), (comes, goes))])


@on_postgresql
def test_h13_whoever_walks_in_arrives_once(clinic: Clinic) -> None:
    check(clinic, [((acts.walk_in, other), END) for other in (acts.walk_in, acts.arrive, acts.book)])


@on_postgresql
def test_h13_pairs_of_acts_dealt_by_chance_are_as_if_one_came_first(clinic: Clinic) -> None:
    check(clinic, deal(2026, DEALT, 1))


@on_postgresql
@pytest.mark.soak
def test_h13_all_pairs_of_acts_are_as_if_one_came_first(clinic: Clinic) -> None:
    check(clinic, deal(int(os.environ.get("ROUNDS_TEST_SEED", "2026")), len(PAIRS), 3))
