"""The kinds of rules for what the clinic keeps of a person; the rules themselves are in whole_person.py."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, ColumnElement, Table

from service.storage.models import Base


@dataclass(frozen=True)
class Person:
    """The rows that stand for one person."""

    record: int
    """The patient's record."""
    merged: Collection[int] = ()
    """Those that were merged into it."""
    accounts: Collection[int] = ()
    """The users who look after nobody else."""

    @property
    def records(self) -> list[int]:
        """All records of the person."""
        return sorted({self.record, *self.merged})


class Merged(StrEnum):
    """What a column of the kept record is after a merge."""

    KEPT = "kept"
    """As it was."""
    FILLED = "filled"
    """The other record's, where the kept one has none."""
    JOINED = "joined"
    """Both texts, one below the other."""
    STRICTER = "stricter"
    """Allowed only if both records allow it."""
    WITH_ADDRESS = "with address"
    """The record's whose address is used."""
    SETTLED = "settled"
    """Set by the merge itself."""


class Rows(StrEnum):
    """What happens to the other record's rows of a table at a merge."""

    MOVE = "move"
    FOLLOW = "follow"
    """They hang on a row that moves, or on a user."""
    UNITE = "unite"
    """A user who looks after both records looks after the kept one once."""
    STAY = "stay"
    """They are never changed: whoever reads them asks for both records."""


@dataclass(frozen=True)
class Stays:
    """What an erasure leaves as it is, and why it may."""

    why: str


@dataclass(frozen=True)
class Becomes:
    """What an erasure puts into a column of `patients`."""

    value: Any = None


@dataclass(frozen=True)
class Emptied:
    """The columns that an erasure empties, each with what is put there."""

    columns: Mapping[str, Any]


@dataclass(frozen=True)
class Deleted:
    """The rows go."""


@dataclass(frozen=True)
class Rewritten:
    """What an erasure does with some columns by a function of its own (privacy/erasure.py)."""

    columns: tuple[str, ...]
    how: str


@dataclass(frozen=True)
class Within:
    """The table of the patient's own export in which the rows stand."""

    table: str


@dataclass(frozen=True)
class LeftOut:
    """Why the patient's own export does not have it."""

    why: str


@dataclass(frozen=True)
class ColumnRule:
    """The rules for one column of `patients`."""

    merged: Merged
    erased: Becomes | Stays
    exported: str | LeftOut
    """What it means, as the export says it."""
    acts: tuple[str, ...] = ()
    """What its changes are called in the audit."""


@dataclass(frozen=True)
class TableRule:
    """The rules for the rows of one table."""

    model: type[Base]
    whose: Callable[[Person], ColumnElement[bool]]
    """The condition on the rows of a person."""
    merged: Rows
    erased: Emptied | Deleted | Rewritten | Stays
    exported: Within | LeftOut
    acts: tuple[str, ...] = ()
    """What their changes are called in the audit."""
    harmless: Mapping[str, str] = field(default_factory=dict)
    """Columns with text that stay after an erasure, and why they may."""

    @property
    def table(self) -> Table:
        """The table itself."""
        return self.model.metadata.tables[self.model.__tablename__]

    @property
    def of_patients(self) -> list[Column[Any]]:
        """Its columns that name a patient's record."""
        patients = {key.parent for key in self.table.foreign_keys if key.column.table.name == "patients"}
        return [column for column in self.table.columns if column in patients]
