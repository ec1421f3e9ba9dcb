"""Sites and cameras."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import available_timezones

from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session

from db.schedules import forget_site
from db.tables import Camera, Recording, Site
from fer_core.errors import SatisfaceError

StaffZones = tuple[tuple[tuple[float, float], ...], ...]
"""Polygons of three corners or more, (x, y) from 0 to 1 of the frame's width and height."""

OpeningHours = tuple[tuple[int, int] | None, ...]
"""Empty where they are not known; else seven entries from Monday on: (opens, closes) in minutes
since local midnight, at most 24 * 60, or None for a day on which the site is closed."""

_NAME_LENGTH = 100
_MINUTES: Final = 24 * 60
_DAYS: Final = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)


class PlaceError(SatisfaceError):
    """A site or camera cannot be made, changed or deleted so; the message says why."""


@dataclass(frozen=True, slots=True)
class CameraRow:
    """``recordings``: how many it has, in any state."""

    id: int
    site_id: int
    name: str
    staff_zones: StaffZones
    recordings: int


@dataclass(frozen=True, slots=True)
class SiteRow:
    """``cameras`` by name. ``is_demonstration``: its data is invented. ``opening_hours``: see
    OpeningHours. ``target``: the index that it aims at, 0 to 100."""

    id: int
    name: str
    time_zone: str
    is_demonstration: bool
    cameras: tuple[CameraRow, ...]
    opening_hours: OpeningHours = ()
    target: float | None = None


def list_sites(session: Session) -> list[SiteRow]:
    """All sites with their cameras, by name."""
    counted = select(Recording.camera_id, func.count()).group_by(Recording.camera_id)
    recordings = {row[0]: row[1] for row in session.execute(counted)}
    cameras: dict[int, list[CameraRow]] = {}
    for camera in sorted(session.scalars(select(Camera)), key=lambda one: _order(one.name)):
        row = CameraRow(
            id=camera.id,
            site_id=camera.site_id,
            name=camera.name,
            staff_zones=_as_zones(camera.staff_zones),
            recordings=recordings.get(camera.id, 0),
        )
        cameras.setdefault(camera.site_id, []).append(row)
    return [
        SiteRow(
            id=site.id,
            name=site.name,
            time_zone=site.time_zone,
            is_demonstration=site.is_demonstration,
            cameras=tuple(cameras.get(site.id, ())),
            opening_hours=_as_hours(site.opening_hours),
            target=site.target,
        )
        for site in sorted(session.scalars(select(Site)), key=lambda one: _order(one.name))
    ]


