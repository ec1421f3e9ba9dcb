"""What the health routes, the metrics and the log say when something is wrong."""

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client import REGISTRY
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse

from api.health import health, readiness
from api.metrics import metrics, refused
from db.queue import claim
from db.status import queue, server
from jobs.condition import silence
from jobs.logs import JsonLines, TextLines
from jobs.metrics import count, count_death
from jobs.segment import Ending, SegmentOutcome
from settings import Settings
from tests.made_jobs import made_settings, opened
from tests.unit.db.made_rows import NOON, Person, Scene, add_camera, add_video, read_next

SCENE = Scene([Person([0, 100]), Person([200])], segments=1)


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return made_settings(tmp_path, database_url=database_url, lease_seconds=30.0)


def told(answer: JSONResponse) -> tuple[int, dict[str, object]]:
    return answer.status_code, json.loads(bytes(answer.body))


def waiting_video(settings: Settings, count: int = 1) -> None:
    with opened(settings) as database, database.write() as session:
        camera = add_camera(session)
        for number in range(count):
            add_video(session, camera, name=f"{number}.mp4", segments=1)


def test_without_a_model_nothing_can_be_read(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATISFACE_MODEL_DIR", str(tmp_path / "no model"))
    status, body = told(readiness(settings, None))
    assert (status, body["model"]) == (503, "none")
    assert body["problems"] == ["The recogniser is missing or damaged: no footage can be read."]
    assert told(health(settings, True))[0] == 200


def test_an_instance_that_works(settings: Settings) -> None:
    status, body = told(health(settings, True))
    assert (status, body) == (
        200,
        {
            "status": "ok",
            "database": "reachable",
            "schema": "current",
            "worker": "running",
            "problems": [],
        },
    )
    assert told(health(settings, None))[1]["worker"] == "not started here"
    status, body = told(readiness(settings, None))
    assert (status, body["reading"], body["footage"]) == (200, "nothing waits", "writable")


def test_a_worker_that_is_not_there(settings: Settings) -> None:
    status, body = told(health(settings, False))
    assert (status, body["problems"]) == (
        503,
        ["The worker that this dashboard starts is not running."],
    )


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("empty.db", "The tables are not those of this version: run db upgrade."),
        ("no folder/x.db", "The database cannot be reached."),
    ],
)
def test_a_database_that_is_not_as_it_should_be(tmp_path: Path, file: str, problem: str) -> None:
    broken = Settings(home=tmp_path / "home", database_url=f"sqlite:///{tmp_path / file}")
    for answer in (health(broken, True), readiness(broken, True)):
        status, body = told(answer)
        assert status == 503
        assert problem in str(body["problems"])
        assert str(tmp_path) not in json.dumps(body)


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    away = f"postgresql+psycopg://me:secret@/x?host={tmp_path}"
    status, body = told(readiness(Settings(home=tmp_path, database_url=away), None))
    assert status == 503
    assert "The database cannot be reached." in str(body["problems"])
    assert "secret" not in json.dumps(body)


