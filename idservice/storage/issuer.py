"""What lasts at the issuer: sealed index rows, bitmaps, hashes, signed lists, counts.

Carries out DESIGN section 2, "Index rows", "Withdrawal" and "Lasting rows", as
`issuer.ports.LastingStore`. No table has a column that groups the instances of one person, a
time finer than a day, or an order of arrival. Offers and tokens are in `issuer_pending.py`; what
a row means is known to `issuer/service.py` alone.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from idservice.errors import ServiceError
from idservice.issuer.model import StatusList
from idservice.issuer.ports import Act, Unit
from idservice.period import Period
from idservice.storage import engine as databases

metadata = MetaData()

index_rows = Table(
    "index_rows",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("period", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

marks = Table(
    "marks",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("period", Integer, nullable=False),
)

withdrawn = Table(
    "withdrawn",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("quarter", Integer, nullable=False),
)

lists = Table(
    "lists",
    metadata,
    Column("period", Integer, primary_key=True),
    Column("configuration", Text, primary_key=True),
    Column("allocated", LargeBinary, nullable=False),
    Column("statuses", LargeBinary, nullable=False),
)

published = Table(
    "published",
    metadata,
    Column("period", Integer, primary_key=True),
    Column("configuration", Text, primary_key=True),
    Column("day", Integer, nullable=False),
    Column("token", Text, nullable=False),
)

counts = Table(
    "counts",
    metadata,
    Column("quarter", Integer, primary_key=True),
    Column("act", Text, primary_key=True),
    Column("number", Integer, nullable=False),
)

_OF_A_PERIOD: Final = (index_rows, marks, lists, published)


class SqlLasting:
    """The lasting rows in a database opened with `short_lived=False`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def serialised(self, lock: int) -> Iterator[Unit]:
        """Begin a unit of work that no other with the same lock overlaps; commit at its end."""
        with databases.write(self._engine) as connection:
            databases.lock(connection, lock)
            yield SqlUnit(connection)

    def add_index_row(self, key: bytes, *, period: Period, sealed: bytes) -> None:
        """Add the index row of a new handle: all that a clerk may do here."""
        with databases.write(self._engine) as connection:
            connection.execute(insert(index_rows).values(key=key, period=period, sealed=sealed))

    def lay_out(self, period: Period, configuration: str, *, size: int) -> None:
        """Make an empty list, unless there is one."""
        empty = StatusList.empty(size)
        with databases.write(self._engine) as connection:
            _add(
                connection,
                lists,
                period=period,
                configuration=configuration,
                allocated=empty.allocated,
                statuses=empty.statuses,
            )

    def statuses(self, period: Period, configuration: str) -> bytes | None:
        """Return the statuses of a list that was laid out."""
        found = select(lists.c.statuses).where(*_of(lists, period, configuration))
        with databases.read(self._engine) as connection:
            statuses: bytes | None = connection.execute(found).scalar()
            return statuses

    def publish(self, period: Period, configuration: str, *, day: int, token: str) -> bool:
        """Keep the signed list of a day; False if there is one of that day or a later one."""
        with databases.write(self._engine) as connection:
            offered = databases.insert(connection, published).values(
                period=period, configuration=configuration, day=day, token=token
            )
            newer = offered.on_conflict_do_update(
                index_elements=["period", "configuration"],
                set_={"day": offered.excluded.day, "token": offered.excluded.token},
                where=published.c.day < offered.excluded.day,
            ).returning(published.c.day)
            return connection.execute(newer).first() is not None

    def published(self, period: Period, configuration: str) -> tuple[int, str] | None:
        """Return day and text of the newest signed list."""
        found = select(published.c.day, published.c.token).where(
            *_of(published, period, configuration)
        )
        with databases.read(self._engine) as connection:
            row = connection.execute(found).first()
        return None if row is None else (row.day, row.token)

    def counts(self) -> Sequence[tuple[int, Act, int]]:
        """Return quarter, act and number."""
        found = select(counts).order_by(counts.c.quarter, counts.c.act)
        with databases.read(self._engine) as connection:
            return [(row.quarter, Act(row.act), row.number) for row in connection.execute(found)]

    def reap(self, *, period: Period, quarter: int) -> None:
        """Delete rows of periods before `period` and withdrawn hashes of quarters before."""
        with databases.write(self._engine) as connection:
            for table in _OF_A_PERIOD:
                connection.execute(delete(table).where(table.c.period < period))
            connection.execute(delete(withdrawn).where(withdrawn.c.quarter < quarter))
        databases.wipe(self._engine)

    def rewrite(self) -> None:
        """Write all rows anew in key order, where the engine keeps their order in time."""
        for table in metadata.sorted_tables:
            databases.rewrite(self._engine, table)

    def ready(self) -> bool:
        """Say whether the store answers and has its tables."""
        try:
            with databases.read(self._engine) as connection:
                connection.execute(select(published.c.day).limit(1)).first()
        except ServiceError:
            return False
        return True


