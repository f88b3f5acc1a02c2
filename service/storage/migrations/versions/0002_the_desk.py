"""The front desk: hours, appointment types, time off, the waitlist, no overlapping appointments, patient search."""

import sqlalchemy as sa
from alembic import op

from service.storage.search_keys import search_key

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WHEN = sa.DateTime(timezone=True)

LONGEST_SQLITE = "ends_at <= strftime('%Y-%m-%d %H:%M:%S', starts_at, '+12 hours') || '.999999'"
LONGEST_POSTGRESQL = "ends_at <= starts_at + interval '12 hours'"
TAKES_PLACE = "status IN ('booked', 'arrived', 'completed') AND NOT overbooked"

OVERLAP = (
    """
    SELECT RAISE(ABORT, 'overlap of {whose}') WHERE EXISTS (
        SELECT 1 FROM appointments
        WHERE {whose} = NEW.{whose} AND starts_at < NEW.ends_at AND ends_at > NEW.starts_at AND id IS NOT NEW.id
        AND starts_at > strftime('%Y-%m-%d %H:%M:%S', NEW.starts_at, '-12 hours')
        AND """
    + TAKES_PLACE
    + ");"
)
"""No visit is longer than 12 hours, so only the rows of the 12 hours before can reach into the new one."""

TRIGGER = (
    """
CREATE TRIGGER appointments_no_overlap_{name} BEFORE {event} ON appointments
WHEN NEW.status IN ('booked', 'arrived', 'completed') AND NOT NEW.overbooked
BEGIN"""
    + OVERLAP.format(whose="doctor_id")
    + OVERLAP.format(whose="patient_id")
    + """
END"""
)


def upgrade() -> None:
    _new_tables()
    _wider_tables()
    if op.get_context().dialect.name == "sqlite":
        op.execute(TRIGGER.format(name="insert", event="INSERT"))
        columns = "doctor_id, patient_id, starts_at, ends_at, status, overbooked"
        op.execute(TRIGGER.format(name="update", event=f"UPDATE OF {columns}"))
    else:
        op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        for whose in ("doctor_id", "patient_id"):
            op.execute(
                f"ALTER TABLE appointments ADD CONSTRAINT ex_appointments_{whose} EXCLUDE USING gist"
                f" ({whose} WITH =, tstzrange(starts_at, ends_at) WITH &&) WHERE ({TAKES_PLACE})"
            )
    _fill_search_keys()


def _fill_search_keys() -> None:
    """Store a search key for every patient."""
    patients = sa.table("patients", sa.column("id", ID), sa.column("name"), sa.column("folded_name"))
    connection = op.get_bind()
    rows = [{"row": row.id, "key": search_key(row.name)} for row in connection.execute(sa.select(patients))]
    if rows:
        change = sa.update(patients).where(patients.c.id == sa.bindparam("row"))
        connection.execute(change.values(folded_name=sa.bindparam("key")), rows)


