"""The clinic's own monthly report, and what a report was before it was made again."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WHEN = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "clinic_reports",
        sa.Column("id", ID, nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("visits", ID, nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clinic_reports")),
        sa.UniqueConstraint("month", name=op.f("uq_clinic_reports_month")),
    )
    op.create_table(
        "report_versions",
        sa.Column("id", ID, nullable=False),
        sa.Column("doctor_id", ID, nullable=True),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("replaced_at", WHEN, nullable=False),
        sa.Column("replaced_by_id", ID, nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["doctor_id"], ["doctors.id"], name=op.f("fk_report_versions_doctor_id")),
        sa.ForeignKeyConstraint(["replaced_by_id"], ["users.id"], name=op.f("fk_report_versions_replaced_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_versions")),
    )
    op.create_index(op.f("ix_report_versions_doctor_id_month"), "report_versions", ["doctor_id", "month"], unique=False)
