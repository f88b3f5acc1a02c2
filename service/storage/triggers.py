"""The current triggers of each kind of database.

A migration that creates or changes one has its own copy of the text, because migrations never change. A migrated
database is compared with these (storage/structure.py), and `create_all` creates them with the tables.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, MetaData, event

from service.storage.models.declaration import Base


@dataclass(frozen=True)
class Trigger:
    """A trigger, with the statement that creates it."""

    table: str
    name: str
    ddl: str


NO_OVERLAP = """
CREATE TRIGGER {name} BEFORE {event} ON appointments
WHEN NEW.status IN ('booked', 'arrived', 'completed') AND NOT NEW.overbooked
BEGIN
    SELECT RAISE(ABORT, 'overlap of doctor_id') WHERE EXISTS (
        SELECT 1 FROM appointments
        WHERE doctor_id = NEW.doctor_id AND id IS NOT NEW.id
        AND coalesce(blocked_from, starts_at) < {until} AND coalesce(blocked_until, ends_at) > {since}
        AND starts_at > strftime('%Y-%m-%d %H:%M:%S', {since}, '-12 hours')
        AND starts_at < strftime('%Y-%m-%d %H:%M:%S', {until}, '+12 hours')
        AND status IN ('booked', 'arrived', 'completed') AND NOT overbooked);
    SELECT RAISE(ABORT, 'overlap of patient_id') WHERE EXISTS (
        SELECT 1 FROM appointments
        WHERE patient_id = NEW.patient_id AND id IS NOT NEW.id
        AND starts_at < NEW.ends_at AND ends_at > NEW.starts_at
        AND starts_at > strftime('%Y-%m-%d %H:%M:%S', NEW.starts_at, '-12 hours')
        AND status IN ('booked', 'arrived', 'completed') AND NOT overbooked);
END"""
"""No appointment takes or blocks more than 12 hours, so only rows within 12 hours of the new one can overlap it.

PostgreSQL uses exclusion constraints instead.
"""
BLOCK = {"since": "coalesce(NEW.blocked_from, NEW.starts_at)", "until": "coalesce(NEW.blocked_until, NEW.ends_at)"}
ONLY_TIMES_MOVED = (
    "NEW.blocked_from IS OLD.blocked_from AND NEW.blocked_until IS OLD.blocked_until"
    " AND (NEW.starts_at IS NOT OLD.starts_at OR NEW.ends_at IS NOT OLD.ends_at)"
)
BLOCK_AFTER_MOVE = {
    "since": f"iif({ONLY_TIMES_MOVED}, NEW.starts_at, {BLOCK['since']})",
    "until": f"iif({ONLY_TIMES_MOVED}, NEW.ends_at, {BLOCK['until']})",
}
FOLLOW = f"""
CREATE TRIGGER appointments_block_follows AFTER UPDATE OF starts_at, ends_at ON appointments
WHEN {ONLY_TIMES_MOVED}
BEGIN
    UPDATE appointments SET blocked_from = NEW.starts_at, blocked_until = NEW.ends_at WHERE id = NEW.id;
END"""
"""Changing an appointment's time with plain SQL also changes the time it blocks."""

WATCHED = "doctor_id, patient_id, starts_at, ends_at, blocked_from, blocked_until, status, overbooked"
APPEND_ONLY = "the audit is only appended to"
ONLY_EMPTIED = "details of the audit are only emptied"


def _on_sqlite(table: str, name: str, when: str, refusal: str) -> Trigger:
    """A trigger that refuses what happens `when`."""
    return Trigger(table, name, f"CREATE TRIGGER {name} BEFORE {when} BEGIN SELECT RAISE(ABORT, '{refusal}'); END")


def _on_postgresql(table: str, name: str, when: str) -> Trigger:
    """A trigger that refuses what happens `when`."""
    return Trigger(table, name, f"CREATE TRIGGER {name} BEFORE {when} EXECUTE FUNCTION audit_refuse()")


