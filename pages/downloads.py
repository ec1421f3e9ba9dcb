"""Files that are made when somebody asks for them, row by row into a temporary file."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from io import BufferedReader
from typing import Literal

import pandas as pd

from db.exports import iterate_buckets, iterate_predictions, iterate_tracks
from db.recording_rows import RecordingRow
from pages.filters import Period, by_zone
from pages.state import Place, database
from reports.tables import csv_chunks

Table = Literal["predictions", "tracks", "buckets"]


def table_csv(table: Table, places: Sequence[Place], period: Period) -> BufferedReader:
    """All rows of the places in the period, each by its site's own days."""
    read = {
        "predictions": iterate_predictions,
        "tracks": iterate_tracks,
        "buckets": iterate_buckets,
    }[table]

    def frames() -> Iterator[pd.DataFrame]:
        with database().read() as session:
            for time_zone, camera_ids in by_zone(places).items():
                start, end = period.bounds(time_zone)
                yield from read(session, start=start, end=end, camera_ids=camera_ids)

    return _csv(frames())


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
