"""i3: search keys are rebuilt for rows from an older version, and whenever the rule changes."""

from time import monotonic

import pytest
from sqlalchemy import insert, text

from service import clock
from service.storage import search_keys
from service.storage.database import Database, migrate
from service.storage.models import Installation, Patient
from service.storage.search_keys import search_key
from tests.storage.test_migrations import at_revision

NAMES = ("สุดา", "राम्", "Zoë Ćwik", "がんばる", "김민준", "שָׁלוֹם")
LIMIT = 30
"""Seconds for a clinic of 100,000 people with non-Latin names, on a busy machine."""


def keys(database: Database) -> list[tuple[str, str, int]]:
    with database.reading() as session:
        rows = session.execute(text("SELECT name, folded_name, version FROM patients ORDER BY id"))
        return [(name, folded, version) for name, folded, version in rows]


@pytest.mark.parametrize("revision", ["0001", "0012"])
def test_i3_people_from_before_are_found_by_the_present_rule(database: Database, revision: str) -> None:
    at_revision(database, revision)
    with database.transaction() as session:
        for name in NAMES:
            row = {"name": name, "at": "2026-05-04 06:00:00"}
            session.execute(text("INSERT INTO patients (name, created_at) VALUES (:name, :at)"), row)
        if revision == "0012":
            session.execute(text("UPDATE patients SET folded_name = 'of before'"))
    migrate(database)
    assert keys(database) == [(name, search_key(name), 1) for name in NAMES]


def test_i3_another_rule_or_other_unicode_data_rebuild_the_search_keys(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(database)
    with database.transaction() as session:
        session.execute(insert(Patient), [{"name": name, "created_at": clock.now()} for name in NAMES])
    monkeypatch.setattr(search_keys, "RULE", "3/99.0.0")
    monkeypatch.setattr(search_keys, "search_key", lambda name: search_key(name)[::-1])
    for _start in range(2):
        migrate(database)
        assert keys(database) == [(name, search_key(name)[::-1], 1) for name in NAMES]
    with database.transaction() as session:
        assert session.query(Installation.folded_by).scalar() == "3/99.0.0"
        session.execute(text("UPDATE patients SET folded_name = 'left alone'"))
    migrate(database)
    assert {folded for _name, folded, _version in keys(database)} == {"left alone"}


@pytest.mark.foreign
def test_i3_the_search_keys_of_a_hundred_thousand_people_are_rebuilt_in_seconds(database: Database) -> None:
    migrate(database)
    people = [{"name": f"राम् {number}", "folded_name": "of before"} for number in range(100_000)]
    with database.transaction() as session:
        session.execute(insert(Patient), [{**one, "created_at": clock.now()} for one in people])
        session.execute(text("UPDATE installation SET folded_by = NULL"))
    began = monotonic()
    migrate(database)
    taken = monotonic() - began
    assert all(folded == search_key(name) for name, folded, _version in keys(database))
    assert taken < LIMIT, f"{taken:.1f} s"
