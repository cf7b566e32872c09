"""The log's entries, tiles and heads in SQL.

Carries out `transparency/ports.py`, `LogStore`. Primary keys make each number and each size
unique for ever, so two sequencers cannot both have them; what is already there is never updated,
but for a tile that grows. A head without a note is decided and not yet signed. The static files
stand in `published.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from crypto.log import edge, note, tile, tree
from crypto.log.edge import Edge, Growth
from crypto.log.note import Note
from crypto.log.tile import Tile
from crypto.log.tree import Hash, TreeHead
from idservice.errors import ServiceError
from idservice.storage import engine
from idservice.transparency.model import Broken, Publication, RecordedHead
from idservice.transparency.ports import Raced, Unit

OFFICE: Final = "transparency"

METADATA: Final = sa.MetaData()
ENTRIES: Final = sa.Table(
    "entries",
    METADATA,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("entry", sa.LargeBinary, nullable=False),
)
TILES: Final = sa.Table(
    "tiles",
    METADATA,
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hashes", sa.LargeBinary, nullable=False),
)
HEADS: Final = sa.Table(
    "heads",
    METADATA,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("note", sa.LargeBinary, nullable=True),
)
PUBLICATION: Final = sa.Table(
    "publication",
    METADATA,
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("note", sa.LargeBinary, nullable=False),
)

_LOCK: Final = 0x1D5E_7A1C_E000_0002
_PLACE: Final = 0
_DISK_FAILED: Final = "SQLITE_IOERR"


class SqlUnit:
    """A unit of work on the log's rows."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def edge(self) -> Edge:
        """Read the right edge of the newest recorded tree."""
        newest = self._connection.execute(sa.select(sa.func.max(HEADS.c.size))).scalar_one()
        if newest is None:
            return edge.EMPTY
        names = [name for name in edge.partial_tiles(newest) if name is not None]
        found = _read_tiles(self._connection, names)
        return edge.read(size=newest, read_tile=found.__getitem__)

    def add(self, entries: Sequence[bytes], *, growth: Growth) -> None:
        """Add entries, the tiles that grew, and the head: each number and size once, for ever."""
        head = growth.edge.head()
        first = head.size - len(entries)
        try:
            self._connection.execute(
                sa.insert(HEADS).values(size=head.size, root=head.root, note=None)
            )
            if entries:
                self._connection.execute(
                    sa.insert(ENTRIES),
                    [
                        {"number": number, "entry": entry}
                        for number, entry in enumerate(entries, start=first)
                    ],
                )
            for name, hashes in growth.tiles.items():
                self._grow(name, b"".join(hashes))
        except IntegrityError as error:
            raise Raced from error

    def _grow(self, name: Tile, octets: bytes) -> None:
        upsert = engine.insert(self._connection, TILES).values(
            level=name.level, number=name.index, hashes=octets
        )
        self._connection.execute(
            upsert.on_conflict_do_update(
                index_elements=[TILES.c.level, TILES.c.number], set_={"hashes": octets}
            )
        )


class SqlLog:
    """The log's rows in its own database."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database

    @contextmanager
    def unit(self) -> Iterator[Unit]:
        """Begin a unit of work; commit at its end."""
        with _writing(self._database) as connection:
            engine.lock(connection, _LOCK)
            yield SqlUnit(connection)

    def newest(self) -> RecordedHead | None:
        """Return the newest recorded head."""
        query = sa.select(HEADS).order_by(HEADS.c.size.desc()).limit(1)
        with engine.read(self._database) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        head = TreeHead(size=row.size, root=tree.parse_hash(bytes(row.root)))
        signed = None if row.note is None else note.parse(bytes(row.note))
        return RecordedHead(head=head, note=signed)

    def keep_signature(self, signed: Note, *, size: int) -> None:
        """Keep the log's own signature over the head of this size, unless there is one."""
        keep = (
            sa.update(HEADS)
            .where(HEADS.c.size == size, HEADS.c.note.is_(None))
            .values(note=signed.octets())
        )
        with _writing(self._database) as connection:
            connection.execute(keep)

    def publication(self) -> Publication | None:
        """Return what is to be seen; None before the first."""
        with engine.read(self._database) as connection:
            row = connection.execute(sa.select(PUBLICATION)).one_or_none()
        if row is None:
            return None
        return Publication(size=row.size, note=note.parse(bytes(row.note)))

    def publish(self, publication: Publication) -> bool:
        """Replace what is to be seen, unless that is already larger; say whether it was done."""
        values = {"size": publication.size, "note": publication.note.octets()}
        with _writing(self._database) as connection:
            upsert = engine.insert(connection, PUBLICATION).values(place=_PLACE, **values)
            done = connection.execute(
                upsert.on_conflict_do_update(
                    index_elements=[PUBLICATION.c.place],
                    set_=values,
                    where=PUBLICATION.c.size <= publication.size,
                ).returning(PUBLICATION.c.place)
            ).first()
        return done is not None

    def tiles(self, names: Sequence[Tile]) -> Mapping[Tile, tuple[Hash, ...]]:
        """Return tiles of recorded trees, as wide as asked for."""
        with engine.read(self._database) as connection:
            return _read_tiles(connection, names)

    def entries(self, begin: int, end: int) -> Sequence[bytes]:
        """Return the entries that there are, from number `begin` to before `end`."""
        query = (
            sa.select(ENTRIES.c.entry)
            .where(ENTRIES.c.number >= begin, ENTRIES.c.number < end)
            .order_by(ENTRIES.c.number)
        )
        with engine.read(self._database) as connection:
            return [bytes(entry) for entry in connection.execute(query).scalars()]


@contextmanager
def _writing(database: sa.Engine) -> Iterator[sa.Connection]:
    """Write as `engine.write` does, and tell a disk that failed from a database that is away."""
    try:
        with engine.write(database) as connection:
            yield connection
    except ServiceError as error:
        cause = error.__cause__
        original = cause.orig if isinstance(cause, DBAPIError) else cause
        if str(getattr(original, "sqlite_errorname", "")).startswith(_DISK_FAILED):
            raise Broken from error
        raise


def _read_tiles(
    connection: sa.Connection, names: Sequence[Tile]
) -> Mapping[Tile, tuple[Hash, ...]]:
    if not names:
        return {}
    wanted = sa.or_(
        *(sa.and_(TILES.c.level == name.level, TILES.c.number == name.index) for name in names)
    )
    rows = connection.execute(sa.select(TILES).where(wanted)).all()
    found = {(row.level, row.number): bytes(row.hashes) for row in rows}
    return {
        name: tile.parse_hashes(
            found[name.level, name.index][: name.width * tree.HASH_LENGTH], width=name.width
        )
        for name in names
    }
