"""The migrated schema is the one that the code describes."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from db.engine import alembic_config, downgrade, is_current, newest_revision, upgrade
from db.tables import Base
from tests.made_postgresql import PostgresServer


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
    assert ScriptDirectory.from_config(alembic_config(url)).get_heads() == [newest_revision()]


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


@pytest.fixture
def server_url(postgresql: PostgresServer) -> Iterator[str]:
    """The address of a database on the server in which there is nothing yet."""
    url = postgresql.empty_database()
    yield url
    postgresql.drop(url)


def server_schema(url: str) -> set[tuple[str, str]]:
    """(name, definition) of every column, constraint and index, as the server tells them."""
    columns = """
        SELECT table_name || '.' || column_name,
               concat_ws(' ', data_type, is_nullable, column_default, character_maximum_length)
        FROM information_schema.columns WHERE table_schema = 'public'"""
    constraints = """
        SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace"""
    partitions = """
        SELECT partrelid::regclass::text, pg_get_partkeydef(partrelid)
        FROM pg_partitioned_table"""
    indices = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    engine = create_engine(url)
    with engine.connect() as connection:
        found = {
            (str(name), str(definition))
            for query in (columns, constraints, partitions, indices)
            for name, definition in connection.execute(text(query))
        }
    engine.dispose()
    return {part for part in found if "alembic_version" not in part[0]}


@pytest.mark.postgresql
def test_on_a_server_migrations_give_what_the_code_describes(
    server_url: str, postgresql: PostgresServer
) -> None:
    upgrade(server_url)
    assert is_current(server_url)
    described = postgresql.empty_database()
    engine = create_engine(described)
    Base.metadata.create_all(engine)
    engine.dispose()
    assert server_schema(server_url) == server_schema(described)
    postgresql.drop(described)


@pytest.mark.postgresql
def test_on_a_server_downgrade_to_base_leaves_nothing(server_url: str) -> None:
    upgrade(server_url)
    downgrade(server_url, "base")
    assert server_schema(server_url) == set()
    upgrade(server_url)
    assert is_current(server_url)


@pytest.mark.postgresql
def test_on_a_server_an_upgrade_that_fails_leaves_nothing_behind(server_url: str) -> None:
    engine = create_engine(server_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE tracks (id INTEGER)"))
    engine.dispose()
    with pytest.raises(Exception, match="already exists"):
        upgrade(server_url)
    assert {name for name, _ in server_schema(server_url)} == {"tracks.id"}
