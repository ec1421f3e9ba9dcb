"""The database as an object: one engine, transactions for reading and for writing, migrations.

SQLite needs help to behave well with several processes at once. The driver's own transaction
control is switched off and BEGIN is ours, as SQLAlchemy's SQLite page advises: a reader then sees
one state of the database from its first statement to its last, and a writer takes the write lock
at its first statement (BEGIN IMMEDIATE), so that two writers queue up instead of failing when one
of them turns from reading to writing.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    Connection,
    Engine,
    NullPool,
    String,
    column,
    create_engine,
    event,
    exc,
    func,
    inspect,
    make_url,
    select,
    table,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from fer_core.errors import SatisfaceError

if TYPE_CHECKING:
    from alembic.config import Config

BUSY_SECONDS: Final = 10
"""How long a transaction waits for another one's lock before it gives up."""


class DatabaseError(SatisfaceError):
    """The database cannot be opened or brought up to date; its cause says why."""


TROUBLE: Final = (exc.SQLAlchemyError, DatabaseError)
"""What is raised where the database cannot be reached, opened, read or written."""

_MIGRATION_WAIT_SECONDS: Final = 600
_MIGRATION_LOCK: Final = 7_283_461  # any number, the same in every process (PostgreSQL only)
_MODE: Final = "satisface_mode"
_AS_STORED: Final = "satisface_as_stored"
AS_STORED: Final[Mapping[str, Any]] = MappingProxyType({_AS_STORED: True})
"""Execution options of a query for many bytes: PostgreSQL then sends them as they are, and not as
twice as many hexadecimal digits (a quarter of the time for a year of hours)."""

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_VERSIONS: Final = table("alembic_version", column("version_num", String))

# Alembic keeps the running migration's context in a module: one at a time in a process.
_migrating = threading.Lock()


class Database:
    """An open database. Not picklable: another process opens its own by the same address.

    ``url``: a SQLAlchemy address, of a file for SQLite (a database in memory is not shared
    between connections). Nothing is created or migrated here: see ``upgrade``.
    """

    def __init__(self, url: str) -> None:
        engine = _engine(url)
        if engine.dialect.name == "sqlite":
            self._reader = engine.execution_options(**{_MODE: "read"})
        else:
            # What SQLite gives by itself: every statement of a reader sees the same state.
            self._reader = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        self._writer = engine.execution_options(**{_MODE: "write"})
        self._engine = engine

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database and cannot change it."""
        with Session(self._reader, autoflush=False, expire_on_commit=False) as session:
            yield session
            # There is nothing to commit; but with every rollback psycopg forgets what the server
            # has prepared for it, and to prepare a small query takes longer than to run it.
            with suppress(exc.SQLAlchemyError):
                session.commit()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: committed at the end of the block, rolled back when it raises."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close all connections. The object can still be used: it opens new ones."""
        self._engine.dispose()


def _engine(url: str) -> Engine:
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        engine = create_engine(address, pool_pre_ping=True)
        event.listen(engine, "before_cursor_execute", _ask_for_bytes)
        return engine
    engine = create_engine(address, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _ask_for_bytes(
    _connection: Connection, cursor: Any, _statement: str, _values: Any, context: Any, _many: bool
) -> None:
    if context is not None and context.execution_options.get(_AS_STORED):
        from psycopg.pq import Format  # SQLite needs no driver of PostgreSQL's

        cursor.format = Format.BINARY


def _prepare_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry | None) -> None:
    connection.isolation_level = None
    # SQLite's own knows A to Z alone, and a search for "über" would not find "Übergang".
    connection.create_function("lower", 1, _lower, deterministic=True)
    with closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA journal_mode = WAL")
        # In WAL mode this loses at most the last commits when the power fails, and never
        # corrupts; a segment lost so is read again.
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get(_MODE) == "read"
    # A write by a reader would wait for nothing and fail at random: refuse it always.
    connection.exec_driver_sql(f"PRAGMA query_only = {'ON' if reading else 'OFF'}")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def alembic_config(url: str) -> "Config":
    """Alembic's configuration for the database at ``url``; no ini file is needed.

    To write a new revision: ``alembic.command.revision(alembic_config(url), "why",
    autogenerate=True)`` on a database at the current head.
    """
    # Alembic costs a tenth of a second to import, and most processes never migrate.
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at ``url`` to ``revision``, creating it and its folder if need be.

    Safe when several processes start at once: the first migrates, the others wait and find
    nothing left to do. All or nothing: a migration that fails leaves the database as it was.
    Alembic, and its memory, is loaded only where there is something to do.
    """
    if revision == "head" and is_current(url):
        return
    _migrate(url, revision, up=True)


def downgrade(url: str, revision: str) -> None:
    """Take the database at ``url`` back to ``revision`` ("base": no tables at all)."""
    _migrate(url, revision, up=False)


def is_current(url: str) -> bool:
    """Whether the database at ``url`` exists and is at the newest revision."""
    file = _sqlite_file(url)
    if file is not None and not file.exists():
        return False
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        if not inspect(connection).has_table(_VERSIONS.name):
            return False
        there = set(connection.scalars(select(_VERSIONS.c.version_num)))
    return there == {newest_revision()}


def newest_revision() -> str:
    """The last of the migrations, which are numbered by their files' names. Every worker asks at
    its start, and Alembic would load them all to tell."""
    return max(file.stem for file in (_MIGRATIONS / "versions").glob("[0-9]*_*.py")).split("_")[0]


def _migrate(url: str, revision: str, *, up: bool) -> None:
    from alembic import command
    from alembic.util import CommandError

    config = alembic_config(url)
    try:
        file = _sqlite_file(url)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        with _migrating, _migration_connection(url) as connection:
            config.attributes["connection"] = connection
            (command.upgrade if up else command.downgrade)(config, revision)
    except (CommandError, OSError) as error:
        raise DatabaseError(f"The database cannot be brought up to date: {error}") from error


@contextmanager
def _migration_connection(url: str) -> Iterator[Connection]:
    """A connection in a transaction that no other migration can run beside."""
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(
            url, poolclass=NullPool, connect_args={"timeout": _MIGRATION_WAIT_SECONDS}
        )
        event.listen(engine, "connect", _prepare_sqlite_migration)
        event.listen(engine, "begin", _begin_sqlite)
        with engine.begin() as connection:
            yield connection
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            if broken:
                raise exc.IntegrityError(
                    "PRAGMA foreign_key_check", None, sqlite3.IntegrityError(str(broken[:5]))
                )
    else:
        with create_engine(url, poolclass=NullPool).begin() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            yield connection


def _prepare_sqlite_migration(
    connection: DBAPIConnection, _record: ConnectionPoolEntry | None
) -> None:
    _prepare_sqlite(connection, None)
    with closing(connection.cursor()) as cursor:
        # Altering a table in SQLite means to copy and drop it. With foreign keys on, the drop
        # would delete the rows that point at it; they are checked before the commit instead.
        cursor.execute("PRAGMA foreign_keys = OFF")


def _sqlite_file(url: str) -> Path | None:
    address = make_url(url)
    if address.get_backend_name() != "sqlite" or not address.database:
        return None
    return Path(address.database)
