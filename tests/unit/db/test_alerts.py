"""Rules are kept, and cameras are called silent by what the database knows of them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session

from analytics.alert_rules import DEFAULT_RULES, AlertKind, AlertRule
from analytics.alerts import WatchedSite
from analytics.silence import Silence
from db.alerts import read_alerts, read_rules, remove_rule, save_rule, silent_cameras
from db.engine import Database
from db.places import create_camera, create_site, delete_site, list_sites, set_opening_hours
from db.queue import fail
from db.recordings import cancel_recording, readable_again, retry_recording
from tests.unit.db.made_rows import (
    NOON,
    Person,
    Scene,
    add_video,
    lease_segment,
    read_segment,
)

SATURDAY = date(2026, 11, 21)
MONDAY = SATURDAY + timedelta(days=2)
BERLIN = ZoneInfo("Europe/Berlin")
SILENT = DEFAULT_RULES[AlertKind.SILENT]
HOUR_MS = 3_600_000
WORKING_DAY = Scene(
    [Person([hour * HOUR_MS + 60_000, hour * HOUR_MS + 120_000]) for hour in range(9)],
    1,
    9 * HOUR_MS,
)


def test_rules_are_kept_for_every_site_and_for_one(database: Database) -> None:
    with database.write() as session:
        site = create_site(session, "Main Street", "UTC")
        everywhere = AlertRule(AlertKind.SILENT, None, 6.0)
        here = AlertRule(AlertKind.SILENT, site, 8.0, is_enabled=False)
        save_rule(session, everywhere)
        save_rule(session, here)
        assert read_rules(session) == [everywhere, here]
        changed = replace(everywhere, threshold=7.0)
        save_rule(session, changed)
        assert read_rules(session) == [here, changed]
        remove_rule(session, AlertKind.SILENT, None)
        assert read_rules(session) == [here]


def test_the_rules_of_a_site_go_with_it(database: Database) -> None:
    with database.write() as session:
        site = create_site(session, "Main Street", "UTC")
        save_rule(session, replace(SILENT, site_id=site))
    with database.write() as session:
        delete_site(session, site)
        assert read_rules(session) == []


def film(
    session: Session,
    camera: int,
    days: Iterable[date],
    *,
    seen: bool = True,
    opens: int = 9,
    late: timedelta = timedelta(minutes=10),
) -> list[int]:
    """A recording of nine hours of each day, with somebody in each hour or nobody, added ``late``
    after its end and read within a minute; returns their ids."""
    scene = WORKING_DAY if seen else Scene([], 1, 9 * HOUR_MS)
    added = []
    for day in days:
        begin = datetime.combine(day, time(opens), BERLIN).astimezone(UTC)
        came = begin + timedelta(hours=9) + late
        recording = add_video(
            session,
            camera,
            segments=1,
            segment_ms=9 * HOUR_MS,
            name=f"{day}.mp4",
            captured_at=begin,
            now=came,
        )
        read_segment(session, recording, scene, 0, now=came + timedelta(minutes=1))
        added.append(recording)
    return added


def working_days(last: date, count: int = 20) -> list[date]:
    back = [last - timedelta(days=n) for n in range(2 * count)]
    return [day for day in back if day.weekday() < 6][:count]


def judged(session: Session, now: datetime, rules: Iterable[AlertRule] = ()) -> dict[int, Silence]:
    return silent_cameras(session, list_sites(session), list(rules), now=now)


def monday_at(hour: int) -> datetime:
    return datetime.combine(MONDAY, time(hour), BERLIN).astimezone(UTC)


@pytest.fixture
def camera(database: Database) -> int:
    with database.write() as session:
        site = create_site(session, "Main Street", "Europe/Berlin")
        set_opening_hours(session, site, (*[(540, 1080)] * 6, None))
        return create_camera(session, site, "Entrance")


def test_a_camera_that_stopped_is_silent(database: Database, camera: int) -> None:
    with database.write() as session:
        film(session, camera, working_days(SATURDAY))
        assert judged(session, monday_at(12)) == {}
        found = judged(session, monday_at(15))[camera]
    assert (found.hours, found.usual, found.is_filmed, found.by_habit) == (5, 0, False, False)


def test_a_rule_says_after_how_many_hours_and_whether_at_all(
    database: Database, camera: int
) -> None:
    with database.write() as session:
        film(session, camera, working_days(SATURDAY))
        later = monday_at(15)
        assert judged(session, later, [replace(SILENT, threshold=6.0)]) == {}
        assert judged(session, later, [replace(SILENT, is_enabled=False)]) == {}
        (site,) = list_sites(session)
        mine = replace(SILENT, site_id=site.id, threshold=2.0)
        assert list(judged(session, monday_at(12), [mine])) == [camera]


def test_footage_with_nobody_in_it_is_told_from_none(database: Database, camera: int) -> None:
    with database.write() as session:
        film(session, camera, working_days(SATURDAY))
        film(session, camera, [MONDAY], seen=False)
        assert judged(session, monday_at(20))[camera].is_filmed


def test_uploads_take_their_usual_time(database: Database, camera: int) -> None:
    """Brought the next morning: on Monday afternoon nothing is missing yet."""
    with database.write() as session:
        film(session, camera, working_days(SATURDAY), late=timedelta(hours=16))
        assert judged(session, monday_at(17)) == {}
        assert list(judged(session, monday_at(17) + timedelta(days=1))) == [camera]


def test_footage_that_is_brought_by_the_week_is_not_judged(database: Database, camera: int) -> None:
    with database.write() as session:
        film(session, camera, working_days(SATURDAY), late=timedelta(days=4))
        assert judged(session, monday_at(17) + timedelta(days=3)) == {}


def test_a_camera_whose_footage_waits_is_not_silent(database: Database, camera: int) -> None:
    with database.write() as session:
        film(session, camera, working_days(SATURDAY))
        add_video(session, camera, name="waiting.mp4", captured_at=monday_at(9))
        assert judged(session, monday_at(17)) == {}


def test_a_camera_whose_footage_was_read_again_falls_silent_all_the_same(
    database: Database, camera: int
) -> None:
    """Weeks after most of it was taken; meanwhile nobody can tell."""
    with database.write() as session:
        added = film(session, camera, working_days(SATURDAY))
        assert readable_again(session, camera) == added[::-1]
        for recording in added:
            retry_recording(session, recording)
        assert judged(session, monday_at(15)) == {}
        for recording in added:
            read_segment(session, recording, WORKING_DAY, 0, now=monday_at(10))
        assert judged(session, monday_at(12)) == {}
        assert judged(session, monday_at(15))[camera].hours == 5


@pytest.mark.parametrize("is_filmed", [False, True])
def test_footage_that_failed_is_told_from_none(
    database: Database, camera: int, *, is_filmed: bool
) -> None:
    with database.write() as session:
        film(session, camera, working_days(SATURDAY))
        if is_filmed:
            film(session, camera, [MONDAY], seen=False)
        assert not judged(session, monday_at(20))[camera].has_failed
        broken = add_video(session, camera, name="broken.mp4", captured_at=monday_at(9))
        lease = lease_segment(session, broken, 0, now=monday_at(10))
        fail(session, lease, "Damaged.", permanent=True, max_attempts=3, now=monday_at(10))
        silent = judged(session, monday_at(20))[camera]
        assert (silent.has_failed, silent.is_filmed) == (True, is_filmed)


def test_footage_that_was_cancelled_is_told_from_none(database: Database, camera: int) -> None:
    with database.write() as session:
        film(session, camera, working_days(SATURDAY))
        cancel_recording(session, add_video(session, camera, captured_at=monday_at(9)))
        assert judged(session, monday_at(20))[camera].has_failed


def test_footage_that_failed_before_says_nothing_of_the_silence(
    database: Database, camera: int
) -> None:
    with database.write() as session:
        film(session, camera, working_days(SATURDAY))
        before = monday_at(9) - timedelta(days=3)
        cancel_recording(session, add_video(session, camera, captured_at=before))
        assert not judged(session, monday_at(20))[camera].has_failed


def test_days_whose_footage_waits_are_told_to_whoever_looks_for_drops(
    database: Database, camera: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of this week: a recording that waits since a month ago is no matter."""
    told: list[WatchedSite] = []
    monkeypatch.setattr("db.alerts.find_alerts", lambda _, sites, *__, **___: told.extend(sites))
    with database.write() as session:
        create_camera(session, create_site(session, "Side Street", "UTC"), "Till")
        for days in (30, 2, 0):
            begin = monday_at(9) - timedelta(days=days)
            add_video(session, camera, name=f"{days}.mp4", captured_at=begin)
        read_alerts(
            session,
            list_sites(session),
            first=SATURDAY - timedelta(days=30),
            last=MONDAY,
            minimum_people=10,
            now=monday_at(20),
        )
    assert {site.name: site.unread for site in told} == {
        "Main Street": {camera: {SATURDAY, MONDAY}},
        "Side Street": {},
    }


