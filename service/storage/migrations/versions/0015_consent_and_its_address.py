"""What was agreed to stays with its address, and what merges left with the record that went follows it.

Before, a merge left legal holds, emergency accesses, consent and mailed links with a record that nobody opens again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

LEFT_BEHIND = ("consent_changes", "emergency_accesses", "legal_holds", "message_links")
FOLLOW = """UPDATE {table} SET patient_id = (SELECT merged_into_id FROM patients WHERE patients.id = {table}.patient_id)
WHERE patient_id IN (SELECT id FROM patients WHERE merged_into_id IS NOT NULL)"""
SAID_LAST = """UPDATE consent_changes SET address = (
    SELECT CASE WHEN consent_changes.channel = 'sms' THEN patients.phone ELSE patients.email END
    FROM patients WHERE patients.id = consent_changes.patient_id)
WHERE NOT allowed AND id IN (SELECT max(id) FROM consent_changes GROUP BY patient_id, channel)"""
STRICTER = """UPDATE patients SET {channel}_allowed = false WHERE {channel}_allowed AND EXISTS (
    SELECT 1 FROM patients other WHERE other.merged_into_id = patients.id AND NOT other.{channel}_allowed
    AND other.{address} = patients.{address})"""


def upgrade() -> None:
    with op.batch_alter_table("consent_changes") as batch_op:
        batch_op.add_column(sa.Column("address", sa.String(length=254), nullable=True))
        batch_op.drop_constraint(batch_op.f("ck_consent_changes_via"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_consent_changes_via"), "via IN ('desk', 'account', 'link', 'address', 'merge')"
        )
        batch_op.create_index(batch_op.f("ix_consent_changes_address"), ["address"])
    op.execute(SAID_LAST)
    for channel, address in (("email", "email"), ("sms", "phone")):
        op.execute(STRICTER.format(channel=channel, address=address))
    for table in LEFT_BEHIND:
        op.execute(FOLLOW.format(table=table))
