"""A given name of its own, the line of a file that a record came from, and which rule wrote the search keys.

The search keys themselves are rebuilt right after the migrations, by storage/search_key_rebuild.py.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("patients", sa.Column("given_name", sa.String(length=200), nullable=True))
    op.add_column("patients", sa.Column("imported_line", sa.String(length=64), nullable=True))
    op.add_column("installation", sa.Column("folded_by", sa.String(length=40), nullable=True))
