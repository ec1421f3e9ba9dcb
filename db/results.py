"""What reading a segment gave, written in one transaction, and the people of a recording.

All rows of a stretch of time are read by ``db.exports``.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Table, delete, func, insert, select
from sqlalchemy.orm import Session

from db.chains import first_seen, join_chains_at
from db.engine import Database
from db.months import faces_of, month_of, months_between
from db.partitions import ensure_months, prepare_months
from db.people import PROBABILITIES, read_people
from db.queue import Lease, held
from db.tables import (
    Base,
    Prediction,
    Recording,
    RecordingState,
    Segment,
    SegmentState,
    Track,
)
from fer_core import types
from fer_core.errors import SatisfaceError
from fer_core.types import SegmentResult

if TYPE_CHECKING:
    import pandas as pd

_AT_ONCE: Final = 2_000
"""Rows turned into SQL parameters at a time."""


class LeaseLost(SatisfaceError):
    """The segment went to another worker, or its recording was cancelled or deleted."""


def write_segment(
    session: Session, lease: Lease, result: SegmentResult, model_version: str, now: datetime
) -> None:
    """Store what a segment held in place of what stood there, and all that follows from it: who
    goes on from or into the segments beside it, the buckets of the hours touched, the states of
    segment and recording.

    Writing the same result twice, or the segments in another order, leaves the same rows.
    Raises LeaseLost, with nothing written, where the lease is not held any more.
    """
    # Buckets take pandas, which takes as long to load as all that reading needs.
    from db.buckets import rebuild_hours

    if result.plan.index != lease.index:
        raise ValueError(f"the result is of segment {result.plan.index}, not {lease.index}")
    recording = session.scalar(
        select(Recording).where(Recording.id == lease.recording_id).with_for_update()
    )
    segment = session.scalar(select(Segment).where(*held(lease)).with_for_update())
    if recording is None or segment is None:
        raise LeaseLost("The segment is read by another worker, or not wanted any more.")
    # Footage can turn out longer than its container told; rows are looked up by this.
    last = max((track.end_ms for track in result.tracks), default=0)
    recording.duration_ms = max(recording.duration_ms, int(last))
    ensure_months(session, _months(recording.captured_at, result))
    starts = first_seen(session, lease.recording_id, lease.index)
    if starts or result.tracks:  # an empty aisle at night is most of what a camera sees
        _replace_rows(session, recording, lease, result)
        join_chains_at(session, lease.recording_id, lease.index)
        starts |= first_seen(session, lease.recording_id, lease.index)

    segment.state = SegmentState.DONE.value
    segment.lease_owner = None
    segment.lease_until = None
    segment.progress_ms = segment.end_ms - segment.start_ms
    segment.frames = result.frames
    segment.error = None
    segment.warnings = list(result.warnings)
    segment.finished_at = now
    recording.model_version = model_version
    recording.warnings = list(dict.fromkeys([*recording.warnings, *result.warnings]))
    session.flush()
    left = session.scalar(
        select(func.count())
        .select_from(Segment)
        .where(Segment.recording_id == lease.recording_id, Segment.state != SegmentState.DONE.value)
    )
    if left == 0:
        recording.state = RecordingState.DONE.value
        recording.finished_at = now
        session.flush()
    rebuild_hours(
        session,
        recording.camera_id,
        [recording.captured_at + timedelta(milliseconds=start) for start in starts],
    )


def prepare_to_write(database: Database, lease: Lease, result: SegmentResult) -> None:
    """Have ready what write_segment would otherwise have to make while others wait for it."""
    with database.read() as session:
        recording = session.get(Recording, lease.recording_id)
        months = set() if recording is None else _months(recording.captured_at, result)
    prepare_months(database, months)


def _months(captured_at: datetime, result: SegmentResult) -> set[int]:
    """The months in which the faces of a segment were seen."""
    times = [int(prediction.time_ms) for prediction in result.predictions]
    if not times:
        return set()
    first, last = (captured_at + timedelta(milliseconds=at) for at in (min(times), max(times)))
    return set(months_between(first, last))


def people_frame(session: Session, recording_id: int) -> "pd.DataFrame":
    """The people of a recording, one row each, by the time they were first seen.

    Columns: db.people.PEOPLE_COLUMNS and END_COLUMNS.
    """
    return read_people(session, Track.recording_id == recording_id, ends=True)


def _replace_rows(
    session: Session, recording: Recording, lease: Lease, result: SegmentResult
) -> None:
    for table, of_recording in (
        (Prediction, faces_of(recording)),
        (Track, Track.recording_id == lease.recording_id),
    ):
        session.execute(
            delete(table)
            .where(of_recording, table.segment_index == lease.index)
            .execution_options(synchronize_session=False)
        )
    place = {"recording_id": lease.recording_id, "segment_index": lease.index}
    _insert(session, Track, ({**place, **_track(track)} for track in result.tracks))
    numbered = select(Track.number, Track.id).where(
        Track.recording_id == lease.recording_id, Track.segment_index == lease.index
    )
    ids = {row[0]: row[1] for row in session.execute(numbered)}
    _insert(
        session,
        Prediction,
        (
            {
                **place,
                "track_id": ids[prediction.track],
                "month": month_of(
                    recording.captured_at + timedelta(milliseconds=int(prediction.time_ms))
                ),
                **_prediction(prediction),
            }
            for prediction in result.predictions
        ),
    )


def _insert(session: Session, table: type[Base], rows: Iterable[Mapping[str, object]]) -> None:
    target: Table = Base.metadata.tables[table.__tablename__]
    remaining = iter(rows)
    while chunk := list(islice(remaining, _AT_ONCE)):
        session.execute(insert(target), chunk)


def _track(track: types.Track) -> dict[str, object]:
    lead_in = track.lead_in
    return {
        "number": int(track.number),
        "lead_in_time_ms": None if lead_in is None else int(lead_in.time_ms),
        "lead_in_face": None if lead_in is None else int(lead_in.face),
        "start_ms": int(track.start_ms),
        "end_ms": int(track.end_ms),
        "faces": int(track.faces),
        "faces_unknown": int(track.faces_unknown),
        "expression": track.expression,
        "weight": float(track.weight),
        "start_probabilities": _listed(track.start_probabilities),
        "end_probabilities": _listed(track.end_probabilities),
        **_probabilities(track.mean_probabilities),
    }


def _listed(values: NDArray[np.float32] | None) -> list[float] | None:
    # Seven digits are all that the numbers hold; the others would only fill the table.
    return None if values is None else [round(float(value), 7) for value in values]


def _prediction(prediction: types.Prediction) -> dict[str, object]:
    reason = prediction.unknown_reason
    return {
        "time_ms": int(prediction.time_ms),
        "face": int(prediction.face),
        "x": float(prediction.box.x),
        "y": float(prediction.box.y),
        "width": float(prediction.box.width),
        "height": float(prediction.box.height),
        "detector_score": float(prediction.detector_score),
        "quality": float(prediction.quality),
        "expression": prediction.expression,
        "confidence": float(prediction.confidence),
        "unknown_reason": None if reason is None else reason.value,
        **_probabilities(prediction.probabilities),
    }


def _probabilities(values: NDArray[np.float32] | None) -> dict[str, float | None]:
    if values is None:
        return dict.fromkeys(PROBABILITIES)
    return dict(zip(PROBABILITIES, values.tolist(), strict=True))