SQLITE = (
    Trigger(
        "appointments",
        "appointments_no_overlap_insert",
        NO_OVERLAP.format(name="appointments_no_overlap_insert", event="INSERT", **BLOCK),
    ),
    Trigger(
        "appointments",
        "appointments_no_overlap_update",
        NO_OVERLAP.format(
            name="appointments_no_overlap_update",
            event=f"UPDATE OF {WATCHED}",
            **BLOCK_AFTER_MOVE,
        ),
    ),
    Trigger("appointments", "appointments_block_follows", FOLLOW),
    _on_sqlite("audit", "audit_no_update", "update ON audit", APPEND_ONLY),
    _on_sqlite("audit", "audit_no_delete", "delete ON audit", APPEND_ONLY),
    # INSERT OR REPLACE removes a row without firing its DELETE trigger, so there are two for INSERT.
    _on_sqlite(
        "audit",
        "audit_no_replace",
        "INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)",
        APPEND_ONLY,
    ),
    _on_sqlite("audit_details", "audit_details_no_delete", "DELETE ON audit_details", ONLY_EMPTIED),
    _on_sqlite(
        "audit_details",
        "audit_details_only_emptied",
        "UPDATE ON audit_details WHEN NEW.entry_id <> OLD.entry_id OR NEW.changes IS NOT NULL OR NEW.salt IS NOT NULL",
        ONLY_EMPTIED,
    ),
    _on_sqlite(
        "audit_details",
        "audit_details_no_replace",
        "INSERT ON audit_details WHEN EXISTS (SELECT 1 FROM audit_details WHERE entry_id = NEW.entry_id)",
        ONLY_EMPTIED,
    ),
)

AUDIT_REFUSE = f"""
CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{APPEND_ONLY}' USING ERRCODE = 'integrity_constraint_violation'; END $$"""
"""The function that PostgreSQL's audit triggers call."""
BLOCK_FOLLOWS = """
CREATE OR REPLACE FUNCTION appointments_block_follows() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.blocked_from := NEW.starts_at; NEW.blocked_until := NEW.ends_at; RETURN NEW; END $$"""
FUNCTIONS = (AUDIT_REFUSE, BLOCK_FOLLOWS)

POSTGRESQL = (
    Trigger(
        "appointments",
        "appointments_block_follows",
        "CREATE TRIGGER appointments_block_follows BEFORE UPDATE OF starts_at, ends_at ON appointments FOR EACH ROW"
        " WHEN (NEW.blocked_from IS NOT DISTINCT FROM OLD.blocked_from"
        " AND NEW.blocked_until IS NOT DISTINCT FROM OLD.blocked_until"
        " AND (NEW.starts_at IS DISTINCT FROM OLD.starts_at OR NEW.ends_at IS DISTINCT FROM OLD.ends_at))"
        " EXECUTE FUNCTION appointments_block_follows()",
    ),
    _on_postgresql("audit", "audit_no_change", "UPDATE OR DELETE ON audit FOR EACH ROW"),
    _on_postgresql("audit", "audit_no_truncate", "TRUNCATE ON audit FOR EACH STATEMENT"),
    _on_postgresql("audit_details", "audit_details_no_delete", "DELETE ON audit_details FOR EACH ROW"),
    _on_postgresql("audit_details", "audit_details_no_truncate", "TRUNCATE ON audit_details FOR EACH STATEMENT"),
    _on_postgresql(
        "audit_details",
        "audit_details_only_emptied",
        "UPDATE ON audit_details FOR EACH ROW"
        " WHEN (NEW.entry_id <> OLD.entry_id OR NEW.changes IS NOT NULL OR NEW.salt IS NOT NULL)",
    ),
)

OF_DIALECT = {"sqlite": SQLITE, "postgresql": POSTGRESQL}


@event.listens_for(Base.metadata, "after_create")
def _make_with_tables(_metadata: MetaData, connection: Connection, **_more: object) -> None:
    dialect = connection.dialect.name
    if dialect == "postgresql":
        for function in FUNCTIONS:
            connection.exec_driver_sql(function)
    for trigger in OF_DIALECT[dialect]:
        connection.exec_driver_sql(trigger.ddl)
