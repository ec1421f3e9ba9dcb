"""Reports: what the page says is what its files hold; schedules are shown and made from here."""

import io
import re
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from pypdf import PdfReader
from starlette.applications import Starlette
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

from analytics.periods import Every
from analytics.scores import DEFAULT_SCORE
from api.downloads import DownloadOptions, download_routes
from db.engine import Database
from db.places import list_sites
from db.retention import KeptDays, keep_for
from db.schedules import Plan, claim_due, create_schedule, fail, list_schedules
from fer_core.types import EXPRESSIONS, UNKNOWN
from jobs.reports import report_content
from pages.state import browser_zone
from reports.excel import satisfaction_workbook
from reports.pdf import satisfaction_pdf
from settings import settings
from tests.chosen_database import ON_BOTH
from tests.integration.pages.conftest import OpenPage
from tests.integration.pages.test_pages_filled import FAIR, add_read_video
from tests.integration.pages.words import metrics, words
from tests.integration.test_downloads import get
from tests.unit.db.made_rows import NOON, add_camera, add_video
from tests.workbooks import Book

PLAN = Plan("Weekly", Every.WEEK, 7, "Europe/Berlin", recipients=("ada@example.org",))


@pytest.fixture
def filled(database: Database) -> Database:
    with database.write() as session:
        camera = add_camera(session)
        add_read_video(session, camera)
        before = ("happy",) * 10 + ("sad",) * 15
        sunday = NOON - timedelta(days=1)
        add_read_video(session, camera, before, name="sunday.mp4", captured_at=sunday)
    return database


def links(app: AppTest, kind: str) -> dict[str, str]:
    """Addresses of the downloads by table."""
    found = {}
    for table in ("tracks", "predictions", "buckets"):
        (button,) = (one for one in app.get("link_button") if one.key == f"download_{table}_{kind}")
        found[table] = button.proto.url
    return found


@pytest.fixture
def server(filled: Database) -> Starlette:
    options = DownloadOptions(settings().home, filled, settings().minimum_people)
    return Starlette(routes=download_routes("/api/downloads", lambda: options))


def test_footage_that_is_still_being_read_is_told(open_page: OpenPage, filled: Database) -> None:
    said = "1 recording of this time is still being read; the figures will change."
    assert said not in words(open_page("report.py"))
    with filled.write() as session:
        (site,) = list_sites(session)
        add_video(session, site.cameras[0].id, name="evening.mp4")
    assert said in words(open_page("report.py"))


@ON_BOTH
def test_page_pdf_workbook_and_rows_tell_the_same(
    open_page: OpenPage, filled: Database, server: Starlette
) -> None:
    app = open_page("report.py")
    app.selectbox(key="period").set_value("Last day").run()
    shown = metrics(app)
    with filled.read() as session:
        content = report_content(
            session,
            first_day=date(2026, 3, 2),
            last_day=date(2026, 3, 2),
            minimum_people=settings().minimum_people,
            now=datetime.now(UTC),
        )

    pages = PdfReader(io.BytesIO(satisfaction_pdf(content))).pages
    printed = re.sub(r"\s+", " ", " ".join(page.extract_text() for page in pages))
    assert f"Satisfaction index, 0 to 100 {shown['Satisfaction index']} " in printed
    assert f"Happy {shown['Share happy']} " in printed
    assert f"Negative {shown['Share negative']} " in printed
    assert f"People {shown['People']} " in printed

    book = Book(satisfaction_workbook(content))
    lines = {str(row.get("A")): row for row in book.rows("Summary")}
    cells = {label: row.get("B") for label, row in lines.items()}
    assert f"{cells['Satisfaction index (0 to 100)']:.1f}" == shown["Satisfaction index"]
    assert f"{cells['Share happy']:.0%}" == shown["Share happy"]
    assert f"{cells['Share negative']:.0%}" == shown["Share negative"]
    assert f"{cells['People']:.0f}" == shown["People"]

    people = pd.read_csv(io.BytesIO(get(server, f"/{links(app, 'csv')['tracks']}").body))
    read = people[people["expression"] != UNKNOWN]
    p = read[[f"p_{expression}" for expression in EXPRESSIONS]].to_numpy()
    assert str(len(people)) == shown["People"]
    index = 50 * (1 + (p @ DEFAULT_SCORE.weights).mean())
    assert f"{index:.1f}" == shown["Satisfaction index"]
    hours = pd.read_parquet(io.BytesIO(get(server, f"/{links(app, 'parquet')['buckets']}").body))
    share = hours["n_happy"].sum() / (hours["people"] - hours["unknown"]).sum()
    assert f"{share:.0%}" == shown["Share happy"]

    # Intervals, too: of the index, and of each camera.
    between = re.search(r"Between ([\d.]+) and ([\d.]+), from", words(app))
    assert between is not None
    low, high = between.groups()
    assert f"95% interval {low} to {high}" in printed
    bounds = [float(lines["Satisfaction index (0 to 100)"][letter]) for letter in "CD"]
    assert [f"{bound:.1f}" for bound in bounds] == [low, high]
    on_page, in_book = app.dataframe[0].value, book.table("Cameras")
    assert len(on_page) == len(in_book) == 1
    camera, line = on_page.iloc[0], in_book.iloc[0]
    told = f"{camera['People']} {camera['Not read']} {camera['Index']} {camera['Index, interval']}"
    happy, negative = (
        f"{camera[share]:.0f}% ({camera[f'{share}, interval']})" for share in ("Happy", "Negative")
    )
    assert f"{told} {happy} {negative}" in printed
    interval = [f"{line[f'Index, {end} bound (95%)']:.1f}" for end in ("lower", "upper")]
    assert camera["Index, interval"] == " to ".join(interval)
    assert camera["Index"] == round(line["Index"], 1)

    # The same sentence stands on the page, on paper and in the workbook.
    (sentence,) = re.findall(r"Index (?:up|down)[^.]*\.\d[^)]*\)\.", printed)
    assert sentence in words(app)
    assert sentence in cells


