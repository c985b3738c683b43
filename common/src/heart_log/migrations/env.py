"""Alembic's entry: runs the migrations on the connection that `heart_log.migrate` hands over."""

from alembic import context

from heart_log.tables import metadata

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"], target_metadata=metadata, version_table_schema=attributes["schema"]
)
with context.begin_transaction():
    context.run_migrations()
