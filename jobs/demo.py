"""Invented data to look around with: three shops, two weeks, written the way real data is.

Every site is marked as a demonstration. The same seed and day give the same data.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from db.engine import Database
from db.places import create_camera, create_site
from db.queue import claim
from db.recordings import add_recording, footage_released
from db.results import write_segment
from fer_core.types import (
    EXPRESSIONS,
    UNKNOWN,
    Box,
    CaptureSource,
    FootageInfo,
    FootageKind,
    Prediction,
    SegmentPlan,
    SegmentResult,
    Track,
    UnknownReason,
)

MODEL_VERSION = "invented"
_HOUR_MS = 3_600_000
_RATE = 1.0
_OWNER = "demonstration"


@dataclass(frozen=True, slots=True)
class _Shop:
    """``visitors``: an hour at a camera on average. ``mood``: shifts the odds of a happy face;
    ``trend``: by how much the mood changes over the whole time."""

    name: str
    time_zone: str
    cameras: tuple[str, ...]
    opens: int
    closes: int
    visitors: float
    mood: float
    trend: float


_SHOPS = (
    _Shop(
        name="Harbour Street (invented)",
        time_zone="Europe/Lisbon",
        cameras=("Entrance", "Checkout"),
        opens=9,
        closes=20,
        visitors=26,
        mood=0.3,
        trend=0.25,
    ),
    _Shop(
        name="Station Arcade (invented)",
        time_zone="Europe/Berlin",
        cameras=("Entrance", "Checkout"),
        opens=7,
        closes=21,
        visitors=34,
        mood=-0.15,
        trend=-0.1,
    ),
    _Shop(
        name="Garden Mall (invented)",
        time_zone="America/New_York",
        cameras=("Entrance", "Service desk"),
        opens=10,
        closes=19,
        visitors=18,
        mood=0.1,
        trend=0.0,
    ),
)

# Log-odds of each expression for a visitor on an ordinary hour, in EXPRESSIONS' order: most faces
# in a shop are neutral, and disgust is rare.
_ORDINARY = np.array([-1.6, -3.4, -2.6, 0.1, -1.0, -2.0, 0.9])
# How the day goes on: the queue at noon and at the end of work costs smiles.
_HOURLY_MOOD = {12: -0.35, 13: -0.25, 17: -0.45, 18: -0.35, 10: 0.15, 15: 0.1}
_HOURLY_TRAFFIC = {11: 1.2, 12: 1.5, 13: 1.3, 16: 1.1, 17: 1.6, 18: 1.4}


def fill(
    database: Database,
    *,
    days: int = 14,
    seed: int = 7,
    until: date | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> int:
    """Invent ``days`` days of data up to yesterday (or the day before ``until``).

    ``progress`` is told the days done and all days. Returns the number of recordings.
    """
    until = until or datetime.now(UTC).date()
    plans = [
        (shop, camera, until - timedelta(days=back), back)
        for shop in _SHOPS
        for camera in shop.cameras
        for back in range(days, 0, -1)
    ]
    with database.write() as session:
        cameras = _places(session)
    for done, (shop, camera, day, back) in enumerate(plans, start=1):
        rng = np.random.default_rng([seed, day.toordinal(), *(shop.name + camera).encode()])
        mood = shop.mood + shop.trend * (1 - back / max(days, 1)) + rng.normal(0, 0.12)
        with database.write() as session:
            _day(session, shop, camera, cameras[shop.name, camera], day, mood, rng)
        progress(done, len(plans))
    return len(plans)


def _places(session: Session) -> dict[tuple[str, str], int]:
    cameras = {}
    for shop in _SHOPS:
        site = create_site(session, shop.name, shop.time_zone, is_demonstration=True)
        for camera in shop.cameras:
            cameras[shop.name, camera] = create_camera(session, site, camera)
    return cameras


def _day(
    session: Session,
    shop: _Shop,
    camera: str,
    camera_id: int,
    day: date,
    mood: float,
    rng: np.random.Generator,
) -> None:
    """One recording from opening to closing, with a segment for each hour."""
    zone = ZoneInfo(shop.time_zone)
    opened = datetime.combine(day, time(shop.opens), zone).astimezone(UTC)
    hours = shop.closes - shop.opens
    closed = opened + timedelta(hours=hours)
    name = f"{camera.lower().replace(' ', '_')}_{day:%Y%m%d}.mp4"
    # Its one segment is the whole day: two weeks are then made in seconds.
    plan = SegmentPlan(0, 0, hours * _HOUR_MS)
    recording_id = add_recording(
        session,
        camera_id=camera_id,
        name=name,
        info=FootageInfo(FootageKind.VIDEO, 1280, 720, plan.end_ms, 25.0, "h264", 0, None),
        plans=[plan],
        sha256=hashlib.sha256(f"{shop.name}/{name}".encode()).hexdigest(),
        bytes=hours * 450_000_000,
        captured_at=opened,
        captured_from=CaptureSource.METADATA.value,
        footage_key="never-there",
        sample_rate=_RATE,
        now=closed,
    )
    footage_released(session, recording_id)
    lease = claim(session, _OWNER, 3600, closed)
    assert lease is not None
    busy = 1.35 if day.weekday() >= 5 else 1.0
    tracks: list[Track] = []
    sightings: list[_Sighting] = []
    for hour in range(shop.opens, shop.closes):
        start_ms = (hour - shop.opens) * _HOUR_MS
        visitors = rng.poisson(shop.visitors * busy * _HOURLY_TRAFFIC.get(hour, 0.8))
        for _ in range(visitors):
            seen = _visitor(start_ms, len(tracks), mood + _HOURLY_MOOD.get(hour, 0.0), rng)
            tracks.append(_track(len(tracks), seen))
            sightings += seen
    frames = hours * _HOUR_MS // 1000
    result = SegmentResult(plan, frames, _predictions(sightings), tuple(tracks))
    write_segment(session, lease, result, MODEL_VERSION, closed + timedelta(minutes=hours))


@dataclass(frozen=True, slots=True)
class _Sighting:
    """One face of one visitor. ``probabilities``: None when it could not be read."""

    time_ms: int
    track: int
    box: Box
    quality: float
    probabilities: NDArray[np.float32] | None


def _visitor(hour_ms: int, number: int, mood: float, rng: np.random.Generator) -> list[_Sighting]:
    """A visitor walks towards the camera in the hour that begins at ``hour_ms``; about one in
    eight shows no face that can be read."""
    faces = 2 + int(rng.poisson(1))
    start = hour_ms + int(rng.integers(_HOUR_MS // 1000 - faces)) * 1000
    shift = np.zeros(len(EXPRESSIONS))
    for expression, share in (("happy", 1.0), ("surprise", 0.2), ("angry", -0.9), ("sad", -0.7)):
        shift[EXPRESSIONS.index(expression)] = share * mood
    person = _ORDINARY + shift + 1.4 * rng.gumbel(size=len(EXPRESSIONS))
    is_read = rng.random() > 0.12
    x, y, height = rng.uniform(80, 1100), rng.uniform(120, 400), rng.uniform(45, 80)
    seen = []
    for step in range(faces):
        logits = person + 0.3 * rng.normal(size=len(EXPRESSIONS))
        odds = np.exp(logits - logits.max())
        seen.append(
            _Sighting(
                time_ms=start + step * 1000,
                track=number,
                box=Box(x + 9 * step, y + 4 * step, (height + 6 * step) * 0.8, height + 6 * step),
                quality=float(rng.uniform(0.5, 0.95) if is_read else rng.uniform(0.05, 0.3)),
                probabilities=(odds / odds.sum()).astype(np.float32) if is_read else None,
            )
        )
    return seen


def _track(number: int, seen: list[_Sighting]) -> Track:
    read = [(sighting.quality, sighting.probabilities) for sighting in seen]
    weighed = [(quality, p) for quality, p in read if p is not None]
    weight = sum(quality for quality, _ in weighed)
    mean = (
        (sum((q * p for q, p in weighed), np.zeros(len(EXPRESSIONS))) / weight).astype(np.float32)
        if weighed
        else None
    )
    return Track(
        number=number,
        start_ms=seen[0].time_ms,
        end_ms=seen[-1].time_ms,
        faces=len(seen),
        faces_unknown=len(seen) - len(weighed),
        mean_probabilities=mean,
        weight=weight,
        expression=UNKNOWN if mean is None else EXPRESSIONS[int(mean.argmax())],
    )


def _predictions(sightings: list[_Sighting]) -> tuple[Prediction, ...]:
    predictions: list[Prediction] = []
    for sighting in sorted(sightings, key=lambda sighting: (sighting.time_ms, sighting.box.x)):
        again = bool(predictions) and predictions[-1].time_ms == sighting.time_ms
        predictions.append(_prediction(sighting, predictions[-1].face + 1 if again else 0))
    return tuple(predictions)


def _prediction(seen: _Sighting, face: int) -> Prediction:
    p = seen.probabilities
    return Prediction(
        time_ms=seen.time_ms,
        face=face,
        track=seen.track,
        box=seen.box,
        detector_score=0.9,
        quality=seen.quality,
        expression=UNKNOWN if p is None else EXPRESSIONS[int(p.argmax())],
        confidence=0.0 if p is None else float(p.max()),
        probabilities=p,
        unknown_reason=UnknownReason.TURNED if p is None else None,
    )
