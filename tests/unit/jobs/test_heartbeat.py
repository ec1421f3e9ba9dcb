import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from db.engine import Database
from db.queue import Lease
from jobs import heartbeat
from jobs.heartbeat import Heartbeat, is_for_want, patiently

DIALECT = create_engine("postgresql+psycopg://").dialect
LEASE = Lease(1, 0, "owner", datetime.now(UTC), 1)


class Trouble:
    """A database that fails as often as it is told to."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise OperationalError("SELECT 1", None, Exception("database is locked"))
        return "answer"

    @contextmanager
    def write(self) -> Iterator[Session]:
        self()
        yield cast(Session, None)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []
    monkeypatch.setattr(time, "sleep", taken.append)
    return taken


def test_a_busy_database_is_asked_again_with_growing_pauses(pauses: list[float]) -> None:
    assert patiently(Trouble(3)) == "answer"
    assert len(pauses) == 3
    assert pauses == sorted(set(pauses))


def test_patience_ends(pauses: list[float]) -> None:
    trouble = Trouble(1000)
    with pytest.raises(OperationalError):
        patiently(trouble)
    assert trouble.calls == len(pauses) + 1 < 20


@pytest.mark.parametrize(
    ("before", "statement", "for_want"),
    [
        ("PRAGMA max_page_count = 2", "INSERT INTO a VALUES (zeroblob(9999))", True),
        ("PRAGMA query_only = ON", "INSERT INTO a VALUES (1)", True),
        ("BEGIN IMMEDIATE", "INSERT INTO a VALUES (1)", True),
        ("", "INSERT INTO b VALUES (1)", False),
        ("", "INSERT INTO a VALUES (NULL)", False),
    ],
)
def test_what_sqlite_wants_is_told_from_what_it_never_does(
    tmp_path: Path, before: str, statement: str, *, for_want: bool
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'a.db'}", connect_args={"timeout": 0})
    with engine.connect() as connection, engine.connect() as other:
        connection.exec_driver_sql("CREATE TABLE a (x NOT NULL)")
        connection.commit()
        locks = before.startswith("BEGIN")
        (other if locks else connection).exec_driver_sql(before or "SELECT 1")
        with pytest.raises(DBAPIError) as raised:
            connection.exec_driver_sql(statement)
    engine.dispose()
    assert is_for_want(raised.value) is for_want


@pytest.mark.parametrize(
    ("orig", "for_want"),
    [
        (psycopg.errors.DiskFull(), True),
        (psycopg.errors.DeadlockDetected(), True),
        (psycopg.errors.AdminShutdown(), True),
        (psycopg.OperationalError("the connection is closed"), True),
        (psycopg.errors.ReadOnlySqlTransaction(), True),
        (psycopg.errors.ProgramLimitExceeded(), False),
        (psycopg.errors.ConfigurationLimitExceeded(), False),
        (psycopg.errors.QueryCanceled(), False),
        (psycopg.errors.NotNullViolation(), False),
        (psycopg.errors.UndefinedTable(), False),
        (psycopg.errors.NumericValueOutOfRange(), False),
    ],
)
def test_what_postgresql_wants_is_told_from_what_it_never_does(
    orig: psycopg.Error, *, for_want: bool
) -> None:
    raised = DBAPIError.instance("INSERT", {}, orig, psycopg.Error, dialect=DIALECT)
    assert isinstance(raised, DBAPIError)
    assert is_for_want(raised) is for_want


def test_a_connection_that_is_lost_is_a_want_whatever_the_driver_calls_it() -> None:
    lost = sqlite3.InterfaceError("connection already closed")
    assert is_for_want(DBAPIError("SELECT 1", None, lost, connection_invalidated=True))
    assert not is_for_want(DBAPIError("SELECT 1", None, lost))


def test_nobody_waits_for_a_lost_lease(pauses: list[float]) -> None:
    trouble = Trouble(1000)
    with pytest.raises(OperationalError):
        patiently(trouble, lambda: True)
    assert trouble.calls == 1
    assert pauses == []


def test_other_faults_are_not_tried_again(pauses: list[float]) -> None:
    calls = []

    def faulty() -> None:
        calls.append(1)
        raise KeyError("x")

    with pytest.raises(KeyError):
        patiently(faulty)
    assert calls == [1]
    assert pauses == []


def beating(
    monkeypatch: pytest.MonkeyPatch,
    answers: list[bool],
    database: object,
    length_s: float = 60.0,
    lease: Lease = LEASE,
) -> tuple[Heartbeat, list[int], threading.Event]:
    """A heartbeat whose renewals get ``answers``; the progress told; set when all were given."""
    told: list[int] = []
    over = threading.Event()

    def renew(_s: Session, ours: Lease, length: float, progress_ms: int, now: datetime) -> bool:
        assert ours == lease
        assert length == length_s
        assert now.tzinfo is not None
        told.append(progress_ms)
        if len(told) >= len(answers):
            over.set()
        return answers[min(len(told), len(answers)) - 1]

    monkeypatch.setattr(heartbeat, "renew", renew)
    monkeypatch.setattr(heartbeat, "_LONGEST_PAUSE_S", 0.01)
    return Heartbeat(cast(Database, database), lease, length_s), told, over


def test_the_lease_is_renewed_with_the_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    beat, told, over = beating(monkeypatch, [True] * 3, Trouble(0))
    beat.tell(700)
    with beat:
        assert over.wait(240)
        assert not beat.is_lost()
    assert told[:3] == [700, 700, 700]


def test_a_lease_that_was_just_given_needs_no_sign_of_life_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lease = Lease(1, 0, "owner", datetime.now(UTC) + timedelta(hours=1), 1)
    beat, told, _ = beating(monkeypatch, [True], Trouble(0), length_s=3600.0, lease=lease)
    monkeypatch.setattr(heartbeat, "_LONGEST_PAUSE_S", 600.0)
    with beat:
        pass
    assert told == []


def test_a_lease_that_was_given_a_while_ago_is_renewed_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lease = Lease(1, 0, "owner", datetime.now(UTC) + timedelta(minutes=30), 1)
    beat, told, over = beating(monkeypatch, [True], Trouble(0), length_s=3600.0, lease=lease)
    monkeypatch.setattr(heartbeat, "_LONGEST_PAUSE_S", 600.0)
    with beat:
        assert over.wait(30)
    assert told == [0]


def test_a_lease_that_is_not_ours_any_more_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    beat, told, over = beating(monkeypatch, [True, False], Trouble(0))
    with beat:
        assert over.wait(240)
    assert beat.is_lost()
    assert len(told) == 2


def test_a_lease_that_could_not_be_renewed_for_its_length_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = Trouble(10_000)
    beat, told, _ = beating(monkeypatch, [True], database, length_s=0.05)
    with beat:
        beat._thread.join(240)
        assert beat.is_lost()
    assert told == []
    assert database.calls > 1


def test_a_moment_of_trouble_loses_no_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    beat, _, over = beating(monkeypatch, [True, True], Trouble(1))
    with beat:
        assert over.wait(240)
        assert not beat.is_lost()
