"""The report as a workbook: real numbers and dates, a chart that Excel draws itself.

Names are written as text, never as formulas or links. A withheld figure is an empty cell, with
the reason beside it; no sheet holds what the pages withhold.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any, Final

import numpy as np
import pandas as pd
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from analytics.intervals import Estimate
from analytics.summary import expression_shares
from reports.content import ReportContent, ReportFigures, report_figures
from reports.findings import change_sentence, findings, people_sentence, target_sentence
from reports.method import method
from reports.palette import ACCENT, ACCENT_TINT, DISPLAY_ORDER, EXPRESSION_COLOURS, MUTED
from reports.words import (
    expression_words,
    moment_words,
    period_words,
    weekday_words,
    withheld_words,
)

_INDEX: Final = "0.0"
_SHARE: Final = "0.0%"
_COUNT: Final = "#,##0"
_DAY: Final = "ddd d mmm yyyy"

Cell = str | float | int | datetime | None


@dataclass(frozen=True, slots=True)
class _Column:
    """``of``: the cell of a row; ``number``: Excel's number format; empty for text."""

    title: str
    of: Callable[["pd.Series[Any]"], Cell]
    number: str = ""
    width: float = 11


class _Book:
    """A workbook with the few formats that its sheets share."""

    def __init__(self, file: BytesIO, content: ReportContent) -> None:
        self.book = xlsxwriter.Workbook(
            file,
            {
                "in_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                "nan_inf_to_errors": False,
            },
        )
        # Without it every file would differ, and say when this machine's clock stood how.
        made_at = content.generated_at.replace(tzinfo=None)
        self.book.set_properties(
            {"title": content.title, "author": "Satisface", "created": made_at}
        )
        self.title = self._format(bold=True, font_size=18)
        self.muted = self._format(font_color=MUTED)
        self.bold = self._format(bold=True)
        self.wrapped = self._format(text_wrap=True, valign="top")
        self.lead = self._format(bold=True, text_wrap=True, valign="top")
        self.warning = self._format(bold=True, bg_color="#FFF1D6")
        self.head = self._format(
            bold=True, bg_color=ACCENT_TINT, bottom=1, text_wrap=True, valign="top"
        )
        self._numbers: dict[str, Format] = {}

    def _format(self, **properties: object) -> Format:
        return self.book.add_format(properties)

    def number(self, pattern: str) -> Format | None:
        if not pattern:
            return None
        if pattern not in self._numbers:
            self._numbers[pattern] = self._format(
                num_format=pattern, align="left" if pattern == _DAY else "right"
            )
        return self._numbers[pattern]

    def write(self, sheet: Worksheet, row: int, column: int, cell: Cell, pattern: str = "") -> None:
        shape = self.number(pattern)
        if cell is None:
            return
        if isinstance(cell, str):
            sheet.write_string(row, column, cell, shape)
        elif isinstance(cell, datetime):
            sheet.write_datetime(row, column, cell, shape)
        else:
            sheet.write_number(row, column, cell, shape)

    def table(self, name: str, columns: Sequence[_Column], rows: pd.DataFrame) -> Worksheet:
        """A sheet with a frozen, filterable header and one line a row."""
        sheet = self.book.add_worksheet(name)
        for place, column in enumerate(columns):
            sheet.set_column(place, place, column.width)
            sheet.write_string(0, place, column.title, self.head)
        for line, (_, row) in enumerate(rows.iterrows(), start=1):
            for place, column in enumerate(columns):
                self.write(sheet, line, place, column.of(row), column.number)
        sheet.freeze_panes(1, 1)
        sheet.autofilter(0, 0, max(len(rows), 1), len(columns) - 1)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        return sheet


def satisfaction_workbook(content: ReportContent) -> bytes:
    """The report as .xlsx: Summary, Days, Hours, Cameras, Expressions and About."""
    figures = report_figures(content)
    file = BytesIO()
    made = _Book(file, content)
    summary = made.book.add_worksheet("Summary")
    minimum = content.minimum_people
    days = _every_day(figures.days, content)
    figure_columns = _figure_columns(minimum)
    made.table(
        "Days",
        [
            _Column("Day", lambda row: row["day"].to_pydatetime(), _DAY, 17),
            *figure_columns,
        ],
        days,
    )
    made.table(
        "Hours",
        [
            _Column("Day of the week", lambda row: weekday_words(int(row["weekday"])), width=15),
            _Column("Hour from (local time)", lambda row: int(row["hour"]), "0", 12),
            *figure_columns,
        ],
        figures.hours,
    )
    made.table(
        "Cameras",
        [
            _Column("Site", lambda row: str(row["site"]), width=26),
            _Column("Camera", lambda row: str(row["camera"]), width=20),
            *figure_columns,
        ],
        figures.cameras,
    )
    _expressions(made, figures)
    _about(made, content)
    _summary(made, summary, content, figures, days)
    made.book.close()
    return file.getvalue()


