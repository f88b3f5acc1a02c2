"""E-mail addresses are compared by a key beside them, and those that earlier releases wrote otherwise are marked.

Until now addresses were stored with their letters folded: `max@straße.de` as `max@strasse.de`. What was typed can't be
restored. So what holds `ss`, or `σ` at the end of a word, is marked as doubtful, for someone to confirm or correct.
"""

import re

import sqlalchemy as sa
from alembic import op

from service.mail_addresses import LONGEST_KEY, address_key

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOUBTFUL = re.compile(r"ss|σ(?!\w)")
"""What `ß` and a final `ς` became. The other letters that were folded stand in no alphabet of today."""
AT_ONCE = 5000


def upgrade() -> None:
    op.add_column("users", sa.Column("email_key", sa.String(LONGEST_KEY), server_default="", nullable=False))
    op.add_column("patients", sa.Column("email_key", sa.String(LONGEST_KEY), nullable=True))
    for table in ("users", "patients"):
        op.add_column(table, sa.Column("email_form", sa.String(length=20), server_default="typed", nullable=False))
        _give_keys(table)
    _compare_refusals()
    op.create_index(op.f("ix_users_email_key"), "users", ["email_key"], unique=True)
    op.create_index(op.f("ix_patients_email_key"), "patients", ["email_key"], unique=False)
    only = sa.text("email_form = 'doubtful'")
    op.create_index("ix_patients_email_doubtful", "patients", ["id"], sqlite_where=only, postgresql_where=only)


def _give_keys(name: str) -> None:
    table = sa.table(name, sa.column("id", ID), sa.column("email"), sa.column("email_key"), sa.column("email_form"))
    connection, last = op.get_bind(), 0
    change = (
        sa.update(table)
        .where(table.c.id == sa.bindparam("row"))
        .values(email_key=sa.bindparam("key"), email_form=sa.bindparam("form"))
    )
    page = sa.select(table.c.id, table.c.email).where(table.c.email.is_not(None)).order_by(table.c.id).limit(AT_ONCE)
    while rows := connection.execute(page.where(table.c.id > last)).all():
        found = [{"row": row.id, "key": address_key(row.email), "form": _form(row.email)} for row in rows]
        connection.execute(change, found)
        last = rows[-1].id


def _form(address: str) -> str:
    return "doubtful" if DOUBTFUL.search(address) else "folded"


def _compare_refusals() -> None:
    """Let what was said of an address be found by its key."""
    with op.batch_alter_table("consent_changes") as batch_op:
        batch_op.alter_column("address", existing_type=sa.String(254), type_=sa.String(LONGEST_KEY))
    said = sa.table("consent_changes", sa.column("address"), sa.column("channel"))
    connection = op.get_bind()
    mails = sa.select(said.c.address).where(said.c.channel == "email", said.c.address.is_not(None)).distinct()
    for (address,) in connection.execute(mails).all():
        if address_key(address) != address:
            same = sa.update(said).where(said.c.channel == "email", said.c.address == address)
            connection.execute(same.values(address=address_key(address)))
