"""What reading a segment gave, written in one transaction, and the people of a recording.

All rows of a stretch of time are read by ``db.exports``.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Table, bindparam, delete, exists, insert, select, true, update
from sqlalchemy.orm import Session

from db.chains import first_seen, join_chains_at
from db.engine import Database
from db.months import in_months, month_of, months_between
from db.partitions import ensure_months, prepare_months
from db.people import PROBABILITIES, read_people
from db.queue import HELD, Lease, holding
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


_RECORDINGS: Final = Base.metadata.tables[Recording.__tablename__]
_SEGMENTS: Final = Base.metadata.tables[Segment.__tablename__]

# Put together once, of tables: every segment that is written asks them.
_LOCKED: Final = (
    select(
        _RECORDINGS.c.id,
        _RECORDINGS.c.camera_id,
        _RECORDINGS.c.captured_at,
        _RECORDINGS.c.duration_ms,
        _RECORDINGS.c.model_version,
        _RECORDINGS.c.warnings,
    )
    .join_from(_RECORDINGS, _SEGMENTS, _SEGMENTS.c.recording_id == _RECORDINGS.c.id)
    .where(*HELD)
    .with_for_update(of=_RECORDINGS)
)
_FINISH: Final = (
    update(_SEGMENTS)
    .where(*HELD)
    .values(
        state=SegmentState.DONE.value,
        lease_owner=None,
        lease_until=None,
        progress_ms=_SEGMENTS.c.end_ms - _SEGMENTS.c.start_ms,
        frames=bindparam("looked_at"),
        error=None,
        warnings=bindparam("remarks", type_=_SEGMENTS.c.warnings.type),
        finished_at=bindparam("now", type_=_SEGMENTS.c.finished_at.type),
    )
)
_IS_ANY_LEFT: Final = select(
    exists().where(
        _SEGMENTS.c.recording_id == bindparam("of"), _SEGMENTS.c.state != SegmentState.DONE.value
    )
)


def write_segment(
    session: Session, lease: Lease, result: SegmentResult, model_version: str, now: datetime
) -> bool:
    """Store what a segment held in place of what stood there, and all that follows from it: who
    goes on from or into the segments beside it, the buckets of the hours touched, the states of
    segment and recording. True where with it the recording is done.

    Writing the same result twice, or the segments in another order, leaves the same rows.
    Raises LeaseLost where the lease is not held any more; the transaction must not be committed
    then.
    """
    if result.plan.index != lease.index:
        raise ValueError(f"the result is of segment {result.plan.index}, not {lease.index}")
    connection = session.connection()
    recording = connection.execute(_LOCKED, holding(lease)).one_or_none()
    if recording is None:
        raise _lost()
    # Footage can turn out longer than its container told; rows are looked up by this.
    last = max((track.end_ms for track in result.tracks), default=0)
    duration_ms = max(recording.duration_ms, int(last))
    ensure_months(session, _months(recording.captured_at, result))
    starts = first_seen(session, lease.recording_id, lease.index)
    if starts or result.tracks:  # an empty aisle at night is most of what a camera sees
        end = recording.captured_at + timedelta(milliseconds=duration_ms)
        months = months_between(recording.captured_at, end)
        _replace_rows(session, recording.captured_at, months, lease, result)
        join_chains_at(session, lease.recording_id, lease.index, months)
        starts |= first_seen(session, lease.recording_id, lease.index)

    read = {"looked_at": result.frames, "remarks": list(result.warnings), "now": now}
    # Meanwhile it may have run out and gone to another worker: the rows go with the transaction.
    if not connection.execute(_FINISH, {**holding(lease), **read}).rowcount:
        raise _lost()
    changed: dict[str, object] = {}
    if duration_ms != recording.duration_ms:
        changed["duration_ms"] = duration_ms
    if model_version != recording.model_version:
        changed["model_version"] = model_version
    if new := [one for one in result.warnings if one not in recording.warnings]:
        changed["warnings"] = list(dict.fromkeys([*recording.warnings, *new]))
    done = not connection.scalar(_IS_ANY_LEFT, {"of": lease.recording_id})
    if done:
        changed |= {"state": RecordingState.DONE.value, "finished_at": now}
    if changed:
        of_it = _RECORDINGS.c.id == lease.recording_id
        connection.execute(update(_RECORDINGS).where(of_it).values(changed))
    if starts:
        # Buckets take pandas, which takes as long to load as all that reading needs.
        from db.buckets import rebuild_hours

        rebuild_hours(
            session,
            recording.camera_id,
            [recording.captured_at + timedelta(milliseconds=start) for start in starts],
        )
    return done


def _lost() -> LeaseLost:
    return LeaseLost("The segment is read by another worker, or not wanted any more.")


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
    session: Session,
    captured_at: datetime,
    months: Sequence[int],
    lease: Lease,
    result: SegmentResult,
) -> None:
    """``months``: those that the recording touches."""
    for table, in_time in ((Prediction, in_months(months)), (Track, true())):
        session.execute(
            delete(table)
            .where(
                table.recording_id == lease.recording_id,
                table.segment_index == lease.index,
                in_time,
            )
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
                "month": month_of(captured_at + timedelta(milliseconds=int(prediction.time_ms))),
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
