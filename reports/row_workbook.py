"""Rows as a workbook (.xlsx): real times and numbers, a header that stays, each column explained.

It is made in a file of its own, a frame in memory at a time, and given in pieces once it is whole.
A sheet of Excel holds 1,048,576 lines; what does not fit stands on further ones. A workbook of more
than 2 GB opens in Excel, which may offer to repair it, and in pandas, but maybe not in LibreOffice
(XlsxWriter's issue 656, LargeXlsx's issue 3). CSV and Parquet know no such bound.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import pandas as pd
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from reports.palette import ACCENT_TINT
from reports.tables import explained

SHEET_ROWS: Final = 1_048_575
"""Below the header."""

_PIECE: Final = 1 << 20
_TIME: Final = "yyyy-mm-dd hh:mm:ss.000"
_EXCELS_DAY_0: Final = np.datetime64("1899-12-30", "ms")
_DAY: Final = np.timedelta64(1, "D")
_WIDTHS: Final = {"site": 20, "camera": 16, "recording": 26, "time_zone": 18, "score": 22}
_TIME_WIDTH: Final = 23
_NUMBER_WIDTH: Final = 12


def workbook_chunks(frames: Iterator[pd.DataFrame]) -> Iterator[bytes]:
    """All frames have the same columns (see reports.tables); times are written in UTC where the
    column's name says so, and else as the site's clock showed them."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.xlsx"
        _write(frames, path, folder)
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece


def _write(frames: Iterator[pd.DataFrame], path: Path, folder: str) -> None:
    options = {
        "constant_memory": True,
        "tmpdir": folder,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        # Beyond 2 GB, some 8 million rows, nothing else holds it; a smaller one is as without.
        "use_zip64": True,
    }
    with xlsxwriter.Workbook(path, options) as book:
        head = book.add_format({"bold": True, "bg_color": ACCENT_TINT, "bottom": 1})
        moment = book.add_format({"num_format": _TIME, "align": "left"})
        numbers = count(1)
        sheet: Worksheet | None = None
        columns: tuple[str, ...] = ()
        line = 0
        for frame in frames:
            columns = tuple(map(str, frame.columns))
            rest = frame
            while sheet is None or len(rest):
                if sheet is None or line > SHEET_ROWS:
                    sheet, line = _sheet(book, next(numbers), frame, head), 1
                part = rest.iloc[: SHEET_ROWS + 1 - line]
                _rows(sheet, line, part, moment)
                line += len(part)
                rest = rest.iloc[len(part) :]
        about = explained(columns)
        if about:
            _explanations(book.add_worksheet("Columns"), about, head)


def _sheet(book: Any, number: int, frame: pd.DataFrame, head: Any) -> Worksheet:
    sheet: Worksheet = book.add_worksheet("Rows" if number == 1 else f"Rows {number}")
    for place, name in enumerate(map(str, frame.columns)):
        is_time = pd.api.types.is_datetime64_any_dtype(frame[name].dtype)
        width = _TIME_WIDTH if is_time else _WIDTHS.get(name, max(_NUMBER_WIDTH, len(name) + 2))
        sheet.set_column(place, place, width)
        sheet.write_string(0, place, name, head)
    sheet.freeze_panes(1, 0)
    return sheet


def _rows(sheet: Worksheet, line: int, frame: pd.DataFrame, moment: Any) -> None:
    columns = [_cells(sheet, frame[name], moment) for name in frame.columns]
    for row, cells in enumerate(zip(*(values for values, _, _ in columns), strict=True), line):
        for place, (cell, (_, write, shape)) in enumerate(zip(cells, columns, strict=True)):
            if cell is not None:
                write(row, place, cell, shape)


def _cells(
    sheet: Worksheet, column: "pd.Series[Any]", moment: Any
) -> tuple[list[Any], Callable[..., int], Any]:
    """The cells of a column, None where there is no value; how they are written; their format."""
    missing = column.isna().to_numpy()
    kind = column.dtype
    write: Callable[..., int] = sheet.write_number
    shape = None
    if pd.api.types.is_datetime64_any_dtype(kind):
        clock = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz else column
        values = (clock.to_numpy(dtype="datetime64[ms]") - _EXCELS_DAY_0) / _DAY
        shape = moment
    elif pd.api.types.is_bool_dtype(kind):
        values, write = column.to_numpy(), sheet.write_boolean
    elif pd.api.types.is_numeric_dtype(kind):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        values, write = column.to_numpy(dtype=object), sheet.write_string
    cells = values.tolist()
    for place in np.flatnonzero(missing):
        cells[place] = None
    return cells, write, shape


def _explanations(sheet: Worksheet, about: Mapping[str, str], head: Any) -> None:
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 1, 90)
    for place, title in enumerate(("Column", "Meaning")):
        sheet.write_string(0, place, title, head)
    for line, (name, meaning) in enumerate(about.items(), start=1):
        sheet.write_string(line, 0, name)
        sheet.write_string(line, 1, meaning)
