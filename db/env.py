"""What alembic runs for every schema: the revisions on the connection of db.migrate, or as printed statements."""

from __future__ import annotations

from alembic import context


def run() -> None:
    if context.is_offline_mode():
        context.configure(dialect_name="mysql", literal_binds=True)
    else:
        context.configure(connection=context.config.attributes["connection"], transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


run()
