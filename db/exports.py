"""All rows of a stretch of time, a frame at a time, for export.

Every frame has the same columns and types, however few rows it holds. ``*_utc`` are aware times,
``*_local`` the same instants on the clock of the site (without a zone, which stands beside them
in ``time_zone``): one export may hold several zones.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from analytics.buckets import COUNTS, SUMS
from analytics.scores import INDEXED
from analytics.summary import indexed
from db.bucket_days import iterate_packed_buckets
from db.months import months_seen
from db.people import INDEX_COLUMNS, PROBABILITIES, read_people, with_indices
from db.scores import active_score
from db.spans import Footage, footage_between, grouped_by_rows, seen_between
from db.tables import Camera, Prediction, Recording, Site, Track

PREDICTION_COLUMNS: Final = (
    "site",
    "camera",
    "recording_id",
    "recording",
    "time_utc",
    "time_local",
    "time_zone",
    "time_ms",
    "face",
    "person_id",
    "x",
    "y",
    "width",
    "height",
    "detector_score",
    "quality",
    "expression",
    "confidence",
    "unknown_reason",
    *PROBABILITIES,
    "model_version",
)
TRACK_COLUMNS: Final = (
    "site",
    "camera",
    "recording_id",
    "recording",
    "person_id",
    "start_utc",
    "start_local",
    "end_utc",
    "end_local",
    "time_zone",
    "start_ms",
    "end_ms",
    "faces",
    "faces_unknown",
    "weight",
    "expression",
    *PROBABILITIES,
    *INDEX_COLUMNS,
    "score",
    "model_version",
)
BUCKET_EXPORT_COLUMNS: Final = (
    "site",
    "camera",
    "hour_utc",
    "hour_local",
    "time_zone",
    *COUNTS,
    *SUMS,
    *INDEXED,
    "score",
)


_INSTANT: Final = "datetime64[ms, UTC]"
_CLOCK: Final = "datetime64[ms]"
_TYPES: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("site", "camera", "recording", "time_zone", "expression", "unknown_reason"), "str"
    ),
    **dict.fromkeys(("model_version", "score"), "str"),
    **dict.fromkeys(("time_utc", "start_utc", "end_utc", "hour_utc"), _INSTANT),
    **dict.fromkeys(("time_local", "start_local", "end_local", "hour_local"), _CLOCK),
    **dict.fromkeys(
        ("recording_id", "person_id", "time_ms", "start_ms", "end_ms", "face"), "int64"
    ),
    **dict.fromkeys(COUNTS, "int64"),
    **dict.fromkeys(("x", "y", "width", "height", "detector_score"), "float64"),
    **dict.fromkeys(("quality", "confidence", "weight", *PROBABILITIES), "float64"),
    **dict.fromkeys(INDEX_COLUMNS, "float64"),
}


def iterate_predictions(
    session: Session,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    camera_ids: Sequence[int] | None = None,
    recording_ids: Sequence[int] | None = None,
    chunk: int = 20_000,
) -> Iterator[pd.DataFrame]:
    """Faces seen in [start, end), by recording (as they were taken) and time.

    Columns: PREDICTION_COLUMNS; ``person_id`` is that of iterate_tracks, boxes are pixels of the
    upright frame. At most ``chunk`` rows a frame, and one frame without rows where there are
    none. None: no bound, all cameras, all recordings.
    """
    stored = PREDICTION_COLUMNS[PREDICTION_COLUMNS.index("x") : -1]

    def frames() -> Iterator[pd.DataFrame]:
        listed = footage_between(session, start, end, camera_ids, recording_ids)
        for footage in grouped_by_rows(
            session, listed, Prediction.recording_id, chunk, months_seen
        ):
            seen = seen_between(footage, start, end, Prediction.recording_id, Prediction.time_ms)
            if seen is None:
                continue
            query = (
                select(
                    Prediction.recording_id,
                    Prediction.time_ms,
                    Prediction.face,
                    func.coalesce(Track.root_id, Track.id),
                    *(getattr(Prediction, column) for column in stored),
                )
                .join(Track, Track.id == Prediction.track_id)
                .where(seen, months_seen(footage, start, end))
                .order_by(Prediction.recording_id, Prediction.time_ms, Prediction.face)
                .execution_options(yield_per=chunk)
            )
            names = ("recording_id", "time_ms", "face", "person_id", *stored)
            # As rows of the connection: the session's own way costs as much again. Closed also
            # where nobody asks for the rest.
            with session.connection().execute(query) as found:
                for rows in found.partitions():
                    columns = zip(names, zip(*rows, strict=True), strict=True)
                    frame = pd.DataFrame({name: _typed(name, values) for name, values in columns})
                    yield _placed(session, frame, footage, {"time": "time_ms"})

    return _regrouped(frames(), PREDICTION_COLUMNS, chunk)


def iterate_tracks(
    session: Session,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    camera_ids: Sequence[int] | None = None,
    recording_ids: Sequence[int] | None = None,
    chunk: int = 20_000,
) -> Iterator[pd.DataFrame]:
    """People first seen in [start, end), one row each, whole: also where their appearance
    reaches over segments. Columns: TRACK_COLUMNS; indices by the score definition in force.
    Otherwise as iterate_predictions."""

    def frames() -> Iterator[pd.DataFrame]:
        score = active_score(session)
        listed = footage_between(session, start, end, camera_ids, recording_ids)
        for footage in grouped_by_rows(session, listed, Track.recording_id, chunk):
            seen = seen_between(footage, start, end, Track.recording_id, Track.start_ms)
            if seen is not None:
                people = with_indices(read_people(session, seen, ends=True), score)
                people["score"] = score.label
                yield _placed(session, people, footage, {"start": "start_ms", "end": "end_ms"})

    return _regrouped(frames(), TRACK_COLUMNS, chunk)


def iterate_buckets(
    session: Session,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    camera_ids: Sequence[int] | None = None,
    chunk: int = 20_000,
) -> Iterator[pd.DataFrame]:
    """The hours of read_buckets. Columns: BUCKET_EXPORT_COLUMNS; indices by the score definition in
    force. Otherwise as iterate_predictions."""

    def frames() -> Iterator[pd.DataFrame]:
        score = active_score(session)
        for buckets in iterate_packed_buckets(
            session, start=start, end=end, camera_ids=camera_ids, chunk=chunk
        ):
            frame = indexed(buckets, score).rename(columns={"hour": "hour_utc"})
            frame["hour_local"] = _on_the_clock(frame["hour_utc"], frame["time_zone"])
            yield frame

    return _regrouped(frames(), BUCKET_EXPORT_COLUMNS, chunk)


def _placed(
    session: Session,
    rows: pd.DataFrame,
    footage: Sequence[Footage],
    times: Mapping[str, str],
) -> pd.DataFrame:
    """``rows`` with where and when they were seen, in the order of ``footage``.

    ``times``: prefix of the columns to add -> column of milliseconds.
    """
    named = session.execute(
        select(
            Recording.id,
            Recording.name,
            Recording.model_version,
            Camera.name,
            Site.name,
            Site.time_zone,
        )
        .join(Camera, Camera.id == Recording.camera_id)
        .join(Site, Site.id == Camera.site_id)
        .where(Recording.id.in_([some.recording_id for some in footage]))
    )
    places = pd.DataFrame(
        [tuple(row) for row in named],
        columns=["recording_id", "recording", "model_version", "camera", "site", "time_zone"],
    ).set_index("recording_id")
    in_order = pd.Index([some.recording_id for some in footage])
    where = in_order.get_indexer(pd.Index(rows["recording_id"]))
    order = np.argsort(where, kind="stable")
    where = where[order]
    frame = rows.take(order).reset_index(drop=True)
    there = places.reindex(in_order).astype("str")
    for name in there.columns:
        frame[name] = there[name].array.take(where)
    captured = pd.Series([some.captured_at for some in footage]).take(where).array
    for prefix, column in times.items():
        instants = pd.Series(captured) + pd.to_timedelta(frame[column], unit="ms")
        frame[f"{prefix}_utc"] = instants
        frame[f"{prefix}_local"] = _on_the_clock(instants, frame["time_zone"])
    return frame


def _typed(name: str, values: tuple[Any, ...]) -> Any:
    """A column as a frame holds it. Told its type, pandas need not look for one."""
    kind = _TYPES[name]
    return pd.array(values, dtype="str") if kind == "str" else np.array(values, dtype=kind)


def _on_the_clock(
    instants: "pd.Series[pd.Timestamp]", time_zones: "pd.Series[str]"
) -> "pd.Series[pd.Timestamp]":
    """What the clock of each row's zone showed, without a zone."""
    local = pd.Series(pd.NaT, index=instants.index, dtype="datetime64[us]")
    for time_zone in time_zones.unique():
        there = time_zones == time_zone
        local[there] = instants[there].dt.tz_convert(time_zone).dt.tz_localize(None)
    return local


def _regrouped(
    frames: Iterable[pd.DataFrame], columns: Sequence[str], chunk: int
) -> Iterator[pd.DataFrame]:
    """Frames of at most ``chunk`` rows, as full as they can be, all of the same types."""
    types = {column: _TYPES.get(column, "float64") for column in columns}
    waiting: list[pd.DataFrame] = []
    count = 0
    given = False
    for frame in frames:
        for place in range(0, len(frame), chunk):
            part = frame.iloc[place : place + chunk][list(columns)].astype(types)
            if waiting and count + len(part) > chunk:
                yield pd.concat(waiting, ignore_index=True)
                waiting, count, given = [], 0, True
            waiting.append(part)
            count += len(part)
    if waiting:
        yield pd.concat(waiting, ignore_index=True)
    elif not given:
        yield pd.DataFrame({column: pd.Series(dtype=kind) for column, kind in types.items()})
