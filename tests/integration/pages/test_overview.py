"""Overview against what it is compared with, in each of its states.

What it shows of a period alone, and of none, is tested with the other pages.
"""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from db.engine import Database
from db.places import list_sites, set_target
from db.tables import Recording, RecordingState
from pages.filters import Period, joined
from tests.chosen_database import ON_BOTH
from tests.integration.pages.conftest import OpenPage
from tests.integration.pages.test_pages_filled import FAIR, add_read_video
from tests.integration.pages.words import metrics, words
from tests.unit.db.made_rows import NOON, add_camera, add_video

GLAD = ("happy",) * 28 + ("neutral",) * 2
SAD = ("sad",) * 28 + ("neutral",) * 2
OLD = datetime(2004, 5, 6, 11, tzinfo=UTC)


@pytest.fixture
def camera(database: Database) -> int:
    with database.write() as session:
        return add_camera(session)


def add_days(database: Database, camera: int, days: dict[int, tuple[str, ...]]) -> None:
    """``days``: who was seen so many days before NOON."""
    with database.write() as session:
        for back, expressions in days.items():
            at = NOON - timedelta(days=back)
            add_read_video(session, camera, expressions, name=f"{back}.mp4", captured_at=at)


def figures(app: AppTest) -> dict[str, Any]:
    """Every chart by its key."""
    found = {}
    for element in app.get("plotly_chart"):
        key = element.proto.id.split("-")[-1]
        found[key] = json.loads(element.proto.spec)
    return found


