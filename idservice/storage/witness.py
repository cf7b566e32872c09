"""The newest head that a witness cosigned, one row for each log.

Carries out `transparency/ports.py`, `WitnessStore`. A witness runs at somebody else's, so it has
its own database and its own branch of migrations.
"""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from crypto.log import tree
from crypto.log.tree import TreeHead
from idservice.storage import engine

OFFICE: Final = "witness"

METADATA: Final = sa.MetaData()
WITNESSED: Final = sa.Table(
    "witnessed",
    METADATA,
    sa.Column("origin", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
)


class SqlWitness:
    """The witness's rows in its own database."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database

    def head(self, origin: str) -> TreeHead | None:
        """Return the newest head."""
        query = sa.select(WITNESSED).where(WITNESSED.c.origin == origin)
        with engine.read(self._database) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return TreeHead(size=row.size, root=tree.parse_hash(bytes(row.root)))

    def advance(self, origin: str, *, old: TreeHead | None, new: TreeHead) -> bool:
        """Replace `old` by `new` at once; False, and nothing changed, if it is not `old`."""
        if old is None:
            return self._begin(origin, new)
        replace = (
            sa.update(WITNESSED)
            .where(
                WITNESSED.c.origin == origin,
                WITNESSED.c.size == old.size,
                WITNESSED.c.root == old.root,
            )
            .values(size=new.size, root=new.root)
            .returning(WITNESSED.c.size)
        )
        with engine.write(self._database) as connection:
            return connection.execute(replace).first() is not None

    def _begin(self, origin: str, new: TreeHead) -> bool:
        insert = sa.insert(WITNESSED).values(origin=origin, size=new.size, root=new.root)
        try:
            with engine.write(self._database) as connection:
                connection.execute(insert)
        except IntegrityError:
            return False
        return True