def _order(name: str) -> tuple[list[str | int], str]:
    """Where a name stands in a list, as people look for it: letters without case and accents, and
    numbers by their value. Databases differ in that, and SQLite knows A to Z alone."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    parts = re.split(r"(\d+)", letters)
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def create_site(
    session: Session,
    name: str,
    time_zone: str,
    is_demonstration: bool = False,
    *,
    now: datetime | None = None,
) -> int:
    """Raises PlaceError where the name is empty, too long or taken, or the zone is unknown."""
    site = Site(
        name=_site_name(session, name),
        time_zone=_time_zone(time_zone),
        is_demonstration=is_demonstration,
        created_at=now or datetime.now(UTC),
    )
    session.add(site)
    session.flush()
    # A plan from an earlier version, or from a form that was open while a backup was restored, may
    # name a deleted site whose number is given once more.
    forget_site(session, site.id)
    return site.id


def update_site(
    session: Session, site_id: int, *, name: str | None = None, time_zone: str | None = None
) -> None:
    """Change what is given. A new time zone moves the site's hours: its buckets are rebuilt.

    Raises PlaceError as create_site does, or where the site is gone.
    """
    site = _site(session, site_id)
    if name is not None:
        site.name = _site_name(session, name, besides=site_id)
    if time_zone is not None and time_zone != site.time_zone:
        site.time_zone = _time_zone(time_zone)
        session.flush()
        from db.buckets import rebuild_buckets  # with pandas, which pages without figures spare

        cameras = session.scalars(select(Camera.id).where(Camera.site_id == site_id)).all()
        rebuild_buckets(session, cameras)
    session.flush()


def set_opening_hours(
    session: Session, site_id: int, hours: OpeningHours, *, shown: OpeningHours | None = None
) -> None:
    """``shown``: what ``hours`` were made from; a day that is as in it stays as it is stored now.
    Raises PlaceError where they are no seven days, or a day closes before it opens."""
    site = _site(session, site_id)
    checked = _hours(hours)
    if shown is not None:
        checked = _changed_days(checked, _hours(shown), site.opening_hours)
    site.opening_hours = checked
    session.flush()


def set_target(session: Session, site_id: int, target: float | None) -> None:
    """``target``: an index, 0 to 100; None where the site has none. Raises PlaceError."""
    site = _site(session, site_id)
    if target is not None and not 0 <= target <= 100:
        raise PlaceError("A target is an index from 0 to 100.")
    site.target = target
    session.flush()


def delete_site(session: Session, site_id: int) -> None:
    """Delete a site and its cameras; schedules that name it say that it is gone. Raises PlaceError
    while one of them has recordings."""
    site = _site(session, site_id)
    cameras = select(Camera.id).where(Camera.site_id == site_id)
    if session.scalar(select(exists().where(Recording.camera_id.in_(cameras)))):
        raise PlaceError(f"The site {site.name} still has recordings. Delete its recordings first.")
    forget_site(session, site_id)
    session.execute(delete(Camera).where(Camera.site_id == site_id))
    session.execute(delete(Site).where(Site.id == site_id))


def create_camera(
    session: Session,
    site_id: int,
    name: str,
    staff_zones: Sequence[Sequence[Sequence[float]]] = (),
    *,
    now: datetime | None = None,
) -> int:
    """``staff_zones``: see StaffZones. Raises PlaceError where the name is empty, too long or
    taken in this site, where a zone is no polygon, or where the site is gone."""
    _site(session, site_id)
    camera = Camera(
        site_id=site_id,
        name=_camera_name(session, site_id, name),
        staff_zones=_zones(staff_zones),
        created_at=now or datetime.now(UTC),
    )
    session.add(camera)
    session.flush()
    return camera.id


def update_camera(
    session: Session,
    camera_id: int,
    *,
    name: str | None = None,
    staff_zones: Sequence[Sequence[Sequence[float]]] | None = None,
) -> None:
    """Change what is given. Staff zones hold for footage that is read from now on.

    Raises PlaceError as create_camera does, or where the camera is gone.
    """
    camera = _camera(session, camera_id)
    if name is not None:
        camera.name = _camera_name(session, camera.site_id, name, besides=camera_id)
    if staff_zones is not None:
        camera.staff_zones = _zones(staff_zones)
    session.flush()


def delete_camera(session: Session, camera_id: int) -> None:
    """Raises PlaceError while the camera has recordings."""
    camera = _camera(session, camera_id)
    if session.scalar(select(exists().where(Recording.camera_id == camera_id))):
        raise PlaceError(
            f"The camera {camera.name} still has recordings. Delete its recordings first."
        )
    session.execute(delete(Camera).where(Camera.id == camera_id))


def _site(session: Session, site_id: int) -> Site:
    site = session.get(Site, site_id)
    if site is None:
        raise PlaceError("This site no longer exists.")
    return site


def _camera(session: Session, camera_id: int) -> Camera:
    camera = session.get(Camera, camera_id)
    if camera is None:
        raise PlaceError("This camera no longer exists.")
    return camera


def _site_name(session: Session, name: str, *, besides: int | None = None) -> str:
    clean = _name(name, "site")
    for other_id, other in session.execute(select(Site.id, Site.name)):
        if other_id != besides and other.casefold() == clean.casefold():
            raise PlaceError(f"There is already a site named {other}.")
    return clean


def _camera_name(session: Session, site_id: int, name: str, *, besides: int | None = None) -> str:
    clean = _name(name, "camera")
    cameras = select(Camera.id, Camera.name).where(Camera.site_id == site_id)
    for other_id, other in session.execute(cameras):
        if other_id != besides and other.casefold() == clean.casefold():
            raise PlaceError(f"This site already has a camera named {other}.")
    return clean


def _name(name: str, kind: str) -> str:
    """Without space around or line breaks inside, or PlaceError."""
    clean = " ".join(name.split())
    if not clean:
        raise PlaceError(f"A {kind} needs a name.")
    if len(clean) > _NAME_LENGTH:
        raise PlaceError(f"The name of a {kind} can have at most {_NAME_LENGTH} letters.")
    return clean


def _time_zone(name: str) -> str:
    if name not in available_timezones():
        raise PlaceError(f"There is no time zone named {name}. A name is like Europe/Berlin.")
    return name


def _hours(hours: OpeningHours) -> list[list[int] | None]:
    if len(hours) not in (0, len(_DAYS)):
        raise PlaceError("Opening hours are told for all seven days of the week, or not at all.")
    for day, stretch in zip(_DAYS, hours, strict=False):
        if stretch is not None and not 0 <= stretch[0] < stretch[1] <= _MINUTES:
            raise PlaceError(f"On {day} the store must close after it opens, by midnight.")
    return [None if stretch is None else [int(m) for m in stretch] for stretch in hours]


def _changed_days(
    hours: list[list[int] | None], shown: list[list[int] | None], stored: list[Any]
) -> list[Any]:
    """``stored`` with the days that ``hours`` has otherwise than ``shown``; empty stands for a week
    without hours, which is what comes out where no day is left."""
    closed = [None] * len(_DAYS)
    each = zip(hours or closed, shown or closed, stored or closed, strict=True)
    week = [now if day == old else day for day, old, now in each]
    if week == (stored or closed):
        return stored
    return week if any(week) else []


def _as_hours(stored: list[Any]) -> OpeningHours:
    return tuple(None if stretch is None else (stretch[0], stretch[1]) for stretch in stored)


def _zones(zones: Sequence[Sequence[Sequence[float]]]) -> list[list[list[float]]]:
    for zone in zones:
        if len(zone) < 3:
            raise PlaceError("A staff zone needs three corners or more.")
        if not all(len(corner) == 2 and all(0 <= v <= 1 for v in corner) for corner in zone):
            raise PlaceError("The corners of a staff zone must lie inside the picture.")
    return [[[float(x), float(y)] for x, y in zone] for zone in zones]


def _as_zones(stored: list[list[list[float]]]) -> StaffZones:
    return tuple(tuple((x, y) for x, y in zone) for zone in stored)
