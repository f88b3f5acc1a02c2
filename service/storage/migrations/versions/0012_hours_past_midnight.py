"""Hours and time off are kept in minutes of the day, so that they can end at midnight or after it."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MINUTES_SQLITE = "CAST(substr({0}, 1, 2) AS INTEGER) * 60 + CAST(substr({0}, 4, 2) AS INTEGER)"
MINUTES_POSTGRESQL = "CAST(EXTRACT(hour FROM {0}) * 60 + EXTRACT(minute FROM {0}) AS bigint)"
CHECKS = {
    "ends_after_start": "ends > starts",
    "begins_on_its_day": "starts >= 0 AND starts < 1440",
    "at_most_24_hours": "ends <= starts + 1440",
}
NEWEST_ID = "SELECT seq FROM sqlite_sequence WHERE name = 'hours_exceptions'"
KEEP_NEWEST_ID = "INSERT INTO sqlite_sequence (name, seq) VALUES ('hours_exceptions', :seq)"


def upgrade() -> None:
    is_sqlite = op.get_context().dialect.name == "sqlite"
    with op.batch_alter_table("doctor_hours") as batch_op:  # it compares times, and would meet numbers
        batch_op.drop_constraint(batch_op.f("ck_doctor_hours_ends_after_start"), type_="check")
    newest = op.get_bind().scalar(sa.text(NEWEST_ID)) if is_sqlite else None
    _in_minutes("doctor_hours", nullable=False)
    _in_minutes("hours_exceptions", nullable=True, sqlite_autoincrement=True)
    if newest is not None:  # the copy only knows the rows that are left, and no id may come twice
        op.execute("DELETE FROM sqlite_sequence WHERE name = 'hours_exceptions'")
        op.execute(sa.text(KEEP_NEWEST_ID).bindparams(seq=newest))


def _in_minutes(table: str, *, nullable: bool, **table_kwargs: bool) -> None:
    if op.get_context().dialect.name == "sqlite":
        # SQLite lets a column hold a number before it is declared one; the copy then keeps it.
        starts, ends = (MINUTES_SQLITE.format(name) for name in ("starts", "ends"))
        op.execute(f"UPDATE {table} SET starts = {starts}, ends = {ends}")
    with op.batch_alter_table(table, table_kwargs=table_kwargs) as batch_op:
        for name in ("starts", "ends"):
            batch_op.alter_column(
                name,
                existing_type=sa.Time(),
                type_=ID,
                existing_nullable=nullable,
                postgresql_using=MINUTES_POSTGRESQL.format(name),
            )
        for name, check in CHECKS.items():
            batch_op.create_check_constraint(batch_op.f(f"ck_{table}_{name}"), check)
