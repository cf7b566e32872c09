"""What stands beside the register's log: texts that can be erased, checkpoints, counts.

Carries out `governance/ports.py`, `RegisterStore`. What a comment is about and when it came is
public in the log; here is what must be able to go, official texts, and checkpoints with their
cosignatures, which votes are over and which prove notice. Erasing wipes SQLite's files and, on
PostgreSQL, writes the table anew, because both keep old pages. A backup that somebody made
meanwhile keeps the text (said in the data inventory).
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from crypto.log import note
from crypto.log.note import Note
from idservice.errors import ServiceError
from idservice.governance import model
from idservice.governance.model import Comment, ComplaintKey, CountedComplaint, Digest
from idservice.storage import engine

OFFICE: Final = "governance"

METADATA: Final = sa.MetaData()
COMMENTS: Final = sa.Table(
    "comments",
    METADATA,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)
DOCUMENTS: Final = sa.Table(
    "documents",
    METADATA,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
)
CHECKPOINTS: Final = sa.Table(
    "checkpoints",
    METADATA,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("note", sa.LargeBinary, nullable=False),
)
COMPLAINTS: Final = sa.Table(
    "complaints",
    METADATA,
    sa.Column("quarter", sa.Text, primary_key=True),
    sa.Column("verifier", sa.Text, primary_key=True),
    sa.Column("policy", sa.Text, primary_key=True),
    sa.Column("excess", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
)
_KEY: Final = ("quarter", "verifier", "policy", "excess")


class SqlRegister:
    """The office's rows in their own database."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database

    def keep(self, comment: Comment) -> None:
        """Keep a comment's text and salt; the same one again changes nothing."""
        with engine.write(self._database) as connection:
            connection.execute(
                engine.insert(connection, COMMENTS)
                .values(digest=comment.digest, salt=comment.salt, text=comment.text)
                .on_conflict_do_nothing()
            )

    def comment(self, digest: Digest) -> Comment | None:
        """Return a comment that is still there."""
        query = sa.select(COMMENTS).where(COMMENTS.c.digest == digest)
        with engine.read(self._database) as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Comment(salt=bytes(row.salt), text=row.text)

    def comments(self) -> Mapping[Digest, Comment]:
        """Return the comments that are still there."""
        with engine.read(self._database) as connection:
            return {
                Digest(bytes(row.digest)): Comment(salt=bytes(row.salt), text=row.text)
                for row in connection.execute(sa.select(COMMENTS))
            }

    def erase(self, digests: Collection[Digest]) -> None:
        """Delete texts and salts so that no old page of the database has them."""
        with engine.write(self._database) as connection:
            connection.execute(sa.delete(COMMENTS).where(COMMENTS.c.digest.in_(digests)))
        engine.wipe(self._database)
        engine.rewrite(self._database, COMMENTS)

    def keep_document(self, text: str) -> Digest:
        """Keep an official text by its SHA-256; the same one again changes nothing."""
        digest = model.document_digest(text)
        with engine.write(self._database) as connection:
            connection.execute(
                engine.insert(connection, DOCUMENTS)
                .values(digest=digest, text=text)
                .on_conflict_do_nothing()
            )
        return digest

    def documents(self) -> Mapping[Digest, str]:
        """Return all official texts."""
        with engine.read(self._database) as connection:
            rows = connection.execute(sa.select(DOCUMENTS)).all()
        return {Digest(bytes(row.digest)): row.text for row in rows}

    def drop_documents(self, digests: Collection[Digest]) -> None:
        """Delete official texts."""
        with engine.write(self._database) as connection:
            connection.execute(sa.delete(DOCUMENTS).where(DOCUMENTS.c.digest.in_(digests)))

    def keep_checkpoint(self, signed: Note, *, size: int) -> None:
        """Keep a published checkpoint by its SHA-256; the same one again changes nothing."""
        octets = signed.octets()
        with engine.write(self._database) as connection:
            connection.execute(
                engine.insert(connection, CHECKPOINTS)
                .values(digest=hashlib.sha256(octets).digest(), size=size, note=octets)
                .on_conflict_do_nothing()
            )

    def checkpoints(self) -> Sequence[Note]:
        """Return the checkpoints that were kept, the smallest first."""
        query = sa.select(CHECKPOINTS.c.note).order_by(CHECKPOINTS.c.size, CHECKPOINTS.c.digest)
        with engine.read(self._database) as connection:
            return [note.parse(bytes(each)) for each in connection.execute(query).scalars()]

    def count(self, complaint: ComplaintKey) -> None:
        """Count one more."""
        values = {
            "quarter": complaint.quarter,
            "verifier": complaint.verifier,
            "policy": complaint.policy,
            "excess": complaint.excess,
        }
        with engine.write(self._database) as connection:
            more = engine.insert(connection, COMPLAINTS).values(**values, number=1)
            connection.execute(
                more.on_conflict_do_update(
                    index_elements=list(_KEY), set_={"number": COMPLAINTS.c.number + 1}
                )
            )

    def complaints(self) -> Sequence[CountedComplaint]:
        """Return all counts, the newest quarter first."""
        order = (COMPLAINTS.c.quarter.desc(), *(COMPLAINTS.c[name] for name in _KEY[1:]))
        with engine.read(self._database) as connection:
            return [
                CountedComplaint(
                    key=ComplaintKey(
                        quarter=row.quarter,
                        verifier=row.verifier,
                        policy=row.policy,
                        excess=row.excess,
                    ),
                    number=row.number,
                )
                for row in connection.execute(sa.select(COMPLAINTS).order_by(*order))
            ]

    def rewrite(self) -> None:
        """Write all rows anew in key order, where the engine keeps their order in time."""
        for table in METADATA.sorted_tables:
            engine.rewrite(self._database, table)

    def ready(self) -> bool:
        """Say whether the store answers and has its tables."""
        try:
            with engine.read(self._database) as connection:
                connection.execute(sa.select(COMPLAINTS.c.number).limit(1)).first()
        except ServiceError:
            return False
        return True
