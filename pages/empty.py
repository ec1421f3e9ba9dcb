"""What a page shows as long as it has nothing to show: why that is, and the next step."""

import streamlit as st

from db.recording_rows import count_recordings
from db.recordings import RUNNING
from pages.state import database


def count_all() -> tuple[int, int]:
    """(recordings, those of them that are still to be read)."""
    with database().read() as session:
        recordings = count_recordings(session)
        unfinished = count_recordings(session, states=RUNNING)
    return recordings, unfinished


def no_figures_yet(recordings: int, unfinished: int, *, title: str, text: str) -> None:
    """For a page of figures where nobody was seen so far. ``title``, ``text``: what it is for,
    where there is no footage either."""
    if not recordings:
        nothing_uploaded(title, text)
        return
    with st.container(border=True):
        if unfinished:
            st.subheader("Reading has begun")
            st.markdown("The first figures appear here as soon as people were found.")
            st.page_link("upload.py", label="See how far", icon=":material/arrow_forward:")
            return
        st.subheader("No faces were found yet")
        st.markdown(
            "The recordings that were read hold nobody whose face could be seen. Look at "
            "**Recordings** for what each of them held, or upload footage in which people face "
            "the camera."
        )
        st.page_link("recordings.py", label="Recordings", icon=":material/arrow_forward:")


def nothing_uploaded(title: str, text: str) -> None:
    """Why the page is empty, and the way to Upload."""
    with st.container(border=True):
        st.subheader(title)
        st.markdown(text)
        if st.button("Upload footage", type="primary", icon=":material/upload_file:"):
            st.switch_page("upload.py")
