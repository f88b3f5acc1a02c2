"""A record of who looked that cannot be changed; doctors who stand in, emergency access, legal holds, erasure."""

import sqlalchemy as sa
from alembic import op

from service.domain.foundation import audit_chain
from service.storage.models import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WHEN = sa.DateTime(timezone=True)
BATCH = 5000

ONLY_APPENDED = "the audit is only appended to"
ONLY_EMPTIED = "details of the audit are only emptied"

SQLITE = (
    f"""
CREATE TRIGGER audit_no_{{event}} BEFORE {{event}} ON audit
BEGIN SELECT RAISE(ABORT, '{ONLY_APPENDED}'); END""",
    f"""
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, '{ONLY_APPENDED}'); END""",
    f"""
CREATE TRIGGER audit_details_no_delete BEFORE DELETE ON audit_details
BEGIN SELECT RAISE(ABORT, '{ONLY_EMPTIED}'); END""",
    f"""
CREATE TRIGGER audit_details_only_emptied BEFORE UPDATE ON audit_details
WHEN NEW.entry_id <> OLD.entry_id OR NEW.changes IS NOT NULL OR NEW.salt IS NOT NULL
BEGIN SELECT RAISE(ABORT, '{ONLY_EMPTIED}'); END""",
    f"""
CREATE TRIGGER audit_details_no_replace BEFORE INSERT ON audit_details
WHEN EXISTS (SELECT 1 FROM audit_details WHERE entry_id = NEW.entry_id)
BEGIN SELECT RAISE(ABORT, '{ONLY_EMPTIED}'); END""",
)
"""An INSERT OR REPLACE removes a row of SQLite without its trigger for DELETE: hence the ones for INSERT."""

POSTGRESQL = (
    f"""
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{ONLY_APPENDED}' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_refuse()""",
    """
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()""",
    """
CREATE TRIGGER audit_details_no_delete BEFORE DELETE ON audit_details
FOR EACH ROW EXECUTE FUNCTION audit_refuse()""",
    """
CREATE TRIGGER audit_details_no_truncate BEFORE TRUNCATE ON audit_details
FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()""",
    """
CREATE TRIGGER audit_details_only_emptied BEFORE UPDATE ON audit_details
FOR EACH ROW WHEN (NEW.entry_id <> OLD.entry_id OR NEW.changes IS NOT NULL OR NEW.salt IS NOT NULL)
EXECUTE FUNCTION audit_refuse()""",
)


def upgrade() -> None:
    _audit()
    _access()
    _seal_what_is_there()
    if op.get_context().dialect.name == "sqlite":
        for event in ("update", "delete"):
            op.execute(SQLITE[0].format(event=event))
        for statement in SQLITE[1:]:
            op.execute(statement)
    else:
        for statement in POSTGRESQL:
            op.execute(statement)


def _audit() -> None:
    op.add_column("audit", sa.Column("digest", sa.String(length=64), nullable=True))
    op.add_column("audit", sa.Column("seal", sa.String(length=64), server_default="", nullable=False))
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], unique=False)
    op.create_table(
        "audit_details",
        sa.Column("entry_id", ID, autoincrement=False, nullable=False),
        sa.Column("changes", sa.JSON(), nullable=True),
        sa.Column("salt", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["entry_id"], ["audit.id"], name=op.f("fk_audit_details_entry_id")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_audit_details")),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", ID, autoincrement=False, nullable=False),
        sa.Column("last_id", ID, nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_head_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )


def _access() -> None:
    op.add_column("patients", sa.Column("erased_at", WHEN, nullable=True))
    op.create_table(
        "covers",
        sa.Column("id", ID, nullable=False),
        sa.Column("doctor_id", ID, nullable=False),
        sa.Column("covered_id", ID, nullable=False),
        sa.Column("starts_at", WHEN, nullable=False),
        sa.Column("ends_at", WHEN, nullable=False),
        sa.Column("created_by_id", ID, nullable=True),
        sa.Column("created_at", WHEN, nullable=False),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_covers_ends_after_start")),
        sa.CheckConstraint("doctor_id <> covered_id", name=op.f("ck_covers_another")),
        sa.ForeignKeyConstraint(["covered_id"], ["doctors.id"], name=op.f("fk_covers_covered_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_covers_created_by_id")),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctors.id"], name=op.f("fk_covers_doctor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_covers")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_covers_covered_id"), "covers", ["covered_id"], unique=False)
    op.create_index(op.f("ix_covers_doctor_id_ends_at"), "covers", ["doctor_id", "ends_at"], unique=False)

    op.create_table(
        "emergency_accesses",
        sa.Column("id", ID, nullable=False),
        sa.Column("doctor_id", ID, nullable=False),
        sa.Column("patient_id", ID, nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("expires_at", WHEN, nullable=False),
        sa.Column("seen_at", WHEN, nullable=True),
        sa.Column("seen_by_id", ID, nullable=True),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctors.id"], name=op.f("fk_emergency_accesses_doctor_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_emergency_accesses_patient_id")),
        sa.ForeignKeyConstraint(["seen_by_id"], ["users.id"], name=op.f("fk_emergency_accesses_seen_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergency_accesses")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_emergency_accesses_doctor_id_expires_at"),
        "emergency_accesses",
        ["doctor_id", "expires_at"],
        unique=False,
    )
    op.create_index(op.f("ix_emergency_accesses_seen_at"), "emergency_accesses", ["seen_at"], unique=False)

    op.create_table(
        "legal_holds",
        sa.Column("id", ID, nullable=False),
        sa.Column("patient_id", ID, nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("created_by_id", ID, nullable=True),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("lifted_by_id", ID, nullable=True),
        sa.Column("lifted_at", WHEN, nullable=True),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_legal_holds_created_by_id")),
        sa.ForeignKeyConstraint(["lifted_by_id"], ["users.id"], name=op.f("fk_legal_holds_lifted_by_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_legal_holds_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_holds")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_legal_holds_patient_id"), "legal_holds", ["patient_id"], unique=False)


def _seal_what_is_there() -> None:
    """Seal the entries that were written before there were seals, and note where they end."""
    names = (*audit_chain.SEALED, "seal")
    audit = sa.table("audit", *(sa.column(name, UtcDateTime() if name == "at" else None) for name in names))
    head = sa.table("audit_head", sa.column("id"), sa.column("last_id"), sa.column("seal"))
    connection, last, seal = op.get_bind(), 0, audit_chain.FIRST
    change = sa.update(audit).where(audit.c.id == sa.bindparam("row")).values(seal=sa.bindparam("sealed"))
    while rows := connection.execute(sa.select(audit).where(audit.c.id > last).order_by("id").limit(BATCH)).all():
        changes = []
        for row in rows:
            last, seal = row.id, audit_chain.seal(seal, row._asdict())
            changes.append({"row": last, "sealed": seal})
        connection.execute(change, changes)
    connection.execute(sa.insert(head).values(id=1, last_id=last, seal=seal))
