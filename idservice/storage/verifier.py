"""Open requests and sealed answers, then nothing.

Carries out `verifier/ports.py`, `Store`. Both tables are short-lived (DESIGN section 2); losing
them loses only questions that were open. What a row holds, and which slot it has, is decided in
`verifier/protocol.py`; the tables through time stand in `migrations/verifier/`.
"""

from typing import Final

import sqlalchemy as sa

from idservice.storage import engine
from idservice.verifier.ports import StoredAnswer

OFFICE: Final = "verifier"

METADATA: Final = sa.MetaData()
REQUESTS: Final = sa.Table(
    "requests",
    METADATA,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("slot", sa.Integer, nullable=False),
)
ANSWERS: Final = sa.Table(
    "answers",
    METADATA,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("answered", sa.Boolean, nullable=False),
    sa.Column("slot", sa.Integer, nullable=False),
)


class SqlStore:
    """The verifier's rows in its own database."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database

    def open(
        self,
        *,
        request_key: bytes,
        request: bytes,
        request_slot: int,
        answer_key: bytes,
        place: bytes,
        answer_slot: int,
    ) -> None:
        """Keep an open request, and the empty place of its answer."""
        with engine.write(self._database) as connection:
            connection.execute(
                sa.insert(REQUESTS).values(key=request_key, sealed=request, slot=request_slot)
            )
            connection.execute(
                sa.insert(ANSWERS).values(
                    key=answer_key, sealed=place, answered=False, slot=answer_slot
                )
            )

    def request(self, key: bytes) -> bytes | None:
        """Return an open request."""
        query = sa.select(REQUESTS.c.sealed).where(REQUESTS.c.key == key)
        with engine.read(self._database) as connection:
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else bytes(found)

    def replace(self, key: bytes, *, old: bytes, new: bytes) -> bool:
        """Put `new` for `old` in an open request's row, or say that it holds something else."""
        change = (
            sa.update(REQUESTS)
            .where(REQUESTS.c.key == key, REQUESTS.c.sealed == old)
            .values(sealed=new)
            .returning(REQUESTS.c.slot)
        )
        with engine.write(self._database) as connection:
            return connection.execute(change).first() is not None

    def conclude(self, key: bytes, *, answer_key: bytes, sealed: bytes, answer_slot: int) -> bool:
        """Delete the open request and fill the place of its answer, or say that it is gone."""
        consume = sa.delete(REQUESTS).where(REQUESTS.c.key == key).returning(REQUESTS.c.slot)
        fill = (
            sa.update(ANSWERS)
            .where(ANSWERS.c.key == answer_key)
            .values(sealed=sealed, answered=True, slot=answer_slot)
        )
        with engine.write(self._database) as connection:
            if connection.execute(consume).first() is None:
                return False
            connection.execute(fill)
        return True

    def answer(self, key: bytes) -> StoredAnswer | None:
        """Look at the place of an answer."""
        query = sa.select(ANSWERS.c.sealed, ANSWERS.c.answered).where(ANSWERS.c.key == key)
        with engine.read(self._database) as connection:
            found = connection.execute(query).one_or_none()
        return None if found is None else StoredAnswer(bytes(found.sealed), found.answered)

    def take(self, key: bytes) -> bool:
        """Delete a filled place; of any number of callers one is told yes."""
        consume = (
            sa.delete(ANSWERS)
            .where(ANSWERS.c.key == key, ANSWERS.c.answered)
            .returning(ANSWERS.c.slot)
        )
        with engine.write(self._database) as connection:
            return connection.execute(consume).first() is not None

    def reap(self, *, slot: int) -> None:
        """Delete every row whose slot is reached."""
        with engine.write(self._database) as connection:
            for table in (REQUESTS, ANSWERS):
                connection.execute(sa.delete(table).where(table.c.slot <= slot))
