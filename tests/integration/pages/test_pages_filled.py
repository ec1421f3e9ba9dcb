"""The pages show what the database holds, with people and intervals, or say why not.

What a dialog does once it is answered is tested in a browser: AppTest closes it at the next run.
"""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from analytics.scores import DEFAULT_SCORE
from db.engine import Database
from db.keys import Scope, create_key
from db.places import create_camera, create_site, list_sites, set_target
from db.queue import claim, fail
from db.recording_rows import get_recording
from db.recordings import cancel_recording, delete_recording, footage_released
from db.retention import seal_people
from db.scores import save_score
from pages.format import escaped
from tests.chosen_database import ON_BOTH
from tests.integration.pages.conftest import OpenPage
from tests.integration.pages.words import buttons, markdown, metrics, words
from tests.unit.db.made_rows import MINUTE, NOON, Person, Scene, add_camera, add_video, read_segment

pytestmark = ON_BOTH

FAIR = ("happy",) * 12 + ("neutral",) * 5 + ("sad",) * 3 + ("unknown",) * 2
"""22 people, 20 of them read, 12 happy."""


def add_read_video(
    session: Session,
    camera: int,
    expressions: tuple[str, ...] = FAIR,
    *,
    name: str = "monday.mp4",
    captured_at: datetime = NOON,
) -> int:
    people = [
        Person([n * 5000, n * 5000 + 1000], expression) for n, expression in enumerate(expressions)
    ]
    scene = Scene(people, segments=1, warnings={0: ("Ten seconds could not be decoded.",)})
    recording = add_video(session, camera, segments=1, name=name, captured_at=captured_at)
    read_segment(session, recording, scene, 0, now=captured_at + timedelta(minutes=1))
    return recording


@pytest.fixture
def camera(database: Database) -> int:
    with database.write() as session:
        return add_camera(session)


