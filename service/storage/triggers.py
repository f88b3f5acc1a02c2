"""The triggers that the models need, for each kind of database: the one place that says what they are today.

A migration that makes or changes one holds a copy of its text, because migrations never change. What a migrated
database holds is compared with these (storage/structure.py); `create_all` makes them with the tables.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, MetaData, event

from service.storage.models.declaration import Base


@dataclass(frozen=True)
class Trigger:
    """A trigger of a table, with the statement that makes it."""

    table: str
    name: str
    ddl: str


NO_OVERLAP = """
CREATE TRIGGER {name} BEFORE {event} ON appointments
WHEN NEW.status IN ('booked', 'arrived', 'completed') AND NOT NEW.overbooked
BEGIN
    SELECT RAISE(ABORT, 'overlap of doctor_id') WHERE EXISTS (
        SELECT 1 FROM appointments
        WHERE doctor_id = NEW.doctor_id AND starts_at < NEW.ends_at AND ends_at > NEW.starts_at AND id IS NOT NEW.id
        AND starts_at > strftime('%Y-%m-%d %H:%M:%S', NEW.starts_at, '-12 hours')
        AND status IN ('booked', 'arrived', 'completed') AND NOT overbooked);
    SELECT RAISE(ABORT, 'overlap of patient_id') WHERE EXISTS (
        SELECT 1 FROM appointments
        WHERE patient_id = NEW.patient_id AND starts_at < NEW.ends_at AND ends_at > NEW.starts_at AND id IS NOT NEW.id
        AND starts_at > strftime('%Y-%m-%d %H:%M:%S', NEW.starts_at, '-12 hours')
        AND status IN ('booked', 'arrived', 'completed') AND NOT overbooked);
END"""
"""No appointment is longer than 12 hours, so only the rows of the 12 hours before can reach into the new one.

PostgreSQL has exclusion constraints instead.
"""

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
        NO_OVERLAP.format(name="appointments_no_overlap_insert", event="INSERT"),
    ),
    Trigger(
        "appointments",
        "appointments_no_overlap_update",
        NO_OVERLAP.format(
            name="appointments_no_overlap_update",
            event="UPDATE OF doctor_id, patient_id, starts_at, ends_at, status, overbooked",
        ),
    ),
    _on_sqlite("audit", "audit_no_update", "update ON audit", APPEND_ONLY),
    _on_sqlite("audit", "audit_no_delete", "delete ON audit", APPEND_ONLY),
    # INSERT OR REPLACE removes a row without its trigger for DELETE: hence two for INSERT.
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
"""What PostgreSQL's triggers call."""

POSTGRESQL = (
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
        connection.exec_driver_sql(AUDIT_REFUSE)
    for trigger in OF_DIALECT[dialect]:
        connection.exec_driver_sql(trigger.ddl)
