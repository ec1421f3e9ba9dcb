"""A change for the worse is never green."""

from datetime import timedelta

import pytest

from db.engine import Database
from tests.integration.pages.conftest import OpenPage
from tests.integration.pages.test_pages_filled import add_read_video
from tests.unit.db.made_rows import NOON, add_camera

HAPPY = ("happy",) * 40
SAD = ("sad",) * 40


@pytest.mark.parametrize(("before", "now", "better"), [(HAPPY, SAD, False), (SAD, HAPPY, True)])
def test_better_is_green_and_worse_is_red(
    open_page: OpenPage,
    database: Database,
    before: tuple[str, ...],
    now: tuple[str, ...],
    better: bool,
) -> None:
    with database.write() as session:
        camera = add_camera(session)
        yesterday = NOON - timedelta(days=1)
        add_read_video(session, camera, before, name="before.mp4", captured_at=yesterday)
        add_read_video(session, camera, now, name="now.mp4")
    app = open_page("overview.py", period="Last day")
    colours = {metric.label: metric.proto.color for metric in app.metric}
    told = ("Satisfaction index", "Share happy", "Share negative")
    green, red = type(app.metric[0].proto).GREEN, type(app.metric[0].proto).RED
    assert {colours[label] for label in told} == {green if better else red}
