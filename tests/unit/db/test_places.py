"""Sites and cameras: what is kept and what is refused, in sentences."""

import pytest

from db.buckets import read_buckets
from db.engine import Database
from db.places import (
    OpeningHours,
    PlaceError,
    create_camera,
    create_site,
    delete_camera,
    delete_site,
    list_sites,
    set_opening_hours,
    set_target,
    update_camera,
    update_site,
)
from tests.unit.db.made_rows import Person, Scene, add_video, read_next

SQUARE = (((0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5)),)


def test_sites_and_cameras_come_back_by_name(database: Database) -> None:
    with database.write() as session:
        south = create_site(session, "South", "Asia/Kolkata", is_demonstration=True)
        create_site(session, "North", "Europe/Berlin")
        create_camera(session, south, "Till", SQUARE)
        entrance = create_camera(session, south, "Entrance")
        add_video(session, entrance)
    with database.read() as session:
        north, south_row = list_sites(session)
    assert (north.name, north.time_zone, north.is_demonstration, north.cameras) == (
        "North",
        "Europe/Berlin",
        False,
        (),
    )
    assert (south_row.id, south_row.is_demonstration) == (south, True)
    assert [(c.name, c.staff_zones, c.recordings) for c in south_row.cameras] == [
        ("Entrance", (), 1),
        ("Till", SQUARE, 0),
    ]


def test_places_stand_in_the_order_of_people(database: Database) -> None:
    """Not of computers, which put Z before a, and ö behind all."""
    names = ["Camera 10", "camera 2", "Österreich", "Zebra", "aldi", "Apple", "Camera 1", "Ost"]
    ordered = ["aldi", "Apple", "Camera 1", "camera 2", "Camera 10", "Ost", "Österreich", "Zebra"]
    with database.write() as session:
        for name in names:
            create_site(session, name, "UTC")
        site = list_sites(session)[0]
        for name in names:
            create_camera(session, site.id, name)
        sites = list_sites(session)
    assert [site.name for site in sites] == ordered
    assert [camera.name for camera in sites[0].cameras] == ordered


def test_names_are_tidied(database: Database) -> None:
    with database.write() as session:
        create_site(session, "  Main\n Street ", "UTC")
        assert [site.name for site in list_sites(session)] == ["Main Street"]


@pytest.mark.parametrize(
    ("name", "time_zone", "sentence"),
    [
        ("", "UTC", "A site needs a name."),
        (" \t", "UTC", "A site needs a name."),
        ("x" * 101, "UTC", "The name of a site can have at most 100 letters."),
        ("Nord", "UTC", "There is already a site named NORD."),
        ("South", "Berlin", "There is no time zone named Berlin. A name is like Europe/Berlin."),
        ("South", "../etc", "There is no time zone named ../etc. A name is like Europe/Berlin."),
    ],
)
def test_a_site_that_cannot_be_is_refused(
    database: Database, name: str, time_zone: str, sentence: str
) -> None:
    with database.write() as session:
        create_site(session, "NORD", "UTC")
        with pytest.raises(PlaceError) as refused:
            create_site(session, name, time_zone)
        assert str(refused.value) == sentence


def test_two_sites_may_each_have_an_entrance_but_not_one_two(database: Database) -> None:
    with database.write() as session:
        north, south = create_site(session, "North", "UTC"), create_site(session, "South", "UTC")
        create_camera(session, north, "Entrance")
        create_camera(session, south, "Entrance")
        with pytest.raises(PlaceError, match=r"^This site already has a camera named Entrance\.$"):
            create_camera(session, south, "ENTRANCE")


@pytest.mark.parametrize(
    ("zones", "sentence"),
    [
        ((((0, 0), (1, 1)),), "A staff zone needs three corners or more."),
        ((((0, 0), (1, 1), (2, 0)),), "The corners of a staff zone must lie inside the picture."),
        (
            (((0, 0), (1, 1), (float("nan"), 0)),),
            "The corners of a staff zone must lie inside the picture.",
        ),
    ],
)
def test_staff_zones_are_polygons_inside_the_picture(
    database: Database, zones: tuple[tuple[tuple[float, float], ...], ...], sentence: str
) -> None:
    with database.write() as session:
        site = create_site(session, "North", "UTC")
        with pytest.raises(PlaceError) as refused:
            create_camera(session, site, "Till", zones)
        assert str(refused.value) == sentence


def test_changes_leave_alone_what_is_not_named(database: Database) -> None:
    with database.write() as session:
        site = create_site(session, "North", "UTC")
        camera = create_camera(session, site, "Till", SQUARE)
        update_site(session, site, name="Northern")
        update_camera(session, camera, name="Tills")
        update_site(session, site, name="Northern")  # its own name is not taken
    with database.read() as session:
        (row,) = list_sites(session)
    assert (row.name, row.time_zone) == ("Northern", "UTC")
    assert [(c.name, c.staff_zones) for c in row.cameras] == [("Tills", SQUARE)]


