"""Appointments keep what was promised: a local time and its zone. Doctors are blocked for a span of its own.

No table is rebuilt: the new columns may be empty, and those of old rows are filled in by the next start, which knows
the clinic's zone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WHEN = sa.DateTime(timezone=True)

TAKES_PLACE = "status IN ('booked', 'arrived', 'completed') AND NOT overbooked"
LONGEST_SQLITE = "blocked_until <= strftime('%Y-%m-%d %H:%M:%S', blocked_from, '+12 hours') || '.999999'"
LONGEST_POSTGRESQL = "blocked_until <= blocked_from + interval '12 hours'"

OVERLAP_OF_DOCTOR = f"""
    SELECT RAISE(ABORT, 'overlap of doctor_id') WHERE EXISTS (
        SELECT 1 FROM appointments
        WHERE doctor_id = NEW.doctor_id AND id IS NOT NEW.id
        AND coalesce(blocked_from, starts_at) < {{until}} AND coalesce(blocked_until, ends_at) > {{since}}
        AND starts_at > strftime('%Y-%m-%d %H:%M:%S', {{since}}, '-12 hours')
        AND starts_at < strftime('%Y-%m-%d %H:%M:%S', {{until}}, '+12 hours')
        AND {TAKES_PLACE});"""
"""A doctor is blocked for 12 hours at the most, so only the rows of 12 hours around can reach into the new one."""
OVERLAP_OF_PATIENT = f"""
    SELECT RAISE(ABORT, 'overlap of patient_id') WHERE EXISTS (
        SELECT 1 FROM appointments
        WHERE patient_id = NEW.patient_id AND id IS NOT NEW.id
        AND starts_at < NEW.ends_at AND ends_at > NEW.starts_at
        AND starts_at > strftime('%Y-%m-%d %H:%M:%S', NEW.starts_at, '-12 hours')
        AND {TAKES_PLACE});"""
TRIGGER = (
    """
CREATE TRIGGER appointments_no_overlap_{name} BEFORE {event} ON appointments
WHEN NEW.status IN ('booked', 'arrived', 'completed') AND NOT NEW.overbooked
BEGIN"""
    + OVERLAP_OF_DOCTOR
    + OVERLAP_OF_PATIENT
    + """
END"""
)
SINCE, UNTIL = "coalesce(NEW.blocked_from, NEW.starts_at)", "coalesce(NEW.blocked_until, NEW.ends_at)"
ONLY_TIMES_MOVED = (
    "NEW.blocked_from IS OLD.blocked_from AND NEW.blocked_until IS OLD.blocked_until"
    " AND (NEW.starts_at IS NOT OLD.starts_at OR NEW.ends_at IS NOT OLD.ends_at)"
)
FOLLOW_ON_SQLITE = f"""
CREATE TRIGGER appointments_block_follows AFTER UPDATE OF starts_at, ends_at ON appointments
WHEN {ONLY_TIMES_MOVED}
BEGIN
    UPDATE appointments SET blocked_from = NEW.starts_at, blocked_until = NEW.ends_at WHERE id = NEW.id;
END"""
FOLLOW_ON_POSTGRESQL = (
    """
CREATE OR REPLACE FUNCTION appointments_block_follows() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.blocked_from := NEW.starts_at; NEW.blocked_until := NEW.ends_at; RETURN NEW; END $$""",
    "CREATE TRIGGER appointments_block_follows BEFORE UPDATE OF starts_at, ends_at ON appointments FOR EACH ROW"
    " WHEN (NEW.blocked_from IS NOT DISTINCT FROM OLD.blocked_from"
    " AND NEW.blocked_until IS NOT DISTINCT FROM OLD.blocked_until"
    " AND (NEW.starts_at IS DISTINCT FROM OLD.starts_at OR NEW.ends_at IS DISTINCT FROM OLD.ends_at))"
    " EXECUTE FUNCTION appointments_block_follows()",
)
BLOCK = "UPDATE appointments SET blocked_from = starts_at, blocked_until = ends_at"
WATCHED = "doctor_id, patient_id, starts_at, ends_at, blocked_from, blocked_until, status, overbooked"


def upgrade() -> None:
    is_sqlite = op.get_context().dialect.name == "sqlite"
    for column in (
        sa.Column("local_start", sa.String(length=16), nullable=True),
        sa.Column("local_fold", ID, nullable=True),
        sa.Column("zone", sa.String(length=64), nullable=True),
    ):
        op.add_column("appointments", column)
    if is_sqlite:
        _blocked_on_sqlite()
    else:
        _blocked_on_postgresql()
    op.add_column("installation", sa.Column("zone", sa.String(length=64), nullable=True))
    op.add_column("installation", sa.Column("zone_chosen_at", WHEN, nullable=True))
    op.execute("UPDATE installation SET zone_chosen_at = created_at WHERE EXISTS (SELECT 1 FROM users)")
    op.add_column("installation", sa.Column("zone_rules", sa.JSON(), nullable=True))
    op.add_column("installation", sa.Column("zone_at_instants", sa.String(length=64), nullable=True))
    op.create_table(
        "zone_changes",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", WHEN, nullable=False),
        sa.Column("zone_before", sa.String(length=64), nullable=False),
        sa.Column("zone_after", sa.String(length=64), nullable=False),
        sa.Column("kept_local", ID, nullable=False),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("seen_at", WHEN, nullable=True),
        sa.Column("seen_by_id", ID, nullable=True),
        sa.ForeignKeyConstraint(["seen_by_id"], ["users.id"], name=op.f("fk_zone_changes_seen_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_zone_changes")),
    )


def _blocked_on_sqlite() -> None:
    # A constraint can come with a column, so that the table need not be copied; the second one sees both columns.
    op.execute("ALTER TABLE appointments ADD COLUMN blocked_from DATETIME")
    op.execute(
        "ALTER TABLE appointments ADD COLUMN blocked_until DATETIME"
        f" CONSTRAINT ck_appointments_blocked_at_most_12_hours CHECK ({LONGEST_SQLITE})"
    )
    op.execute("DROP TRIGGER appointments_no_overlap_insert")
    op.execute("DROP TRIGGER appointments_no_overlap_update")
    op.execute(BLOCK)
    op.execute(TRIGGER.format(name="insert", event="INSERT", since=SINCE, until=UNTIL))
    since = f"iif({ONLY_TIMES_MOVED}, NEW.starts_at, {SINCE})"
    until = f"iif({ONLY_TIMES_MOVED}, NEW.ends_at, {UNTIL})"
    op.execute(TRIGGER.format(name="update", event=f"UPDATE OF {WATCHED}", since=since, until=until))
    op.execute(FOLLOW_ON_SQLITE)


def _blocked_on_postgresql() -> None:
    op.add_column("appointments", sa.Column("blocked_from", WHEN, nullable=True))
    op.add_column("appointments", sa.Column("blocked_until", WHEN, nullable=True))
    op.execute("ALTER TABLE appointments DROP CONSTRAINT ex_appointments_doctor_id")
    op.execute(BLOCK)
    op.create_check_constraint(op.f("ck_appointments_blocked_at_most_12_hours"), "appointments", LONGEST_POSTGRESQL)
    span = "tstzrange(coalesce(blocked_from, starts_at), coalesce(blocked_until, ends_at))"
    op.execute(
        "ALTER TABLE appointments ADD CONSTRAINT ex_appointments_doctor_id EXCLUDE USING gist"
        f" (doctor_id WITH =, {span} WITH &&) WHERE ({TAKES_PLACE})"
    )
    for statement in FOLLOW_ON_POSTGRESQL:
        op.execute(statement)
