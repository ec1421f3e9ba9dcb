"""The Overview says what to look into, and nothing where nothing is wrong."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from analytics.alert_rules import AlertKind, AlertRule
from db.alerts import save_rule
from db.engine import Database
from db.places import create_camera, create_site, list_sites, set_target
from tests.chosen_database import ON_BOTH
from tests.integration.pages.conftest import OpenPage
from tests.integration.pages.test_pages_filled import FAIR, add_read_video
from tests.integration.pages.words import metrics, words
from tests.unit.db.made_rows import NOON, add_camera

ANGRY = ("angry",) * 20
HEADING = "to look into"
NAVIGATION = Path(__file__).parents[3] / "pages" / "navigation.py"


@pytest.fixture
def camera(database: Database) -> int:
    with database.write() as session:
        return add_camera(session)


def links(app: AppTest) -> list[str]:
    """The addresses of what leads to a chosen view."""
    queries = [str(link.proto.query_string) for link in app.get("page_link")]
    return [query for query in queries if query]


def open_day(day: date) -> AppTest:
    """The Overview as the link of an alert opens it."""
    app = AppTest.from_file(NAVIGATION, default_timeout=240)
    app.query_params["period"] = "Choose dates"
    app.query_params["dates"] = [day.isoformat(), day.isoformat()]
    app.run()
    assert not app.exception
    return app


def aim_at(database: Database, target: float) -> None:
    with database.write() as session:
        for site in list_sites(session):
            set_target(session, site.id, target)


def test_nothing_is_said_where_nothing_is_wrong(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        add_read_video(session, camera)
    assert HEADING not in words(open_page("overview.py"))
    aim_at(database, 50)
    assert HEADING not in words(open_page("overview.py"))


@ON_BOTH
def test_an_index_surely_under_the_target_is_said_with_its_figures(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        add_read_video(session, camera)
    aim_at(database, 90)
    app = open_page("overview.py")
    said = words(app)
    assert "1 thing to look into" in said
    assert "Under target" in said
    assert "Site of Entrance · 7 days to Monday 2 Mar" in said
    assert "20 people read), under the target of 90." in said
    # It is this view that shows it.
    assert links(app) == []


def test_the_address_of_a_day_opens_that_day(database: Database, camera: int) -> None:
    with database.write() as session:
        add_read_video(session, camera)
        add_read_video(session, camera, ANGRY, name="s.mp4", captured_at=NOON - timedelta(days=1))
    app = open_day(date(2026, 3, 1))
    assert "1 Mar 2026, on each site's own clock" in words(app)
    assert metrics(app)["People"] == "20"


def test_a_sudden_drop_is_said_with_what_was_usual(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        for back in range(28):
            add_read_video(
                session,
                camera,
                FAIR if back else ANGRY,
                name=f"{back}.mp4",
                captured_at=NOON - timedelta(days=back),
            )
    said = words(open_page("overview.py"))
    assert "Sudden drop · Site of Entrance · Monday 2 Mar" in said.replace("*", "")
    assert "The index fell to 10.0 (" in said
    assert "Mondays before were about 57.1" in said
    assert "ask what was different that day" in said


def test_a_silent_camera_is_said_and_leads_to_its_recordings(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    noon = datetime.now(UTC).replace(hour=10, minute=0, second=0, microsecond=0)
    with database.write() as session:
        save_rule(session, AlertRule(AlertKind.SILENT, None, 1.0))
        for back in range(2, 18):
            day = noon - timedelta(days=back)
            add_read_video(session, camera, ("happy",) * 12, name=f"{back}.mp4", captured_at=day)
    app = open_page("overview.py")
    said = words(app)
    assert "Camera silent" in said
    assert "Site of Entrance / Entrance" in said
    # How many it is goes by the time of day.
    assert re.search("hours? in which it usually sees people", said)
    assert "No footage of that time came in" in said
    assert any("camera=Entrance" in link for link in links(app))
    # A period that ended before says nothing of it.
    assert "Camera silent" not in words(open_day((noon - timedelta(days=9)).date()))


def test_an_alert_of_a_whole_site_leads_from_one_of_its_cameras_to_all(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        add_read_video(session, camera)
        (site,) = list_sites(session)
        add_read_video(session, create_camera(session, site.id, "Till"), name="till.mp4")
    aim_at(database, 95)
    assert links(open_page("overview.py")) == []
    (address,) = links(open_page("overview.py", camera="Till"))
    assert "camera" not in address


def test_more_than_three_are_folded_away(open_page: OpenPage, database: Database) -> None:
    with database.write() as session:
        for name in ("A", "B", "C", "D", "E"):
            site = create_site(session, name, "Europe/Berlin")
            add_read_video(session, create_camera(session, site, "Gate"))
    aim_at(database, 95)
    app = open_page("overview.py")
    assert "5 things to look into" in words(app)
    assert [expander.label for expander in app.expander] == ["2 more"]
    addresses = links(app)
    assert len(addresses) == 5
    assert "site=A" in addresses[0]
    assert "period=Choose+dates" in addresses[0]
    assert "dates=2026-02-24&dates=2026-03-02" in addresses[0]
    only = open_page("overview.py", site="B")
    assert "1 thing to look into" in words(only)
