"""Recordings: listed, one with its state, and the rows of its faces and people."""

from collections.abc import Callable, Generator, Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

import pandas as pd
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field, model_validator
from sqlalchemy.orm import Session
from starlette.responses import Response

from analytics.periods import day_bounds
from api.refused import Refused
from api.v1.here import Here, HereNow, ReadKey, RowsKey
from api.v1.places import PathId, camera_ids_of, chosen_sites
from api.v1.problems import documented
from api.v1.queries import (
    EARLIEST,
    LATEST,
    Asked,
    Day,
    Format,
    OfPlaces,
    after,
    cursor,
    place_of,
    wants_csv,
)
from api.v1.rows import PredictionPage, TrackPage, csv_documented, first_records, streamed_csv
from db.exports import iterate_predictions, iterate_tracks
from db.keys import ApiKeyRow
from db.recording_rows import RecordingRow, TakenBetween, get_recording, list_recordings
from db.tables import RecordingState
from reports.tables import csv_chunks

router = APIRouter(tags=["recordings"])

_MOST_RECORDINGS: Final = 200
_MOST_ROWS: Final = 5000
_STRETCH: Final = timedelta(minutes=30)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND: Final = timedelta(microseconds=1)


class RecordingOut(BaseModel):
    """One uploaded picture or video of one camera."""

    id: int
    name: str
    kind: Literal["picture", "video"]
    site_id: int
    site: str
    camera_id: int
    camera: str
    time_zone: str
    captured_at: datetime = Field(description="When the footage begins.")
    captured_from: str = Field(
        description="What told that: given, exif, metadata, file name or upload."
    )
    duration_ms: int
    width: int
    height: int
    bytes: int
    sha256: str = Field(description="Of the file as uploaded.")
    codec: str
    state: RecordingState
    error: str | None = Field(description="Why it failed, in a sentence.")
    warnings: list[str] = Field(description="What could not be read of it, in sentences.")
    progress: float = Field(description="How much of it was read, 0 to 1.")
    seconds_left: float | None = Field(description="At the pace so far; null while it waits.")
    people: int = Field(description="Found so far.")
    unknown: int = Field(description="How many of these could not be read.")
    faces: int
    segments: int
    segments_done: int
    has_footage: bool = Field(description="Whether the footage is still kept.")
    has_faces: bool = Field(description="False once the rows of faces were deleted.")
    has_people: bool = Field(description="False once the rows of people were deleted.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class RecordingPage(BaseModel):
    """Some recordings, as they were added, the newest first."""

    recordings: list[RecordingOut]
    next: str | None = Field(
        description="Give it as `cursor` for those before these; null at the end."
    )


class RecordingsAsked(OfPlaces):
    state: list[RecordingState] = Field(
        default=[], max_length=len(RecordingState), description="Any when left out."
    )
    first: Day | None = Field(
        default=None, alias="from", description="Taken on this day or later, by the site's clock."
    )
    last: Day | None = Field(default=None, alias="to", description="Taken on this day or earlier.")
    search: str | None = Field(
        default=None,
        max_length=100,
        pattern=r"^[^\x00-\x1f]*$",
        description="Part of the name of the recording, its camera or its site.",
    )
    sha256: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="Of the file: whether it is there already.",
    )
    limit: int = Field(default=50, ge=1, le=_MOST_RECORDINGS)
    cursor: str | None = Field(default=None, pattern=cursor(17, 10))

    @model_validator(mode="after")
    def _in_order(self) -> "RecordingsAsked":
        if self.first and self.last and self.last < self.first:
            raise ValueError("“to” is before “from”")
        return self


class RowsAsked(Asked):
    format: Format = None
    limit: int = Field(default=1000, ge=1, le=_MOST_ROWS)
    cursor: str | None = Field(default=None, pattern=cursor(12, 9))


