"""When the scheduler ticked last, and when somebody last asked whether the service is ready."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("ticked_at", "checked_at"):
        op.add_column("installation", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
