"""Segments' results made up on the spot, and recordings for them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import update
from sqlalchemy.orm import Session

from db.places import create_camera, create_site
from db.queue import Lease, claim
from db.recordings import add_recording
from db.results import write_segment
from db.tables import Recording, RecordingState, Segment, SegmentState
from fer_core.types import (
    EXPRESSIONS,
    UNKNOWN,
    Box,
    FootageInfo,
    FootageKind,
    LeadIn,
    Prediction,
    SegmentPlan,
    SegmentResult,
    Track,
    UnknownReason,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTE = 60_000


def add_camera(session: Session, name: str = "Entrance", time_zone: str = "Europe/Berlin") -> int:
    site = create_site(session, f"Site of {name}", time_zone)
    return create_camera(session, site, name)


def footage_info(duration_ms: int, *, warnings: tuple[str, ...] = ()) -> FootageInfo:
    kind = FootageKind.VIDEO if duration_ms else FootageKind.PICTURE
    return FootageInfo(kind, 1280, 720, duration_ms, 25.0, "h264", 0, None, warnings)


def add_video(
    session: Session,
    camera_id: int,
    *,
    segments: int = 3,
    segment_ms: int = 5 * MINUTE,
    name: str = "monday.mp4",
    captured_at: datetime = NOON,
    now: datetime = NOON,
    warnings: tuple[str, ...] = (),
) -> int:
    plans = tuple(
        SegmentPlan(index, index * segment_ms, (index + 1) * segment_ms)
        for index in range(segments)
    )
    return add_recording(
        session,
        camera_id=camera_id,
        name=name,
        info=footage_info(segments * segment_ms, warnings=warnings),
        plans=plans,
        sha256=f"{name}{captured_at:%Y%m%d%H%M%S}".encode().hex().rjust(64, "0")[-64:],
        bytes=1000,
        captured_at=captured_at,
        captured_from="metadata",
        footage_key=f"key of {name}",
        sample_rate=5.0,
        now=now,
    )


@dataclass(frozen=True)
class Person:
    """Seen at ``times`` (ms of the recording), looking ``expression`` with probability 0.7.

    ``ends``: how the person looked at first and at last, where that is another expression.
    """

    times: Sequence[int]
    expression: str = "happy"
    quality: float = 0.5
    ends: tuple[str, str] | None = None


@dataclass(frozen=True)
class Scene:
    """Who is seen when, cut into segments as the pipeline would cut it."""

    people: Sequence[Person]
    segments: int = 3
    segment_ms: int = 5 * MINUTE
    warnings: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def result(self, index: int) -> SegmentResult:
        start, end = index * self.segment_ms, (index + 1) * self.segment_ms
        keys = self._keys()
        predictions: list[Prediction] = []
        tracks: list[Track] = []
        for person_number, person in enumerate(self.people):
            inside = [time for time in person.times if start <= time < end]
            if not inside:
                continue
            before = [time for time in person.times if time < start]
            lead_in = None
            if before and before[-1] >= start - self.segment_ms:
                lead_in = LeadIn(before[-1], keys[(before[-1], person_number)])
            number = len(tracks)
            probabilities = probabilities_of(person.expression)
            first, last = person.ends or (person.expression, person.expression)
            unknown = person.expression == UNKNOWN
            tracks.append(
                Track(
                    number=number,
                    start_ms=inside[0],
                    end_ms=inside[-1],
                    faces=len(inside),
                    faces_unknown=len(inside) if unknown else 0,
                    mean_probabilities=probabilities,
                    weight=0.0 if unknown else person.quality * len(inside),
                    expression=person.expression,
                    lead_in=lead_in,
                    start_probabilities=probabilities_of(first),
                    end_probabilities=probabilities_of(last),
                )
            )
            predictions += [
                Prediction(
                    time_ms=time,
                    face=keys[(time, person_number)],
                    track=number,
                    box=Box(10.5, 20.5, 30.0, 40.0),
                    detector_score=0.9,
                    quality=person.quality,
                    expression=person.expression,
                    confidence=0.0 if unknown else 0.7,
                    probabilities=probabilities,
                    unknown_reason=UnknownReason.SMALL if unknown else None,
                )
                for time in inside
            ]
        predictions.sort(key=lambda prediction: (prediction.time_ms, prediction.face))
        return SegmentResult(
            plan=SegmentPlan(index, start, end),
            frames=10,
            predictions=tuple(predictions),
            tracks=tuple(tracks),
            warnings=self.warnings.get(index, ()),
        )

    def _keys(self) -> dict[tuple[int, int], int]:
        """(time, person) to the number of the face in its frame."""
        seen: dict[int, list[int]] = {}
        for number, person in enumerate(self.people):
            for time in person.times:
                seen.setdefault(time, []).append(number)
        return {
            (time, number): face
            for time, numbers in seen.items()
            for face, number in enumerate(numbers)
        }


def probabilities_of(expression: str) -> np.ndarray[tuple[int], np.dtype[np.float32]] | None:
    if expression == UNKNOWN:
        return None
    values = np.full(len(EXPRESSIONS), 0.05, dtype=np.float32)
    values[EXPRESSIONS.index(expression)] = 0.7
    return values


def lease_segment(session: Session, recording_id: int, index: int, *, now: datetime) -> Lease:
    """The lease of one segment, taken out of turn."""
    lease = Lease(recording_id, index, "a worker", now + timedelta(seconds=30), 1)
    session.execute(
        update(Segment)
        .where(Segment.recording_id == recording_id, Segment.index == index)
        .values(
            state=SegmentState.LEASED.value,
            lease_owner=lease.owner,
            lease_until=lease.until,
            attempts=lease.attempts,
        )
    )
    session.execute(
        update(Recording)
        .where(Recording.id == recording_id)
        .values(state=RecordingState.READING.value, started_at=now)
    )
    return lease


def read_segment(
    session: Session, recording_id: int, scene: Scene, index: int, *, now: datetime = NOON
) -> None:
    """Write one segment of ``scene``, whatever was written before."""
    lease = lease_segment(session, recording_id, index, now=now)
    write_segment(session, lease, scene.result(index), "model 1", now)


def read_next(session: Session, scene: Scene, *, now: datetime = NOON) -> Lease:
    """Claim the next segment, and write what ``scene`` holds in it."""
    lease = claim(session, "a worker", 30, now)
    assert lease is not None
    write_segment(session, lease, scene.result(lease.index), "model 1", now)
    return lease
