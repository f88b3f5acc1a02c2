"""The types of rules for the data that the clinic keeps about a person. The rules are in whole_person.py."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, ColumnElement, Table

from service.storage.models import Base


@dataclass(frozen=True)
class Person:
    """The records and accounts of one person."""

    record: int
    """The patient's record."""
    merged: Collection[int] = ()
    """The records that were merged into it."""
    accounts: Collection[int] = ()
    """The users who are guardians of no one else."""

    @property
    def records(self) -> list[int]:
        """Return all records of the person."""
        return sorted({self.record, *self.merged})


class Merged(StrEnum):
    """What a merge does with a column of the kept record."""

    KEPT = "kept"
    """It stays as it is."""
    FILLED = "filled"
    """It takes the other record's value if it has none."""
    JOINED = "joined"
    """It holds both texts, one below the other."""
    STRICTER = "stricter"
    """It is allowed only if both records allow it."""
    WITH_ADDRESS = "with address"
    """It comes from the record whose address is used."""
    SETTLED = "settled"
    """The merge itself sets it."""


class Rows(StrEnum):
    """What a merge does with the other record's rows in a table."""

    MOVE = "move"
    FOLLOW = "follow"
    """They belong to a row that moves, or to a user."""
    UNITE = "unite"
    """A guardian of both records becomes a guardian of the kept one once."""
    STAY = "stay"
    """They are never changed. Readers ask for both records."""


@dataclass(frozen=True)
class Stays:
    """An erasure leaves it as it is, for this reason."""

    why: str


@dataclass(frozen=True)
class Becomes:
    """The value that an erasure writes into a column of `patients`."""

    value: Any = None


@dataclass(frozen=True)
class Emptied:
    """The columns that an erasure empties, each with its new value."""

    columns: Mapping[str, Any]


@dataclass(frozen=True)
class Deleted:
    """An erasure deletes the rows."""


@dataclass(frozen=True)
class Rewritten:
    """The columns that an erasure changes with its own function in privacy/erasure.py."""

    columns: tuple[str, ...]
    how: str


@dataclass(frozen=True)
class Within:
    """The table of the patient's own export that includes the rows."""

    table: str


@dataclass(frozen=True)
class LeftOut:
    """Why the patient's own export leaves it out."""

    why: str


@dataclass(frozen=True)
class ColumnRule:
    """The rules for one column of `patients`."""

    merged: Merged
    erased: Becomes | Stays
    exported: str | LeftOut
    """The description in the export."""
    acts: tuple[str, ...] = ()
    """The audit acts that record its changes."""


@dataclass(frozen=True)
class TableRule:
    """The rules for the rows of one table."""

    model: type[Base]
    whose: Callable[[Person], ColumnElement[bool]]
    """Return the condition on the rows of a person."""
    merged: Rows
    erased: Emptied | Deleted | Rewritten | Stays
    exported: Within | LeftOut
    acts: tuple[str, ...] = ()
    """The audit acts that record their changes."""
    harmless: Mapping[str, str] = field(default_factory=dict)
    """Text columns that an erasure keeps, each with the reason."""

    @property
    def table(self) -> Table:
        """Return the table."""
        return self.model.metadata.tables[self.model.__tablename__]

    @property
    def of_patients(self) -> list[Column[Any]]:
        """Return its foreign keys to `patients`."""
        patients = {key.parent for key in self.table.foreign_keys if key.column.table.name == "patients"}
        return [column for column in self.table.columns if column in patients]
