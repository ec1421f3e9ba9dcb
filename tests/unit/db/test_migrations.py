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

from analytics.alert_rules import AlertKind, AlertRule
from analytics.periods import Every
from db.alerts import save_rule
from db.engine import Database, alembic_config, downgrade, is_current, newest_revision, upgrade
from db.keys import Scope, create_key
from db.places import list_sites
from db.recordings import delete_recording
from db.retention import KeptDays, keep_for, seal_people
from db.schedules import Plan, create_schedule
from db.scores import save_score
from db.tables import Base
from tests.made_postgresql import PostgresServer
from tests.unit.db.made_rows import NOON, Person, Scene, add_camera, add_video, read_segment


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'satisface.db'}"


def schema(file: Path) -> dict[str, str]:
    """Name of every table and index to its definition, spaces and quotes apart. SQLite keeps it as
    it was written, so that this holds what Alembic does not compare: check constraints."""
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        found = {name: "".join(sql.replace('"', "").split()) for name, sql in rows}
    # The latter is SQLite's own, and cannot be dropped.
    return {n: sql for n, sql in found.items() if n not in {"alembic_version", "sqlite_sequence"}}


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


def held(file: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables of ours, as they lie there."""
    with closing(sqlite3.connect(file)) as connection:
        return {
            name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()
            for name in Base.metadata.tables
        }


def test_tables_that_number_each_row_once_keep_all_that_was_there(url: str, tmp_path: Path) -> None:
    """Those that SQLite can give this only by making them anew, and all that points at them."""
    upgrade(url, "0005")
    file = tmp_path / "satisface.db"
    with closing(Database(url)) as database, database.write() as session:
        camera = add_camera(session)
        sealed, read, gone = (add_video(session, camera, segments=1, name=name) for name in "abc")
        for recording in (sealed, read):
            read_segment(session, recording, Scene([Person([0, 1000])], segments=1), 0)
        seal_people(session, sealed)
        (site,) = (one.id for one in list_sites(session))
        save_score(session, [0.5] * 7)
        save_rule(session, AlertRule(AlertKind.SILENT, site, 3.0))
        create_schedule(session, Plan("Weekly", Every.WEEK, 6, "UTC", folder="."), NOON)
        create_key(session, "a program", [Scope.READ], site_ids=[site])
        keep_for(session, KeptDays(90))
    before, former = held(file), schema(file)
    assert [name for name, rows in before.items() if not rows] == []
    upgrade(url)
    assert held(file) == before
    with closing(Database(url)) as database, database.write() as session:
        delete_recording(session, gone)
        assert add_video(session, camera, name="d") == gone + 1
    before = held(file)
    downgrade(url, "0005")
    assert held(file) == before
    assert {name: sorted_parts(sql) for name, sql in schema(file).items()} == {
        name: sorted_parts(sql) for name, sql in former.items()
    }


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
