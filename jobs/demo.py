"""Invented data to look around with: three shops, ninety days.

Every site is marked as a demonstration. The same seed and day give the same data. Rows are written
many at a time; the buckets are derived from them as those of real data are. Something happens, so
that there is something to see: one shop has a bad day, one camera falls silent, early hours are
too quiet for figures, one shop misses its target, and single faces are kept for two weeks only.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from db.buckets import rebuild_span
from db.engine import Database
from db.months import month_of
from db.partitions import ensure_months
from db.people import PROBABILITIES
from db.places import OpeningHours, create_camera, create_site, set_opening_hours, set_target
from db.recordings import add_recording, footage_released
from db.retention import KeptDays, keep_for
from db.tables import Base, Prediction, Recording, RecordingState, Segment, SegmentState, Track
from fer_core.types import (
    EXPRESSIONS,
    UNKNOWN,
    CaptureSource,
    FootageInfo,
    FootageKind,
    SegmentPlan,
    UnknownReason,
)

MODEL_VERSION: Final = "invented"
FACE_DAYS: Final = 14
"""Days of which single faces are invented, and kept."""

_HOUR_MS: Final = 3_600_000
_RATE: Final = 1.0
_NO_FOOTAGE: Final = "never-there"
_NAMES: Final = np.array([*EXPRESSIONS, UNKNOWN], dtype=object)


@dataclass(frozen=True, slots=True, eq=False)
class _Shop:
    """``visitors``: an hour at a camera on average. ``mood``: shifts the odds of a happy face;
    ``trend``: by how much the mood changes over the whole time; ``service``: by how much it
    changes while a visitor is seen. ``week``: (opens, closes) in hours from Monday on.
    ``bad_days``: days back to how much mood they cost. ``silent``: camera to the days for which
    it has seen nobody. ``lately``: (camera, hour) to what the last week changed there.
    """

    name: str
    time_zone: str
    cameras: tuple[str, ...]
    week: tuple[tuple[int, int] | None, ...]
    visitors: float
    mood: float
    trend: float
    service: float
    target: float
    bad_days: Mapping[int, float] = field(default_factory=dict)
    silent: Mapping[str, int] = field(default_factory=dict)
    lately: Mapping[tuple[str, int], float] = field(default_factory=dict)


_SHOPS: Final = (
    _Shop(
        name="Harbour Street (invented)",
        time_zone="Europe/Lisbon",
        cameras=("Entrance", "Checkout"),
        week=(*((9, 20),) * 6, None),
        visitors=26,
        mood=0.3,
        trend=0.25,
        service=0.5,
        target=51.0,
        lately={("Checkout", 12): -1.1, ("Checkout", 13): -1.1, ("Entrance", 16): 0.5},
    ),
    _Shop(
        name="Station Arcade (invented)",
        time_zone="Europe/Berlin",
        cameras=("Entrance", "Checkout"),
        week=(*((7, 21),) * 6, (9, 18)),
        visitors=34,
        mood=-0.15,
        trend=-0.1,
        service=-0.3,
        target=46.0,
        bad_days={2: -1.0},
    ),
    _Shop(
        name="Garden Mall (invented)",
        time_zone="America/New_York",
        cameras=("Entrance", "Service desk"),
        week=((10, 19),) * 7,
        visitors=18,
        mood=0.1,
        trend=0.0,
        service=0.1,
        target=45.0,
        silent={"Service desk": 2},
    ),
)

# Log-odds of each expression for a visitor on an ordinary hour, in EXPRESSIONS' order: most faces
# in a shop are neutral, and disgust is rare.
_ORDINARY = np.array([-1.6, -3.4, -2.6, 0.1, -1.0, -2.0, 0.9])
# How the day goes on: the queue at noon and at the end of work costs smiles.
_HOURLY_MOOD = {12: -0.35, 13: -0.25, 17: -0.45, 18: -0.35, 10: 0.15, 15: 0.1}
_HOURLY_TRAFFIC = {
    7: 0.15,
    8: 0.5,
    9: 0.4,
    11: 1.2,
    12: 1.5,
    13: 1.3,
    16: 1.1,
    17: 1.6,
    18: 1.4,
    20: 0.2,
}


def fill(
    database: Database,
    *,
    days: int = 90,
    seed: int = 7,
    until: date | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> int:
    """Invent ``days`` days of data up to yesterday (or the day before ``until``).

    ``progress`` is told the days done and all days. Returns the number of recordings.
    """
    until = until or datetime.now(UTC).date()
    with database.write() as session:
        cameras = _places(session)
        keep_for(session, KeptDays(faces=FACE_DAYS))
    done = recordings = 0
    total = days * len(cameras)
    for (shop, camera), camera_id in cameras.items():
        # A camera at a time: rows of ninety days fit into memory, and are written in no time.
        with database.write() as session:
            first = last = None
            for back in range(days, 0, -1):
                day = until - timedelta(days=back)
                hours = shop.week[day.weekday()]
                if hours is not None and back > shop.silent.get(camera, 0):
                    rng = np.random.default_rng(
                        [seed, day.toordinal(), *(shop.name + camera).encode()]
                    )
                    began = _day(session, shop, camera, camera_id, day, hours, (back, days), rng)
                    first, last = first or began, began + timedelta(hours=hours[1] - hours[0])
                    recordings += 1
                done += 1
                progress(done, total)
            if first is not None and last is not None:
                rebuild_span(session, camera_id, first, last, at_one_go=True)
    return recordings


def _places(session: Session) -> dict[tuple[_Shop, str], int]:
    cameras = {}
    for shop in _SHOPS:
        site = create_site(session, shop.name, shop.time_zone, is_demonstration=True)
        set_target(session, site, shop.target)
        set_opening_hours(session, site, _opening_hours(shop))
        for camera in shop.cameras:
            cameras[shop, camera] = create_camera(session, site, camera)
    return cameras


def _opening_hours(shop: _Shop) -> OpeningHours:
    return tuple(None if day is None else (day[0] * 60, day[1] * 60) for day in shop.week)


def _day(
    session: Session,
    shop: _Shop,
    camera: str,
    camera_id: int,
    day: date,
    hours: tuple[int, int],
    place: tuple[int, int],
    rng: np.random.Generator,
) -> datetime:
    """One recording from opening to closing. ``place``: (days back, of so many days). Returns
    when it began (UTC)."""
    back, days = place
    opens, closes = hours
    opened = datetime.combine(day, time(opens), ZoneInfo(shop.time_zone)).astimezone(UTC)
    # Its one segment is the whole day, as are its rows one write.
    plan = SegmentPlan(0, 0, (closes - opens) * _HOUR_MS)
    with_faces = back <= FACE_DAYS
    recording_id = _recording(session, camera, camera_id, day, opened, plan, with_faces=with_faces)
    mood = shop.mood + shop.trend * (1 - back / days) + shop.bad_days.get(back, 0.0)
    mood += rng.normal(0, 0.08)
    busy = 1.35 if day.weekday() >= 5 else 1.0
    open_hours = np.arange(opens, closes)
    traffic = np.array([_HOURLY_TRAFFIC.get(int(hour), 0.8) for hour in open_hours])
    moods = np.array([_HOURLY_MOOD.get(int(hour), 0.0) for hour in open_hours])
    if back <= 7:
        moods += [shop.lately.get((camera, int(hour)), 0.0) for hour in open_hours]
    visitors = rng.poisson(shop.visitors * busy * traffic)
    seen = _sightings(
        np.repeat((open_hours - opens) * _HOUR_MS, visitors),
        mood + np.repeat(moods, visitors),
        shop.service,
        rng,
    )
    tracks = _tracks(seen)
    key = {"recording_id": recording_id, "segment_index": 0}
    _insert(session, Track, [key | row for row in tracks])
    if with_faces:
        numbered = select(Track.number, Track.id).where(Track.recording_id == recording_id)
        ids = {row[0]: row[1] for row in session.execute(numbered)}
        faces = [
            key | row | {"month": month_of(opened + timedelta(milliseconds=row["time_ms"]))}
            for row in _predictions(seen, ids, rng)
        ]
        ensure_months(session, {row["month"] for row in faces})
        _insert(session, Prediction, faces)
    return opened


def _recording(
    session: Session,
    camera: str,
    camera_id: int,
    day: date,
    opened: datetime,
    plan: SegmentPlan,
    *,
    with_faces: bool,
) -> int:
    """A recording that was read to its end, without its rows."""
    closed = opened + timedelta(milliseconds=plan.end_ms)
    name = f"{camera.lower().replace(' ', '_')}_{day:%Y%m%d}.mp4"
    recording_id = add_recording(
        session,
        camera_id=camera_id,
        name=name,
        info=FootageInfo(FootageKind.VIDEO, 1280, 720, plan.end_ms, 25.0, "h264", 0, None),
        plans=[plan],
        sha256=hashlib.sha256(f"{camera_id}/{name}".encode()).hexdigest(),
        bytes=plan.end_ms * 125,
        captured_at=opened,
        captured_from=CaptureSource.METADATA.value,
        footage_key=_NO_FOOTAGE,
        sample_rate=_RATE,
        now=closed,
    )
    read = closed + timedelta(minutes=10)
    footage_released(session, recording_id, _NO_FOOTAGE)
    session.execute(
        update(Segment)
        .where(Segment.recording_id == recording_id)
        .values(
            state=SegmentState.DONE.value,
            progress_ms=plan.end_ms,
            frames=plan.end_ms // 1000,
            finished_at=read,
        )
    )
    session.execute(
        update(Recording)
        .where(Recording.id == recording_id)
        .values(
            state=RecordingState.DONE.value,
            model_version=MODEL_VERSION,
            started_at=closed,
            finished_at=read,
            faces_deleted_at=None if with_faces else read + timedelta(days=FACE_DAYS),
        )
    )
    return recording_id


@dataclass(frozen=True, slots=True)
class _Sightings:
    """Faces of a day, by visitor and time; one a second of each.

    ``begins``: place of each visitor's first. ``visitor``, ``time_ms``, ``quality``: of each face.
    ``p``: (faces, 7). ``read``: whether the face could be read.
    """

    begins: NDArray[np.int64]
    visitor: NDArray[np.int64]
    time_ms: NDArray[np.int64]
    quality: NDArray[np.float64]
    p: NDArray[np.float64]
    read: NDArray[np.bool_]


def _sightings(
    hour_ms: NDArray[np.int64], mood: NDArray[np.float64], service: float, rng: np.random.Generator
) -> _Sightings:
    """Visitors who walk towards the camera, each in the hour that begins at ``hour_ms`` and in
    that ``mood``, which ``service`` changes until they are gone; about one in eight shows no face
    that can be read."""
    visitors = len(hour_ms)
    faces = 2 + rng.poisson(1, visitors)
    starts = hour_ms + rng.integers(_HOUR_MS // 1000 - faces) * 1000
    begins = np.cumsum(faces) - faces
    visitor = np.repeat(np.arange(visitors), faces)
    step = np.arange(len(visitor)) - begins[visitor]
    towards = np.zeros(len(EXPRESSIONS))
    for expression, share in (("happy", 1.0), ("surprise", 0.2), ("angry", -0.9), ("sad", -0.7)):
        towards[EXPRESSIONS.index(expression)] = share
    person = _ORDINARY + 1.4 * rng.gumbel(size=(visitors, len(EXPRESSIONS)))
    moods = mood[visitor] + service * (step / np.maximum(faces[visitor] - 1, 1) - 0.5)
    logits = person[visitor] + np.outer(moods, towards)
    logits += 0.3 * rng.normal(size=logits.shape)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    read = (rng.random(visitors) > 0.12)[visitor]
    quality = np.where(
        read, rng.uniform(0.5, 0.95, len(visitor)), rng.uniform(0.05, 0.3, len(visitor))
    )
    return _Sightings(
        begins,
        visitor,
        starts[visitor] + step * 1000,
        quality,
        odds / odds.sum(axis=1, keepdims=True),
        read,
    )


def _tracks(seen: _Sightings) -> list[dict[str, Any]]:
    if not len(seen.begins):
        return []
    faces = np.diff(seen.begins, append=len(seen.visitor))
    start = seen.time_ms[seen.begins]
    end = start + (faces - 1) * 1000
    ends_ms = np.minimum(2000, (end - start) / 2)
    read = seen.read[seen.begins]
    weight = np.where(read, np.add.reduceat(seen.quality, seen.begins), 0.0)
    mean = _mean(seen, np.ones(len(seen.visitor), dtype=np.bool_))
    first = _mean(seen, seen.time_ms <= (start + ends_ms)[seen.visitor])
    last = _mean(seen, seen.time_ms >= (end - ends_ms)[seen.visitor])
    expression = _NAMES[np.where(read, mean.argmax(axis=1), len(EXPRESSIONS))]
    return [
        {
            "number": number,
            "start_ms": int(start[number]),
            "end_ms": int(end[number]),
            "faces": int(faces[number]),
            "faces_unknown": 0 if known else int(faces[number]),
            "expression": expression[number],
            "weight": float(weight[number]),
            "start_probabilities": first[number].round(7).tolist() if known else None,
            "end_probabilities": last[number].round(7).tolist() if known else None,
            **dict(zip(PROBABILITIES, mean[number].tolist() if known else _UNREAD, strict=True)),
        }
        for number, known in enumerate(read.tolist())
    ]


_UNREAD: Final = (None,) * len(EXPRESSIONS)


def _mean(seen: _Sightings, which: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(visitors, 7), weighted by quality over ``which`` of the faces."""
    weights = np.where(which, seen.quality, 0.0)
    sums = np.add.reduceat(seen.p * weights[:, np.newaxis], seen.begins)
    return np.asarray(sums / np.add.reduceat(weights, seen.begins)[:, np.newaxis])


