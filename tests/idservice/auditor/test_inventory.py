"""The inventory is read strictly, and neither side of the comparison may have more."""

import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from idservice.auditor import comparison, folder, inventory, schema
from idservice.auditor.model import Kind, Letter, Trouble

LINE = """
[[item]]
kind = "column"
place = "issuer.lasting"
name = "marks.key"
what = "a hash"
whom = "resident"
purpose = "one issuing"
readers = "operator"
kept = "a period"
letter = "M"
"""
OTHER = LINE.replace("marks.key", "marks.period")


def database(path: Path, *, extra: str = "") -> sa.Engine:
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE marks (key BLOB, period INTEGER{extra})")
    return engine


def test_a_complete_line_is_read() -> None:
    (item,) = inventory.parse(LINE).items
    assert item.kind is Kind.COLUMN
    assert item.letter is Letter.MATHEMATICS
    assert item.always


def test_the_shipped_inventory_is_the_one_in_docs() -> None:
    root = Path(__file__).parents[3]
    assert inventory.load() == inventory.load(root / "docs" / "data-inventory.toml")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "= not toml",
        "[other]\nx = 1",
        LINE + "\n[other]\n",
        LINE.replace('kept = "a period"\n', ""),
        LINE.replace('"a period"', '"  "'),
        LINE.replace('"a period"', "3"),
        LINE + 'until = "later"\n',
        LINE + 'always = "no"\n',
        LINE.replace('"M"', '"X"'),
        LINE.replace('"column"', '"thing"'),
        LINE + LINE,
        "item = 3",
        "item = [3]",
    ],
    ids=str,
)
def test_an_incomplete_or_unknown_line_is_refused(text: str) -> None:
    with pytest.raises(inventory.UnusableInventory):
        inventory.parse(text)


def test_a_missing_inventory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(inventory.UnusableInventory):
        inventory.load(tmp_path / "absent.toml")


def test_what_is_listed_and_there_agrees() -> None:
    listed = inventory.parse(LINE)
    found = {"marks.key"}
    assert not comparison.compare(
        found, listed, kind=Kind.COLUMN, places=("issuer.lasting", "issuer.pending")
    )


def test_both_directions_are_reported() -> None:
    listed = inventory.parse(LINE)
    findings = comparison.compare(
        {"residents.name"}, listed, kind=Kind.COLUMN, places=("issuer.lasting",)
    )
    assert [(item.name, item.trouble) for item in findings] == [
        ("residents.name", Trouble.UNLISTED),
        ("marks.key", Trouble.ABSENT),
    ]


def test_what_may_be_absent_is_no_finding() -> None:
    listed = inventory.parse(LINE + "always = false\n")
    assert not comparison.compare((), listed, kind=Kind.COLUMN, places=("issuer.lasting",))


@pytest.mark.threat("T47")
def test_an_unlisted_column_stops_the_office(tmp_path: Path) -> None:
    listed = inventory.parse(LINE + OTHER)
    engine = database(tmp_path / "lasting.db", extra=", last_seen TEXT")
    with pytest.raises(schema.Unlisted, match=r"marks\.last_seen"):
        schema.refuse_unlisted(engine, listed, "issuer.lasting")


@pytest.mark.threat("T47")
def test_a_listed_schema_starts(tmp_path: Path) -> None:
    listed = inventory.parse(LINE + OTHER)
    schema.refuse_unlisted(database(tmp_path / "lasting.db"), listed, "issuer.lasting")


def test_an_unlisted_view_is_found(tmp_path: Path) -> None:
    engine = database(tmp_path / "lasting.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE VIEW history AS SELECT key AS person FROM marks")
    assert "history.person" in schema.columns(engine)


def test_the_auditor_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "lasting.db"
    database(path).dispose()
    engine = schema.open_for_reading(f"sqlite:///{path}")
    with pytest.raises(sa.exc.OperationalError), engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO marks (key, period) VALUES (x'00', 1)")
    engine.dispose()


def test_a_city_is_recognised_with_its_issuer(tmp_path: Path) -> None:
    (tmp_path / "issuer" / "keys").mkdir(parents=True)
    for name in ("city.json", "issuer/lasting.db", "issuer/keys/a.key"):
        (tmp_path / name).touch()
    city, issuer = folder.parts(tmp_path)
    assert city.files == {"city.json"}
    assert issuer.files == {"lasting.db", "keys/a.key"}
    assert set(issuer.databases) == {"issuer.lasting"}
    assert folder.parts(tmp_path / "issuer") == (issuer,)


def test_a_verifier_and_a_wallet_are_recognised(tmp_path: Path) -> None:
    for place, mark in (("verifier", "verifier.json"), ("wallet", "wallet.sealed")):
        (tmp_path / place).mkdir()
        (tmp_path / place / mark).touch()
        (part,) = folder.parts(tmp_path / place)
        assert part.place == place


def test_any_other_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(folder.NotAFolder):
        folder.parts(tmp_path)


@pytest.mark.threat("T47")
def test_what_a_link_leads_to_is_not_taken_for_what_is_listed(tmp_path: Path) -> None:
    office, elsewhere = tmp_path / "office", tmp_path / "elsewhere"
    for path in (office, elsewhere):
        path.mkdir()
        (path / "verifier.json").touch()
    (office / "pending.db").symlink_to(elsewhere / "verifier.json")
    (office / "status").symlink_to(elsewhere)
    (part,) = folder.parts(office)
    assert part.files == {"verifier.json", "pending.db (a link)", "status (a link)"}


def test_a_folder_that_cannot_be_read_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "verifier.json").touch()
    (tmp_path / "status").mkdir()
    look = os.scandir

    def closed(path: str) -> object:
        if str(path).endswith("status"):
            raise PermissionError(13, "Permission denied", path)
        return look(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(PermissionError):
        folder.parts(tmp_path)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("keys/*.key", "keys/a.key", True),
        ("keys/*.key", "keys/people/a.key", False),
        ("*.change.json", "kept/a.change.json", False),
        ("public/**", "public/tile/0/000", True),
        ("a.[db]", "a.d", False),
    ],
)
def test_a_star_stays_in_its_folder(pattern: str, name: str, *, fits: bool) -> None:
    text = LINE.replace("marks.key", pattern) + "always = false\n"
    findings = comparison.compare(
        {name}, inventory.parse(text), kind=Kind.COLUMN, places=("issuer.lasting",)
    )
    assert (not findings) is fits


def test_looking_at_a_database_at_rest_leaves_no_file_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "lasting.db"
    writer = database(path)
    with writer.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    writer.dispose()
    engine = schema.open_for_reading(f"sqlite:///{path}")
    assert schema.columns(engine) == {"marks.key", "marks.period"}
    engine.dispose()
    assert [each.name for each in tmp_path.iterdir()] == ["lasting.db"]


def test_a_database_in_use_is_read_with_what_stands_in_its_log(tmp_path: Path) -> None:
    path = tmp_path / "lasting.db"
    writer = database(path)
    with writer.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("CREATE TABLE history (person TEXT)")
        connection.commit()
        engine = schema.open_for_reading(f"sqlite:///{path}")
        assert "history.person" in schema.columns(engine)
        engine.dispose()
    writer.dispose()
