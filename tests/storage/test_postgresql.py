"""PostgreSQL's timeouts, the index for parts of names, and streams that end."""

from collections.abc import Iterator

import pytest
from sqlalchemy import make_url, text

from service.domain.foundation.actor import Actor
from service.domain.patients import patient_search
from service.health import checkup
from service.language.typed_dates import Order
from service.storage.database import Database
from service.storage.models import Patient
from service.storage.postgresql import NAME_INDEX, has_name_index
from tests.house import House

pytestmark = pytest.mark.postgresql

MANY = """INSERT INTO patients (name, folded_name, created_at)
          SELECT 'Zoë Žižek ' || n, 'zoe zizek ' || md5(n::text), now() FROM generate_series(1, 20000) n"""


@pytest.fixture
def database_kind() -> str:
    """PostgreSQL only."""
    return "postgresql"


@pytest.fixture
def desk(house: House) -> Actor:
    return house.user("receptionist", "rita@clinic.example", "Rita")


@pytest.fixture
def database(house: House) -> Iterator[Database]:
    """The clinic's database, before its first start: without an index of names, also for the next test."""
    _drop_index(house)
    yield house.wiring.database
    _drop_index(house)


def _drop_index(house: House) -> None:
    with house.writing() as session:
        session.execute(text(f"DROP INDEX IF EXISTS {NAME_INDEX}"))


def names(house: House, desk: Actor, typed: str) -> list[str]:
    with house.reading() as session:
        return [patient.name for patient in patient_search.search(session, desk, typed, Order.DAY).patients]


def test_any_part_of_a_name_is_found_by_an_index_whatever_its_accents(
    house: House, desk: Actor, database: Database
) -> None:
    house.patient("Łukasz Müller-Žižek")
    with house.writing() as session:
        session.execute(text(MANY))
    before = names(house, desk, "ller ukas")
    assert "without an index" in dict(_lines(house))["database"]
    assert database.index_names() is True
    assert database.index_names() is True  # every start asks
    assert names(house, desk, "LLER ükas") == before == ["Łukasz Müller-Žižek"]
    assert dict(_lines(house))["database"].endswith("can be written")
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE patients"))
        sought = "EXPLAIN SELECT id FROM patients WHERE folded_name LIKE '%ller%' ORDER BY folded_name, id LIMIT 26"
        assert NAME_INDEX in "".join(line for (line,) in connection.execute(text(sought)))


def _lines(house: House) -> Iterator[tuple[str, str]]:
    for _well, line in checkup.of_all(house.wiring):
        title, words = line.removeprefix("ok ").split(": ", 1)
        yield title, words


def test_without_the_right_to_make_it_names_are_found_all_the_same(
    house: House, desk: Actor, database: Database
) -> None:
    house.patient("Łukasz Müller")
    with house.writing() as session:
        session.execute(text("DROP ROLE IF EXISTS poor"))
        session.execute(text("CREATE ROLE poor LOGIN"))
        session.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO poor"))
    poor = Database(make_url(house.settings.database_url).set(username="poor").render_as_string())
    assert poor.index_names() is False
    with poor.reading() as session:
        assert not has_name_index(session.connection())
        assert [found.name for found in patient_search.search(session, desk, "muller", Order.DAY).patients] == [
            "Łukasz Müller"
        ]
    poor.close()
    with house.writing() as session:
        session.execute(text("DROP OWNED BY poor"))
        session.execute(text("DROP ROLE poor"))


def test_nobody_waits_for_ever_but_long_readers_may(house: House) -> None:
    def shown(name: str, long: bool = False) -> str:
        with (house.wiring.database.reading_long if long else house.wiring.database.reading)() as session:
            return str(session.execute(text(f"SHOW {name}")).scalar_one())

    assert shown("lock_timeout") == shown("lock_timeout", long=True) == "5s"
    assert (shown("statement_timeout"), shown("statement_timeout", long=True)) == ("1min", "0")


def test_a_stream_that_is_left_ends_with_its_connection(house: House) -> None:
    for number in range(5):
        house.patient(f"Patient {number}")
    with house.reading() as session:
        rows = iter(session.scalars(Patient.__table__.select().execution_options(yield_per=1)))
        next(rows)
    with house.reading() as session:
        assert session.execute(text("SELECT count(*) FROM pg_cursors")).scalar_one() == 0
    del rows  # would be told as a resource that no one closed
