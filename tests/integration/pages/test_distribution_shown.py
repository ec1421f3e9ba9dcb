"""The corrected distribution is offered where it was seen to help, with its error."""

import dataclasses
from datetime import timedelta

import pytest

from db.engine import Database
from fer_core.model_card import DistributionError, read_metrics
from pages import distribution_shown
from pages.distribution_shown import CORRECTED, COUNTED
from tests.integration.pages.conftest import OpenPage
from tests.integration.pages.test_pages_filled import add_read_video
from tests.integration.pages.words import words
from tests.unit.db.made_rows import NOON, add_camera

MANY = (("happy",) * 5 + ("neutral",) * 8 + ("sad",) * 2) * 10
"""150 people."""


def fill(database: Database, expressions: tuple[str, ...]) -> None:
    with database.write() as session:
        camera = add_camera(session)
        for place in range(0, len(expressions), 50):
            at, part = NOON + timedelta(minutes=place), expressions[place : place + 50]
            add_read_video(session, camera, part, name=f"{place}.mp4", captured_at=at)


def test_it_is_chosen_by_the_address_and_says_how_far_off_it_is(
    open_page: OpenPage, database: Database
) -> None:
    fill(database, MANY)
    errors = {error.people: error for error in read_metrics().distribution}
    assert errors
    counted = open_page("overview.py")
    assert f"off by {100 * errors[100].counted:.1f} points" in words(counted)
    assert "explain best" not in words(counted)
    corrected = open_page("overview.py", shares=CORRECTED)
    assert "explain best what it read" in words(corrected)
    assert f"off by {100 * errors[100].corrected:.1f} points" in words(corrected)
    again = open_page("overview.py", shares=COUNTED)
    assert "explain best" not in words(again)


HELPS = DistributionError(100, 0.04, 0.03, 0.95)
HELPS_NOT = DistributionError(100, 0.03, 0.04, 0.9)


@pytest.mark.parametrize(
    ("measured", "people"), [((), MANY), ((HELPS_NOT,), MANY), ((HELPS,), MANY[:60])]
)
def test_a_correction_that_was_not_seen_to_help_so_few_or_at_all_is_not_offered(
    open_page: OpenPage,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    measured: tuple[DistributionError, ...],
    people: tuple[str, ...],
) -> None:
    metrics = dataclasses.replace(read_metrics(), distribution=measured)
    monkeypatch.setattr(distribution_shown, "_metrics", lambda: metrics)
    fill(database, people)
    app = open_page("overview.py", shares=CORRECTED)
    assert "known faces" not in words(app)