def _new_tables() -> None:
    op.create_table(
        "visit_types",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("minutes", ID, nullable=False),
        sa.Column("colour", ID, server_default=sa.text("0"), nullable=False),
        sa.Column("online", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("archived_at", WHEN, nullable=True),
        sa.Column("version", ID, server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_types")),
        sa.UniqueConstraint("name", name=op.f("uq_visit_types_name")),
    )
    op.create_table(
        "doctor_hours",
        sa.Column("id", ID, nullable=False),
        sa.Column("doctor_id", ID, nullable=False),
        sa.Column("weekday", ID, nullable=False),
        sa.Column("starts", sa.Time(), nullable=False),
        sa.Column("ends", sa.Time(), nullable=False),
        sa.Column("slot_minutes", ID, nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.CheckConstraint("ends > starts", name=op.f("ck_doctor_hours_ends_after_start")),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctors.id"], name=op.f("fk_doctor_hours_doctor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_doctor_hours")),
    )
    op.create_index(op.f("ix_doctor_hours_doctor_id"), "doctor_hours", ["doctor_id"], unique=False)

    op.create_table(
        "hours_exceptions",
        sa.Column("id", ID, nullable=False),
        sa.Column("doctor_id", ID, nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("starts", sa.Time(), nullable=True),
        sa.Column("ends", sa.Time(), nullable=True),
        sa.Column("slot_minutes", ID, nullable=True),
        sa.Column("note", sa.String(length=200), server_default="", nullable=False),
        sa.Column("created_by_id", ID, nullable=True),
        sa.Column("created_at", WHEN, nullable=False),
        sa.CheckConstraint("kind IN ('off', 'extra')", name=op.f("ck_hours_exceptions_kind")),
        sa.CheckConstraint("last_day >= first_day", name=op.f("ck_hours_exceptions_last_after_first")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_hours_exceptions_created_by_id")),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctors.id"], name=op.f("fk_hours_exceptions_doctor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hours_exceptions")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_hours_exceptions_last_day"), "hours_exceptions", ["last_day"], unique=False)

    op.create_table(
        "move_proposals",
        sa.Column("appointment_id", ID, nullable=False),
        sa.Column("times", sa.JSON(), nullable=False),
        sa.Column("created_by_id", ID, nullable=True),
        sa.Column("created_at", WHEN, nullable=False),
        sa.ForeignKeyConstraint(["appointment_id"], ["appointments.id"], name=op.f("fk_move_proposals_appointment_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_move_proposals_created_by_id")),
        sa.PrimaryKeyConstraint("appointment_id", name=op.f("pk_move_proposals")),
    )
    op.create_table(
        "waiting_list",
        sa.Column("id", ID, nullable=False),
        sa.Column("patient_id", ID, nullable=False),
        sa.Column("doctor_id", ID, nullable=True),
        sa.Column("visit_type_id", ID, nullable=True),
        sa.Column("weekdays", sa.String(length=7), server_default="0123456", nullable=False),
        sa.Column("part", sa.String(length=20), server_default="any", nullable=False),
        sa.Column("urgent", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("note", sa.String(length=200), server_default="", nullable=False),
        sa.Column("created_by_id", ID, nullable=True),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("closed_at", WHEN, nullable=True),
        sa.Column("appointment_id", ID, nullable=True),
        sa.CheckConstraint("part IN ('any', 'morning', 'afternoon', 'evening')", name=op.f("ck_waiting_list_part")),
        sa.ForeignKeyConstraint(["appointment_id"], ["appointments.id"], name=op.f("fk_waiting_list_appointment_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_waiting_list_created_by_id")),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctors.id"], name=op.f("fk_waiting_list_doctor_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_waiting_list_patient_id")),
        sa.ForeignKeyConstraint(["visit_type_id"], ["visit_types.id"], name=op.f("fk_waiting_list_visit_type_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting_list")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_waiting_list_closed_at"), "waiting_list", ["closed_at"], unique=False)

    op.create_table(
        "offers",
        sa.Column("id", ID, nullable=False),
        sa.Column("waiting_id", ID, nullable=False),
        sa.Column("doctor_id", ID, nullable=False),
        sa.Column("starts_at", WHEN, nullable=False),
        sa.Column("ends_at", WHEN, nullable=False),
        sa.Column("expires_at", WHEN, nullable=False),
        sa.Column("closed_at", WHEN, nullable=True),
        sa.Column("created_by_id", ID, nullable=True),
        sa.Column("created_at", WHEN, nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_offers_created_by_id")),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctors.id"], name=op.f("fk_offers_doctor_id")),
        sa.ForeignKeyConstraint(["waiting_id"], ["waiting_list.id"], name=op.f("fk_offers_waiting_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
    )
    op.create_index(op.f("ix_offers_doctor_id_starts_at"), "offers", ["doctor_id", "starts_at"], unique=False)
    op.create_index(op.f("ix_offers_waiting_id"), "offers", ["waiting_id"], unique=False)


def _wider_tables() -> None:
    is_sqlite = op.get_context().dialect.name == "sqlite"
    with op.batch_alter_table("appointments", table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        batch_op.add_column(sa.Column("cancelled_late", sa.Boolean(), server_default=sa.text("false"), nullable=False))
        batch_op.add_column(sa.Column("ended_at", WHEN, nullable=True))
        batch_op.add_column(sa.Column("rescheduled_at", WHEN, nullable=True))
        batch_op.add_column(sa.Column("visit_type_id", ID, nullable=True))
        batch_op.add_column(sa.Column("series_id", ID, nullable=True))
        batch_op.add_column(sa.Column("overbooked", sa.Boolean(), server_default=sa.text("false"), nullable=False))
        batch_op.add_column(sa.Column("overbooking_reason", sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column("booked_by_id", ID, nullable=True))
        longest = LONGEST_SQLITE if is_sqlite else LONGEST_POSTGRESQL
        batch_op.create_check_constraint(batch_op.f("ck_appointments_at_most_12_hours"), longest)
        batch_op.create_index(batch_op.f("ix_appointments_status_starts_at"), ["status", "starts_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_appointments_rescheduled_from_id"), ["rescheduled_from_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_appointments_visit_type_id"), "visit_types", ["visit_type_id"], ["id"]
        )
        batch_op.create_foreign_key(batch_op.f("fk_appointments_booked_by_id"), "users", ["booked_by_id"], ["id"])

    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"], unique=False)

    with op.batch_alter_table("patients", table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        batch_op.add_column(sa.Column("folded_name", sa.String(length=600), server_default="", nullable=False))
        batch_op.add_column(sa.Column("allergies", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("alerts", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("registered_at", WHEN, nullable=True))
        batch_op.add_column(sa.Column("merged_into_id", ID, nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_patients_merged_into_id"), "patients", ["merged_into_id"], ["id"])
        batch_op.create_index(batch_op.f("ix_patients_folded_name"), ["folded_name"], unique=False)
