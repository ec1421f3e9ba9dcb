"""Files as a browser gets them: streamed by the route, however many rows there are."""

import asyncio
import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from starlette.applications import Starlette

import api.downloads
from api.downloads import DownloadOptions, download_routes
from db.engine import Database
from jobs.downloads import LIFETIME_S, Rows, make_link
from tests.chosen_database import ON_BOTH
from tests.unit.db.made_rows import NOON, Person, Scene, add_camera, add_video, read_segment


class Answer:
    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


def get(app: Starlette, path: str, *, leave_after: int | None = None) -> Answer:
    """What the application answers; the browser leaves after so many pieces."""
    answer = Answer()
    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
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

    # In a thread: the browser's tests leave a loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(app(scope, receive, send))).result()
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


@ON_BOTH
def test_rows_are_read_as_they_are_sent_and_let_go_when_nobody_wants_them(
    app: Starlette, options: DownloadOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    ended: list[bool] = []

    def endless(*_: object) -> Iterator[pd.DataFrame]:
        try:
            while True:
                made.append(len(made))
                yield pd.DataFrame({"n": [len(made)]})
        finally:
            ended.append(True)

    monkeypatch.setattr(api.downloads, "row_frames", endless)
    rows = Rows("predictions", "csv", "2026-03-02", "2026-03-02")
    answer = get(app, path_of(options, rows), leave_after=5)
    assert 5 <= len(answer.pieces) < 1000
    assert len(made) - len(answer.pieces) <= 2
    assert ended == [True]