@pytest.mark.usefixtures("camera")
def test_a_camera_without_any_footage_is_not_silent(database: Database) -> None:
    with database.write() as session:
        assert judged(session, NOON) == {}


def test_the_clock_of_an_invented_site_stands_where_its_data_ends(database: Database) -> None:
    with database.write() as session:
        site = create_site(session, "Harbour", "Europe/Berlin", is_demonstration=True)
        first, second = (create_camera(session, site, name) for name in ("Gate", "Till"))
        film(session, first, working_days(SATURDAY))
        film(session, second, working_days(SATURDAY)[1:])
        long_after = monday_at(17) + timedelta(days=3)
        assert list(judged(session, long_after)) == [second]


def test_a_camera_that_sees_people_until_midnight_fell_silent_on_that_day(
    database: Database, camera: int
) -> None:
    """The newest day with people, on which the pages' periods end by default, says so."""
    with database.write() as session:
        film(session, camera, working_days(SATURDAY), opens=15)
        (site,) = list_sites(session)
        set_opening_hours(session, site.id, (*[(15 * 60, 24 * 60)] * 6, None))

        def alerts(last: date) -> list[tuple[AlertKind, int | None]]:
            found = read_alerts(
                session,
                list_sites(session),
                first=last - timedelta(days=6),
                last=last,
                minimum_people=10,
                now=monday_at(22),
            )
            return [(alert.kind, alert.camera_id) for alert in found]

        assert alerts(SATURDAY) == [(AlertKind.SILENT, camera)]
        assert alerts(SATURDAY - timedelta(days=1)) == []
