"""Deletion on request: everybody whom a camera saw in a stretch of time."""

from datetime import datetime, time

import streamlit as st

from db.erasure import recordings_touching
from db.places import CameraRow, SiteRow
from fer_core.errors import SatisfaceError
from jobs.erasure import erase, widest
from pages.filters import taken_bounds
from pages.format import counted, escaped, footage_left
from pages.state import database, footage_store, say_after_rerun
from pages.trouble import in_dialog
from reports.words import people_words


@st.dialog("Delete what the camera saw", on_dismiss="rerun")
@in_dialog
def erase_time(site: SiteRow, camera: CameraRow) -> None:
    place = f"{escaped(site.name)} / {escaped(camera.name)}"
    st.markdown(
        f"Everybody whom **{place}** saw in a stretch of time goes, with all their faces, the "
        "footage that shows them, and their part of each hour. Since nobody is recognised, a "
        "request can only be answered by time and place."
    )
    clock = f"on the clock of {site.time_zone.replace('_', ' ')}"
    start, end = _moment(f"From, {clock}"), _moment("To (itself not included)")
    if start is None or end is None:
        return
    try:
        first, last = widest(start, end, site.time_zone)
    except SatisfaceError as error:
        st.error(escaped(str(error)))
        return
    with database().read() as session:
        recordings = len(recordings_touching(session, camera.id, first, last))
    if recordings:
        touched = counted(recordings, "recording touches", "recordings touch")
        st.markdown(
            f"{touched} this time: footage goes whole, and what was not read of it yet never will "
            "be. This cannot be undone."
        )
    else:
        st.markdown("No recording touches this time; only sums of its hours may be left.")
    if st.button("Delete for good", type="primary"):
        gone = erase(database(), footage_store(), camera.id, first, last)
        told = [people_words(gone.people), f"{counted(gone.footage, 'piece')} of footage"]
        if gone.hours:
            told.append(f"{counted(gone.hours, 'hour')} of which only sums were left")
        left = footage_left("Some") if gone.footage_left else ""
        say_after_rerun(f"Deleted of {place}: {', '.join(told)}.", undone=left)
        st.rerun()


def _moment(label: str) -> datetime | None:
    earliest, latest = taken_bounds()
    chosen = st.datetime_input(
        label,
        value=None,
        min_value=datetime.combine(earliest, time()),
        max_value=datetime.combine(latest, time(23, 59)),
        step=60,
        format="DD/MM/YYYY",
    )
    return chosen if isinstance(chosen, datetime) else None
