"""Sealed index rows, hashes, bitmaps, published lists, counts (DESIGN section 2).

No column holds a time finer than a day, an order, or anything derived from a person that can
be read without that person's slip.
"""

import sqlalchemy as sa
from alembic import op

revision = "issuer_lasting_1"
down_revision = None
branch_labels = ("issuer_lasting",)
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "index_rows",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("period", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "marks",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("period", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "withdrawn",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("quarter", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lists",
        sa.Column("period", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("configuration", sa.Text, primary_key=True),
        sa.Column("allocated", sa.LargeBinary, nullable=False),
        sa.Column("statuses", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "published",
        sa.Column("period", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("configuration", sa.Text, primary_key=True),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "counts",
        sa.Column("quarter", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("act", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
