"""How often a handle asked for one renewal: short-lived, never write-ahead logged."""

import sqlalchemy as sa
from alembic import op

revision = "issuer_pending_2"
down_revision = "issuer_pending_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    unlogged = ["UNLOGGED"] if op.get_bind().dialect.name == "postgresql" else []
    op.create_table(
        "renewals",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("tries", sa.SmallInteger, nullable=False),
        sa.Column("slot", sa.Integer, nullable=False),
        prefixes=unlogged,
        sqlite_with_rowid=False,
    )