def test_what_is_gone_cannot_be_changed(database: Database) -> None:
    with database.write() as session:
        with pytest.raises(PlaceError, match=r"^This site no longer exists\.$"):
            update_site(session, 7, name="North")
        with pytest.raises(PlaceError, match=r"^This camera no longer exists\.$"):
            update_camera(session, 7, name="Till")
        with pytest.raises(PlaceError, match=r"^This site no longer exists\.$"):
            create_camera(session, 7, "Till")


def test_places_with_recordings_stay_until_those_are_deleted(database: Database) -> None:
    with database.write() as session:
        site = create_site(session, "North", "UTC")
        camera = create_camera(session, site, "Till")
        spare = create_camera(session, site, "Spare")
        add_video(session, camera)
        with pytest.raises(PlaceError, match=r"^The camera Till still has recordings\."):
            delete_camera(session, camera)
        with pytest.raises(PlaceError, match=r"^The site North still has recordings\."):
            delete_site(session, site)
        delete_camera(session, spare)
        (row,) = list_sites(session)
        assert [c.name for c in row.cameras] == ["Till"]


def test_a_site_without_recordings_goes_with_its_cameras(database: Database) -> None:
    with database.write() as session:
        site = create_site(session, "North", "UTC")
        create_camera(session, site, "Till")
        delete_site(session, site)
        assert list_sites(session) == []


def test_another_time_zone_moves_the_hours_of_the_site(database: Database) -> None:
    scene = Scene([Person([45 * 60_000])], segments=1, segment_ms=60 * 60_000)
    with database.write() as session:
        site = create_site(session, "North", "UTC")
        add_video(session, create_camera(session, site, "Till"), segments=1, segment_ms=3_600_000)
        read_next(session, scene)
        assert f"{read_buckets(session)['hour'].item():%H:%M}" == "12:00"
        update_site(session, site, time_zone="Asia/Kolkata")
        assert f"{read_buckets(session)['hour'].item():%H:%M}" == "12:30"


WEEK = (*((9 * 60, 20 * 60),) * 5, (10 * 60, 24 * 60), None)


def test_a_site_has_opening_hours_and_a_target(database: Database) -> None:
    with database.write() as session:
        site = create_site(session, "North", "UTC")
        assert (list_sites(session)[0].opening_hours, list_sites(session)[0].target) == ((), None)
        set_opening_hours(session, site, WEEK)
        set_target(session, site, 62.5)
    with database.write() as session:
        (row,) = list_sites(session)
        assert (row.opening_hours, row.target) == (WEEK, 62.5)
        set_opening_hours(session, site, ())
        set_target(session, site, None)
    with database.read() as session:
        (row,) = list_sites(session)
        assert (row.opening_hours, row.target) == ((), None)


CLOSED: OpeningHours = (None,) * 7


@pytest.mark.parametrize(
    ("stored", "shown", "hours", "then"),
    [
        (WEEK, WEEK, WEEK, WEEK),
        (WEEK, WEEK, (), ()),
        (WEEK, (), (*CLOSED[:6], (600, 900)), (*WEEK[:6], (600, 900))),
        (WEEK, (), (), WEEK),
        ((), WEEK, WEEK, ()),
        ((), WEEK, ((600, 900), *WEEK[1:]), ((600, 900), *CLOSED[1:])),
        (CLOSED, CLOSED, (), CLOSED),
    ],
)
def test_a_day_that_was_left_as_shown_stays_as_it_is_stored(
    database: Database,
    stored: OpeningHours,
    shown: OpeningHours,
    hours: OpeningHours,
    then: OpeningHours,
) -> None:
    with database.write() as session:
        site = create_site(session, "North", "UTC")
        set_opening_hours(session, site, stored)
        set_opening_hours(session, site, hours, shown=shown)
    with database.read() as session:
        assert list_sites(session)[0].opening_hours == then


@pytest.mark.parametrize(
    ("hours", "sentence"),
    [
        (WEEK[:6], "for all seven days"),
        (((600, 600), *WEEK[1:]), "On Monday the store must close after it opens"),
        ((*WEEK[:6], (600, 1441)), "On Sunday the store must close"),
        ((*WEEK[:6], (-1, 600)), "On Sunday the store must close"),
    ],
)
def test_opening_hours_that_are_none_are_refused(
    database: Database, hours: OpeningHours, sentence: str
) -> None:
    with database.write() as session:
        site = create_site(session, "North", "UTC")
        with pytest.raises(PlaceError, match=sentence):
            set_opening_hours(session, site, hours)


@pytest.mark.parametrize("target", [-0.1, 100.1, float("nan"), float("inf")])
def test_a_target_off_the_scale_is_refused(database: Database, target: float) -> None:
    with database.write() as session:
        site = create_site(session, "North", "UTC")
        with pytest.raises(PlaceError, match="from 0 to 100"):
            set_target(session, site, target)
