"""What is stored of whole days, each site's by its own calendar."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from analytics.periods import day_bounds
from analytics.sources import NO_RECORDINGS, Sources
from db.bucket_days import no_buckets
from db.buckets import read_buckets
from db.places import SiteRow
from db.recordings import RUNNING
from db.spans import recordings_between
from db.tables import Recording, RecordingState

Chosen = Sequence[tuple[SiteRow, Sequence[int]]]
"""Sites with the ids of those of their cameras that are meant."""


def read_days(session: Session, chosen: Chosen, first_day: date, last_day: date) -> pd.DataFrame:
    """The buckets of these days (both ends included)."""
    frames = [] if chosen else [no_buckets()]
    for start, end, camera_ids in bounds_of_days(chosen, first_day, last_day):
        frames.append(read_buckets(session, start=start, end=end, camera_ids=camera_ids))
    filled = [frame for frame in frames if not frame.empty] or frames[:1]
    return pd.concat(filled, ignore_index=True)


def sources_of_days(session: Session, chosen: Chosen, first_day: date, last_day: date) -> Sources:
    """The recordings that touch these days (both ends included)."""
    return sum(
        (
            _sources(session, start, end, camera_ids)
            for start, end, camera_ids in bounds_of_days(chosen, first_day, last_day)
        ),
        NO_RECORDINGS,
    )


def bounds_of_days(
    chosen: Chosen, first_day: date, last_day: date
) -> Iterator[tuple[datetime, datetime, list[int]]]:
    """[start, end) of these days (UTC) with the ids of the cameras for which it is that, one for
    each time zone."""
    for time_zone, camera_ids in cameras_by_zone(chosen).items():
        yield *day_bounds(first_day, last_day, time_zone), camera_ids


def cameras_by_zone(chosen: Chosen) -> dict[str, list[int]]:
    """Ids of cameras by the time zone of their site."""
    zones: dict[str, list[int]] = {}
    for site, cameras in chosen:
        zones.setdefault(site.time_zone, []).extend(cameras)
    return zones


def _sources(
    session: Session, start: datetime, end: datetime, camera_ids: Sequence[int]
) -> Sources:
    kinds = (Recording.state, Recording.model_version)
    near = recordings_between(session, start, end, camera_ids)
    begun = Recording.captured_at >= start
    counts = session.execute(select(*kinds, func.count()).where(*near, begun).group_by(*kinds))
    found = [(state, model, count) for state, model, count in counts]
    # Of what began before, databases do not reckon alike when it ends.
    earlier = select(*kinds, Recording.captured_at, Recording.duration_ms).where(*near, ~begun)
    found += [
        (state, model, 1)
        for state, model, captured_at, duration_ms in session.execute(earlier)
        if captured_at + timedelta(milliseconds=duration_ms) > start
    ]
    return Sources(
        unread=sum(count for state, _, count in found if state in RUNNING),
        failed=sum(count for state, _, count in found if state == RecordingState.FAILED),
        models=frozenset(model for _, model, _ in found if model),
    )