def _predictions(
    seen: _Sightings, ids: Mapping[int, int], rng: np.random.Generator
) -> list[dict[str, Any]]:
    visitors, faces = len(seen.begins), len(seen.visitor)
    step = np.arange(faces) - seen.begins[seen.visitor]
    height = rng.uniform(45, 80, visitors)[seen.visitor] + 6.0 * step
    x = rng.uniform(80, 1100, visitors)[seen.visitor] + 9.0 * step
    y = rng.uniform(120, 400, visitors)[seen.visitor] + 4.0 * step
    best = seen.p.argmax(axis=1)
    expression = _NAMES[np.where(seen.read, best, len(EXPRESSIONS))]
    confidence = np.where(seen.read, seen.p[np.arange(faces), best], 0.0)
    # Faces of one frame are numbered from left to right.
    order = np.lexsort([x, seen.time_ms])
    again = np.diff(seen.time_ms[order], prepend=-1) == 0
    place = np.arange(faces)
    number = place - np.maximum.accumulate(np.where(again, 0, place))
    return [
        {
            "time_ms": int(seen.time_ms[at]),
            "face": int(face),
            "track_id": ids[int(seen.visitor[at])],
            "x": float(x[at]),
            "y": float(y[at]),
            "width": float(height[at] * 0.8),
            "height": float(height[at]),
            "detector_score": 0.9,
            "quality": float(seen.quality[at]),
            "expression": expression[at],
            "confidence": float(confidence[at]),
            "unknown_reason": None if seen.read[at] else UnknownReason.TURNED.value,
            **dict(
                zip(PROBABILITIES, seen.p[at].tolist() if seen.read[at] else _UNREAD, strict=True)
            ),
        }
        for at, face in zip(order.tolist(), number.tolist(), strict=True)
    ]


def _insert(session: Session, table: type[Base], rows: list[dict[str, Any]]) -> None:
    if rows:
        session.execute(insert(Base.metadata.tables[table.__tablename__]), rows)
