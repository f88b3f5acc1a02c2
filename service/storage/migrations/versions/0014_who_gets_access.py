"""Accounts know whether they were ever used, guardians when they may read clinical texts; the audit is found by act."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

WHEN = sa.DateTime(timezone=True)
USED = """
UPDATE users SET used_at = created_at
WHERE password_hash IS NOT NULL
OR id IN (SELECT user_id FROM audit WHERE act = 'session.begin' AND user_id IS NOT NULL)
"""
"""Sessions are forgotten after a month, the audit never is."""


def upgrade() -> None:
    op.add_column("users", sa.Column("used_at", WHEN, nullable=True))
    op.add_column("guardians", sa.Column("clinical_from", WHEN, nullable=True))
    op.create_index(op.f("ix_audit_act_id"), "audit", ["act", "id"], unique=False)
    op.execute(USED)
