"""Whatever two people do at the same moment about a patient, a doctor, or a slot comes out as if one were first."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from random import Random
from time import monotonic

import pytest
import time_machine

from service.domain.privacy import audit_check
from tests.at_once import acts_on_records, acts_on_the_diary, acts_on_visits
from tests.at_once.acts_on_records import (
    archive,
    erase,
    give_access,
    hold_reminder,
    import_visit,
    merge,
    put_hold,
    remind_of_tomorrow,
)
from tests.at_once.acts_on_the_diary import offer, wait
from tests.at_once.acts_on_visits import arrive, book, walk_in
from tests.at_once.interleaving import END, alone, interleaved
from tests.at_once.invariants import wrong
from tests.at_once.scene import EIGHT, Clinic, Go, Scene
from tests.house import House
from tests.seed import SEED

Act = Callable[[Scene], Go]
Pair = tuple[Act, Act]
ACTS: Sequence[Act] = (*acts_on_visits.ACTS, *acts_on_records.ACTS, *acts_on_the_diary.ACTS)
PAIRS = tuple(product(ACTS, ACTS))
DEALT = 30
LAST_STATEMENT = 30
"""The longest acts pause no later than after so many statements, or before they commit."""
MINUTES = float(os.environ.get("ROUNDS_TEST_MINUTES", "120"))
"""How long all pairs may take on both databases together; when the time is over, the rest is left out."""
GOES = (archive, erase, merge)
COMES = (walk_in, wait, put_hold, book, offer, import_visit, give_access)


@pytest.fixture(name="clinic")
def a_clinic(house: House) -> Iterator[Clinic]:
    """One clinic for all pairs, where it is eight o'clock; at the end its audit is whole."""
    with time_machine.travel(EIGHT, tick=False):
        yield Clinic.of(house)
        with house.reading() as session:
            audit_check.verify(session)


def in_a_row(clinic: Clinic, first: Act, second: Act) -> tuple[bool, bool]:
    """Which of the two are done when one comes after the other."""
    scene = Scene(clinic)
    one, other = first(scene), second(scene)
    done = alone(clinic.house, one, other)
    assert wrong(scene) == [], "in a row"
    return done[0], done[1]


def at_once(clinic: Clinic, pair: Pair, pauses: Sequence[int]) -> dict[str, list[str]]:
    """What is wrong after the two at the same moment, by where the first one paused."""
    first, second = pair
    found = {}
    try:
        possible = {in_a_row(clinic, first, second), in_a_row(clinic, second, first)[::-1]}
        for pause in pauses:
            scene = Scene(clinic)
            one, other = first(scene), second(scene)
            *done, collisions = interleaved(clinic.house, one, other, pause_after=pause)
            found[named(pair, pause)] = wrongs = wrong(scene)
            if tuple(done) not in possible:
                wrongs.append(f"done: {done}, one after the other: {sorted(possible)}")
            if collisions:
                wrongs.append(f"{collisions} collisions")
    except BaseException as error:
        error.add_note(f"{first.__name__}, {second.__name__}")
        raise
    return {name: wrongs for name, wrongs in found.items() if wrongs}


def named(pair: Pair, pause: int) -> str:
    first, second = pair
    where = "before its commit" if pause == END else f"after statement {pause}"
    return f"{first.__name__} paused {where}, {second.__name__}"


def check(clinic: Clinic, pairs: Sequence[Pair], pauses: Callable[[], Sequence[int]] = lambda: (END,)) -> None:
    """Raises AssertionError with all that is wrong."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        found |= at_once(clinic, pair, pauses())
    assert found == {}


@pytest.mark.parametrize("database_kind", ["postgresql"])
@pytest.mark.parametrize("goes", GOES, ids=lambda act: act.__name__)
def test_h13_nothing_stays_open_for_someone_who_leaves_at_the_same_moment(clinic: Clinic, goes: Act) -> None:
    check(clinic, [pair for comes in COMES for pair in ((goes, comes), (comes, goes))])


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_h13_a_walk_in_arrives_once(clinic: Clinic) -> None:
    check(clinic, [(walk_in, other) for other in (walk_in, arrive, book)])


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_h13_a_reminder_held_back_during_a_merge_is_one_message_and_follows_its_patient(clinic: Clinic) -> None:
    # Not among all pairs: the next run of a clinic with so many visits tells of the first ones only.
    check(clinic, [(hold_reminder, merge)], lambda: (4, 7, 10, 13, END))
    check(clinic, [(remind_of_tomorrow, hold_reminder), (hold_reminder, hold_reminder), (merge, hold_reminder)])


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_h13_a_sample_of_pairs_of_acts_comes_out_as_if_one_were_first(clinic: Clinic) -> None:
    random = Random(SEED)
    check(clinic, random.sample(PAIRS, DEALT), lambda: [random.choice((END, *range(1, LAST_STATEMENT)))])


@pytest.mark.soak
@pytest.mark.timeout(MINUTES * 60 + 3600)
@pytest.mark.parametrize("database_kind", ["postgresql", "sqlite"])
def test_h13_all_pairs_come_out_as_if_one_were_first(clinic: Clinic, capsys: pytest.CaptureFixture[str]) -> None:
    """Each pair with three pauses, in an order dealt by the seed: those of a shorter time are a fair sample."""
    random, began = Random(SEED), monotonic()
    found: dict[str, list[str]] = {}
    done = 0
    for pair in random.sample(PAIRS, len(PAIRS)):
        if monotonic() - began > MINUTES * 60 / 2:
            break
        found |= at_once(clinic, pair, [END, *random.sample(range(1, LAST_STATEMENT), 2)])
        done += 1
    with capsys.disabled():
        took = (monotonic() - began) / 60
        sys.stdout.write(f"\n{done} of {len(PAIRS)} pairs of acts in {took:.1f} minutes, seed {SEED}\n")
    assert found == {}
