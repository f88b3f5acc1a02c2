"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WHEN = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "failures",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("failed_at", WHEN, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failures")),
    )
    op.create_index(op.f("ix_failures_key_failed_at"), "failures", ["key", "failed_at"], unique=False)

    op.create_table(
        "installation",
        sa.Column("id", ID, autoincrement=False, nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("demo_at", WHEN, nullable=True),
        sa.Column("served_at", sa.Text(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "job_runs",
        sa.Column("id", ID, nullable=False),
        sa.Column("job", sa.String(length=40), nullable=False),
        sa.Column("slot", sa.String(length=60), nullable=False),
        sa.Column("status", sa.String(length=20), server_default="queued", nullable=False),
        sa.Column("trigger", sa.String(length=20), nullable=False),
        sa.Column("attempt", ID, server_default=sa.text("0"), nullable=False),
        sa.Column("owner", sa.String(length=60), nullable=True),
        sa.Column("lease_until", WHEN, nullable=False),
        sa.Column("due_at", WHEN, nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("started_at", WHEN, nullable=True),
        sa.Column("finished_at", WHEN, nullable=True),
        sa.Column("outcome", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'done', 'failed', 'skipped')", name=op.f("ck_job_runs_status")
        ),
        sa.CheckConstraint("trigger IN ('schedule', 'catchup', 'manual')", name=op.f("ck_job_runs_trigger")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_runs")),
        sa.UniqueConstraint("job", "slot", name=op.f("uq_job_runs_job_slot")),
    )
    op.create_index(op.f("ix_job_runs_status_lease_until"), "job_runs", ["status", "lease_until"], unique=False)

    op.create_table(
        "patients",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("phone", sa.String(length=20), nullable=True),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("archived_at", WHEN, nullable=True),
        sa.Column("version", ID, server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patients")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "users",
        sa.Column("id", ID, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("disabled_at", WHEN, nullable=True),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("version", ID, server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("role IN ('admin', 'receptionist', 'doctor', 'patient')", name=op.f("ck_users_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audit",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", WHEN, nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("act", sa.String(length=60), nullable=False),
        sa.Column("patient_id", ID, nullable=True),
        sa.Column("subject", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_audit_patient_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_audit_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_patient_id_at"), "audit", ["patient_id", "at"], unique=False)

    op.create_table(
        "doctors",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("department", sa.String(length=100), server_default="", nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("archived_at", WHEN, nullable=True),
        sa.Column("version", ID, server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_doctors_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_doctors")),
        sa.UniqueConstraint("user_id", name=op.f("uq_doctors_user_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "exports",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("patient_id", ID, nullable=False),
        sa.Column("requested_by_id", ID, nullable=True),
        sa.Column("status", sa.String(length=20), server_default="pending", nullable=False),
        sa.Column("rows_done", ID, server_default=sa.text("0"), nullable=False),
        sa.Column("rows_total", ID, server_default=sa.text("0"), nullable=False),
        sa.Column("attempts", ID, server_default=sa.text("0"), nullable=False),
        sa.Column("owner", sa.String(length=60), nullable=True),
        sa.Column("lease_until", WHEN, nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("finished_at", WHEN, nullable=True),
        sa.Column("expires_at", WHEN, nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'running', 'available', 'expired', 'failed')", name=op.f("ck_exports_status")
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_exports_patient_id")),
        sa.ForeignKeyConstraint(["requested_by_id"], ["users.id"], name=op.f("fk_exports_requested_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exports")),
    )
    op.create_index(op.f("ix_exports_patient_id_created_at"), "exports", ["patient_id", "created_at"], unique=False)
    op.create_index(op.f("ix_exports_status_lease_until"), "exports", ["status", "lease_until"], unique=False)
    op.create_index(
        "uq_exports_one_unfinished",
        "exports",
        ["patient_id"],
        unique=True,
        sqlite_where=sa.text("status IN ('pending', 'running')"),
        postgresql_where=sa.text("status IN ('pending', 'running')"),
    )

    op.create_table(
        "guardians",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("patient_id", ID, nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_guardians_patient_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_guardians_user_id")),
        sa.PrimaryKeyConstraint("user_id", "patient_id", name=op.f("pk_guardians")),
    )
    op.create_index(op.f("ix_guardians_patient_id"), "guardians", ["patient_id"], unique=False)

    op.create_table(
        "sessions",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("last_seen_at", WHEN, nullable=False),
        sa.Column("expires_at", WHEN, nullable=False),
        sa.Column("ended_at", WHEN, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sessions_token_hash")),
    )
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)

    op.create_table(
        "user_tokens",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("expires_at", WHEN, nullable=False),
        sa.Column("used_at", WHEN, nullable=True),
        sa.CheckConstraint("purpose IN ('invite')", name=op.f("ck_user_tokens_purpose")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_tokens_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_user_tokens_token_hash")),
    )
    op.create_index(op.f("ix_user_tokens_user_id"), "user_tokens", ["user_id"], unique=False)

    op.create_table(
        "appointments",
        sa.Column("id", ID, nullable=False),
        sa.Column("doctor_id", ID, nullable=False),
        sa.Column("patient_id", ID, nullable=False),
        sa.Column("starts_at", WHEN, nullable=False),
        sa.Column("ends_at", WHEN, nullable=False),
        sa.Column("status", sa.String(length=20), server_default="booked", nullable=False),
        sa.Column("reason", sa.String(length=200), server_default="", nullable=False),
        sa.Column("confirmed_at", WHEN, nullable=True),
        sa.Column("arrived_at", WHEN, nullable=True),
        sa.Column("cancelled_at", WHEN, nullable=True),
        sa.Column("cancelled_by", sa.String(length=20), nullable=True),
        sa.Column("cancellation_reason", sa.String(length=200), nullable=True),
        sa.Column("rescheduled_from_id", ID, nullable=True),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("version", ID, server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("cancelled_by IN ('patient', 'clinic')", name=op.f("ck_appointments_cancelled_by")),
        sa.CheckConstraint(
            "status IN ('booked', 'arrived', 'completed', 'cancelled', 'no_show')", name=op.f("ck_appointments_status")
        ),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_appointments_ends_after_start")),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctors.id"], name=op.f("fk_appointments_doctor_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_appointments_patient_id")),
        sa.ForeignKeyConstraint(
            ["rescheduled_from_id"], ["appointments.id"], name=op.f("fk_appointments_rescheduled_from_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointments")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_appointments_doctor_id_starts_at"), "appointments", ["doctor_id", "starts_at"], unique=False
    )
    op.create_index(
        op.f("ix_appointments_patient_id_starts_at"), "appointments", ["patient_id", "starts_at"], unique=False
    )
    op.create_index(op.f("ix_appointments_starts_at_status"), "appointments", ["starts_at", "status"], unique=False)

    op.create_table(
        "reports",
        sa.Column("id", ID, nullable=False),
        sa.Column("doctor_id", ID, nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("visits", ID, server_default=sa.text("0"), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctors.id"], name=op.f("fk_reports_doctor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reports")),
        sa.UniqueConstraint("doctor_id", "month", name=op.f("uq_reports_doctor_id_month")),
    )
    op.create_table(
        "messages",
        sa.Column("id", ID, nullable=False),
        sa.Column("appointment_id", ID, nullable=False),
        sa.Column("patient_id", ID, nullable=False),
        sa.Column("starts_at", WHEN, nullable=False),
        sa.Column("rule", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("recipient", sa.String(length=254), nullable=True),
        sa.Column("status", sa.String(length=20), server_default="queued", nullable=False),
        sa.Column("skip_reason", sa.String(length=20), nullable=True),
        sa.Column("covered_by", ID, nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("due_at", WHEN, nullable=False),
        sa.Column("attempts", ID, server_default=sa.text("0"), nullable=False),
        sa.Column("owner", sa.String(length=60), nullable=True),
        sa.Column("lease_until", WHEN, nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("sent_at", WHEN, nullable=True),
        sa.CheckConstraint(
            "status IN ('queued', 'sending', 'handing_over', 'sent', 'failed', 'unknown', 'skipped')",
            name=op.f("ck_messages_status"),
        ),
        sa.ForeignKeyConstraint(["appointment_id"], ["appointments.id"], name=op.f("fk_messages_appointment_id")),
        sa.ForeignKeyConstraint(["covered_by"], ["messages.id"], name=op.f("fk_messages_covered_by")),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_messages_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint(
            "appointment_id",
            "starts_at",
            "rule",
            "channel",
            name=op.f("uq_messages_appointment_id_starts_at_rule_channel"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_messages_rule_starts_at"), "messages", ["rule", "starts_at"], unique=False)
    op.create_index(op.f("ix_messages_status_due_at"), "messages", ["status", "due_at"], unique=False)

    op.create_table(
        "treatments",
        sa.Column("id", ID, nullable=False),
        sa.Column("appointment_id", ID, nullable=False),
        sa.Column("visit_type", sa.String(length=60), server_default="", nullable=False),
        sa.Column("symptoms", sa.Text(), server_default="", nullable=False),
        sa.Column("diagnosis", sa.Text(), server_default="", nullable=False),
        sa.Column("treatment", sa.Text(), server_default="", nullable=False),
        sa.Column("prescription", sa.Text(), server_default="", nullable=False),
        sa.Column("notes", sa.Text(), server_default="", nullable=False),
        sa.Column("next_visit", sa.Date(), nullable=True),
        sa.Column("recorded_by_id", ID, nullable=True),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("updated_at", WHEN, nullable=False),
        sa.Column("version", ID, server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["appointment_id"], ["appointments.id"], name=op.f("fk_treatments_appointment_id")),
        sa.ForeignKeyConstraint(["recorded_by_id"], ["users.id"], name=op.f("fk_treatments_recorded_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_treatments")),
        sa.UniqueConstraint("appointment_id", name=op.f("uq_treatments_appointment_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "treatment_versions",
        sa.Column("id", ID, nullable=False),
        sa.Column("treatment_id", ID, nullable=False),
        sa.Column("version", ID, nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("recorded_by_id", ID, nullable=True),
        sa.Column("replaced_at", WHEN, nullable=False),
        sa.ForeignKeyConstraint(["recorded_by_id"], ["users.id"], name=op.f("fk_treatment_versions_recorded_by_id")),
        sa.ForeignKeyConstraint(["treatment_id"], ["treatments.id"], name=op.f("fk_treatment_versions_treatment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_treatment_versions")),
        sa.UniqueConstraint("treatment_id", "version", name=op.f("uq_treatment_versions_treatment_id_version")),
    )
