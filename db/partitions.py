"""Months of predictions as partitions: PostgreSQL only; elsewhere there is one table, and all of
this does nothing.

A month's table is made beside the others and then attached, which disturbs neither readers nor
writers of predictions. To attach it, the server locks ``tracks`` and ``segments`` against writers
for a moment, since the rows will point there. Whoever may wait makes months in a transaction of its
own (``prepare_months``), which holds no lock while it waits for another and so is never part of a
circle; ``ensure_months`` makes what is missing all the same in the transaction that needs it.

There is no default partition. Rows without a month's table are refused, loudly, where a default
one would take them in and afterwards forbid to make the table they belong to.
"""

import logging
import random
import re
import time
from collections.abc import Collection, Iterable
from typing import Final

from sqlalchemy import exc, text
from sqlalchemy.orm import Session

from db.engine import Database
from db.months import next_month
from fer_core.errors import SatisfaceError

log = logging.getLogger(__name__)

# Any numbers, the same in every process, and other than the migrations'.
_IN_USE: Final = 7_283_462
"""Held together by all who write rows of months, alone by who drops one: no month goes between the
look that found it and the rows."""
_MAKING: Final = 7_283_463
"""Held by who makes months: of two who miss the same one, the second finds it made."""

_PATIENCE_MS: Final = 500
"""How long a lock is waited for. Shorter than the second after which the server looks for
deadlocks, and short for those who queue up behind."""
_TRIES: Final = 40

_BOUNDS: Final = re.compile(r"FROM \('?(\d+)'?\) TO \('?(\d+)'?\)")


class MonthInUse(SatisfaceError):
    """Rows of predictions are being read or written for too long to drop a month beside it."""


def month_tables(session: Session) -> dict[str, tuple[int, int]]:
    """Name of every partition to the months [first, behind) that it takes; none where predictions
    are one table."""
    return (_partitions(session) if _has_partitions(session) else None) or {}


def _has_partitions(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def _partitions(session: Session) -> dict[str, tuple[int, int]] | None:
    """As month_tables says; None where predictions are one table all the same."""
    query = text(
        "SELECT whole.relkind = 'p', part.oid::regclass::text,"
        " pg_get_expr(part.relpartbound, part.oid)"
        " FROM pg_class AS whole LEFT JOIN pg_inherits ON inhparent = whole.oid"
        " LEFT JOIN pg_class AS part ON part.oid = inhrelid"
        " WHERE whole.oid = to_regclass('predictions')"
    )
    rows = session.execute(query).all()
    if not rows or not rows[0][0]:
        return None
    found = ((name, _BOUNDS.search(bounds or "")) for _, name, bounds in rows)
    return {name: (int(bound[1]), int(bound[2])) for name, bound in found if bound}


def ensure_months(session: Session, months: Iterable[int]) -> None:
    """Have a table for each of ``months`` from here to the end of the transaction, in which rows
    of them are to be written.

    To be called before the transaction has written much: see the module's text.
    """
    wanted = set(months)
    if not wanted or not _has_partitions(session):
        return
    session.execute(text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": _IN_USE})
    if _missing(session, wanted):
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MAKING})
        # Most who write both write people before segments: in this order nobody waits in a circle.
        for table in ("tracks", "segments"):
            session.execute(text(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"))
        _make(session, _missing(session, wanted))


def prepare_months(database: Database, months: Iterable[int]) -> None:
    """Make the tables of ``months`` that are missing, in a transaction of its own.

    Where others keep it from that for long it gives up without a word of it: ``ensure_months``
    follows.
    """
    wanted = set(months)
    with database.read() as session:
        if not wanted or not _has_partitions(session) or not _missing(session, wanted):
            return
    for _ in range(_TRIES):
        try:
            with database.write() as session:
                session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MAKING})
                _be_impatient(session)
                session.execute(text("LOCK TABLE tracks IN SHARE ROW EXCLUSIVE MODE"))
                session.execute(text("LOCK TABLE segments IN SHARE ROW EXCLUSIVE MODE NOWAIT"))
                _make(session, _missing(session, wanted))
        except exc.OperationalError as error:
            if not _locked(error):
                raise
            time.sleep(random.uniform(0.02, 0.2))  # noqa: S311  to meet at another moment
        else:
            return
    log.warning("no moment was found to make tables for %s", sorted(wanted))


def drop_months(session: Session, first: int, behind: int) -> None:
    """Drop the table of the months [first, behind), with all rows in it. ``lock_for_dropping``
    comes first, and then the proof that none of them is wanted."""
    for name, months in month_tables(session).items():
        if months == (first, behind):
            # Attached as it is: once detached, the server would have to lock tracks and segments
            # against readers, too, to drop it.
            session.execute(text(f"DROP TABLE {name}"))


def lock_for_dropping(session: Session) -> None:
    """Keep everybody else from predictions until the end of the transaction. Raises MonthInUse
    where that would take more than a moment; the transaction is then over."""
    _be_impatient(session)
    try:
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _IN_USE})
        session.execute(text("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE"))
    except exc.OperationalError as error:
        if _locked(error):
            raise MonthInUse("Predictions are being read or written just now.") from error
        raise


def _locked(error: exc.OperationalError) -> bool:
    return getattr(error.orig, "sqlstate", None) == "55P03"  # lock_not_available


def _be_impatient(session: Session) -> None:
    session.execute(text(f"SET LOCAL lock_timeout = {_PATIENCE_MS}"))


def _missing(session: Session, months: Collection[int]) -> list[int]:
    there = _partitions(session)
    if there is None:
        return []
    return sorted(
        month
        for month in months
        if not any(first <= month < behind for first, behind in there.values())
    )


def _make(session: Session, months: Iterable[int]) -> None:
    for month in months:
        name = f"predictions_{month}"
        session.execute(text(f"CREATE TABLE {name} (LIKE predictions INCLUDING ALL)"))
        session.execute(
            text(
                f"ALTER TABLE predictions ATTACH PARTITION {name}"
                f" FOR VALUES FROM ({month}) TO ({next_month(month)})"
            )
        )
