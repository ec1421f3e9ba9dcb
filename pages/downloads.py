"""Files that are made when somebody asks for them."""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from io import BufferedReader

import pandas as pd

from db.exports import iterate_predictions
from db.recording_rows import RecordingRow
from jobs.downloads import Format, Rows, Table, make_link
from pages.filters import Period
from pages.state import Place, database
from reports.tables import csv_chunks
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
    # Relative, so that it holds below whatever path the dashboard is served.
    return f"api/downloads/{make_link(settings().home, rows, time.time())}"


def recording_csv(row: RecordingRow) -> BufferedReader:
    """The faces of one recording."""
    # The last frame may begin a little after the length that the container tells.
    end = row.captured_at + timedelta(milliseconds=row.duration_ms, seconds=10)

    def frames() -> Iterator[pd.DataFrame]:
        with database().read() as session:
            for frame in iterate_predictions(
                session, start=row.captured_at, end=end, camera_ids=[row.camera_id]
            ):
                yield frame[frame["recording_id"] == row.id]

    return _csv(frames())


def _csv(frames: Iterator[pd.DataFrame]) -> BufferedReader:
    # Streamlit takes a reader of bytes; the file has no name and goes when the reader is closed.
    with tempfile.TemporaryFile() as file:
        file.writelines(csv_chunks(frames))
        file.flush()
        file.seek(0)
        return os.fdopen(os.dup(file.fileno()), "rb")