def test_a_store_that_cannot_be_written(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a file").write_bytes(b"x")
    broken = settings.model_copy(update={"footage_url": str(tmp_path / "a file" / "footage")})
    status, body = told(readiness(broken, None))
    assert (status, body["problems"]) == (503, ["The footage store cannot be written."])


@pytest.mark.parametrize(
    ("free_gb", "total_gb", "full"),
    [(100, 1000, False), (15, 1000, True), (15, 200, False), (1, 200, True), (1.5, 2.5, False)],
)
def test_a_disk_that_is_nearly_full(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    free_gb: float,
    total_gb: float,
    *,
    full: bool,
) -> None:
    usage = SimpleNamespace(free=int(free_gb * 1e9), total=int(total_gb * 1e9))
    monkeypatch.setattr("jobs.condition.shutil.disk_usage", lambda _: usage)
    status, body = told(readiness(settings, None))
    assert status == (503 if full else 200)
    assert ("nearly full" in str(body["problems"])) is full


def test_work_that_waits_and_nobody_reads(settings: Settings) -> None:
    waiting_video(settings)
    status, body = told(readiness(settings, None, NOON + timedelta(seconds=20)))
    assert (status, body["reading"]) == (200, "1 segment waiting")
    for quiet, said in (
        (timedelta(seconds=90), "1 minute"),
        (timedelta(minutes=7, seconds=59), "7 minutes"),
        (timedelta(minutes=119), "119 minutes"),
        (timedelta(minutes=120), "2 hours"),
        (timedelta(hours=47, minutes=59), "47 hours"),
        (timedelta(minutes=385_739), "267 days"),
    ):
        status, body = told(readiness(settings, None, NOON + quiet))
        assert (status, body["problems"]) == (
            503,
            [f"Work waits, and no worker has given a sign of life for {said}."],
        )


def test_a_worker_at_work_is_not_silent(settings: Settings) -> None:
    waiting_video(settings, 3)
    late = NOON + timedelta(hours=1)
    with opened(settings) as database:
        with database.write() as session:
            assert claim(session, "worker", 30, late)
        with database.read() as session:
            found = queue(session, late + timedelta(seconds=20), 30)
            assert (found.waiting, found.being_read, found.last_sign) == (2, 1, late)
            assert silence(found, late + timedelta(seconds=20), 30) is None
            # Its lease ran out: it is silent after a while.
            found = queue(session, late + timedelta(seconds=50), 30)
            assert (found.waiting, found.being_read) == (3, 0)
            assert silence(found, late + timedelta(seconds=50), 30) is None
            assert silence(found, late + timedelta(seconds=70), 30) == timedelta(seconds=70)
        with database.write() as session:
            read_next(session, SCENE, now=late + timedelta(seconds=80))
        with database.read() as session:
            found = queue(session, late + timedelta(seconds=90), 30)
            assert found.last_sign == late + timedelta(seconds=80)
            assert silence(found, late + timedelta(seconds=90), 30) is None


def test_the_server_tells_its_kind_and_size(settings: Settings) -> None:
    with opened(settings) as database, database.read() as session:
        found = server(session)
    assert found.kind == ("SQLite" if settings.database_url.startswith("sqlite") else "PostgreSQL")
    assert found.bytes > 10_000
    assert found.version[0].isdigit()


def test_metrics_count_what_waits(settings: Settings) -> None:
    waiting_video(settings, 3)
    with opened(settings) as database, database.write() as session:
        read_next(session, SCENE, now=NOON)
    text = bytes(metrics(settings).body).decode()
    for line in (
        "satisface_segments_waiting 2.0",
        "satisface_segments_being_read 0.0",
        'satisface_recordings{state="queued"} 2.0',
        'satisface_recordings{state="done"} 1.0',
        'satisface_recordings{state="failed"} 0.0',
        "satisface_stored_faces 3.0",
        "satisface_database_up 1.0",
    ):
        assert line in text.splitlines()
    away = settings.model_copy(update={"database_url": "sqlite:////nowhere/x.db"})
    text = bytes(metrics(away).body).decode()
    assert "satisface_database_up 0.0" in text
    assert "satisface_segments_waiting" not in text
    assert "nowhere" not in text


@pytest.mark.parametrize(
    ("client", "headers", "open_to_others", "given"),
    [
        ("127.0.0.1", {"host": "localhost:8501"}, False, True),
        ("10.0.0.7", {"host": "10.0.0.1:8501"}, False, False),
        ("127.0.0.1", {"host": "shop.example", "x-forwarded-for": "10.0.0.7"}, False, False),
        ("10.0.0.7", {"host": "10.0.0.1:8501"}, True, True),
    ],
)
def test_metrics_are_for_this_machine_unless_allowed(
    client: str, headers: dict[str, str], *, open_to_others: bool, given: bool
) -> None:
    request = Request(
        {"type": "http", "client": (client, 5), "headers": Headers(headers).raw, "path": "/metrics"}
    )
    answer = refused(request, Settings(metrics_to_others=open_to_others))
    assert (answer is None) is given


def test_a_worker_counts_what_it_did() -> None:
    def value(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0

    before = {
        name: value(name) for name in ("satisface_faces_total", "satisface_segment_seconds_sum")
    }
    died = value("satisface_segments_total", ending="died")
    count(SegmentOutcome(Ending.DONE, 2.5, frames=10, faces=7, tracks=3))
    count(SegmentOutcome(Ending.FAILED, 1.0))
    count_death()
    assert value("satisface_faces_total") - before["satisface_faces_total"] == 7
    assert value("satisface_segment_seconds_sum") - before["satisface_segment_seconds_sum"] == 2.5
    assert value("satisface_segments_total", ending="died") - died == 1
    assert value("satisface_segments_total", ending="failed") >= 1


def record(message: str, *values: object, error: Exception | None = None) -> logging.LogRecord:
    told = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("jobs.worker", logging.INFO, "x.py", 1, message, values, told)


def test_a_line_for_each_event() -> None:
    event = record("worker=%s recording=%d done seconds=%.1f", "shop:7", 3, 1.25)
    event.created = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
    assert json.loads(JsonLines().format(event)) == {
        "time": "2026-03-02T12:00:00.000Z",
        "level": "info",
        "logger": "jobs.worker",
        "event": "done",
        "worker": "shop:7",
        "recording": 3,
        "seconds": 1.2,
    }
    assert TextLines().format(event) == (
        "2026-03-02T12:00:00.000Z INFO jobs.worker worker=shop:7 recording=3 done seconds=1.2"
    )


@pytest.mark.parametrize("form", [JsonLines(), TextLines()])
def test_an_exception_stays_on_its_line(form: logging.Formatter) -> None:
    line = form.format(record("reading\nlevel=forged", error=ValueError("two\nlines")))
    assert len(line.splitlines()) == 1
    assert "ValueError: two" in line
    if isinstance(form, JsonLines):
        assert json.loads(line)["level"] == "info"
