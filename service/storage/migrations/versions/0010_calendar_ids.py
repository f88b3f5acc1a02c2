"""An id of the clinic's own, and the UIDs that calendar entries were already sent under."""

import secrets
from urllib.parse import urlsplit

import sqlalchemy as sa
from alembic import context, op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KEEP_UIDS = """
WITH RECURSIVE
told(id) AS (
    SELECT appointment_id FROM messages
    WHERE rule IN ('booking_confirmation', 'visit_moved', 'visit_cancelled', 'visit_restored')
    AND appointment_id IS NOT NULL AND channel <> 'sms'
    AND (status IN ('sent', 'unknown', 'handing_over') OR unsure_at IS NOT NULL)
),
entered(id) AS (  -- one message confirms a whole series
    SELECT id FROM told
    UNION
    SELECT id FROM appointments
    WHERE series_id IN (SELECT series_id FROM appointments WHERE id IN (SELECT id FROM told))
),
chain(id) AS (
    SELECT id FROM entered
    UNION
    SELECT moved.rescheduled_from_id FROM appointments AS moved JOIN chain ON chain.id = moved.id
    WHERE moved.rescheduled_from_id IS NOT NULL
)
UPDATE appointments SET calendar_uid = 'visit-' || id || '@' || :host
WHERE rescheduled_from_id IS NULL AND id IN (SELECT id FROM chain)
"""
"""A UID belongs to the first booking of a chain of moves."""


def upgrade() -> None:
    _clinic_id()
    op.add_column("appointments", sa.Column("calendar_uid", sa.String(length=300), nullable=True))
    public_url = context.config.attributes["clinic"].public_url
    op.execute(sa.text(KEEP_UIDS).bindparams(host=str(urlsplit(public_url).hostname)))


def _clinic_id() -> None:
    op.add_column("installation", sa.Column("clinic_id", sa.String(length=32), nullable=True))
    op.execute(sa.text("UPDATE installation SET clinic_id = :made").bindparams(made=secrets.token_hex(16)))
    with op.batch_alter_table("installation") as batch_op:
        batch_op.alter_column("clinic_id", existing_type=sa.String(length=32), nullable=False)
