"""Settings: sites and cameras, how the index is scored, and what this installation is."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

import streamlit as st

from db.buckets import covered_span
from db.places import (
    CameraRow,
    SiteRow,
    delete_camera,
    delete_site,
    update_camera,
)
from pages.alert_rules import alert_rules
from pages.api_keys import api_keys
from pages.erasure_form import erase_time
from pages.format import counted, escaped
from pages.place_forms import (
    camera_form,
    edit_site,
    first_place_form,
    hours_words,
    saving,
    site_form,
)
from pages.retention_form import retention_form
from pages.score_editor import score_editor
from pages.state import database, sites
from pages.status_shown import status_shown
from pages.trouble import in_dialog
from pages.zones import zones_page
from reports.words import period_words
from settings import settings

_SECOND: Final = timedelta(seconds=1)


def page() -> None:
    all_sites = sites()
    asked_for = st.query_params.get("zones")
    if asked_for is not None:
        _zones(asked_for, all_sites)
        return
    st.title("Settings")
    st.subheader("Sites and cameras")
    if not all_sites:
        first_place_form()
    else:
        for site in all_sites:
            _site(site)
        with st.popover("Add a site", icon=":material/add_business:"):
            site_form()
    alert_rules(all_sites)
    score_editor(all_sites)
    retention_form()
    api_keys(all_sites)
    status_shown()
    _system(all_sites)


def _zones(asked_for: str, all_sites: Sequence[SiteRow]) -> None:
    """``asked_for``: the id as it stands in the address, which anybody can change."""
    for site in all_sites:
        for camera in site.cameras:
            if str(camera.id) == asked_for:
                zones_page(site, camera)
                return
    st.title("No such camera")
    st.info("It may have been deleted, or the address is not complete.")
    st.page_link("configuration.py", label="All settings", icon=":material/arrow_back:")


def _site(site: SiteRow) -> None:
    with st.container(border=True):
        with st.container(
            horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
        ):
            invented = " :orange-badge[Invented data]" if site.is_demonstration else ""
            name = escaped(site.name)
            st.markdown(f"**{name}**{invented}  \n:small[{_about(site)}]")
            with st.container(horizontal=True, width="content"):
                if st.button("Edit", key=f"edit_site_{site.id}", help=f"Edit {name}"):
                    edit_site(site)
                if st.button("Delete", key=f"delete_site_{site.id}", help=f"Delete {name}"):
                    _delete_site(site)
        for camera in site.cameras:
            _camera(site, camera)
        with st.popover("Add a camera", icon=":material/add:", key=f"add_camera_{site.id}"):
            camera_form([site], key=f"camera_form_{site.id}")


def _about(site: SiteRow) -> str:
    facts = [site.time_zone.replace("_", " ")]
    if site.target is not None:
        facts.append(f"target {site.target:.1f}")
    if site.opening_hours:
        facts.append(hours_words(site.opening_hours))
    return escaped(" · ".join(facts))


def _camera(site: SiteRow, camera: CameraRow) -> None:
    zones = len(camera.staff_zones)
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
    ):
        st.markdown(
            f":material/videocam: {escaped(camera.name)} · "
            f":small[{counted(camera.recordings, 'recording')}"
            f"{', ' + counted(zones, 'staff zone') if zones else ''}]"
        )
        with st.container(horizontal=True, width="content"):
            place = escaped(f"{site.name} / {camera.name}")
            if st.button(
                "Staff zones",
                key=f"zones_camera_{camera.id}",
                type="tertiary",
                help=f"Parts of the view of {place} that are left out",
            ):
                st.query_params["zones"] = str(camera.id)
                st.rerun()
            if st.button(
                "Rename", key=f"rename_camera_{camera.id}", type="tertiary", help=f"Rename {place}"
            ):
                _rename_camera(site, camera)
            if st.button(
                "Delete a time",
                key=f"erase_camera_{camera.id}",
                type="tertiary",
                help=f"Delete everybody whom {place} saw in a stretch of time",
            ):
                erase_time(site, camera)
            if st.button(
                "Delete", key=f"delete_camera_{camera.id}", type="tertiary", help=f"Delete {place}"
            ):
                _delete_camera(site, camera)


@st.dialog("Rename the camera")
@in_dialog
def _rename_camera(site: SiteRow, camera: CameraRow) -> None:
    name = st.text_input(f"Camera at {escaped(site.name)}", value=camera.name, max_chars=100)
    if st.button("Save", type="primary"):
        with saving(f"{escaped(site.name)} / {escaped(name)} was saved.") as session:
            update_camera(session, camera.id, name=name)


@st.dialog("Delete the site?")
@in_dialog
def _delete_site(site: SiteRow) -> None:
    recordings = sum(camera.recordings for camera in site.cameras)
    if _has_recordings(site.name, recordings):
        return
    cameras = counted(len(site.cameras), "camera")
    st.markdown(f"**{escaped(site.name)}** and its {cameras} will be gone.")
    _figures_that_go(site, site.cameras)
    if st.button("Delete for good", type="primary"):
        with saving(f"{escaped(site.name)} was deleted.") as session:
            delete_site(session, site.id)


@st.dialog("Delete the camera?")
@in_dialog
def _delete_camera(site: SiteRow, camera: CameraRow) -> None:
    if _has_recordings(f"{site.name} / {camera.name}", camera.recordings):
        return
    place = f"{escaped(site.name)} / {escaped(camera.name)}"
    st.markdown(f"**{place}** will be gone.")
    _figures_that_go(site, [camera])
    if st.button("Delete for good", type="primary"):
        with saving(f"{place} was deleted.") as session:
            delete_camera(session, camera.id)


def _figures_that_go(site: SiteRow, cameras: Sequence[CameraRow]) -> None:
    """Hours outlive the recordings that people were seen in, and go with their camera."""
    with database().read() as session:
        span = covered_span(session, [camera.id for camera in cameras])
    if span is None:
        st.markdown("No figure changes.")
        return
    zone = ZoneInfo(site.time_zone)
    first, last = (end.astimezone(zone).date() for end in (span[0], span[1] - _SECOND))
    st.warning(
        f"The figures of {period_words(first, last)} are kept without the recordings that they "
        "came from. They will be gone as well, and nothing brings them back.",
        icon=":material/warning:",
    )


def _has_recordings(name: str, recordings: int) -> bool:
    if recordings:
        st.markdown(
            f"**{escaped(name)}** still has {counted(recordings, 'recording')}. Delete "
            f"{'it' if recordings == 1 else 'them'} first, on **Recordings**."
        )
        st.page_link("recordings.py", label="Recordings", icon=":material/arrow_forward:")
    return recordings > 0


def _system(all_sites: Sequence[SiteRow]) -> None:
    here = settings()
    facts = {
        "Home folder": str(here.home),
        "Footage": "kept after reading" if here.keep_footage else "deleted after reading",
        "Figures shown from": f"{here.minimum_people} people on",
        "Worker": "started with this dashboard" if here.start_worker else "started separately",
    }
    cameras = sum(len(site.cameras) for site in all_sites)
    facts["Places"] = f"{counted(len(all_sites), 'site')}, {counted(cameras, 'camera')}"
    st.subheader("This installation")
    with st.container(border=True), st.grid(3, min_column_width=220):
        for label, value in facts.items():
            with st.container(gap=None):
                st.caption(label)
                st.markdown(escaped(value))
    st.caption("Settings of the installation are made by the administrator: docs/operations.md.")


if __name__ == "__main__":
    page()
