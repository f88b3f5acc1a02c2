"""Exports: formats, choices, canceling, removing, download counts, and the whole clinic."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WHEN = sa.DateTime(timezone=True)
OF_THE_CLINIC = "status IN ('pending', 'running') AND patient_id IS NULL"


def upgrade() -> None:
    with op.batch_alter_table("exports") as batch_op:
        batch_op.alter_column("patient_id", existing_type=ID, nullable=True)
        batch_op.add_column(sa.Column("format", sa.String(length=10), server_default="csv", nullable=False))
        batch_op.add_column(sa.Column("with_visits", sa.Boolean(), server_default=sa.text("false"), nullable=False))
        batch_op.add_column(sa.Column("with_messages", sa.Boolean(), server_default=sa.text("false"), nullable=False))
        batch_op.add_column(sa.Column("started_at", WHEN, nullable=True))
        batch_op.add_column(sa.Column("revoked_at", WHEN, nullable=True))
        batch_op.add_column(sa.Column("downloads", ID, server_default=sa.text("0"), nullable=False))
        batch_op.add_column(sa.Column("downloaded_at", WHEN, nullable=True))
        batch_op.drop_constraint(batch_op.f("ck_exports_status"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_exports_status"),
            "status IN ('pending', 'running', 'available', 'expired', 'failed', 'cancelled')",
        )
        batch_op.create_check_constraint(batch_op.f("ck_exports_format"), "format IN ('csv', 'json', 'zip')")
    op.create_index(
        "uq_exports_one_unfinished_clinic",
        "exports",
        ["format"],
        unique=True,
        sqlite_where=sa.text(OF_THE_CLINIC),
        postgresql_where=sa.text(OF_THE_CLINIC),
    )
