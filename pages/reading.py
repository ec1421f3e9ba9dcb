"""What is being read, as the database tells it: it survives leaving the page and a reload."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import streamlit as st

from db.recording_rows import RecordingRow, count_recordings, list_recordings
from db.recordings import RUNNING, cancel_recording
from db.tables import RecordingState
from pages.format import counted, escaped, time_left
from pages.state import database
from pages.trouble import callback, refreshing
from reports.words import people_words

_SHOWN = 10
_ENDED = tuple(state for state in RecordingState if state not in RUNNING)
_WAITING_LONG = timedelta(seconds=60)


def being_read(recent: Collection[int]) -> None:
    """Keeps itself up to date. ``recent``: ids whose end is shown here, too."""
    with database().read() as session:
        busy = count_recordings(session, states=RUNNING)
    if not busy and not recent:
        return
    # Seldom while nothing happens: somebody else may start something.
    refreshing(_show, every=1.5 if busy else 10)(tuple(recent))


def _show(recent: tuple[int, ...]) -> None:
    with database().read() as session:
        reading = list_recordings(
            session, states=(RecordingState.READING,), newest_first=False, limit=_SHOWN
        )
        readings = count_recordings(session, states=(RecordingState.READING,))
        waiting = list_recordings(
            session,
            states=(RecordingState.QUEUED,),
            newest_first=False,
            limit=max(_SHOWN - len(reading), 0),
        )
        waitings = count_recordings(session, states=(RecordingState.QUEUED,))
        ended = list_recordings(session, ids=recent, states=_ENDED, limit=_SHOWN)
        endings = count_recordings(session, ids=recent, states=_ENDED)
    if reading or waiting:
        st.subheader("Being read")
        st.caption("You can leave this page, or close it: reading goes on by itself.")
        if not reading and datetime.now(UTC) - waiting[0].created_at > _WAITING_LONG:
            st.warning(
                "Nothing is being read at the moment. If this lasts, no worker is running: see "
                "docs/operations.md, “Workers”."
            )
        for row in (*reading, *waiting):
            _unfinished(row)
        more = readings + waitings - len(reading) - len(waiting)
        if more:
            st.caption(f"… and {counted(more, 'more recording', 'more recordings')} waiting")
    if ended:
        with st.container(
            horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"
        ):
            st.subheader("Finished")
            st.page_link("overview.py", label="See the overview", icon=":material/monitoring:")
        for row in ended:
            _finished(row)
        if endings > len(ended):
            st.caption(f"… and {endings - len(ended):,} more, on **Recordings**")


def _unfinished(row: RecordingRow) -> None:
    with (
        st.container(border=True),
        st.container(horizontal=True, vertical_alignment="center"),
    ):
        with st.container():
            st.markdown(f"**{escaped(row.name)}** · {escaped(row.site)} / {escaped(row.camera)}")
            if row.state == RecordingState.QUEUED:
                st.progress(0.0, text="Waiting for its turn")
            else:
                left = "" if row.seconds_left is None else f", {time_left(row.seconds_left)}"
                st.progress(min(row.progress, 1.0), text=f"{100 * row.progress:.0f}% read{left}")
        st.button(
            "Cancel",
            key=f"cancel_{row.id}",
            help=f"Stop reading {escaped(row.name)}",
            on_click=_cancel,
            args=(row.id,),
        )


@callback
def _cancel(recording_id: int) -> None:
    with database().write() as session:
        cancel_recording(session, recording_id)


def _finished(row: RecordingRow) -> None:
    with st.container(border=True):
        with st.container(
            horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
        ):
            st.markdown(f"**{escaped(row.name)}** · {ending(row)}")
            st.page_link(
                "recordings.py",
                label="Open",
                icon=":material/arrow_forward:",
                query_params={"recording": str(row.id)},
            )
        if row.error:
            st.error(escaped(row.error))


def ending(row: RecordingRow) -> str:
    """What a recording came to, in a few words."""
    if row.state == RecordingState.FAILED:
        return "could not be read"
    if row.state == RecordingState.CANCELLED:
        return "cancelled"
    if not row.has_people:
        return "its people were deleted since"
    if not row.people:
        return "nobody's face was seen"
    unread = f", {row.unknown:,} not readable" if row.unknown else ""
    return f"{people_words(row.people)}{unread}"
