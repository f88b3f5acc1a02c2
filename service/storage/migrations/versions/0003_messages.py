"""Messages about more than visits, links in them, and what each patient has agreed to."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WHEN = sa.DateTime(timezone=True)


def upgrade() -> None:
    _messages()
    _new_tables()
    op.add_column("installation", sa.Column("messages_paused_at", WHEN, nullable=True))
    op.add_column("patients", sa.Column("language", sa.String(length=8), nullable=True))
    op.add_column(
        "patients",
        sa.Column("preferred_channel", sa.String(length=20), server_default="email", nullable=False),
    )
    for channel in ("email", "sms"):
        agreed: sa.Column[bool] = sa.Column(
            f"{channel}_allowed", sa.Boolean(), server_default=sa.text("true"), nullable=False
        )
        op.add_column("patients", agreed)
    with op.batch_alter_table("user_tokens") as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_user_tokens_purpose"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_user_tokens_purpose"), "purpose IN ('invite', 'password_reset', 'sign_in')"
        )


def _messages() -> None:
    with op.batch_alter_table("messages", table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        batch_op.alter_column("appointment_id", existing_type=ID, nullable=True)
        batch_op.alter_column("patient_id", existing_type=ID, nullable=True)
        batch_op.alter_column("starts_at", existing_type=WHEN, nullable=True)
        batch_op.add_column(sa.Column("event", sa.String(length=40), server_default="", nullable=False))
        batch_op.add_column(sa.Column("user_id", ID, nullable=True))
        batch_op.add_column(sa.Column("about", sa.String(length=60), nullable=True))
        batch_op.add_column(sa.Column("language", sa.String(length=8), server_default="", nullable=False))
        batch_op.add_column(sa.Column("edited_at", WHEN, nullable=True))
        batch_op.add_column(sa.Column("held_at", WHEN, nullable=True))
        batch_op.add_column(sa.Column("released_at", WHEN, nullable=True))
        batch_op.add_column(sa.Column("answer", sa.String(length=500), nullable=True))
        batch_op.add_column(sa.Column("unsure_at", WHEN, nullable=True))
        batch_op.add_column(sa.Column("phoned_at", WHEN, nullable=True))
        batch_op.add_column(sa.Column("phoned_by_id", ID, nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_messages_user_id"), "users", ["user_id"], ["id"])
        batch_op.create_foreign_key(batch_op.f("fk_messages_phoned_by_id"), "users", ["phoned_by_id"], ["id"])
        batch_op.drop_index(batch_op.f("ix_messages_status_due_at"))
        batch_op.create_index(
            batch_op.f("ix_messages_status_starts_at_due_at"), ["status", "starts_at", "due_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_messages_status_id"), ["status", "id"])
        batch_op.create_index(batch_op.f("ix_messages_rule_id"), ["rule", "id"])
        batch_op.create_index(batch_op.f("ix_messages_recipient"), ["recipient"])
        batch_op.create_index(batch_op.f("ix_messages_covered_by"), ["covered_by"])
        batch_op.create_index(
            batch_op.f("ix_messages_recipient_rule_starts_at"), ["recipient", "rule", "starts_at"], unique=False
        )
        batch_op.create_index(
            "ix_messages_with_text",
            ["created_at"],
            sqlite_where=sa.text("body IS NOT NULL OR recipient IS NOT NULL"),
            postgresql_where=sa.text("body IS NOT NULL OR recipient IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("ix_messages_patient_id_created_at"), ["patient_id", "created_at"])
        batch_op.create_index(batch_op.f("ix_messages_about"), ["about"])


def _new_tables() -> None:
    op.create_table(
        "message_links",
        sa.Column("id", ID, nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("message_id", ID, nullable=False),
        sa.Column("appointment_id", ID, nullable=True),
        sa.Column("patient_id", ID, nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("expires_at", WHEN, nullable=False),
        sa.CheckConstraint("purpose IN ('visit', 'offer', 'contact')", name=op.f("ck_message_links_purpose")),
        sa.ForeignKeyConstraint(["appointment_id"], ["appointments.id"], name=op.f("fk_message_links_appointment_id")),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_message_links_message_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_message_links_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_message_links_token_hash")),
    )
    op.create_index(op.f("ix_message_links_message_id"), "message_links", ["message_id"], unique=False)
    op.create_index(op.f("ix_message_links_expires_at"), "message_links", ["expires_at"], unique=False)
    op.create_table(
        "consent_changes",
        sa.Column("id", ID, nullable=False),
        sa.Column("patient_id", ID, nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("allowed", sa.Boolean(), nullable=False),
        sa.Column("via", sa.String(length=20), nullable=False),
        sa.Column("changed_by_id", ID, nullable=True),
        sa.Column("changed_at", WHEN, nullable=False),
        sa.CheckConstraint("via IN ('desk', 'account', 'link')", name=op.f("ck_consent_changes_via")),
        sa.ForeignKeyConstraint(["changed_by_id"], ["users.id"], name=op.f("fk_consent_changes_changed_by_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_consent_changes_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_changes")),
    )
    op.create_index(
        op.f("ix_consent_changes_patient_id_changed_at"), "consent_changes", ["patient_id", "changed_at"], unique=False
    )
