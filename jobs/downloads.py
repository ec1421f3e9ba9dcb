"""Rows to take away: what is asked for, a link that can be followed for a while, and the bytes.

A link holds what is asked for and is signed with the key in the home folder: the server keeps
nothing of it, a restart does not break it, and nobody can write one of their own.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy.orm import Session

from db.places import list_sites
from fer_core.errors import SatisfaceError
from jobs.upload_pass import key_of

if TYPE_CHECKING:
    # Whoever follows a link loads it: the server that only takes files in does without.
    import pandas as pd

Table = Literal["predictions", "tracks", "buckets"]
Format = Literal["csv", "parquet", "xlsx"]
LIFETIME_S: Final = 12 * 3600
MEDIA_TYPES: Final[dict[Format, str]] = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class LinkError(SatisfaceError):
    """The link of a download is too old or was changed."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of whole days, both ends included, each site's by its own calendar.

    ``camera_ids``: empty means all. ``first_day``, ``last_day``: as ``2026-11-03``.
    ``recording_id``: all rows of one recording instead (not of hours).
    """

    table: Table
    format: Format
    first_day: str
    last_day: str
    camera_ids: tuple[int, ...] = ()
    recording_id: int | None = None

    @property
    def file_name(self) -> str:
        if self.recording_id is not None:
            return f"recording-{self.recording_id}-{self.table}.{self.format}"
        return f"satisface-{self.table}-{self.first_day}-to-{self.last_day}.{self.format}"


def make_link(home: Path, rows: Rows, now: float) -> str:
    """The last part of the download's address. ``now``: seconds since 1970."""
    asked = json.dumps({**asdict(rows), "until": int(now) + LIFETIME_S}, separators=(",", ":"))
    packed = base64.urlsafe_b64encode(asked.encode()).rstrip(b"=").decode()
    return f"{packed}.{_signature(home, packed)}"


def read_link(home: Path, link: str, now: float) -> Rows:
    """Raises LinkError."""
    packed, _, signature = link.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(home, packed).encode()):
        raise LinkError("This link is not one of this server's. Open the Reports page for one.")
    asked: dict[str, Any] = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    if now >= asked.pop("until"):
        raise LinkError(
            "This link is too old. Open the Reports page, or that of the recording, for a new one."
        )
    return Rows(**{**asked, "camera_ids": tuple(asked["camera_ids"])})


def row_frames(session: Session, rows: Rows, minimum_people: int) -> "Iterator[pd.DataFrame]":
    """The rows in frames of bounded size; hours of few people without how these looked."""
    from analytics.periods import day_bounds
    from db.exports import iterate_buckets, iterate_predictions, iterate_tracks
    from reports.tables import without_withheld

    if rows.recording_id is not None:
        whole = {"predictions": iterate_predictions, "tracks": iterate_tracks}[rows.table]
        return whole(session, recording_ids=[rows.recording_id])
    iterate = {
        "predictions": iterate_predictions,
        "tracks": iterate_tracks,
        "buckets": iterate_buckets,
    }[rows.table]
    first, last = date.fromisoformat(rows.first_day), date.fromisoformat(rows.last_day)
    zones: dict[str, list[int]] = {}
    for site in list_sites(session):
        zones.setdefault(site.time_zone, []).extend(
            camera.id
            for camera in site.cameras
            if not rows.camera_ids or camera.id in rows.camera_ids
        )

    def frames() -> "Iterator[pd.DataFrame]":
        for time_zone, camera_ids in zones.items():
            if camera_ids:
                start, end = day_bounds(first, last, time_zone)
                yield from iterate(session, start=start, end=end, camera_ids=camera_ids)

    return without_withheld(frames(), minimum_people) if rows.table == "buckets" else frames()


def chunks(frames: "Iterator[pd.DataFrame]", format: Format) -> Iterator[bytes]:  # noqa: A002
    """The file in pieces, a frame in memory at a time. Of a workbook none comes before it is
    whole."""
    from reports.row_workbook import workbook_chunks
    from reports.tables import csv_chunks, parquet_chunks

    made = {"csv": csv_chunks, "parquet": parquet_chunks, "xlsx": workbook_chunks}
    return made[format](frames)


def _signature(home: Path, packed: str) -> str:
    return hmac.new(key_of(home), f"download.{packed}".encode(), hashlib.sha256).hexdigest()
