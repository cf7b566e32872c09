"""Open requests and sealed answers: short-lived, never write-ahead logged (DESIGN section 2).

Keys are hashes of secrets that stand nowhere here, contents are sealed under them, and a slot
is a coarse number that says when a row goes.
"""

import sqlalchemy as sa
from alembic import op

revision = "verifier_pending_1"
down_revision = None
branch_labels = ("verifier_pending",)
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    unlogged = ["UNLOGGED"] if op.get_bind().dialect.name == "postgresql" else []
    op.create_table(
        "requests",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("slot", sa.Integer, nullable=False),
        prefixes=unlogged,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "answers",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("answered", sa.Boolean, nullable=False),
        sa.Column("slot", sa.Integer, nullable=False),
        prefixes=unlogged,
        sqlite_with_rowid=False,
    )