@router.get("/recordings", responses=documented(404), operation_id="list_recordings")
def recordings(
    key: ReadKey, here: HereNow, asked: Annotated[RecordingsAsked, Query()]
) -> RecordingPage:
    """Recordings, the newest first, a page at a time."""
    place = place_of(asked.cursor)
    with here.database.read() as session:
        chosen = chosen_sites(session, key, asked.site, asked.camera)
        found = list_recordings(
            session,
            states=asked.state or None,
            camera_ids=camera_ids_of(chosen),
            search=asked.search,
            sha256=asked.sha256,
            taken=_taken(asked, {site.time_zone for site in chosen}),
            limit=asked.limit + 1,
            older_than=(_EPOCH + place[0] * _MICROSECOND, place[1]) if place else None,
        )
    page = found[: asked.limit]
    following = None
    if len(found) > asked.limit:
        last = page[-1]
        following = after((last.created_at - _EPOCH) // _MICROSECOND, last.id)
    return RecordingPage(recordings=[_out(row) for row in page], next=following)


def _taken(asked: RecordingsAsked, time_zones: set[str]) -> list[TakenBetween] | None:
    if asked.first is None and asked.last is None:
        return None
    return [
        TakenBetween(zone, *day_bounds(asked.first or EARLIEST, asked.last or LATEST, zone))
        for zone in sorted(time_zones)
    ]


@router.get("/recordings/{recording_id}", responses=documented(404), operation_id="get_recording")
def recording(key: ReadKey, here: HereNow, recording_id: PathId) -> RecordingOut:
    """One recording: its state, how far it was read, and why it failed where it did."""
    with here.database.read() as session:
        return _out(_reached(session, key, recording_id))


@router.get(
    "/recordings/{recording_id}/predictions",
    response_model=PredictionPage,
    responses=csv_documented() | documented(404, 429),
    operation_id="list_predictions",
)
def predictions(
    key: RowsKey,
    here: HereNow,
    request: Request,
    recording_id: PathId,
    asked: Annotated[RowsAsked, Query()],
) -> Any:
    """The faces of a recording, by time. Needs the scope `rows`."""
    if wants_csv(request, asked.format):
        return _csv(here, key, recording_id, iterate_predictions, "predictions")
    place = place_of(asked.cursor)
    with here.database.read() as session:
        row = _reached(session, key, recording_id)
        begin = row.captured_at + timedelta(milliseconds=place[0]) if place else None
        kept = first_records(
            _behind(
                iterate_predictions(
                    session, recording_ids=[row.id], start=begin, chunk=asked.limit + 1
                ),
                place,
            ),
            asked.limit + 1,
        )
    return _page(kept, asked.limit, lambda last: after(last["time_ms"], last["face"]))


def _behind(
    frames: Iterator[pd.DataFrame], place: tuple[int, int] | None
) -> Iterator[pd.DataFrame]:
    for frame in frames:
        if place is None:
            yield frame
        else:
            given = (frame["time_ms"] == place[0]) & (frame["face"] <= place[1])
            yield frame[~given]


@router.get(
    "/recordings/{recording_id}/tracks",
    response_model=TrackPage,
    responses=csv_documented() | documented(404, 429),
    operation_id="list_tracks",
)
def tracks(
    key: RowsKey,
    here: HereNow,
    request: Request,
    recording_id: PathId,
    asked: Annotated[RowsAsked, Query()],
) -> Any:
    """The people of a recording, as they appeared. Needs the scope `rows`."""
    if wants_csv(request, asked.format):
        return _csv(here, key, recording_id, iterate_tracks, "tracks")
    place = place_of(asked.cursor)
    with here.database.read() as session:
        row = _reached(session, key, recording_id)
        people = _beyond(_stretches(session, row, place[0] if place else 0), place)
        kept = first_records(people, asked.limit + 1)

    def following(last: dict[str, Any]) -> str:
        same = [one for one in kept[: asked.limit] if one["start_ms"] == last["start_ms"]]
        before = place[1] if place and place[0] == last["start_ms"] else 0
        return after(last["start_ms"], before + len(same))

    return _page(kept, asked.limit, following)


def _stretches(session: Session, row: RecordingRow, start_ms: int) -> Iterator[pd.DataFrame]:
    """The people from ``start_ms`` on, half an hour at a time: a day of a busy camera is not held
    at once."""
    end = row.captured_at + timedelta(milliseconds=row.duration_ms + 1)
    start = row.captured_at + timedelta(milliseconds=start_ms)
    while start < end:
        yield from iterate_tracks(
            session, recording_ids=[row.id], start=start, end=start + _STRETCH
        )
        start += _STRETCH


def _beyond(
    frames: Iterator[pd.DataFrame], place: tuple[int, int] | None
) -> Iterator[pd.DataFrame]:
    """Without the first ``place[1]`` people who appeared at ``place[0]``: they are told apart by
    their order alone."""
    left = place[1] if place else 0
    for frame in frames:
        same = int((frame["start_ms"] == place[0]).sum()) if place else 0
        skipped = min(same, left)
        left -= skipped
        yield frame.iloc[skipped:]


def _page(
    found: list[dict[str, Any]], limit: int, place: Callable[[dict[str, Any]], str]
) -> dict[str, Any]:
    """``found``: one more than the page holds, where there are more."""
    page = found[:limit]
    return {"rows": page, "next": place(page[-1]) if len(found) > limit else None}


def _csv(here: Here, key: ApiKeyRow, recording_id: int, iterate: Any, table: str) -> Response:
    done = here.heavy.take()
    try:

        def pieces() -> Generator[bytes]:
            with here.database.read() as session:
                row = _reached(session, key, recording_id)
                yield from csv_chunks(iterate(session, recording_ids=[row.id]))

        stream = pieces()
        return streamed_csv(next(stream), stream, f"recording-{recording_id}-{table}.csv", done)
    except BaseException:
        done()
        raise


def _reached(session: Session, key: ApiKeyRow, recording_id: int) -> RecordingRow:
    """Raises Refused, alike for what is not there and for what the key does not reach."""
    row = get_recording(session, recording_id)
    if row is None or (key.site_ids is not None and row.site_id not in key.site_ids):
        raise Refused(404, f"There is no recording {recording_id}, or this key does not reach it.")
    return row


def _out(row: RecordingRow) -> RecordingOut:
    return RecordingOut.model_validate(row, from_attributes=True)