def test_overview_shows_the_figures_of_the_newest_days(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        add_read_video(session, camera)
    app = open_page("overview.py")
    shown = metrics(app)
    # Mean probabilities: 0.7 of the own expression, 0.05 of each other one.
    happy, neutral, sad = 0.7 - 4 * 0.05, 0.05 - 4 * 0.05, 0.05 - 0.7 - 3 * 0.05
    index = 50 * (1 + (12 * happy + 5 * neutral + 3 * sad) / 20)
    assert shown["Satisfaction index"] == f"{index:.1f}"
    assert shown["People"] == "22"
    assert shown["Share happy"] == "60%"
    assert shown["Share negative"] == "15%"
    said = words(app)
    assert "from 20 people read" in said
    assert "Between 39% and 78%" in said  # Wilson, 12 of 20
    assert "2 of them could not be read" in said
    assert "24 Feb 2026 to 2 Mar 2026" in said


def test_overview_compares_with_the_period_before(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        add_read_video(session, camera)
        add_read_video(
            session,
            camera,
            ("happy",) * 15 + ("sad",) * 5,
            name="sunday.mp4",
            captured_at=NOON - timedelta(days=1),
        )
    app = open_page("overview.py", period="Last day")
    deltas = {metric.label: metric.delta for metric in app.metric}
    assert deltas["People"] == "+2"
    assert deltas["Share happy"] == "−15 points"
    assert metrics(open_page("overview.py"))["People"] == "42"


def test_the_choice_in_the_address_is_heeded(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        add_read_video(session, camera)
        second = add_camera(session, "Checkout")
        add_read_video(session, second, FAIR * 2, name="other.mp4")
    assert metrics(open_page("overview.py"))["People"] == "66"
    app = open_page("overview.py", site="Site of Checkout")
    assert metrics(app)["People"] == "44"


def test_few_people_are_withheld_in_words(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        add_read_video(session, camera, ("happy",) * 9)
    for file in ("overview.py", "report.py"):
        app = open_page(file)
        assert metrics(app)["Satisfaction index"] == "Withheld"
        assert metrics(app)["Share happy"] == "Withheld"
        assert metrics(app)["People"] == "9"
        assert "9 people read; shown from 10 people on." in words(app)


def test_a_site_in_another_zone_counts_by_its_own_days(
    open_page: OpenPage, database: Database
) -> None:
    with database.write() as session:
        site = create_site(session, "Tokyo", "Asia/Tokyo")
        gate = create_camera(session, site, "Gate")
        add_read_video(session, gate, captured_at=datetime(2026, 3, 2, 20, 0, tzinfo=UTC))
    assert "3 Mar 2026, on each site's own clock" in words(
        open_page("overview.py", period="Last day")
    )


def test_footage_without_faces_is_told_from_no_footage(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        add_read_video(session, camera, ())
    assert "No faces were found yet" in words(open_page("overview.py"))


def test_invented_data_is_marked_wherever_it_shows(open_page: OpenPage, database: Database) -> None:
    with database.write() as session:
        site = create_site(session, "Harbour", "Europe/Lisbon", is_demonstration=True)
        create_camera(session, site, "Gate")
    for file in (
        "overview.py",
        "upload.py",
        "recordings.py",
        "report.py",
        "configuration.py",
    ):
        assert any("Invented data" in warning.value for warning in open_page(file).warning)
    # The recogniser's figures are measured.
    assert not open_page("model.py").warning


NAMES = {
    what: f"![{what}](http://example.org/{what}.png) **b** :red[x] <b>"
    for what in ("site", "camera", "recording", "score", "key")
}


@pytest.mark.parametrize(
    ("file", "query", "named"),
    [
        ("overview.py", {}, {"site", "score"}),
        ("compare.py", {}, {"camera", "score"}),
        ("upload.py", {}, {"site", "camera", "recording"}),
        ("recordings.py", {}, {"site", "camera", "recording"}),
        ("recordings.py", {"recording": "1"}, {"site", "camera", "recording"}),
        ("report.py", {}, {"score"}),
        ("configuration.py", {}, {"site", "camera", "score", "key"}),
        ("configuration.py", {"zones": "1"}, {"site", "camera"}),
    ],
)
def test_a_name_is_never_taken_for_markup(
    open_page: OpenPage, database: Database, file: str, query: dict[str, str], named: set[str]
) -> None:
    with database.write() as session:
        site = create_site(session, NAMES["site"], "Europe/Berlin")
        set_target(session, site, 90)  # an alert names the site
        camera = create_camera(session, site, NAMES["camera"])
        later = NOON + timedelta(days=1)  # of a day that is half read no alert is given
        for recording in (
            add_read_video(session, camera, name=NAMES["recording"]),
            add_video(session, camera, name=NAMES["recording"], captured_at=later),
        ):
            footage_released(session, recording, f"key of {NAMES['recording']}")
        add_read_video(session, create_camera(session, site, "Other"), name="other.mp4")
        save_score(session, DEFAULT_SCORE.weights[::-1], name="Before")
        save_score(session, DEFAULT_SCORE.weights, name=NAMES["score"])
        save_score(session, DEFAULT_SCORE.weights[::-1], name=NAMES["score"])
        create_key(session, NAMES["key"], [Scope.READ], site_ids=[site])
    texts = markdown(open_page(file, **query))
    written = {what for what in NAMES if any(escaped(NAMES[what]) in text for text in texts)}
    assert written >= named
    assert [text for text in texts if any(name in text for name in NAMES.values())] == []


def test_a_name_is_not_taken_for_markup_in_a_dialog(
    open_page: OpenPage, database: Database
) -> None:
    with database.write() as session:
        site = create_site(session, NAMES["site"], "Europe/Berlin")
        camera = create_camera(session, site, NAMES["camera"])
        create_key(session, NAMES["key"], [Scope.READ])
    for key, label in (
        (f"edit_site_{site}", "Save"),
        (f"delete_site_{site}", "Delete for good"),
        (f"rename_camera_{camera}", "Save"),
        (f"delete_camera_{camera}", "Delete for good"),
        (f"erase_camera_{camera}", "Delete a time"),
        ("revoke_api_key_1", "Revoke"),
    ):
        app = open_page("configuration.py").button(key=key).click().run()
        assert not app.exception
        assert label in buttons(app)
        raw = [text for text in markdown(app) if any(name in text for name in NAMES.values())]
        assert raw == []


def test_recordings_are_listed_with_state_people_and_error(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        add_read_video(session, camera)
        broken = add_video(session, camera, name="broken.mp4")
        lease = claim(session, "w", 30, NOON)
        assert lease is not None
        assert lease.recording_id == broken
        fail(
            session,
            lease,
            "broken.mp4: the file is damaged.",
            permanent=True,
            max_attempts=3,
            now=NOON,
        )
        add_video(session, camera, name="waiting.mp4")
    said = words(open_page("recordings.py"))
    assert "3 recordings" in said
    assert "22 people, 2 not readable" in said
    assert "broken.mp4: the file is damaged." in said
    assert "Waiting" in said
    only_failed = words(open_page("recordings.py", state="Failed"))
    assert "1 recording" in only_failed
    assert "22 people" not in only_failed
    assert "No recording fits" in words(open_page("recordings.py", search="nowhere"))


def test_a_failed_recording_says_why_and_can_be_read_again(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        recording = add_video(session, camera, name="broken.mp4")
        lease = claim(session, "w", 30, NOON)
        assert lease is not None
        fail(session, lease, "broken.mp4: torn.", permanent=True, max_attempts=3, now=NOON)
    app = open_page("recordings.py", recording=str(recording))
    assert "broken.mp4: torn." in words(app)
    next(b for b in app.button if b.label == "Read again").click().run()
    with database.read() as session:
        row = get_recording(session, recording)
    assert row is not None
    assert row.state == "queued"


def test_a_failed_recording_without_footage_cannot_be_read_again(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        recording = add_video(session, camera)
        cancel_recording(session, recording)
        footage_released(session, recording, "key of monday.mp4")
    assert "Read again" not in buttons(open_page("recordings.py", recording=str(recording)))


def test_a_waiting_recording_can_be_cancelled(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        recording = add_video(session, camera)
    app = open_page("recordings.py", recording=str(recording))
    next(b for b in app.button if b.label == "Cancel reading").click().run()
    assert "Reading was cancelled" in words(app)


def test_a_done_recording_shows_people_warnings_and_facts(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        recording = add_read_video(session, camera)
    app = open_page("recordings.py", recording=str(recording))
    said = words(app)
    assert "22 people" in said
    assert "in 44 faces; 2 could not be read" in said
    assert "Ten seconds could not be decoded." in said
    assert "2 Mar 2026, 13:00:00 CET" in said  # 12:00 UTC in Berlin
    table = app.dataframe[0].value
    assert len(table) == 22
    assert list(table["Expression"]).count("Happy") == 12
    assert list(table["Expression"]).count("Could not be read") == 2


@pytest.mark.parametrize("asked_for", ["77", "abc", "-1", "9" * 40, "1 OR 1=1"])
def test_a_missing_recording_is_said_plainly(open_page: OpenPage, asked_for: str) -> None:
    assert "No such recording" in words(open_page("recordings.py", recording=asked_for))


def test_deleting_asks_first_and_says_what_goes_along(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        recording = add_read_video(session, camera)
        footage_released(session, recording, "key of monday.mp4")
    app = open_page("recordings.py", recording=str(recording))
    app = next(b for b in app.button if b.label == "Delete").click().run()
    assert "22 people, 44 faces" in words(app)
    assert "Delete for good" in buttons(app)
    with database.read() as session:
        assert get_recording(session, recording) is not None


def test_the_capture_time_is_corrected_on_the_clock_of_the_site(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        recording = add_read_video(session, camera)
    app = open_page("recordings.py", recording=str(recording))
    app = next(b for b in app.button if b.label == "Correct the time").click().run()
    assert app.datetime_input[0].value == datetime(2026, 3, 2, 13, 0)  # noqa: DTZ001
    assert "(Europe/Berlin)" in words(app)


def test_upload_shows_what_is_being_read_and_cancels_it(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        recording = add_video(session, camera, name="monday.mp4", segment_ms=5 * MINUTE)
    app = open_page("upload.py")
    assert "Being read" in words(app)
    assert "monday.mp4" in words(app)
    next(b for b in app.button if b.label == "Cancel").click().run()
    with database.read() as session:
        row = get_recording(session, recording)
    assert row is not None
    assert row.state == "cancelled"


def test_settings_refuse_to_delete_what_recordings_hang_on(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    with database.write() as session:
        add_video(session, camera)
    app = open_page("configuration.py")
    app = app.button(key=f"delete_camera_{camera}").click().run()
    assert "still has 1 recording" in words(app)
    assert "Delete for good" not in buttons(app)


def test_settings_ask_before_they_delete(
    open_page: OpenPage, database: Database, camera: int
) -> None:
    app = open_page("configuration.py")
    app = app.button(key=f"delete_camera_{camera}").click().run()
    assert "will be gone" in words(app)
    assert "No figure changes." in words(app)
    assert "Delete for good" in buttons(app)
    with database.read() as session:
        assert [site.name for site in list_sites(session)] == ["Site of Entrance"]


@pytest.mark.parametrize("what", ["site", "camera"])
def test_figures_that_outlived_their_recordings_are_named_before_they_go(
    open_page: OpenPage, database: Database, camera: int, what: str
) -> None:
    with database.write() as session:
        recording = add_read_video(session, camera)
        seal_people(session, recording)
        delete_recording(session, recording)
        (site,) = list_sites(session)
    key = f"delete_{what}_{camera if what == 'camera' else site.id}"
    shown = words(open_page("configuration.py").button(key=key).click().run())
    assert "The figures of 2 Mar 2026 are kept without the recordings" in shown
    assert "No figure changes." not in shown


def test_model_shows_its_figures_with_intervals(open_page: OpenPage) -> None:
    app = open_page("model.py")
    assert metrics(app)["Read right"].endswith("%")
    assert "What it cannot do" in words(app)


def test_a_missing_model_is_said_plainly(
    open_page: OpenPage, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATISFACE_MODEL_DIR", str(tmp_path_factory.mktemp("no_model")))
    assert "card.json is missing" in words(open_page("model.py"))
    assert "is missing" in words(open_page("configuration.py"))
