"""The workbook is read back from its XML: what Excel would show, cell by cell."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from analytics.scores import DEFAULT_SCORE
from analytics.summary import by_camera, by_day, by_weekday_hour, expression_shares, summarise
from fer_core.types import EXPRESSIONS
from reports.content import ReportContent
from reports.excel import satisfaction_workbook
from tests.unit.analytics.people import bucket_frame, crowd
from tests.workbooks import MAIN, Book

MINIMUM = 10


def buckets() -> pd.DataFrame:
    people = pd.concat(
        [
            crowd("2026-11-02 09:00", 120, seed=1),
            crowd("2026-11-03 09:00", 150, seed=2),
            crowd("2026-11-04 09:00", 6, unknown_share=0),
        ]
    )
    return bucket_frame(people)


def content(**changes: Any) -> ReportContent:
    values: dict[str, Any] = {
        "sites": ["Berlin Mitte"],
        "first_day": date(2026, 11, 2),
        "last_day": date(2026, 11, 4),
        "buckets": buckets(),
        "before": bucket_frame(crowd("2026-10-30 09:00", 100, seed=5)),
        "target": 55.0,
        "score": DEFAULT_SCORE,
        "minimum_people": MINIMUM,
        "generated_at": datetime(2026, 11, 6, 8, 5, tzinfo=ZoneInfo("Europe/Berlin")),
    }
    return ReportContent(**{**values, **changes})


def test_its_sheets_stand_in_the_order_in_which_they_are_read() -> None:
    book = Book(satisfaction_workbook(content()))
    assert list(book.sheets) == ["Summary", "Days", "Hours", "Cameras", "Expressions", "About"]


def test_the_cells_are_the_figures_of_the_pages() -> None:
    book = Book(satisfaction_workbook(content()))
    args = (buckets(), DEFAULT_SCORE, MINIMUM)
    for sheet, figures in (
        ("Days", by_day(*args)),
        ("Hours", by_weekday_hour(*args)),
        ("Cameras", by_camera(*args)),
    ):
        table = book.table(sheet)
        assert len(table) == len(figures)
        for title, name in (
            ("People", "people"),
            ("Not read", "unknown"),
            ("Index", "index"),
            ("Index, lower bound (95%)", "index_low"),
            ("Index, upper bound (95%)", "index_high"),
            ("Happy", "happy"),
            ("Negative", "negative"),
            ("Net", "net"),
            ("Net, upper bound (95%)", "net_high"),
            *((f"People {e}", f"n_{e}") for e in EXPRESSIONS),
        ):
            expected = figures[name].astype("float64").tolist()
            assert table[title].astype("float64").tolist() == pytest.approx(expected, nan_ok=True)


def test_the_summary_holds_the_period_the_one_before_and_the_target() -> None:
    rows = {row.get("A"): row for row in Book(satisfaction_workbook(content())).rows("Summary")}
    now = summarise(buckets(), DEFAULT_SCORE, MINIMUM)
    before = content().before
    assert before is not None
    then = summarise(before, DEFAULT_SCORE, MINIMUM)
    assert now.index is not None
    assert then.index is not None
    index = rows["Satisfaction index (0 to 100)"]
    assert [index[c] for c in "BCDE"] == pytest.approx(
        [now.index.value, now.index.low, now.index.high, then.index.value]
    )
    assert (rows["People"]["B"], rows["People"]["E"]) == (now.people, then.people)
    assert rows["Target"]["B"] == 55
    shares = expression_shares(now).set_index("expression")
    table = Book(satisfaction_workbook(content())).table("Expressions").set_index("Expression")
    order = [e.capitalize() for e in EXPRESSIONS]
    assert table.loc[order, "People"].tolist() == shares["people"].tolist()
    assert table.loc[order, "Lower bound (95%)"].tolist() == pytest.approx(shares["low"].tolist())


def test_days_are_dates_that_excel_can_sort() -> None:
    days = Book(satisfaction_workbook(content())).table("Days")["Day"]
    epoch = date(1899, 12, 30)
    assert days.tolist() == [(date(2026, 11, day) - epoch).days for day in (2, 3, 4)]


def test_a_day_without_people_is_a_row_of_no_figures_and_a_gap_in_the_line() -> None:
    book = Book(satisfaction_workbook(content(last_day=date(2026, 11, 7))))
    table = book.table("Days")
    assert (table["Day"].diff().dropna() == 1).all()
    empty = table.iloc[3:]
    assert empty["Remark"].tolist() == ["nobody seen"] * 3
    assert empty[["People", "Not read"]].eq(0).all(axis=None)
    assert empty.drop(columns=["Day", "People", "Not read", "Remark"]).isna().all(axis=None)
    (drawn,) = (name for name in book.files.namelist() if name.startswith("xl/charts/chart1"))
    chart = book.files.read(drawn).decode()
    assert "Days!$D$2:$D$7" in chart
    assert "dispBlanksAs" not in chart  # Excel then leaves a gap.
    # A day between two gaps would not be seen otherwise.
    assert '<c:symbol val="circle"/>' in chart


def test_about_names_all_sites_and_cameras_where_the_heading_counts_them() -> None:
    sites = [f"Site {number}" for number in range(12)]
    cameras = [f"{site} / Door" for site in sites]
    book = Book(satisfaction_workbook(content(sites=sites, cameras=cameras)))
    heading, below = (row["A"] for row in book.rows("Summary")[:2])
    assert heading == "12 sites"
    assert below == "2 Nov 2026 to 4 Nov 2026 · 12 cameras"
    about = {row["A"]: row["B"] for row in book.rows("About")}
    assert (about["Sites"], about["Cameras"]) == (" · ".join(sites), " · ".join(cameras))


def test_what_is_withheld_is_empty_and_says_why() -> None:
    day = Book(satisfaction_workbook(content())).table("Days").iloc[2]
    assert day["People"] == 6
    assert day["Remark"] == "withheld, 6 people read (fewer than 10)"
    assert day.drop(["Day", "People", "Not read", "Remark"]).isna().all()


def test_a_withheld_period_shows_no_figure_anywhere() -> None:
    few = bucket_frame(crowd("2026-11-02 09:00", 7, hours=1, unknown_share=0))
    book = Book(satisfaction_workbook(content(buckets=few, before=None)))
    rows = {row.get("A"): row for row in book.rows("Summary")}
    assert rows["Satisfaction index (0 to 100)"]["B"] == "withheld"
    assert rows["Share happy"]["B"] == "withheld"
    assert book.rows("Expressions")[1] == {"A": "withheld, 7 people read (too few)"}
    assert not [name for name in book.files.namelist() if "charts/" in name]


def test_nobody_at_all_is_still_a_workbook() -> None:
    book = Book(satisfaction_workbook(content(buckets=buckets().iloc[:0], before=None)))
    assert book.table("Days")["Remark"].tolist() == ["nobody seen"] * 3
    assert any("Nobody was seen" in str(row.get("A")) for row in book.rows("Summary"))


@pytest.mark.parametrize(
    "name", ['=HYPERLINK("http://x","y")', "+1", "@x", "http://x.example", "-1"]
)
def test_a_name_is_text_and_never_a_formula_or_a_link(name: str) -> None:
    named = buckets().assign(site=name, camera=name)
    book = Book(satisfaction_workbook(content(sites=[name], cameras=[name], buckets=named)))
    for sheet in book.sheets.values():
        assert not list(sheet.iter(f"{MAIN}f"))
        assert not list(sheet.iter(f"{MAIN}hyperlink"))
    assert book.table("Cameras")[["Site", "Camera"]].to_numpy().tolist() == [[name, name]]


def test_a_chart_of_excels_own_draws_the_days() -> None:
    book = Book(satisfaction_workbook(content()))
    charts = [name for name in book.files.namelist() if name.startswith("xl/charts/")]
    drawn = " ".join(book.files.read(name).decode() for name in charts)
    assert "Days!$D$2:$D$4" in drawn
    assert "Days!$A$2:$A$4" in drawn


def test_headers_stay_in_sight() -> None:
    book = Book(satisfaction_workbook(content()))
    for sheet in ("Days", "Hours", "Cameras", "Expressions"):
        pane = next(book.sheets[sheet].iter(f"{MAIN}pane"))
        assert (pane.attrib["state"], pane.attrib["topLeftCell"]) == ("frozen", "B2")