def _every_day(days: pd.DataFrame, content: ReportContent) -> pd.DataFrame:
    """A row for each day of the period: where nobody was seen, 0 people and no figures. A chart
    of days that are not there would draw its line straight through them."""
    period = pd.date_range(content.first_day, content.last_day, name="day")
    every = days.set_index("day").reindex(period).reset_index()
    counts = ["people", "unknown", "faces"]
    return every.assign(
        **{name: every[name].fillna(0) for name in counts},
        withheld=every["withheld"].eq(True),
    )


def _figure_columns(minimum_people: int) -> list[_Column]:
    def number(name: str) -> Callable[["pd.Series[Any]"], Cell]:
        def of(row: "pd.Series[Any]") -> Cell:
            value = row[name]
            return None if pd.isna(value) else float(value)

        return of

    def remark(row: "pd.Series[Any]") -> Cell:
        if row["people"] == 0:
            return "nobody seen"
        if not row["withheld"]:
            return None
        return withheld_words(int(row["people"] - row["unknown"]), minimum_people)

    columns = [
        _Column("People", number("people"), _COUNT, 9),
        _Column("Not read", number("unknown"), _COUNT, 9),
        _Column("Index", number("index"), _INDEX, 9),
        _Column("Index, lower bound (95%)", number("index_low"), _INDEX),
        _Column("Index, upper bound (95%)", number("index_high"), _INDEX),
    ]
    for title, name in (("Happy", "happy"), ("Negative", "negative"), ("Net", "net")):
        columns += [
            _Column(title, number(name), _SHARE, 10),
            _Column(f"{title}, lower bound (95%)", number(f"{name}_low"), _SHARE),
            _Column(f"{title}, upper bound (95%)", number(f"{name}_high"), _SHARE),
        ]
    columns += [
        _Column(f"People {e}", number(f"n_{e}"), _COUNT, 10)
        for e in DISPLAY_ORDER
        if e != "unknown"
    ]
    return [*columns, _Column("Remark", remark, width=44)]


def _summary(
    made: _Book,
    sheet: Worksheet,
    content: ReportContent,
    figures: ReportFigures,
    days: pd.DataFrame,
) -> None:
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 4, 15)
    sheet.write_string(0, 0, content.title, made.title)
    period = period_words(content.first_day, content.last_day)
    sheet.write_string(1, 0, f"{period} · {content.cameras_words}", made.muted)
    row = 2
    if content.demonstration:
        sheet.write_string(
            row,
            0,
            "Demonstration data. These figures are invented; nobody was filmed.",
            made.warning,
        )
        row += 1
    row += 1
    for place, title in enumerate(
        ("", "Value", "Lower bound (95%)", "Upper bound (95%)", f"In {content.versus}")
    ):
        sheet.write_string(row, place, title, made.head)
    sheet.freeze_panes(row + 1, 0)
    now, before = figures.summary, figures.before
    lines: list[tuple[str, Estimate | None, Estimate | None, str]] = [
        ("Satisfaction index (0 to 100)", now.index, before.index if before else None, _INDEX),
        ("Share happy", now.happy, before.happy if before else None, _SHARE),
        ("Share negative", now.negative, before.negative if before else None, _SHARE),
        ("Net (satisfied less dissatisfied)", now.net, before.net if before else None, _SHARE),
        (
            "Could not be read",
            now.unknown_share,
            before.unknown_share if before else None,
            _SHARE,
        ),
    ]
    for label, estimate, then, pattern in lines:
        row += 1
        sheet.write_string(row, 0, label, made.bold)
        if estimate is None:
            sheet.write_string(row, 1, "withheld", made.muted)
        else:
            for place, value in enumerate((estimate.value, estimate.low, estimate.high), start=1):
                made.write(sheet, row, place, value, pattern)
        if then is not None:
            made.write(sheet, row, 4, then.value, pattern)
    for label, count, earlier in (
        ("People", now.people, before.people if before else None),
        ("People read", now.read, before.read if before else None),
    ):
        row += 1
        sheet.write_string(row, 0, label, made.bold)
        made.write(sheet, row, 1, count, _COUNT)
        made.write(sheet, row, 4, earlier, _COUNT)
    if content.target is not None:
        row += 1
        sheet.write_string(row, 0, "Target", made.bold)
        made.write(sheet, row, 1, content.target, _INDEX)
    row += 1
    sentences = [
        change_sentence(content, figures),
        target_sentence(now, content.target),
        people_sentence(now, content.minimum_people, content.sources),
        *(f"{lead} {text}" for lead, text in findings(figures)),
    ]
    for sentence in sentences:
        if sentence:
            row += 1
            sheet.write_string(row, 0, sentence)
    if days["index"].notna().sum() > 1:
        sheet.insert_chart(row + 2, 0, _trend_chart(made, days))
    sheet.fit_to_pages(1, 1)
    sheet.activate()


