"""Compare in each of its states: empty, filled, one place, one day, withheld, by a link."""

from datetime import timedelta
from pathlib import Path
from typing import Protocol

import pytest
from sqlalchemy.orm import Session
from streamlit.testing.v1 import AppTest

from db.engine import Database
from db.places import create_camera, create_site, set_target
from tests.chosen_database import ON_BOTH
from tests.integration.pages.test_pages_filled import FAIR, add_read_video
from tests.integration.pages.words import words
from tests.unit.db.made_rows import NOON

_NAVIGATION = Path(__file__).parents[3] / "pages" / "navigation.py"


class OpenCompare(Protocol):
    def __call__(self, **query: str) -> AppTest: ...


GLAD = ("happy",) * 28 + ("neutral",) * 2
SAD = ("sad",) * 28 + ("neutral",) * 2


@pytest.fixture
def open_compare(home: Path) -> OpenCompare:  # noqa: ARG001  the place it is in
    """Opens the page by its address alone, as a link does: what another page chose is not there."""

    def run(**query: str) -> AppTest:
        app = AppTest.from_file(_NAVIGATION, default_timeout=240).switch_page("compare.py")
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception
        return app

    return run


@pytest.fixture
def stores(database: Database) -> dict[str, int]:
    """North with two cameras that are alike, South with a sad one; by name of the camera."""
    with database.write() as session:
        north = create_site(session, "North", "Europe/Berlin")
        south = create_site(session, "South", "Europe/Berlin")
        set_target(session, north, 60)
        return {
            name: create_camera(session, site, name)
            for name, site in (("Door", north), ("Till", north), ("Gate", south))
        }


def fill(session: Session, stores: dict[str, int], *, days: int = 2) -> None:
    for day in range(days):
        at = NOON - timedelta(days=day)
        for name, expressions in (("Door", GLAD), ("Till", GLAD), ("Gate", SAD)):
            add_read_video(
                session, stores[name], expressions, name=f"{name}{day}.mp4", captured_at=at
            )


def league(app: AppTest) -> list[list[object]]:
    table = app.dataframe[0].value
    return table[["Rank", "Place", "People"]].to_numpy().tolist()


def test_without_people_it_leads_to_upload(open_compare: OpenCompare) -> None:
    app = open_compare()
    assert "There is nothing to compare yet" in words(app)
    app = app.button[0].click().run()
    assert [title.value for title in app.title] == ["Upload"]


@ON_BOTH
def test_sites_and_cameras_are_ranked_and_ties_are_said(
    open_compare: OpenCompare, database: Database, stores: dict[str, int]
) -> None:
    with database.write() as session:
        fill(session, stores)
    app = open_compare()
    assert league(app) == [["1", "North", 120], ["2", "South", 60]]
    assert app.dataframe[0].value["Target"].tolist()[0] == 60
    assert "A rank such as 2 to 4 is a tie" in words(app)
    said = words(app)
    assert "North beside South: the index is" in said.replace("*", "")
    assert "higher, more than chance would explain (interval +" in said

    app = open_compare(by="Cameras")
    assert sorted(league(app)) == [
        ["1 to 2", "North / Door", 60],
        ["1 to 2", "North / Till", 60],
        ["3", "South / Gate", 60],
    ]


def test_a_link_shows_the_same_choice(
    open_compare: OpenCompare, database: Database, stores: dict[str, int]
) -> None:
    with database.write() as session:
        fill(session, stores)
    app = open_compare()
    app.selectbox(key="site").select("North").run()
    app.selectbox(key="period").select("Last day").run()
    app.selectbox(key="first").select("Till").run()
    assert not app.exception
    # The browser writes what was chosen into the address.
    there = open_compare(site="North", period="Last day", first="Till")
    assert words(there) == words(app)
    assert league(there) == league(app)
    assert "Till beside Door" in words(there).replace("*", "")


@pytest.mark.parametrize(
    "link",
    [
        {"site": "Nowhere"},
        {"by": "Planets", "period": "Last century"},
        {"period": "Choose dates", "dates": "soon"},
        {"first": "North / Door", "second": "<b>"},
    ],
)
def test_a_link_that_names_what_is_not_there_is_no_error(
    open_compare: OpenCompare, database: Database, stores: dict[str, int], link: dict[str, str]
) -> None:
    with database.write() as session:
        fill(session, stores)
    assert len(league(open_compare(**link))) == 2


def test_too_few_people_have_no_rank_and_no_index(
    open_compare: OpenCompare, database: Database, stores: dict[str, int]
) -> None:
    with database.write() as session:
        add_read_video(session, stores["Door"], GLAD)
        add_read_video(session, stores["Gate"], ("happy",) * 9, name="few.mp4")
    app = open_compare()
    table = app.dataframe[0].value
    assert table["Rank"].tolist() == ["1", "–"]
    assert table["Index"].isna().tolist() == [False, True]
    assert table["Happy"].isna().tolist() == [False, True]
    assert table["Interval"].tolist()[1] == "withheld, 9 people read (fewer than 10)"
    assert "South is withheld: 9 people read, fewer than 10." in words(app).replace("*", "")


def test_all_withheld_is_said_and_draws_nothing(
    open_compare: OpenCompare, database: Database, stores: dict[str, int]
) -> None:
    with database.write() as session:
        for name in stores:
            add_read_video(session, stores[name], ("happy",) * 4, name=f"{name}.mp4")
    app = open_compare(by="Cameras")
    assert app.dataframe[0].value["Rank"].tolist() == ["–"] * 3


def test_one_place_on_one_day_is_shown_alone(
    open_compare: OpenCompare, database: Database, stores: dict[str, int]
) -> None:
    with database.write() as session:
        add_read_video(session, stores["Gate"], FAIR)
    app = open_compare(period="Last day")
    assert league(app) == [["1", "South", 22]]
    assert "Only one place has people here" in words(app)
    assert "Day by day" not in words(app)


def test_a_site_without_people_says_so(
    open_compare: OpenCompare, database: Database, stores: dict[str, int]
) -> None:
    with database.write() as session:
        add_read_video(session, stores["Gate"], FAIR)
    assert "Nobody was seen at this site yet" in words(open_compare(site="North"))
