"""Rows as a workbook, read back from its XML as Excel would show it."""

import zipfile
from collections.abc import Generator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports import row_workbook
from reports.row_workbook import workbook_chunks
from reports.tables import TRACK_COLUMNS
from tests.workbooks import Book, Cell


def frame(rows: int, first: int = 0) -> pd.DataFrame:
    """As exports give them; every other person was not read."""
    utc = pd.Series(pd.date_range("2026-10-25T00:59:59.250Z", periods=rows, freq="s"))
    numbers = np.arange(first, first + rows)
    return pd.DataFrame(
        {
            "site": pd.Series(["=1+1"] * rows, dtype="str"),
            "start_utc": utc,
            "start_local": utc.dt.tz_convert("Europe/Berlin").dt.tz_localize(None),
            "person_id": numbers,
            "index": np.where(numbers % 2, np.nan, 62.5),
            "n_happy": pd.array([None if n % 2 else n for n in numbers.tolist()], dtype="Int64"),
            "withheld": numbers % 2 == 1,
        }
    )


def made(*frames: pd.DataFrame) -> dict[str, list[dict[str, Cell]]]:
    """Cells by column letter, of each row of each sheet."""
    book = Book(b"".join(workbook_chunks(iter(frames))))
    return {name: book.rows(name) for name in book.sheets}


def shown(serial: Cell) -> datetime:
    """What Excel shows for a time."""
    return datetime(1899, 12, 30) + timedelta(days=float(serial))  # noqa: DTZ001


def test_times_and_numbers_are_real_and_names_are_never_formulas() -> None:
    ((head, first, second),) = made(frame(2)).values()
    assert list(head.values()) == list(frame(1).columns)
    assert first["A"] == "=1+1"
    assert abs(shown(first["B"]) - datetime(2026, 10, 25, 0, 59, 59, 250_000)) < timedelta(  # noqa: DTZ001
        milliseconds=1
    )
    # A second later clocks in Berlin went back.
    assert shown(first["C"]).hour == 2
    assert shown(second["C"]).hour == 2
    assert (first["D"], first["E"], first["F"], first["G"]) == (0, 62.5, 0, False)


def test_what_is_missing_is_an_empty_cell() -> None:
    ((_, _, second),) = made(frame(2)).values()
    assert {"E", "F"}.isdisjoint(second)
    assert second["G"] is True


@pytest.mark.parametrize("sizes", [(7,), (3, 4), (5, 0, 1, 1), (1,) * 7])
def test_what_does_not_fit_a_sheet_stands_on_the_next(
    monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, ...]
) -> None:
    monkeypatch.setattr(row_workbook, "SHEET_ROWS", 3)
    firsts = np.cumsum((0, *sizes))
    found = made(*(frame(size, first) for size, first in zip(sizes, firsts, strict=False)))
    assert list(found) == ["Rows", "Rows 2", "Rows 3"]
    assert [[row["D"] for row in rows[1:]] for rows in found.values()] == [
        [0, 1, 2],
        [3, 4, 5],
        [6],
    ]
    assert all(rows[0] == found["Rows"][0] for rows in found.values())


def test_no_rows_are_a_header() -> None:
    assert [len(rows) for rows in made(frame(0)).values()] == [1]


def test_a_workbook_of_more_than_a_plain_zip_holds_is_written_and_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = b"".join(workbook_chunks(iter([frame(2000)])))
    with monkeypatch.context() as lowered:
        lowered.setattr(zipfile, "ZIP64_LIMIT", 10_000)
        large = b"".join(workbook_chunks(iter([frame(2000)])))
    assert zip64_records(small) == 0
    assert zip64_records(large) > 0
    book = Book(large)
    assert [row["D"] for row in book.rows("Rows")[1:]] == list(range(2000))


def zip64_records(data: bytes) -> int:
    return data.count(b"PK\x06\x06")


def test_the_columns_of_our_tables_are_explained() -> None:
    people = pd.DataFrame({name: pd.Series(["x"], dtype="str") for name in TRACK_COLUMNS})
    found = made(people)
    assert {row["A"]: row["B"] for row in found["Columns"][1:]} == TRACK_COLUMNS


def test_frames_are_taken_one_at_a_time_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    held = []

    def frames() -> Iterator[pd.DataFrame]:
        for number in range(3):
            held.append(number)
            yield frame(2, 2 * number)
            assert held == list(range(number + 1))

    pieces = workbook_chunks(frames())
    assert isinstance(pieces, Generator)
    next(pieces)
    pieces.close()
    assert list(tmp_path.iterdir()) == []
