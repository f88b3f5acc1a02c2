"""What the models say in two places is the same in both: closed sets and their constraints, secrets and their marks."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import CheckConstraint, Column, Enum

from service.domain.foundation.actor import Role
from service.storage.models import Base

TELLS_A_SECRET = re.compile(r"password|secret|salt|_hash$|^token")
NO_SECRETS = {
    "audit_details.salt": "keeps a short text from being guessed from its digest; it goes with the text",
}


def columns() -> Iterator[Column[object]]:
    for table in Base.metadata.sorted_tables:
        yield from table.columns


def words_of(column: Column[object]) -> set[str] | None:
    """The words that a constraint lets into a column; None where there is none."""
    for constraint in column.table.constraints:
        if isinstance(constraint, CheckConstraint) and constraint.name == f"ck_{column.table.name}_{column.name}":
            return set(re.findall(r"'(\w+)'", str(constraint.sqltext)))
    return None


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(column, id=str(column))
        for column in columns()
        if isinstance(column.type, Enum) and words_of(column)
    ],
)
def test_the_constraint_of_a_closed_set_lists_its_members(column: Column[object]) -> None:
    assert isinstance(column.type, Enum)
    assert words_of(column) == set(column.type.enums)


def test_a_user_has_every_role_but_that_of_the_system() -> None:
    assert words_of(Base.metadata.tables["users"].columns["role"]) == set(Role) - {Role.SYSTEM}


def test_everything_usable_for_signing_in_is_marked_as_secret() -> None:
    unmarked = {
        str(column)
        for column in columns()
        if TELLS_A_SECRET.search(column.name) and not (column.info or column.table.info).get("secret")
    }
    assert unmarked == set(NO_SECRETS)
