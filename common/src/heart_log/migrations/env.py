"""Alembic's entry: runs the migrations on the connection that `heart_log.migrate` hands over."""

from alembic import context

from heart_log.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
