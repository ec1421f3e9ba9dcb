import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from db.engine import Database
from db.queue import Lease
from jobs import heartbeat
from jobs.heartbeat import Heartbeat, patiently

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
