"""The newest head that a witness cosigned, one row for each log (C2SP tlog-witness)."""

import sqlalchemy as sa
from alembic import op

revision = "witness_lasting_1"
down_revision = None
branch_labels = ("witness_lasting",)
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "witnessed",
        sa.Column("origin", sa.Text, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
    )
