"""Weights are tried on last month, put in force after a question, and can be gone back to.

What a dialog does once it is answered is tested in a browser: AppTest closes it at the next run.
"""

import pytest
from streamlit.testing.v1 import AppTest

from analytics.scores import DEFAULT_SCORE
from db.engine import Database
from db.scores import active_score, save_score
from fer_core.types import EXPRESSIONS
from tests.integration.pages.conftest import OpenPage
from tests.integration.pages.test_pages_filled import add_read_video
from tests.integration.pages.words import buttons, words
from tests.unit.db.made_rows import add_camera

PAGE = "configuration.py"
SOFTER = (-1.0, -1.0, -1.0, 1.0, -0.5, 0.25, 0.0)


@pytest.fixture
def camera(database: Database) -> int:
    with database.write() as session:
        return add_camera(session)


def slider(app: AppTest, expression: str, value: float) -> AppTest:
    return next(s for s in app.slider if s.label == expression.capitalize()).set_value(value).run()


def press(app: AppTest, label: str) -> AppTest:
    return next(b for b in app.button if b.label == label).click().run()


def test_what_is_in_force_is_shown(open_page: OpenPage) -> None:
    app = open_page(PAGE)
    assert "Satisfaction, version 1 is in force" in words(app).replace("*", "")
    assert {s.label: s.value for s in app.slider} == {
        expression.capitalize(): weight
        for expression, weight in zip(EXPRESSIONS, DEFAULT_SCORE.weights, strict=True)
    }
    assert "Use these weights" not in buttons(app)


def test_other_weights_are_shown_on_last_month_before_they_are_used(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        add_read_video(session, camera)
    app = slider(open_page(PAGE), "sad", 0.0)
    preview = next(d for d in app.dataframe if "With these" in d.value.columns).value
    # 12 happy, 5 neutral and 3 sad people: 0.7 of the own expression, 0.05 of each other.
    now = 50 * (1 + (12 * (0.7 - 0.2) + 5 * (0.05 - 0.2) + 3 * (0.05 - 0.85)) / 20)
    then = 50 * (1 + (12 * (0.7 - 0.15) + 5 * (0.05 - 0.15) + 3 * (0.05 - 0.15)) / 20)
    (row,) = preview.to_dict("records")
    assert row["Site"] == "Site of Entrance"
    assert row["People read"] == 20
    assert row["Now"].startswith(f"{now:.1f} (")
    assert row["With these"].startswith(f"{then:.1f} (")
    assert row["Change"] == f"{then - now:+.1f}"
    assert "3 Feb 2026 to 2 Mar 2026" in words(app)
    assert "Lowers it: Fear, Angry, Disgust." in words(app)
    app = press(app, "Use these weights")
    assert "Satisfaction, version 2 will be in force" in words(app).replace("*", "")
    with database.read() as session:
        assert active_score(session) == DEFAULT_SCORE


def test_a_month_of_too_few_people_is_withheld(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        add_read_video(session, camera, ("happy",) * 9)
    app = slider(open_page(PAGE), "sad", 0.0)
    preview = next(d for d in app.dataframe if "With these" in d.value.columns).value
    assert preview["With these"][0] == "withheld, 9 people read (fewer than 10)"
    assert preview["Change"][0] == ""


def test_without_data_there_is_nothing_to_preview(open_page: OpenPage) -> None:
    app = slider(open_page(PAGE), "surprise", 0.5)
    assert "Nobody was seen yet" in words(app)
    assert "Use these weights" in buttons(app)


def test_weights_that_are_all_alike_are_refused(open_page: OpenPage) -> None:
    app = open_page(PAGE)
    for expression in EXPRESSIONS:
        app = slider(app, expression, 0.0)
    assert "the index is the same for everybody" in words(app)
    assert "Use these weights" not in buttons(app)


def test_weights_of_an_earlier_version_are_recognised(
    open_page: OpenPage, database: Database
) -> None:
    with database.write() as session:
        save_score(session, SOFTER)
    app = open_page(PAGE)
    for expression, weight in zip(EXPRESSIONS, DEFAULT_SCORE.weights, strict=True):
        app = slider(app, expression, weight)
    assert "These are the weights of Satisfaction, version 1." in words(app)


def test_every_version_is_listed_and_can_be_asked_for_again(
    open_page: OpenPage, database: Database
) -> None:
    with database.write() as session:
        save_score(session, SOFTER)
        save_score(session, SOFTER[::-1], name="Delight")
    app = open_page(PAGE)
    said = words(app).replace("*", "")
    assert "Delight, version 1 :green-badge[In force]" in said
    assert "Satisfaction, version 2" in said
    assert {"Use again", "Back to the default"} <= set(buttons(app))
    app = press(app, "Back to the default")
    assert "Satisfaction, version 1 will be in force" in words(app).replace("*", "")
    with database.read() as session:
        assert active_score(session).name == "Delight"


def test_a_score_without_a_name_is_refused(open_page: OpenPage) -> None:
    app = open_page(PAGE)
    box = next(t for t in app.text_input if t.value == DEFAULT_SCORE.name)
    app = box.set_value("  ").run()
    assert "A score needs a name." in words(app)
