"""Recordings that wait or are being read: the figures of their time will change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.recordings import RUNNING
from db.spans import recordings_between
from db.tables import Recording


@dataclass(frozen=True, slots=True)
class Unread:
    """When the footage of such a recording was taken: [begins, ends) (UTC); of a picture both are
    the same."""

    camera_id: int
    begins: datetime
    ends: datetime

    def days(self, time_zone: str) -> Iterator[date]:
        """The local days that it touches."""
        zone = ZoneInfo(time_zone)
        # Footage that ends at midnight belongs to the day before.
        last = max(self.begins, self.ends - timedelta(microseconds=1)).astimezone(zone).date()
        day = self.begins.astimezone(zone).date()
        while day <= last:
            yield day
            day += timedelta(days=1)


def unread_between(
    session: Session, start: datetime, end: datetime, camera_ids: Sequence[int]
) -> list[Unread]:
    """Those of the cameras whose footage touches [start, end), by the time it begins."""
    query = (
        select(Recording.camera_id, Recording.captured_at, Recording.duration_ms)
        .where(Recording.state.in_(RUNNING), *recordings_between(session, start, end, camera_ids))
        .order_by(Recording.captured_at, Recording.id)
    )
    found = [
        Unread(camera_id, captured_at, captured_at + timedelta(milliseconds=duration_ms))
        for camera_id, captured_at, duration_ms in session.execute(query)
    ]
    return [one for one in found if one.begins >= start or one.ends > start]
