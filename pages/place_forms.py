"""Forms that add sites and cameras, on Upload and on Settings, and that change a site."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import groupby
from typing import Any, Final
from zoneinfo import available_timezones

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from db.places import (
    OpeningHours,
    PlaceError,
    SiteRow,
    create_camera,
    create_site,
    set_opening_hours,
    set_target,
    update_site,
)
from pages.format import escaped
from pages.state import browser_zone, database, say_after_rerun
from pages.trouble import in_dialog

NEW_CAMERA = "new_camera"
"""Session state: id of the camera that was just added, for the page to choose it."""

WEEKDAYS: Final = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)
_CLOCK: Final = r"(\d{1,2})(?:[:.h](\d{2}))?"
_STRETCH: Final = re.compile(rf"{_CLOCK}\s*(?:-|–|to)\s*{_CLOCK}")


@cache
def time_zones() -> tuple[str, ...]:
    """All that are named for a place, and UTC."""
    return (
        "UTC",
        *sorted(
            zone
            for zone in available_timezones()
            if "/" in zone and not zone.startswith(("Etc/", "SystemV/", "US/", "posix", "right"))
        ),
    )


def choose_time_zone(current: str | None, *, key: str) -> str:
    """``current``: the zone chosen at first; None takes the browser's."""
    zones = time_zones()
    proposed = current or browser_zone() or "UTC"
    if proposed not in zones:
        zones = (proposed, *zones) if proposed in available_timezones() else zones
    return st.selectbox(
        "Time zone of the store",
        zones,
        index=zones.index(proposed) if proposed in zones else 0,
        key=key,
        format_func=lambda zone: zone.replace("_", " "),
        help="Hours and days are counted on the store's own clock, summer time included.",
    )


@contextmanager
def saving(done: str) -> Iterator[Any]:
    """One transaction (gives its session); then the page is drawn anew and says ``done``. Where
    the change is refused, it says why, and nothing is changed."""
    try:
        with database().write() as session:
            yield session
    except PlaceError as error:
        st.error(escaped(str(error)))
        return
    say_after_rerun(done)
    st.rerun()


def first_place_form() -> None:
    """A site with its first camera, in one go."""
    with st.form("first_place"):
        st.subheader("Where was it taken?")
        st.markdown("Name the store and the camera; more can be added later, on **Settings**.")
        _site_fields("first_place", "Store", "Camera", "Save and go on", st.columns(2))


def site_form() -> None:
    """The same, beside sites that are there already."""
    with st.form("new_site", border=False):
        here = st.container()
        _site_fields("new_site", "Name of the site", "Its first camera", "Add site", (here, here))


def _site_fields(
    key: str, site_label: str, camera_label: str, button: str, where: Sequence[DeltaGenerator]
) -> None:
    site = where[0].text_input(site_label, placeholder="Main Street", max_chars=100)
    camera = where[1].text_input(camera_label, placeholder="Entrance", max_chars=100)
    zone = choose_time_zone(None, key=f"{key}_zone")
    if st.form_submit_button(button, type="primary"):
        with saving(f"{escaped(site)} / {escaped(camera)} was added.") as session:
            site_id = create_site(session, site, zone)
            st.session_state[NEW_CAMERA] = create_camera(session, site_id, camera)


def camera_form(sites: Sequence[SiteRow], *, key: str) -> None:
    """``sites``: those to choose from; no question is asked when there is one."""
    with st.form(key, border=False, clear_on_submit=False):
        site = sites[0]
        if len(sites) > 1:
            site = st.selectbox("Site", sites, format_func=lambda row: row.name, key=f"{key}_site")
        name = st.text_input("Name of the camera", placeholder="Entrance", max_chars=100)
        if st.form_submit_button("Add camera", type="primary"):
            with saving(f"{escaped(site.name)} / {escaped(name)} was added.") as session:
                st.session_state[NEW_CAMERA] = create_camera(session, site.id, name)


# Fields carry the site in their keys, and closing begins anew: what was entered for one site must
# not stand in the form of the next.
@st.dialog("Edit the site", width="medium", on_dismiss="rerun")
@in_dialog
def edit_site(site: SiteRow) -> None:
    """Name, time zone, target and opening hours; saved is what differs from ``site``."""
    name = st.text_input("Name", value=site.name, max_chars=100, key=f"site_name_{site.id}")
    zone = choose_time_zone(site.time_zone, key=f"zone_{site.id}")
    if zone != site.time_zone:
        st.caption("All figures of this site are then counted anew on the other clock.")
    target = st.number_input(
        "Target",
        0.0,
        100.0,
        site.target,
        1.0,
        format="%.1f",
        placeholder="no target",
        help="The satisfaction index that the site aims at, 0 to 100: a line in its charts, and "
        "what it is measured against. Empty: none.",
        width=200,
        key=f"site_target_{site.id}",
    )
    st.markdown("**Opening hours**")
    st.caption("Such as 9:00 to 20:00. An empty day is closed; all empty: not known.")
    known = site.opening_hours or (None,) * len(WEEKDAYS)
    with st.grid(2, min_column_width=200):
        written = [
            st.text_input(
                day,
                value=_stretch_words(stretch),
                key=f"hours_{site.id}_{day}",
                placeholder="closed" if site.opening_hours else "not known",
            )
            for day, stretch in zip(WEEKDAYS, known, strict=True)
        ]
    if st.button("Save", type="primary", key=f"save_site_{site.id}"):
        with saving(f"{escaped(name)} was saved.") as session:
            hours = read_hours(written)
            update_site(
                session,
                site.id,
                name=name if name != site.name else None,
                time_zone=zone if zone != site.time_zone else None,
            )
            if target != site.target:
                set_target(session, site.id, target)
            set_opening_hours(session, site.id, hours, shown=site.opening_hours)


def read_hours(written: Sequence[str]) -> OpeningHours:
    """Seven lines such as "9:00 to 20:00", from Monday on. Raises PlaceError for one that is not
    understood."""
    if not any(line.strip() for line in written):
        return ()
    return tuple(_read_stretch(day, line) for day, line in zip(WEEKDAYS, written, strict=True))


def _read_stretch(day: str, line: str) -> tuple[int, int] | None:
    if not line.strip() or line.strip().casefold() == "closed":
        return None
    found = _STRETCH.fullmatch(line.strip())
    if found is None:
        raise PlaceError(f"{day}: write opening hours like 9:00 to 20:00, or leave the day empty.")
    opens, opens_past, closes, closes_past = (int(part or 0) for part in found.groups())
    if max(opens_past, closes_past) > 59 or max(opens, closes) > 24:
        raise PlaceError(f"{day}: a day has hours from 0:00 to 24:00.")
    return opens * 60 + opens_past, closes * 60 + closes_past


def _stretch_words(stretch: tuple[int, int] | None) -> str:
    """(540, 1200) -> "9:00 to 20:00"; nothing for a closed day."""
    if stretch is None:
        return ""
    opens, closes = (f"{minute // 60}:{minute % 60:02}" for minute in stretch)
    return f"{opens} to {closes}"


def hours_words(hours: OpeningHours) -> str:
    """A week in words, days alike together: "Mon to Fri 9:00 to 20:00, Sat and Sun closed"."""
    parts = []
    for stretch, alike in groupby(zip(WEEKDAYS, hours, strict=False), key=lambda day: day[1]):
        days = [day[:3] for day, _ in alike]
        joined = " and " if len(days) == 2 else " to "
        named = days[0] if len(days) == 1 else f"{days[0]}{joined}{days[-1]}"
        parts.append(f"{named} {_stretch_words(stretch) or 'closed'}")
    return ", ".join(parts)
