"""Exports as their tests handle them: ask for one, take it, settle it, look at its row."""

from service.domain.exports import export_ledger, exports
from service.domain.foundation.actor import Actor
from service.storage.models import Export
from tests.house import House


def only(actor: Actor) -> int:
    (patient_id,) = actor.patient_ids
    return patient_id


def request(house: House, actor: Actor, patient_id: int | None = None) -> str:
    with house.writing() as session:
        return exports.request(session, actor, only(actor) if patient_id is None else patient_id).id


def claim(house: House, export_id: str, owner: str = "one") -> int | None:
    """Take an export; returns its patient's id."""
    with house.writing() as session:
        claim = export_ledger.claim(session, export_id, owner)
    return claim.patient_id if claim else None


def put_back(house: House, export_id: str, owner: str = "one") -> None:
    with house.writing() as session:
        export_ledger.put_back(session, export_id, owner)


def settle(house: House, export_id: str, owner: str = "one", rows: int = 3) -> bool:
    with house.writing() as session:
        return export_ledger.settle(session, export_id, owner, rows, keep_hours=24)


def row(house: House, export_id: str) -> Export:
    with house.reading() as session:
        return session.get_one(Export, export_id)


def finished(house: House, actor: Actor) -> str:
    export_id = request(house, actor)
    claim(house, export_id)
    assert settle(house, export_id)
    return export_id


def waiting(house: House) -> list[str]:
    with house.reading() as session:
        return [waiting.id for waiting in export_ledger.claimable(session)]
