"""Forms that add sites and cameras, on Upload and on Settings."""

from collections.abc import Sequence
from functools import cache
from zoneinfo import available_timezones

import streamlit as st

from db.places import PlaceError, SiteRow, create_camera, create_site
from pages.format import escaped
from pages.state import database, say_after_rerun

NEW_CAMERA = "new_camera"
"""Session state: id of the camera that was just added, for the page to choose it."""


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
    proposed = current or st.context.timezone or "UTC"
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


def first_place_form() -> None:
    """A site with its first camera, in one go."""
    with st.form("first_place"):
        st.subheader("Where was it taken?")
        st.markdown("Name the store and the camera; more can be added later, on **Settings**.")
        left, right = st.columns(2)
        site = left.text_input("Store", placeholder="Main Street", max_chars=100)
        camera = right.text_input("Camera", placeholder="Entrance", max_chars=100)
        zone = choose_time_zone(None, key="first_place_zone")
        if st.form_submit_button("Save and go on", type="primary"):
            _add_site(site, camera, zone)


def site_form() -> None:
    with st.form("new_site", border=False):
        name = st.text_input("Name of the site", placeholder="Main Street", max_chars=100)
        camera = st.text_input("Its first camera", placeholder="Entrance", max_chars=100)
        zone = choose_time_zone(None, key="new_site_zone")
        if st.form_submit_button("Add site", type="primary"):
            _add_site(name, camera, zone)


def _add_site(site: str, camera: str, zone: str) -> None:
    try:
        with database().write() as session:
            site_id = create_site(session, site, zone)
            st.session_state[NEW_CAMERA] = create_camera(session, site_id, camera)
    except PlaceError as error:
        st.error(str(error))
        return
    say_after_rerun(f"{escaped(site)} / {escaped(camera)} was added.")
    st.rerun()


def camera_form(sites: Sequence[SiteRow], *, key: str) -> None:
    """``sites``: those to choose from; no question is asked when there is one."""
    with st.form(key, border=False, clear_on_submit=False):
        site = sites[0]
        if len(sites) > 1:
            site = st.selectbox("Site", sites, format_func=lambda row: row.name, key=f"{key}_site")
        name = st.text_input("Name of the camera", placeholder="Entrance", max_chars=100)
        if st.form_submit_button("Add camera", type="primary"):
            try:
                with database().write() as session:
                    st.session_state[NEW_CAMERA] = create_camera(session, site.id, name)
            except PlaceError as error:
                st.error(str(error))
                return
            say_after_rerun(f"{escaped(site.name)} / {escaped(name)} was added.")
            st.rerun()