@pytest.mark.usefixtures("filled")
def test_every_page_tells_the_same(open_page: OpenPage) -> None:
    report, compare = open_page("report.py"), open_page("compare.py")
    for app in (report, compare):
        app.selectbox(key="period").set_value("Last day").run()
        assert not app.exception
    shown = metrics(report)
    assert metrics(open_page("overview.py", period="Last day")) == shown
    league = compare.dataframe[0].value.iloc[0]
    assert f"{league['Index']:.1f}" == shown["Satisfaction index"]
    assert str(league["People"]) == shown["People"]
    assert league["Happy"].startswith(f"{shown['Share happy']} (")
    assert league["Negative"].startswith(f"{shown['Share negative']} (")


def test_the_choice_of_cameras_and_days_is_that_of_the_links(
    open_page: OpenPage, filled: Database, server: Starlette
) -> None:
    with filled.write() as session:
        other = add_camera(session, "Checkout")
        add_read_video(session, other, FAIR * 2, name="other.mp4")
    for query, people in (({}, 66 + 25), ({"cameras": "Site of Checkout / Checkout"}, 44)):
        app = open_page("report.py", **query)
        assert metrics(app)["People"] == str(people)
        rows = pd.read_csv(io.BytesIO(get(server, f"/{links(app, 'csv')['tracks']}").body))
        assert len(rows) == people


@pytest.mark.usefixtures("filled")
def test_the_sections_chosen_are_kept_in_the_address(open_page: OpenPage) -> None:
    app = open_page("report.py", sections="Trend")
    assert app.get("pills") or app.get("button_group")
    assert "sections" in app.query_params


@pytest.mark.usefixtures("filled")
def test_a_preview_shows_every_page(open_page: OpenPage) -> None:
    app = open_page("report.py")
    assert not app.get("image")
    app.toggle(key="preview").set_value(True).run(timeout=240)
    assert not app.exception
    assert app.get("image")


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("told", "known"), [("Etc/Unknown", None), (None, None), ("Asia/Tokyo", "Asia/Tokyo")]
)
def test_a_browser_that_does_not_know_its_time_zone_still_gets_its_report(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, told: str | None, known: str | None
) -> None:
    """Chrome tells Etc/Unknown where the system does not know its zone."""
    monkeypatch.setattr(ContextProxy, "timezone", told)
    app = open_page("report.py")
    assert metrics(app)["People"] == "47"
    assert browser_zone() == known
    app = app.button(key="new_schedule").click().run()
    (zone,) = (one for one in app.selectbox if one.label == "Time zone")
    assert zone.value == (known or "Europe/Berlin")


def test_rows_whose_time_is_up_are_not_promised(open_page: OpenPage, filled: Database) -> None:
    def said() -> list[str]:
        shown = words(open_page("report.py")).splitlines()
        return [line for line in shown if line.startswith(("About", "At most"))]

    assert said() == ["About 47 rows", "About 94 rows", "About 2 rows"]
    with filled.write() as session:
        # Nothing of March 2026 is so old.
        keep_for(session, KeptDays(faces=36_500, people=36_500))
    assert said() == ["About 47 rows", "About 94 rows", "About 2 rows"]
    with filled.write() as session:
        keep_for(session, KeptDays(faces=1, people=36_500))
    gone = "At most 94 rows: those older than 1 day are deleted"
    assert said() == ["About 47 rows", gone, "About 2 rows"]
    with filled.write() as session:
        keep_for(session, KeptDays(people=30))
    old = "rows: those older than 30 days are deleted"
    assert said() == [f"At most 47 {old}", f"At most 94 {old}", "About 2 rows"]


def test_schedules_are_shown_while_there_is_nothing_to_report(
    open_page: OpenPage, database: Database
) -> None:
    with database.write() as session:
        camera = add_camera(session)
        create_schedule(session, PLAN, datetime.now(UTC))
    shown = words(open_page("report.py"))
    assert "There is nothing to report yet" in shown
    assert "Each Monday at 7:00" in shown
    with database.write() as session:
        add_read_video(session, camera)
        add_camera(session, "Back door")
    shown = words(open_page("report.py", cameras="Site of Back door / Back door"))
    assert "Nobody was seen by these cameras yet" in shown
    assert "Each Monday at 7:00" in shown


def test_a_schedule_says_when_it_comes_for_whom_and_why_it_failed(
    open_page: OpenPage, filled: Database
) -> None:
    now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    with filled.write() as session:
        create_schedule(session, PLAN, now)
        due = claim_due(session, now + timedelta(days=7))
        assert due is not None
        fail(session, due, now + timedelta(days=10), "The mail server does not answer.")
    app = open_page("report.py")
    said = words(app).replace("\\", "")
    assert "Each Monday at 7:00 (Europe/Berlin)" in said
    assert "to ada@example.org" in said
    assert "all sites, as PDF" in said
    assert "Not made so far. Tried again: 16 Mar 2026, 07:00" in said
    assert any("does not answer" in error.value for error in app.error)


def test_send_now_makes_it_due(open_page: OpenPage, filled: Database) -> None:
    with filled.write() as session:
        schedule = create_schedule(session, PLAN, datetime.now(UTC))
    app = open_page("report.py")
    app.button(key=f"schedule_{schedule}_now").click().run()
    assert not app.exception
    with filled.read() as session:
        (row,) = list_schedules(session)
    assert row.due_at <= datetime.now(UTC)
    assert "Being made now" in words(app)
    assert app.button(key=f"schedule_{schedule}_now").disabled