class SqlUnit:
    """One unit of work on lasting rows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def is_withdrawn(self, key: bytes) -> bool:
        """Say whether this handle is withdrawn."""
        return self._has(withdrawn, key)

    def withdraw(self, key: bytes, *, quarter: int) -> None:
        """Keep until after `quarter` that this handle is withdrawn."""
        _add(self._connection, withdrawn, key=key, quarter=quarter)

    def is_marked(self, key: bytes) -> bool:
        """Say whether this handle was issued to in a period."""
        return self._has(marks, key)

    def mark(self, key: bytes, *, period: Period) -> None:
        """Keep that this handle was issued to in a period."""
        _add(self._connection, marks, key=key, period=period)

    def index_row(self, key: bytes) -> bytes | None:
        """Return a sealed index row."""
        found = select(index_rows.c.sealed).where(index_rows.c.key == key)
        sealed: bytes | None = self._connection.execute(found).scalar()
        return sealed

    def add_index_row(self, key: bytes, *, period: Period, sealed: bytes) -> None:
        """Add a sealed index row, unless there is one."""
        _add(self._connection, index_rows, key=key, period=period, sealed=sealed)

    def put_index_row(self, key: bytes, *, period: Period, sealed: bytes) -> None:
        """Write a sealed index row, whatever stood in its place."""
        row = databases.insert(self._connection, index_rows).values(
            key=key, period=period, sealed=sealed
        )
        self._connection.execute(
            row.on_conflict_do_update(
                index_elements=["key"],
                set_={"period": row.excluded.period, "sealed": row.excluded.sealed},
            )
        )

    def remove_index_row(self, key: bytes) -> None:
        """Delete a sealed index row."""
        self._connection.execute(delete(index_rows).where(index_rows.c.key == key))

    def status_list(self, period: Period, configuration: str) -> StatusList | None:
        """Return a list that was laid out, and hold it until the unit of work ends."""
        held = select(lists.c.allocated, lists.c.statuses).where(*_of(lists, period, configuration))
        row = self._connection.execute(held.with_for_update()).first()
        return None if row is None else StatusList(allocated=row.allocated, statuses=row.statuses)

    def keep_status_list(self, period: Period, configuration: str, content: StatusList) -> None:
        """Replace a list."""
        replaced = update(lists).where(*_of(lists, period, configuration))
        self._connection.execute(
            replaced.values(allocated=content.allocated, statuses=content.statuses)
        )

    def count(self, act: Act, *, quarter: int) -> None:
        """Count one act."""
        first = databases.insert(self._connection, counts).values(
            quarter=quarter, act=act.value, number=1
        )
        self._connection.execute(
            first.on_conflict_do_update(
                index_elements=["quarter", "act"], set_={"number": counts.c.number + 1}
            )
        )

    def _has(self, table: Table, key: bytes) -> bool:
        found = select(table.c.key).where(table.c.key == key)
        return self._connection.execute(found).first() is not None


def _add(connection: Connection, table: Table, **values: object) -> None:
    connection.execute(
        databases.insert(connection, table).values(**values).on_conflict_do_nothing()
    )


def _of(table: Table, period: Period, configuration: str) -> tuple[ColumnElement[bool], ...]:
    return table.c.period == period, table.c.configuration == configuration
