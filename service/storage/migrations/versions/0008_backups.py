"""When the scheduler last ticked, and when readiness was last checked."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("ticked_at", "checked_at"):
        op.add_column("installation", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
