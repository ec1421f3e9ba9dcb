"""Links to rows: the server sends them as it reads them, and holds no file."""

import time
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from db.recording_rows import RecordingRow
from jobs.downloads import Format, Rows, Table, make_link
from pages.filters import Period
from pages.state import Place
from settings import settings


def rows_link(table: Table, kind: Format, places: Sequence[Place], period: Period) -> str:
    """Where a browser on any of our pages gets all rows of the places in the period."""
    rows = Rows(
        table,
        kind,
        period.first.isoformat(),
        period.last.isoformat(),
        tuple(place.camera.id for place in places),
    )
    return _link(rows)


def recording_link(row: RecordingRow) -> str:
    """The same of the faces of one recording, as CSV."""
    day = row.captured_at.astimezone(ZoneInfo(row.time_zone)).date().isoformat()
    return _link(Rows("predictions", "csv", day, day, recording_id=row.id))


def _link(rows: Rows) -> str:
    # Relative, so that it holds below whatever path the dashboard is served.
    return f"api/downloads/{make_link(settings().home, rows, time.time())}"
