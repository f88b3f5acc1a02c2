"""How to reach a patient: by which channel, at which address, or why not. The rule is in SQL, and Python reads it.

The preferred channel is used if the clinic has it, there is an address, and the patient has agreed. Otherwise, the next
one in the table is tried.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import ColumnElement, String, and_, case, func, literal, null, or_, select, true, type_coerce
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import SQLCoreOperations

from service.domain.outbox.channels import CHANNELS, WAYS
from service.storage.models import Channel, Message, Patient, SkipReason


class Reached(NamedTuple):
    """How to reach a patient. If there is no way, `recipient` is None, and there's a reason."""

    channel: Channel
    recipient: str | None
    why_not: SkipReason | None


class Columns(NamedTuple):
    """The same as SQL columns."""

    channel: ColumnElement[Channel]
    recipient: ColumnElement[str | None]
    why_not: ColumnElement[SkipReason | None]


def columns(
    ways: Collection[Channel],
    *,
    first: SQLCoreOperations[Channel] = Patient.preferred_channel,
    asking: bool = True,
) -> Columns:
    """Return the rule for the patient of a row, with the channels `ways`.

    `asking`: whether consent counts. Messages that an account needs are sent in any case.
    """
    kinds = [kind for kind in CHANNELS.values() if kind.name in ways]
    there = {kind.name: func.coalesce(kind.address, "") != "" for kind in kinds}
    is_open = {kind.name: and_(there[kind.name], kind.allowed if asking else true()) for kind in kinds}
    preferred = [(first == kind.name, kind.name) for kind in kinds]
    chosen = case(
        *((and_(is_preferred, is_open[name]), _word(name)) for is_preferred, name in preferred),
        *((is_open[kind.name], _word(kind.name)) for kind in kinds),
    )
    otherwise = case(*((is_preferred, _word(name)) for is_preferred, name in preferred), else_=_word(kinds[0].name))
    return Columns(
        channel=type_coerce(func.coalesce(chosen, otherwise), Message.channel.type),
        recipient=case(*((chosen == kind.name, kind.address) for kind in kinds)),
        why_not=type_coerce(
            case(
                (chosen.is_not(None), null()),
                (or_(*there.values()), literal(SkipReason.OPTED_OUT, String())),
                else_=literal(SkipReason.NO_ADDRESS, String()),
            ),
            Message.skip_reason.type,
        ),
    )


def of_patients(session: Session, ids: Collection[int], ways: Collection[Channel]) -> Mapping[int, Reached]:
    """Return how to reach each of these patients, by id."""
    rows = session.execute(select(Patient.id, *columns(ways)).where(Patient.id.in_(set(ids))))
    return {row[0]: Reached(*row[1:]) for row in rows}


def of_patient(
    session: Session,
    patient_id: int,
    ways: Collection[Channel] = WAYS,
    *,
    first: Channel | None = None,
    asking: bool = True,
) -> Reached:
    """Return how to reach a patient. `first` is the channel to try first instead of the patient's choice."""
    choice = Patient.preferred_channel if first is None else literal(first, Message.channel.type)
    found = columns(ways, first=choice, asking=asking)
    return Reached(*session.execute(select(*found).where(Patient.id == patient_id)).one())


def _word(channel: Channel) -> ColumnElement[str]:
    return literal(channel, String())
