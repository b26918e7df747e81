"""Alembic's environment: the migrations run on the connection that the server hands them."""

from alembic import context

from client_server.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
