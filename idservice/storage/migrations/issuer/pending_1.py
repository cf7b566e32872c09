"""Offers and tokens: sealed, short-lived, never write-ahead logged (DESIGN section 2)."""

import sqlalchemy as sa
from alembic import op

revision = "issuer_pending_1"
down_revision = None
branch_labels = ("issuer_pending",)
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    unlogged = ["UNLOGGED"] if op.get_bind().dialect.name == "postgresql" else []
    op.create_table(
        "offers",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("tries", sa.SmallInteger, nullable=False),
        sa.Column("slot", sa.Integer, nullable=False),
        prefixes=unlogged,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tokens",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("thumbprints", sa.LargeBinary, nullable=True),
        sa.Column("slot", sa.Integer, nullable=False),
        prefixes=unlogged,
        sqlite_with_rowid=False,
    )