def test_days_are_heeded_in_either_order(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    """An address may name the later one first."""
    add_days(database, camera, {0: FAIR, 1: FAIR, 2: FAIR})
    app = open_page("overview.py", period="Choose dates")
    first, last = date(2026, 3, 1), date(2026, 3, 2)
    for dates in ((first, last), (last, first)):
        app.date_input(key="dates").set_value(dates).run()
        assert not app.exception
        assert metrics(app)["People"] == "44"


def test_chosen_days_stay_chosen_when_newer_footage_comes(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    """They may be those that the field offers by itself, which moves with the footage."""
    add_days(database, camera, {0: FAIR, 1: FAIR})
    app = open_page("overview.py", period="Choose dates")
    offered = (date(2026, 3, 1), date(2026, 3, 2))
    assert app.date_input(key="dates").value == offered
    app.query_params["dates"] = [day.isoformat() for day in offered]
    app.run()
    assert app.date_input(key="dates").value == offered
    # What a field offers by itself is taken out of the address.
    assert app.query_params["dates"] == ["2026-03-01", "2026-03-02"]


def test_days_long_ago_can_be_asked_for(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    """Clocks of cameras fall back."""
    add_days(database, camera, {0: FAIR})
    with database.write() as session:
        add_read_video(session, camera, FAIR, name="old.mp4", captured_at=OLD)
    app = open_page("overview.py", period="Choose dates")
    app.date_input(key="dates").set_value((OLD.date(), OLD.date())).run()
    assert metrics(app)["People"] == "22"


def test_a_day_that_is_not_over_is_said_to_be_so(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    """Its people so far stand beside those of whole days."""
    add_days(database, camera, {0: FAIR})
    said = "The last day is not over yet."
    with database.write() as session:
        now = datetime.now(UTC)
        add_read_video(session, camera, FAIR, name="now.mp4", captured_at=now)
    for page in ("overview.py", "compare.py", "report.py"):
        assert said in words(open_page(page))
    app = open_page("overview.py", period="Choose dates")
    app.date_input(key="dates").set_value((NOON.date(), NOON.date())).run()
    assert said not in words(app)


def test_what_is_missing_from_the_period_is_said(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    """And nothing of other days."""
    add_days(database, camera, {0: FAIR, 1: FAIR, 2: FAIR})
    still = "1 recording of this time is still being read; the figures will change."
    failed = "1 recording of this time could not be read, or only in part; "
    with database.write() as session:
        add_video(session, camera, name="waits.mp4", captured_at=NOON)
        broken = add_video(session, camera, name="broken.mp4", captured_at=NOON - timedelta(days=1))
        state = {"state": RecordingState.FAILED.value, "error": "It is damaged."}
        session.execute(update(Recording).where(Recording.id == broken).values(state))
    for page in ("overview.py", "compare.py", "report.py"):
        app = open_page(page)
        last_day = words(app.selectbox(key="period").set_value("Last day").run())
        assert still in last_day
        assert failed not in last_day
        everything = words(app.selectbox(key="period").set_value("Everything").run())
        assert still in everything
        assert failed in everything


def test_newer_days_that_hold_nobody_because_nothing_was_read_are_told(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    """No period that is offered reaches them."""
    add_days(database, camera, {0: FAIR})
    with database.write() as session:
        add_video(session, camera, name="waits.mp4", captured_at=NOON + timedelta(days=1))
        broken = add_video(session, camera, name="broken.mp4", captured_at=NOON + timedelta(days=2))
        state = {"state": RecordingState.FAILED.value, "error": "It is damaged."}
        session.execute(update(Recording).where(Recording.id == broken).values(state))
    told = (
        "1 recording of later days is still being read.",
        "1 recording of later days could not be read, or only in part.",
    )
    for page in ("overview.py", "compare.py", "report.py"):
        shown = words(open_page(page))
        assert [sentence for sentence in told if sentence not in shown] == []
    add_days(database, camera, {-3: FAIR})
    app = open_page("overview.py", period="Choose dates")
    app.date_input(key="dates").set_value((NOON.date(), NOON.date())).run()
    assert "of later days" not in words(app)


@pytest.mark.parametrize(
    ("periods", "stretches"),
    [
        ([(8, 14), (1, 7)], [(1, 14)]),
        ([(9, 14), (1, 7)], [(1, 7), (9, 14)]),
        ([(1, 7)], [(1, 7)]),
        ([(1, 9), (3, 4)], [(1, 9)]),
    ],
)
def test_periods_that_touch_are_one_stretch(
    periods: list[tuple[int, int]], stretches: list[tuple[int, int]]
) -> None:
    def march(days: tuple[int, int]) -> Period:
        return Period(*(date(2026, 3, day) for day in days))

    assert joined([march(days) for days in periods]) == [march(days) for days in stretches]


def test_a_change_of_the_recogniser_is_said_with_the_change(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    add_days(database, camera, {0: FAIR, 1: SAD})
    said = "2 versions of the recogniser read this footage (model 1, model 2)"
    assert said not in words(open_page("overview.py", period="Last day"))
    with database.write() as session:
        newest = Recording.captured_at >= NOON
        session.execute(update(Recording).where(newest).values(model_version="model 2"))
    assert said in words(open_page("overview.py", period="Last day"))


def test_a_change_is_said_with_its_interval(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    add_days(database, camera, {0: GLAD, 1: SAD})
    app = open_page("overview.py", period="Last day")
    said = words(app)
    assert "Index up " in said
    assert "points, more than chance would explain, against the day before (interval +" in said
    assert "Changes are against the day before." in said
    change = {metric.label: metric.delta for metric in app.metric}
    assert change["Satisfaction index"].startswith("+")
    assert change["Share negative"].startswith("−")
    assert "Change between +" in said


def test_a_change_that_chance_could_explain_says_so(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    add_days(database, camera, {0: FAIR, 1: (*FAIR, "happy")})
    assert "which chance could explain, against the day before (interval −" in words(
        open_page("overview.py", period="Last day")
    )


def test_the_same_weekdays_of_four_weeks_are_one_yardstick(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    add_days(database, camera, {0: GLAD, 1: SAD, 7: GLAD, 14: GLAD, 21: GLAD, 28: GLAD, 35: SAD})
    app = open_page("overview.py", period="Last day", against="Same weekdays, last 4 weeks")
    said = words(app)
    assert (
        "Index unchanged, to a tenth of a point, against the 4 Mondays before (interval −" in said
    )
    # As many people as on one of the four.
    assert {metric.label: metric.delta for metric in app.metric}["People"] == "no change"


@pytest.mark.parametrize(
    ("period", "weeks", "versus"),
    [
        ("Last day", [7], "the Monday before"),
        ("Last day", [7, 14, 21], "the 3 Mondays before"),
        ("Last 7 days", [7, 13], "the same weekdays of the week before"),
        # The first of three weeks is not whole.
        ("Last 7 days", [7, 13, 14], "the same weekdays of the week before"),
        ("Last 7 days", [7, 13, 14, 20], "the same weekdays of the 2 weeks before"),
        # Nobody was seen between.
        ("Last day", [7, 28], "2 of the 4 Mondays before"),
        ("Last 7 days", [7, 13, 28, 34], "the same weekdays of 2 of the 4 weeks before"),
    ],
)
def test_weeks_before_anybody_was_seen_count_in_no_comparison(
    open_page: OpenPage,
    database: Database,
    camera: int,
    period: str,
    weeks: list[int],
    versus: str,
) -> None:
    now = [0] if period == "Last day" else [0, 6]
    add_days(database, camera, dict.fromkeys([*now, *weeks], GLAD))
    app = open_page("overview.py", period=period, against="Same weekdays, last 4 weeks")
    assert f"Changes are against {versus}." in words(app)
    assert {metric.label: metric.delta for metric in app.metric}["People"] == "no change"


@ON_BOTH
def test_what_changed_names_cameras_hours_and_expressions(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    add_days(database, camera, {0: GLAD, 1: SAD})
    with database.write() as session:
        other = add_camera(session, "Checkout")
        for back in (0, 1):
            at = NOON - timedelta(days=back, hours=3)
            add_read_video(session, other, FAIR, name=f"other{back}.mp4", captured_at=at)
    app = open_page("overview.py", period="Last day")
    said = words(app)
    assert "What changed" in said
    assert [title for title in ("Hours", "Cameras", "Expressions") if f"**{title}**" in said] == [
        "Hours",
        "Cameras",
        "Expressions",
    ]
    parts = figures(app)["changed_cameras"]["data"][0]
    assert parts["y"][-1] == "All together"
    assert parts["text"][-1] == metrics_delta(app)


def test_a_few_people_of_one_camera_are_not_told_by_what_is_left_of_the_other(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    add_days(database, camera, {0: GLAD, 1: SAD})
    with database.write() as session:
        other = add_camera(session, "Checkout")
        add_read_video(session, other, ("happy",), name="one.mp4", captured_at=NOON)
    app = open_page("overview.py", period="Last day")
    assert "Cameras are withheld: too few people to show what each added." in words(app)
    assert "changed_expressions" in figures(app)
    assert not {"changed_cameras", "changed_hours"} & set(figures(app))


def metrics_delta(app: AppTest) -> str:
    return next(m.delta for m in app.metric if m.label == "Satisfaction index")


def test_one_day_alone_has_hours_and_no_trend(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    add_days(database, camera, {0: FAIR})
    app = open_page("overview.py")
    assert {"hours", "distribution"} <= set(figures(app))
    assert not {"trend", "week", "expressions_by_day"} & set(figures(app))
    assert "What changed" not in words(app)
    assert "against" not in words(app)


@ON_BOTH
def test_several_days_have_a_trend_with_target_and_the_hours_of_the_week(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    add_days(database, camera, {0: FAIR, 1: FAIR, 7: FAIR, 8: FAIR})
    with database.write() as session:
        (site,) = list_sites(session)
        set_target(session, site.id, 70)
    app = open_page("overview.py")
    shown = figures(app)
    assert {"trend", "week", "distribution", "expressions_by_day"} <= set(shown)
    assert "The 7 days before" in [trace["name"] for trace in shown["trend"]["data"]]
    assert "Target 70.0" in str(shown["trend"]["layout"]["annotations"])
    assert "below the target of 70.0" in words(app)


def test_withheld_days_and_hours_are_marks_and_no_figures(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    few = ("happy",) * 4
    add_days(database, camera, {0: few, 1: few})
    app = open_page("overview.py")
    assert metrics(app)["Satisfaction index"] == "Withheld"
    shown = figures(app)
    (marks,) = shown["week"]["data"]
    assert marks["name"] == "Withheld"
    assert "4 people read (fewer than 10)" in marks["customdata"][0]
    assert "2 of 2 days with people are withheld" in words(app)
    assert "What changed" not in words(app)


def test_a_link_shows_the_same_choice(open_page: OpenPage, database: Database, camera: int) -> None:
    add_days(database, camera, {0: FAIR, 1: SAD, 7: GLAD})
    with database.write() as session:
        add_read_video(session, add_camera(session, "Checkout"), FAIR, name="other.mp4")
    app = open_page("overview.py")
    app.selectbox(key="site").select("Site of Entrance").run()
    app.selectbox(key="period").select("Last day").run()
    app.selectbox(key="against").select("Same weekdays, last 4 weeks").run()
    assert not app.exception
    # The browser writes what was chosen into the address.
    there = open_page(
        "overview.py",
        site="Site of Entrance",
        period="Last day",
        against="Same weekdays, last 4 weeks",
    )
    assert words(there) == words(app)
    assert metrics(there) == metrics(app)


@pytest.mark.parametrize(
    "link",
    [
        {"site": "Nowhere", "camera": "None"},
        {"period": "Last century", "against": "The future"},
        {"period": "Choose dates", "dates": "soon"},
        {"period": "Everything", "against": "Same weekdays, last 4 weeks"},
    ],
)
def test_a_link_that_names_what_is_not_there_is_no_error(
    open_page: OpenPage, database: Database, camera: int, link: dict[str, str]
) -> None:
    add_days(database, camera, {0: FAIR, 40: FAIR})
    assert "Satisfaction index" in metrics(open_page("overview.py", **link))


@pytest.mark.parametrize(
    ("days", "repeats"), [(1, 4), (7, 4), (8, 2), (14, 2), (15, 1), (28, 1), (29, 0)]
)
def test_the_same_weekdays_meet_and_no_day_counts_twice(days: int, repeats: int) -> None:
    last = NOON.date()
    period = Period(last - timedelta(days=days - 1), last)
    others = period.same_weekdays()
    assert len(others) == repeats
    seen = [other.first + timedelta(days=day) for other in others for day in range(other.days)]
    assert len(set(seen)) == len(seen) == repeats * days
    assert all(period.first - timedelta(days=28 + 7) < day < period.first for day in seen)
    assert all(other.first.weekday() == period.first.weekday() for other in others)
    assert all(other.days == days for other in others)
