"""A whole database moved to another address, of whatever kind, and checked row for row.

The rows are read in one state of the source and written in one transaction of the target: whatever
interrupts a copy leaves the target empty, and who works on the source meanwhile disturbs nothing
(what is written there after the copy began is not copied).
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Table,
    and_,
    func,
    insert,
    inspect,
    make_url,
    select,
    text,
    true,
)
from sqlalchemy.orm import Session

from db.engine import Database, is_current, upgrade
from db.partitions import ensure_months, month_tables
from db.tables import Base, Prediction
from fer_core.errors import SatisfaceError

_AT_ONCE: Final = 5_000
"""Rows in memory at a time."""

_BITS: Final = 128

Progress = Callable[[str, int, int], None]
"""Told the table, and how many rows of how many were copied, of all tables together."""


class CopyError(SatisfaceError):
    """A database cannot be copied so; the message says why. The target is as it was."""


@dataclass(frozen=True, slots=True)
class TableChecksum:
    """``digest``: the sum of the hashes of all rows, whatever their order; hexadecimal."""

    rows: int
    digest: str


def copy_database(
    source_url: str, target_url: str, progress: Progress = lambda *_: None
) -> dict[str, TableChecksum]:
    """Copy every row to the empty or missing database at ``target_url``; the tables are made.

    Returns what was copied and found there again, by name of table. Raises CopyError where the
    source is not migrated, the target holds anything, or what arrived is not what was sent.
    """
    if make_url(source_url) == make_url(target_url):
        raise CopyError("The database cannot be copied to itself.")
    if not is_current(source_url):
        raise CopyError("The tables of the database are not those of this version; migrate first.")
    check_empty(target_url)
    upgrade(target_url)
    with (
        closing(Database(source_url)) as source,
        closing(Database(target_url)) as target,
        source.read() as reading,
        target.write() as writing,
    ):
        return _copy(reading, writing, progress)


def checksums(session: Session) -> dict[str, TableChecksum]:
    """What the database holds, by name of table: equal for equal rows on any kind of database."""
    found = {}
    for table in Base.metadata.sorted_tables:
        checksum = _Checksum()
        for rows in _chunks(session, table):
            checksum.add(rows)
        found[table.name] = checksum.result
    return found


def _copy(reading: Session, writing: Session, progress: Progress) -> dict[str, TableChecksum]:
    tables = Base.metadata.sorted_tables
    # Again, in the transaction that fills it.
    _refuse_filled(writing, tables)
    total, done = sum(_count(reading, table) for table in tables), 0
    sent = {}
    for table in tables:
        checksum = _Checksum()
        progress(table.name, done, total)
        for rows in _chunks(reading, table):
            if table.name == Prediction.__tablename__:
                ensure_months(writing, {row["month"] for row in rows})
            writing.execute(insert(table), rows)
            checksum.add(rows)
            done += len(rows)
            progress(table.name, done, total)
        _number_on(reading, writing, table)
        sent[table.name] = checksum.result
    arrived = checksums(writing)
    if wrong := [name for name in sent if sent[name] != arrived[name]]:
        raise CopyError(
            f"What arrived is not what was sent, in {', '.join(wrong)}. Nothing was kept."
        )
    return arrived


def check_empty(url: str) -> None:
    """Raises CopyError where the database at ``url`` holds rows, or tables of something else."""
    ours = {*Base.metadata.tables, "alembic_version"}
    there = _table_names(url)
    if foreign := there - ours:
        raise CopyError(
            f"The database to copy to holds tables of something else: {', '.join(sorted(foreign))}."
        )
    if not there:
        return
    with closing(Database(url)) as database, database.read() as session:
        _refuse_filled(session, [t for t in Base.metadata.sorted_tables if t.name in there])


def _refuse_filled(session: Session, tables: Sequence[Table]) -> None:
    if filled := [table.name for table in tables if _count(session, table)]:
        raise CopyError(f"The database to copy to is not empty: it holds {', '.join(filled)}.")


def _table_names(url: str) -> set[str]:
    address = make_url(url)
    # To open a file would make it, in a folder that may not be there.
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        return set()
    with closing(Database(url)) as database, database.read() as session:
        return set(inspect(session.connection()).get_table_names()) - set(month_tables(session))


def _count(session: Session, table: Table) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0


def _chunks(session: Session, table: Table) -> Iterator[list[dict[str, Any]]]:
    """All rows by primary key; those that point at rows of their own table after the others,
    which may be the ones they point at."""
    own = [
        column
        for column in table.columns
        if any(key.column.table is table for key in column.foreign_keys)
    ]
    parts: list[ColumnElement[bool]] = [true()]
    if own:
        first = and_(*(column.is_(None) for column in own))
        parts = [first, ~first]
    for part in parts:
        query = (
            select(table)
            .where(part)
            .order_by(*table.primary_key.columns)
            .execution_options(yield_per=_AT_ONCE)
        )
        for rows in session.execute(query).mappings().partitions():
            yield [dict(row) for row in rows]


class _Checksum:
    def __init__(self) -> None:
        self._rows = 0
        self._sum = 0

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        for row in rows:
            shown = repr(tuple(row.values())).encode()
            digest = hashlib.blake2b(shown, digest_size=_BITS // 8).digest()
            self._sum += int.from_bytes(digest)
            self._rows += 1

    @property
    def result(self) -> TableChecksum:
        return TableChecksum(self._rows, f"{self._sum % (1 << _BITS):0{_BITS // 4}x}")


def _number_on(reading: Session, writing: Session, table: Table) -> None:
    """Let the next row have a number that neither database has given yet, be it to a row that was
    deleted since. On PostgreSQL, rows that bring their number pass the sequence by."""
    column = table.autoincrement_column
    if column is None:
        return
    highest = max(_highest_given(session, column) for session in (reading, writing))
    if not highest:
        return
    if _is_sqlite(writing):
        if not table.dialect_options["sqlite"]["autoincrement"]:
            return
        statements = [
            "DELETE FROM sqlite_sequence WHERE name = :table",
            "INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :highest)",
        ]
    else:
        statements = ["SELECT setval(pg_get_serial_sequence(:table, :column), :highest)"]
    values = {"table": table.name, "column": column.name, "highest": highest}
    for statement in statements:
        writing.execute(text(statement), values)


def _highest_given(session: Session, column: Column[Any]) -> int:
    """0 where no row was ever numbered. Of rows that are gone, what the database remembers."""
    remembered = (
        "SELECT seq FROM sqlite_sequence WHERE name = :table"
        if _is_sqlite(session)
        else "SELECT pg_sequence_last_value(pg_get_serial_sequence(:table, :column))"
    )
    values = {"table": column.table.name, "column": column.name}
    present = session.scalar(select(func.max(column)))
    return max(present or 0, session.scalar(text(remembered), values) or 0)


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
