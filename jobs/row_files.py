"""Rows to a file, a frame at a time: CSV, Parquet, Excel or JSON lines by the file's ending."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from fer_core.errors import SatisfaceError
from reports.row_workbook import workbook_chunks
from reports.tables import csv_chunks, parquet_chunks

FORMATS = (".csv", ".parquet", ".xlsx", ".jsonl")
STANDARD_OUTPUT = Path("-")


class UnknownFormat(SatisfaceError):
    """The file's ending names no format that is written."""


def check_format(out: Path) -> None:
    """Raises UnknownFormat before any work is done for nothing."""
    if out != STANDARD_OUTPUT and out.suffix.lower() not in FORMATS:
        raise UnknownFormat(f"{out}: rows are written as {', '.join(FORMATS)}; use such an ending.")


def write_rows(frames: Iterator[pd.DataFrame], out: Path) -> int:
    """Write all frames (of equal columns) and return the number of rows.

    ``-`` is CSV to the standard output. A file appears under its name when it is whole.
    """
    check_format(out)
    counter = _Counter()
    counted = counter.passing(frames)
    if out == STANDARD_OUTPUT:
        for chunk in csv_chunks(counted):
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        return counter.rows
    write = _WRITERS[out.suffix.lower()]
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.part")
    try:
        write(counted, unfinished)
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    return counter.rows


class _Counter:
    def __init__(self) -> None:
        self.rows = 0

    def passing(self, frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in frames:
            self.rows += len(frame)
            yield frame


def _csv(frames: Iterator[pd.DataFrame], path: Path) -> None:
    with path.open("wb") as file:
        file.writelines(csv_chunks(frames))


def _json_lines(frames: Iterator[pd.DataFrame], path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for frame in frames:
            if frame.empty:  # would be an empty line
                continue
            frame.to_json(file, orient="records", lines=True, date_format="iso")


def _parquet(frames: Iterator[pd.DataFrame], path: Path) -> None:
    with path.open("wb") as file:
        file.writelines(parquet_chunks(frames))


def _workbook(frames: Iterator[pd.DataFrame], path: Path) -> None:
    with path.open("wb") as file:
        file.writelines(workbook_chunks(frames))


_WRITERS: dict[str, Callable[[Iterator[pd.DataFrame], Path], None]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".xlsx": _workbook,
    ".jsonl": _json_lines,
}
