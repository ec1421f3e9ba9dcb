"""The migrated schema is the one that the code describes."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from db.engine import alembic_config, downgrade, is_current, upgrade
from db.tables import Base


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'satisface.db'}"


def schema(file: Path) -> dict[str, str]:
    """Name of every table and index to its definition, spaces apart. SQLite keeps it as it was
    written, so that this holds what Alembic does not compare: check constraints."""
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        found = {name: "".join(sql.split()) for name, sql in rows}
    found.pop("alembic_version", None)
    return found


def sorted_parts(definition: str) -> list[str]:
    """Columns and constraints in any order: what is added later stands at the end."""
    head, _, body = definition.removesuffix(")").partition("(")
    parts, depth = [""], 0
    for sign in body:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return [head, *sorted(parts)]


def test_migrations_give_the_tables_that_the_code_describes(url: str) -> None:
    upgrade(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_migrations_give_the_constraints_that_the_code_describes(url: str, tmp_path: Path) -> None:
    upgrade(url)
    described = tmp_path / "described.db"
    engine = create_engine(f"sqlite:///{described}")
    Base.metadata.create_all(engine)
    engine.dispose()
    migrated = schema(tmp_path / "satisface.db")
    assert migrated.keys() == schema(described).keys()
    for name, definition in schema(described).items():
        assert sorted_parts(migrated[name]) == sorted_parts(definition), name


def test_downgrade_to_base_leaves_nothing(url: str, tmp_path: Path) -> None:
    upgrade(url)
    downgrade(url, "base")
    assert schema(tmp_path / "satisface.db") == {}
    upgrade(url)
    assert is_current(url)


def test_there_is_one_newest_revision(url: str) -> None:
    assert len(ScriptDirectory.from_config(alembic_config(url)).get_heads()) == 1


def test_is_current_tells_a_migrated_database(url: str) -> None:
    upgrade(url)
    assert is_current(url)
    downgrade(url, "base")
    assert not is_current(url)


def test_is_current_creates_no_database(url: str, tmp_path: Path) -> None:
    assert not is_current(url)
    assert list(tmp_path.iterdir()) == []


def test_upgrade_twice_changes_nothing(url: str, tmp_path: Path) -> None:
    upgrade(url)
    before = schema(tmp_path / "satisface.db")
    upgrade(url)
    assert schema(tmp_path / "satisface.db") == before


def test_an_upgrade_that_fails_leaves_nothing_behind(url: str, tmp_path: Path) -> None:
    # A table of the same name stands in the way of a later one of the first revision.
    with closing(sqlite3.connect(tmp_path / "satisface.db")) as connection:
        connection.execute("CREATE TABLE tracks (id INTEGER)")
        connection.commit()
    with pytest.raises(Exception, match="already exists"):
        upgrade(url)
    assert list(schema(tmp_path / "satisface.db")) == ["tracks"]
    assert not is_current(url)
