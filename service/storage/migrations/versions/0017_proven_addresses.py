"""A new address counts once it is proven, and a mailed link is bound to the address and state it was asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

WHEN = sa.DateTime(timezone=True)
PURPOSES = "purpose IN ('invite', 'password_reset', 'sign_in', 'email', 'registration')"


def upgrade() -> None:
    op.add_column("users", sa.Column("new_email", sa.String(length=254), nullable=True))
    op.add_column("users", sa.Column("new_email_of", sa.JSON(), nullable=True))
    op.add_column("users", sa.Column("unproven_since", WHEN, nullable=True))
    op.add_column("users", sa.Column("links_count_from", WHEN, nullable=True))
    with op.batch_alter_table("user_tokens") as batch_op:
        batch_op.add_column(sa.Column("email", sa.String(length=254), nullable=True))
        batch_op.drop_constraint(op.f("ck_user_tokens_purpose"), type_="check")
        batch_op.create_check_constraint(op.f("ck_user_tokens_purpose"), PURPOSES)
