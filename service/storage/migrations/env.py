"""How Alembic runs our revisions: on the connection that migrate() hands over, in its transaction."""

from alembic import context

from service.storage.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