def _trend_chart(made: _Book, days: pd.DataFrame) -> Any:
    """A line of the Days sheet's index between its bounds; days without an index are gaps."""
    chart = made.book.add_chart({"type": "line"})
    last = len(days)
    bound = {"color": ACCENT, "width": 0.75, "dash_type": "dash"}
    # A day between two gaps has no line, only its marks.
    for column, name, line, mark in (
        (3, "Index", {"color": ACCENT, "width": 2.25}, "circle"),
        (4, "Lower bound (95%)", bound, "short_dash"),
        (5, "Upper bound (95%)", bound, "short_dash"),
    ):
        chart.add_series(
            {
                "name": name,
                "categories": ["Days", 1, 0, last, 0],
                "values": ["Days", 1, column, last, column],
                "line": line,
                "marker": {
                    "type": mark,
                    "size": 4,
                    "fill": {"color": ACCENT},
                    "border": {"color": ACCENT},
                },
            }
        )
    chart.set_title({"name": "Index by day", "overlay": False, "name_font": {"size": 12}})
    low, high = days["index_low"].min(), days["index_high"].max()
    chart.set_y_axis(
        {
            "name": "Index (0 to 100)",
            "num_format": "0",
            "min": float(max(np.floor(low / 10) * 10 - 10, 0)),
            "max": float(min(np.ceil(high / 10) * 10 + 10, 100)),
            "major_gridlines": {"visible": True, "line": {"color": "#E2E5E9"}},
        }
    )
    chart.set_x_axis({"date_axis": True, "num_format": "d mmm"})
    chart.set_legend({"position": "bottom"})
    chart.show_blanks_as("gap")
    chart.set_size({"width": 860, "height": 330})
    return chart


def _expressions(made: _Book, figures: ReportFigures) -> None:
    shares = expression_shares(figures.summary)
    order = [e for e in DISPLAY_ORDER if e in set(shares["expression"])]
    rows = shares.set_index("expression", drop=False).loc[order]
    sheet = made.table(
        "Expressions",
        [
            _Column("Expression", lambda row: expression_words(row["expression"]), width=14),
            _Column("People", lambda row: int(row["people"]), _COUNT),
            _Column("Share of people read", lambda row: float(row["share"]), _SHARE, 13),
            _Column("Lower bound (95%)", lambda row: float(row["low"]), _SHARE, 13),
            _Column("Upper bound (95%)", lambda row: float(row["high"]), _SHARE, 13),
        ],
        rows,
    )
    if rows.empty:
        sheet.write_string(
            1, 0, withheld_words(figures.summary.read) if figures.summary.people else "nobody seen"
        )
        return
    chart = made.book.add_chart({"type": "bar"})
    chart.add_series(
        {
            "name": "Share of people read",
            "categories": ["Expressions", 1, 0, len(rows), 0],
            "values": ["Expressions", 1, 2, len(rows), 2],
            "points": [{"fill": {"color": EXPRESSION_COLOURS[e]}} for e in order],
            "gap": 40,
        }
    )
    chart.set_title({"name": "How people looked", "name_font": {"size": 12}})
    chart.set_legend({"none": True})
    chart.set_y_axis({"reverse": True})
    chart.set_x_axis({"num_format": "0%", "major_gridlines": {"visible": False}})
    chart.set_size({"width": 560, "height": 320})
    sheet.insert_chart(1, 6, chart)


def _about(made: _Book, content: ReportContent) -> None:
    sheet = made.book.add_worksheet("About")
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 100)
    facts = [
        ("Period", period_words(content.first_day, content.last_day)),
        ("Sites", " · ".join(content.sites) or content.title),
        ("Cameras", " · ".join(content.cameras) or content.cameras_words),
        ("Made", moment_words(content.generated_at)),
        ("Score", content.score.label),
        ("Model", content.models or "not known"),
        ("Withheld under", f"{content.minimum_people} people read"),
        *method(content),
    ]
    for row, (lead, text) in enumerate(facts):
        sheet.write_string(row, 0, lead, made.lead)
        sheet.write_string(row, 1, text, made.wrapped)
