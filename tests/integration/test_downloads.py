"""Files as a browser gets them: streamed by the route, however many rows there are."""

import asyncio
import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette

import api.downloads
import api.streams
from api.downloads import DownloadOptions, download_routes
from db.engine import Database
from jobs.downloads import LIFETIME_S, Rows, make_link
from tests.chosen_database import ON_BOTH
from tests.unit.db.made_rows import NOON, Person, Scene, add_camera, add_video, read_segment

PREDICTIONS = Rows("predictions", "csv", "2026-03-02", "2026-03-02")


class Answer:
    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


def get(
    app: Starlette,
    path: str,
    *,
    leave_after: int | None = None,
    stop_after: int | None = None,
    asgi: str = "2.0",
) -> Answer:
    """What the application answers. After so many pieces the browser leaves, or stays and reads no
    further; a minute later the answer has to be over."""
    answer = Answer()
    scope = {
        "type": "http",
        "asgi": {"spec_version": asgi},
        "method": "GET",
        "path": path,
        "headers": [],
        "query_string": b"",
    }
    left = asyncio.Event()  # of whichever loop first waits for it

    async def receive() -> dict[str, Any]:
        if leave_after is None:
            await asyncio.Event().wait()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        elif message.get("body"):
            answer.pieces.append(message["body"])
            if len(answer.pieces) == leave_after:
                left.set()
                await asyncio.sleep(0.05)
            if len(answer.pieces) == stop_after:
                await asyncio.Event().wait()

    async def answered() -> None:
        async with asyncio.timeout(60):
            await app(scope, receive, send)

    # In a thread: the browser's tests leave a loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(answered())).result()
    return answer


@pytest.fixture
def options(tmp_path: Path, chosen_url: str) -> Iterator[DownloadOptions]:
    database = Database(chosen_url)
    with database.write() as session:
        camera = add_camera(session)
        for hour in range(3):
            recording = add_video(
                session,
                camera,
                segments=1,
                name=f"{hour}.mp4",
                captured_at=NOON + timedelta(hours=hour),
            )
            scene = Scene([Person([n * 1000, n * 1000 + 500]) for n in range(12)], segments=1)
            read_segment(session, recording, scene, 0, now=NOON)
    yield DownloadOptions(tmp_path, database, 10)
    database.close()


@pytest.fixture
def app(options: DownloadOptions) -> Starlette:
    return Starlette(routes=download_routes("/downloads", lambda: options))


def path_of(options: DownloadOptions, rows: Rows, now: float | None = None) -> str:
    link = make_link(options.home, rows, time.time() if now is None else now)
    return f"/downloads/{link}"


@ON_BOTH
@pytest.mark.parametrize("table", ["predictions", "tracks", "buckets"])
def test_csv_and_parquet_hold_the_same_rows(
    app: Starlette, options: DownloadOptions, table: Any
) -> None:
    expected = {"predictions": 72, "tracks": 36, "buckets": 3}[table]
    read: list[pd.DataFrame] = []
    for kind in ("csv", "parquet"):
        rows = Rows(table, kind, "2026-03-02", "2026-03-02")
        answer = get(app, path_of(options, rows))
        assert answer.status == 200
        assert answer.headers["content-disposition"] == f'attachment; filename="{rows.file_name}"'
        assert answer.headers["cache-control"] == "no-store"
        source = io.BytesIO(answer.body)
        read.append(pd.read_csv(source) if kind == "csv" else pd.read_parquet(source))
    csv, parquet = read
    assert len(csv) == len(parquet) == expected
    assert list(csv.columns) == list(parquet.columns)
    assert csv["camera"].tolist() == parquet["camera"].tolist()
    figure = {"predictions": "p_happy", "tracks": "p_happy", "buckets": "sum_happy"}[table]
    assert csv[figure].tolist() == pytest.approx(parquet[figure].tolist(), abs=1e-6)


def test_an_old_link_says_where_a_new_one_is(app: Starlette, options: DownloadOptions) -> None:
    rows = Rows("tracks", "csv", "2026-03-02", "2026-03-02")
    answer = get(app, path_of(options, rows, now=time.time() - LIFETIME_S - 1))
    assert answer.status == 410
    assert b"Open the Reports page, or that of the recording" in answer.body


@dataclass
class Endless:
    """Rows without an end: how many frames were made, and whether they were closed."""

    made: int = 0
    ended: bool = False

    def frames(self, *_: object) -> Iterator[pd.DataFrame]:
        try:
            while True:
                self.made += 1
                yield pd.DataFrame({"n": [self.made]})
        finally:
            self.ended = True


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Endless:
    made = Endless()
    monkeypatch.setattr(api.downloads, "row_frames", made.frames)
    return made


@ON_BOTH
def test_rows_are_read_as_they_are_sent_and_let_go_when_nobody_wants_them(
    app: Starlette, options: DownloadOptions, endless: Endless
) -> None:
    answer = get(app, path_of(options, PREDICTIONS), leave_after=5)
    assert 5 <= len(answer.pieces) < 1000
    assert endless.made - len(answer.pieces) <= 2
    assert endless.ended


@ON_BOTH
@pytest.mark.parametrize("asgi", ["2.3", "2.4"])
def test_rows_are_let_go_when_somebody_stays_and_reads_no_further(
    app: Starlette,
    options: DownloadOptions,
    endless: Endless,
    monkeypatch: pytest.MonkeyPatch,
    asgi: str,
) -> None:
    monkeypatch.setattr(api.streams, "TAKEN_WITHIN_S", 0.05)
    answer = get(app, path_of(options, PREDICTIONS), stop_after=3, asgi=asgi)
    assert answer.status == 200
    assert len(answer.pieces) == 3
    assert endless.ended


def test_a_long_piece_is_sent_in_parts_that_a_slow_line_takes_in_time(
    app: Starlette, options: DownloadOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame({"n": range(100_000)})
    monkeypatch.setattr(api.downloads, "row_frames", lambda *_: iter([frame]))
    answer = get(app, path_of(options, PREDICTIONS))
    assert max(map(len, answer.pieces)) <= 65_536
    assert pd.read_csv(io.BytesIO(answer.body))["n"].tolist() == list(range(100_000))


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("SELECT 1", None, Exception("the server is starting up")),
        OSError(28, "No space left on device"),
    ],
)
def test_rows_that_cannot_be_read_are_told_of_by_the_status(
    app: Starlette, options: DownloadOptions, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def failing(*_: object) -> Iterator[pd.DataFrame]:
        raise error

    monkeypatch.setattr(api.downloads, "row_frames", failing)
    answer = get(app, path_of(options, PREDICTIONS))
    assert answer.status == 503
    assert answer.body == b"The rows cannot be read at the moment. Try again in a while."
    assert answer.headers["retry-after"]
    assert "content-disposition" not in answer.headers
