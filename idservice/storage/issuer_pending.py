"""Sealed offers, access tokens, counted renewals: rows that live for minutes.

Carries out DESIGN section 2, "Sealed offers" and "Short-lived rows", as
`issuer.ports.PendingStore`. What is single use is one `DELETE ... RETURNING`, what is counted is
one `UPDATE ... RETURNING`: of many callers at once, on any replica, the database lets one win.
Nothing here can open a seal.
"""

from sqlalchemy import (
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    delete,
    insert,
    select,
    update,
)

from idservice.issuer.ports import TokenRow
from idservice.storage import engine as databases

metadata = MetaData()

offers = Table(
    "offers",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("tries", SmallInteger, nullable=False),
    Column("slot", Integer, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("thumbprints", LargeBinary, nullable=True),
    Column("slot", Integer, nullable=False),
)

renewals = Table(
    "renewals",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("tries", SmallInteger, nullable=False),
    Column("slot", Integer, nullable=False),
)


class SqlPending:
    """The short-lived rows in a database opened with `short_lived=True`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add_offer(self, key: bytes, *, sealed: bytes, slot: int) -> None:
        """Keep a sealed offer until `slot`."""
        with databases.write(self._engine) as connection:
            connection.execute(insert(offers).values(key=key, sealed=sealed, tries=0, slot=slot))

    def has_offer(self, key: bytes, *, tries: int, slot: int) -> bool:
        """Say whether there is such an offer, with tries left."""
        found = select(offers.c.slot).where(
            offers.c.key == key, offers.c.slot > slot, offers.c.tries < tries
        )
        with databases.read(self._engine) as connection:
            return connection.execute(found).first() is not None

    def try_offer(self, key: bytes, *, tries: int, slot: int) -> bytes | None:
        """Count one try in one atomic statement; return the seal if there were tries left."""
        counted = (
            update(offers)
            .where(offers.c.key == key, offers.c.slot > slot, offers.c.tries < tries)
            .values(tries=offers.c.tries + 1)
            .returning(offers.c.sealed)
        )
        with databases.write(self._engine) as connection:
            sealed: bytes | None = connection.execute(counted).scalar()
            return sealed

    def trade(self, offer: bytes, *, token: bytes, sealed: bytes, slot: int) -> bool:
        """Delete the offer and keep the token until `slot`, at once; False if it was gone."""
        with databases.write(self._engine) as connection:
            taken = delete(offers).where(offers.c.key == offer).returning(offers.c.slot)
            if connection.execute(taken).first() is None:
                return False
            kept = insert(tokens).values(key=token, sealed=sealed, thumbprints=None, slot=slot)
            connection.execute(kept)
            return True

    def token(self, key: bytes, *, slot: int) -> TokenRow | None:
        """Return the token's row."""
        found = select(tokens.c.sealed, tokens.c.thumbprints).where(
            tokens.c.key == key, tokens.c.slot > slot
        )
        with databases.read(self._engine) as connection:
            row = connection.execute(found).first()
        return None if row is None else TokenRow(sealed=row.sealed, thumbprints=row.thumbprints)

    def attempt(self, key: bytes, *, sealed: bytes, thumbprints: bytes, slot: int) -> bool:
        """Replace the token's seal and bind it to its keys; False if it was gone."""
        replaced = (
            update(tokens)
            .where(tokens.c.key == key, tokens.c.slot > slot)
            .values(sealed=sealed, thumbprints=thumbprints)
            .returning(tokens.c.slot)
        )
        with databases.write(self._engine) as connection:
            return connection.execute(replaced).first() is not None

    def try_renewal(self, key: bytes, *, tries: int, slot: int) -> bool:
        """Count one renewal in one atomic statement, until `slot`; False if none was left."""
        with databases.write(self._engine) as connection:
            first = databases.insert(connection, renewals).values(key=key, tries=1, slot=slot)
            counted = first.on_conflict_do_update(
                index_elements=["key"],
                set_={"tries": renewals.c.tries + 1},
                where=renewals.c.tries < tries,
            ).returning(renewals.c.tries)
            return connection.execute(counted).first() is not None

    def reap(self, *, slot: int) -> None:
        """Delete what is out of date, and leave no trace of it in files."""
        with databases.write(self._engine) as connection:
            for table in (offers, tokens, renewals):
                connection.execute(delete(table).where(table.c.slot <= slot))
        databases.wipe(self._engine)
