"""What Alembic runs for each upgrade: the scripts, in the unit of work that `engine` opened."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
