"""Each page in each state: empty, with footage on its way, filled, and without its database."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, exc, text
from streamlit.testing.v1 import AppTest

from analytics.periods import Every
from db.engine import Database
from db.queue import claim
from db.schedules import Plan, create_schedule, request_now
from pages.trouble import NO_DATABASE
from settings import settings
from tests.integration.pages.conftest import OpenPage, refresh
from tests.integration.pages.test_pages_filled import add_read_video
from tests.integration.pages.words import buttons, metrics, words
from tests.unit.db.made_rows import NOON, add_camera, add_video

Put = Callable[[Database], None]


def nothing(_: Database) -> None:
    """An installation on its first day."""


def on_its_way(database: Database) -> None:
    """Two recordings: the one is being read, the other waits."""
    with database.write() as session:
        camera = add_camera(session)
        add_video(session, camera, name="monday.mp4")
        add_video(session, camera, name="tuesday.mp4")
        assert claim(session, "worker", 30, NOON) is not None


def filled(database: Database) -> None:
    """22 people at one camera, 44 at another."""
    with database.write() as session:
        add_read_video(session, add_camera(session))
        other = add_camera(session, "Checkout")
        add_read_video(session, other, ("happy",) * 44, name="checkout.mp4")


EMPTY = {
    "overview.py": "Start with some footage",
    "compare.py": "There is nothing to compare yet",
    "upload.py": "Where was it taken?",
    "recordings.py": "Nothing was uploaded yet",
    "report.py": "There is nothing to report yet",
    "configuration.py": "Where was it taken?",
}
ON_ITS_WAY = {
    "overview.py": "Reading has begun",
    "compare.py": "Reading has begun",
    "upload.py": "Being read",
    "recordings.py": "2 recordings",
    "report.py": "Reading has begun",
    "configuration.py": "segments; the oldest recording came",
}
FILLED = {
    "overview.py": "from 64 people read",
    "compare.py": "the index is",
    "upload.py": "Footage stays in your own installation",
    "recordings.py": "22 people, 2 not readable",
    "report.py": "from 64 people read",
    "configuration.py": "2 sites, 2 cameras",
}
STATES = [
    *((nothing, file, said) for file, said in EMPTY.items()),
    *((on_its_way, file, said) for file, said in ON_ITS_WAY.items()),
    *((filled, file, said) for file, said in FILLED.items()),
]


@pytest.mark.parametrize(("put", "file", "said"), STATES)
def test_a_page_says_what_state_it_is_in(
    open_page: OpenPage, database: Database, put: Put, file: str, said: str
) -> None:
    put(database)
    shown = words(open_page(file))
    assert said in shown
    assert NO_DATABASE not in shown


@pytest.mark.parametrize("file", ["overview.py", "compare.py", "report.py"])
def test_footage_on_its_way_is_not_asked_for_again(
    open_page: OpenPage, database: Database, file: str
) -> None:
    on_its_way(database)
    app = open_page(file)
    assert "Upload footage" not in buttons(app)
    assert not app.metric


def test_a_page_of_figures_tells_no_faces_from_no_footage(
    open_page: OpenPage, database: Database
) -> None:
    with database.write() as session:
        add_read_video(session, add_camera(session), ())
    for file in ("overview.py", "compare.py", "report.py"):
        assert "No faces were found yet" in words(open_page(file))


def test_a_site_where_nobody_was_seen_is_told_from_an_empty_house(
    open_page: OpenPage, database: Database
) -> None:
    filled(database)
    with database.write() as session:
        add_camera(session, "Back door")
    for file in ("overview.py", "compare.py"):
        app = open_page(file)
        app.selectbox(key="site").set_value("Site of Back door").run()
        assert not app.exception
        assert not app.metric
        assert "Nobody was seen" in words(app)
        assert "No faces were found yet" not in words(app)


def break_off(home: Path, database: Database) -> Path:
    """The database goes away while pages are open; gives where it is kept."""
    database.close()
    kept = home / "kept.db"
    with create_engine(f"sqlite:///{home / 'satisface.db'}").connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    (home / "satisface.db").rename(kept)
    for file in home.glob("satisface.db-*"):
        file.unlink()
    (home / "satisface.db").write_bytes(b"no database at all" * 1000)
    return kept


def bring_back(home: Path, database: Database, kept: Path) -> None:
    database.close()
    kept.replace(home / "satisface.db")


def with_a_schedule(database: Database) -> None:
    """A report that is being made."""
    filled(database)
    plan = Plan("Weekly", Every.WEEK, 7, "Europe/Berlin", folder="weekly")
    with database.write() as session:
        schedule = create_schedule(session, plan, NOON)
        request_now(session, schedule, datetime.now(UTC) - timedelta(minutes=1))


REFRESHING: list[tuple[str, dict[str, str], Put]] = [
    ("upload.py", {}, on_its_way),
    ("recordings.py", {}, on_its_way),
    ("recordings.py", {}, filled),
    ("recordings.py", {"recording": "1"}, on_its_way),
    ("report.py", {}, with_a_schedule),
    ("configuration.py", {}, filled),
]


@pytest.mark.embedded
@pytest.mark.parametrize(("file", "query", "put"), REFRESHING)
def test_a_database_that_goes_away_is_said_by_what_refreshes_itself(
    open_page: OpenPage,
    home: Path,
    database: Database,
    caplog: pytest.LogCaptureFixture,
    file: str,
    query: dict[str, str],
    put: Put,
) -> None:
    put(database)
    app = open_page(file, **query)
    assert NO_DATABASE not in words(app)
    kept = break_off(home, database)
    with caplog.at_level(logging.ERROR):
        refresh(app)
    # The status has a sentence of its own for it, too.
    assert NO_DATABASE in words(app)
    assert any(r.exc_info and "no database for" in r.getMessage() for r in caplog.records)
    bring_back(home, database, kept)
    refresh(app)
    assert NO_DATABASE not in words(app)


@pytest.mark.embedded
def test_a_list_that_does_not_refresh_itself_offers_to_try_again(
    open_page: OpenPage, home: Path, database: Database
) -> None:
    filled(database)
    app = open_page("recordings.py")
    kept = break_off(home, database)
    refresh(app)
    assert buttons(app) == ["Try again"]
    bring_back(home, database, kept)
    app.button[0].click().run()
    assert "22 people, 2 not readable" in words(app)


def test_what_could_not_be_done_is_said_once_the_page_is_there_again(
    open_page: OpenPage, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_its_way(database)
    app = open_page("upload.py")
    cancel = next(button for button in app.button if button.label == "Cancel")

    def away(*_: object) -> None:
        raise exc.OperationalError("UPDATE", {}, OSError("the server is gone"))

    with monkeypatch.context() as broken:
        broken.setattr("pages.reading.cancel_recording", away)
        app = cancel.click().run()
    assert not app.exception
    assert "That was not done" in words(app)
    assert "monday.mp4" in words(app)
    assert "That was not done" not in words(app.run())


@pytest.mark.embedded
def test_a_dialog_says_it_and_stays(open_page: OpenPage, home: Path, database: Database) -> None:
    filled(database)
    app = open_page("configuration.py")
    app = app.button(key="edit_site_1").click().run()
    assert [button.label for button in app.button].count("Save") >= 1
    break_off(home, database)
    refresh(app)
    assert not app.exception


def test_the_model_s_page_has_its_figures_or_says_why_not(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app: AppTest = open_page("model.py")
    assert metrics(app)["Read right"].endswith("%")
    monkeypatch.setenv("SATISFACE_MODEL_DIR", str(tmp_path / "elsewhere"))
    settings.cache_clear()
    app = open_page("model.py")
    assert not app.metric
    assert "card.json is missing" in words(app)
