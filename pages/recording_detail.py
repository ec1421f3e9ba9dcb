"""One recording: what it is, who was seen when, and what can be done with it."""

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from db.people import with_indices
from db.recording_rows import RecordingRow, get_recording
from db.recordings import (
    RUNNING,
    RecordingError,
    cancel_recording,
    read_first,
    retry_recording,
    set_captured_at,
)
from db.results import people_frame
from db.scores import active_score
from db.stills import footage_of
from db.tables import RecordingState
from fer_core.errors import SatisfaceError
from jobs.erasure import delete_for_good
from pages.downloads import recording_link
from pages.figures_shown import chart
from pages.filters import EARLIEST
from pages.format import (
    CAPTURED_FROM,
    STATES,
    counted,
    duration,
    escaped,
    footage_left,
    moment,
    moment_exact,
    size,
    time_left,
)
from pages.state import database, footage_store, say_after_rerun
from pages.trouble import draw_anew, in_dialog, refreshing
from reports.figures import timeline_figure
from reports.words import expression_words, people_words, share_words
from settings import settings

if TYPE_CHECKING:
    from jobs.stills import Still

_PEOPLE_SHOWN: Final = 500
_PICTURES: Final = 6
_STRETCH_MS: Final = 30 * 60_000
"""Of a longer recording a part is shown: people a second long cannot be told apart in a day."""


def detail(asked_for: str) -> None:
    """``asked_for``: the id as it stands in the address, which anybody can change."""
    st.button("All recordings", icon=":material/arrow_back:", type="tertiary", on_click=_leave)
    row = _find(asked_for)
    if row is None:
        st.title("No such recording")
        st.info("It may have been deleted, or the address is not complete.")
        return
    st.title(escaped(row.name))
    state = st.container()
    _facts(row)
    _actions(row)
    with state:  # after whatever opens a dialog
        _refreshing_state(row)
    if not row.has_people:
        st.info(
            "Its people were deleted, because their time was up or somebody asked for it. What "
            "hours and days count of them stays."
        )
    elif row.people:
        if not row.has_faces:
            st.caption(
                "Its single faces were deleted because their time was up; its people are kept."
            )
        _people(row)
    elif row.state == RecordingState.DONE:
        st.info("Nobody's face was seen in this recording.")
    if row.warnings:
        st.subheader("What could not be read")
        for warning in row.warnings:
            st.warning(escaped(str(warning)))


def _leave() -> None:
    del st.query_params["recording"]


def _find(asked_for: str) -> RecordingRow | None:
    if not asked_for.isdecimal() or len(asked_for) > 15:
        return None
    with database().read() as session:
        return get_recording(session, int(asked_for))


def _refreshing_state(row: RecordingRow) -> None:
    def show() -> None:
        now = _find(str(row.id))
        if now is None or now.state not in RUNNING:
            draw_anew()
        elif now.state == RecordingState.QUEUED:
            st.progress(0.0, text="Waiting for its turn")
        else:
            left = "" if now.seconds_left is None else f", {time_left(now.seconds_left)}"
            st.progress(min(now.progress, 1.0), text=f"{100 * now.progress:.0f}% read{left}")

    if row.state in RUNNING:
        refreshing(show, every=1.5)()
    elif row.state == RecordingState.FAILED:
        st.error(escaped(row.error or "It failed."), title="This recording could not be read")
    elif row.state == RecordingState.CANCELLED:
        st.info("Reading was cancelled. What was read until then is kept.")


def _facts(row: RecordingRow) -> None:
    facts = {
        "Camera": f"{escaped(row.site)} / {escaped(row.camera)}",
        "Taken": f"{moment_exact(row.captured_at, row.time_zone)}  \n"
        f":small[{CAPTURED_FROM.get(row.captured_from, row.captured_from)}]",
        "State": STATES[row.state],
        "People": f"{people_words(row.people)}  \n:small[{_read_words(row)}]"
        if row.people
        else "none",
    }
    kind = "Photo" if row.kind == "picture" else f"Video, {duration(row.duration_ms)}"
    facts["Footage"] = (
        f"{kind}  \n:small[{row.width} × {row.height} pixels, {size(row.bytes)}, "
        f"{'still kept' if row.has_footage else 'deleted after reading'}]"
    )
    facts["Uploaded"] = moment(row.created_at, row.time_zone)
    with st.container(border=True), st.grid(3, min_column_width=220):
        for label, value in facts.items():
            with st.container(gap=None):
                st.caption(label)
                st.markdown(value)


def _read_words(row: RecordingRow) -> str:
    faces = counted(row.faces, "face")
    if not row.unknown:
        return f"in {faces}"
    return f"in {faces}; {row.unknown:,} could not be read"


def _actions(row: RecordingRow) -> None:
    with st.container(horizontal=True):
        if row.state == RecordingState.QUEUED and st.button(
            "Read first",
            icon=":material/vertical_align_top:",
            help="Before all other recordings that wait; what is being read now goes on",
        ):
            _read_first(row)
        if row.state in RUNNING and st.button("Cancel reading", icon=":material/cancel:"):
            with database().write() as session:
                cancel_recording(session, row.id)
            st.rerun()
        again = row.state not in RUNNING and row.has_footage and row.has_people
        if again and st.button(
            "Read again",
            icon=":material/replay:",
            type="secondary" if row.state == RecordingState.DONE else "primary",
            help="What was read before is replaced, bit by bit",
        ):
            _read_again(row)
        if row.people and row.has_faces:
            st.link_button(
                "Download its rows (CSV)",
                recording_link(row),
                key="download_rows",
                icon=":material/download:",
                help="One row for each face: when, where in the picture, and its probabilities",
            )
        if row.has_people and st.button("Correct the time", icon=":material/schedule:"):
            _correct_time(row)
        if st.button("Delete", icon=":material/delete:"):
            _delete(row)


def _read_first(row: RecordingRow) -> None:
    with database().write() as session:
        waits = read_first(session, row.id)
    # Without a word where it ended meanwhile: the page then says how.
    if waits:
        say_after_rerun(f"{escaped(row.name)} goes before all others that wait.")
    st.rerun()


def _read_again(row: RecordingRow) -> None:
    try:
        with database().write() as session:
            retry_recording(session, row.id)
    except RecordingError as error:
        st.error(escaped(str(error)))
        return
    st.rerun()


@st.dialog("Correct the time", on_dismiss="rerun")
@in_dialog
def _correct_time(row: RecordingRow) -> None:
    zone = ZoneInfo(row.time_zone)
    st.markdown(
        f"When does **{escaped(row.name)}** begin, on the clock of {escaped(row.site)} "
        f"({row.time_zone.replace('_', ' ')})? Its people move to that time in every figure."
    )
    local = row.captured_at.astimezone(zone).replace(tzinfo=None)
    # Without bounds it takes only the ten years around the value, which may be what is wrong.
    tomorrow = datetime.now(zone).date() + timedelta(days=1)
    when = st.datetime_input(
        "Taken at",
        value=local,
        min_value=min(datetime.combine(EARLIEST, time()), local),
        max_value=max(datetime.combine(tomorrow, time(23, 59)), local),
        step=60,
        format="DD/MM/YYYY",
    )
    seconds = st.number_input("and seconds", 0, 59, local.second)
    if st.button("Save", type="primary") and isinstance(when, datetime):
        is_same_minute = when == local.replace(second=0, microsecond=0)
        begin = when.replace(
            second=int(seconds),
            microsecond=0,
            tzinfo=zone,
            # The hour that an autumn night has twice: what was not changed stays in its own.
            fold=local.fold if is_same_minute else 0,
        )
        try:
            with database().write() as session:
                set_captured_at(session, row.id, begin, added_at=row.created_at)
        except RecordingError as error:
            st.error(escaped(str(error)))
            return
        say_after_rerun(f"{escaped(row.name)} now begins at {moment_exact(begin, row.time_zone)}.")
        st.rerun()


@st.dialog("Delete this recording?", on_dismiss="rerun")
@in_dialog
def _delete(row: RecordingRow) -> None:
    st.markdown(
        f"**{escaped(row.name)}** and everything read from it will be gone: "
        f"{people_words(row.people)}, {counted(row.faces, 'face')}"
        f"{', and its footage' if row.has_footage else ''}. {_after_deletion(row)} "
        "This cannot be undone."
    )
    with st.container(horizontal=True):
        if st.button("Delete for good", type="primary"):
            _delete_for_good(row)
            st.switch_page("recordings.py")
        if st.button("Keep it"):
            st.rerun()


def _delete_for_good(row: RecordingRow) -> None:
    try:
        is_whole = delete_for_good(database(), footage_store(), row.id, row.created_at)
    except RecordingError:
        say_after_rerun(f"{escaped(row.name)} no longer exists: it was deleted meanwhile.")
    else:
        left = "" if is_whole else footage_left("Its")
        say_after_rerun(f"{escaped(row.name)} was deleted.", undone=left)


def _after_deletion(row: RecordingRow) -> str:
    if not row.has_people:
        return "What hours and days count of its people stays: nobody can be told from it."
    return f"All figures of {escaped(row.site)} / {escaped(row.camera)} change accordingly."


def _people(row: RecordingRow) -> None:
    with database().read() as session:
        people = with_indices(people_frame(session, row.id), active_score(session))
    st.subheader("Who was seen when" if row.kind == "video" else "Who was seen")
    stretch = None
    if row.kind == "video":
        stretch = _choose_stretch(row, people)
        chart(
            timeline_figure(people, row.captured_at, row.time_zone, stretch),
            key="timeline",
            says="The people of this recording over time, by expression",
        )
    # Decoding takes a moment: the rest of the page does not wait for it.
    pictures = st.container()
    if stretch is not None:
        people = people[(people["end_ms"] >= stretch[0]) & (people["start_ms"] < stretch[1])]
    shown = people.head(_PEOPLE_SHOWN)
    expressions = [c for c in shown.columns if c.startswith("p_")]
    surest = shown[expressions].max(axis="columns") if expressions else pd.Series(dtype=float)
    table = pd.DataFrame(
        {
            "Expression": [
                "Could not be read" if e == "unknown" else expression_words(e)
                for e in shown["expression"]
            ],
            "Sure": ["–" if pd.isna(p) else share_words(float(p)) for p in surest],
            "Faces": shown["faces"].to_numpy(),
        }
    )
    if row.kind == "video":
        first_seen = pd.to_datetime(row.captured_at) + pd.to_timedelta(shown["start_ms"], unit="ms")
        clock = first_seen.dt.tz_convert(row.time_zone).dt.strftime("%H:%M:%S")
        table.insert(0, "From", clock.to_numpy())
        table.insert(
            1,
            "Seen for",
            [
                duration(end - start)
                for start, end in zip(shown["start_ms"], shown["end_ms"], strict=True)
            ],
        )
        for title, column in (("At first", "start_index"), ("At the end", "end_index")):
            table[title] = ["–" if pd.isna(index) else f"{index:.0f}" for index in shown[column]]
    st.dataframe(
        table,
        hide_index=True,
        key="people",
        alt="The people of this recording",
        column_config={
            "From": st.column_config.TextColumn(help="First seen, on the site's clock"),
            "Sure": st.column_config.TextColumn(
                help="The probability of the expression, averaged over the person's faces"
            ),
            "Faces": st.column_config.NumberColumn(
                help="Pictures of the person's face that were looked at", format="localized"
            ),
            "At first": st.column_config.TextColumn(
                help="Satisfaction index, 0 to 100, over the first two seconds"
            ),
            "At the end": st.column_config.TextColumn(
                help="Satisfaction index, 0 to 100, over the last two seconds"
            ),
        },
    )
    if len(people) > _PEOPLE_SHOWN:
        st.caption(f"The first {_PEOPLE_SHOWN} of {people_words(len(people))}; the CSV has all.")
    if row.has_footage:
        with pictures:
            _pictures(row, stretch)


def _choose_stretch(row: RecordingRow, people: pd.DataFrame) -> tuple[int, int] | None:
    """A part of a long recording, in its milliseconds; None shows all of a short one."""
    length = max(row.duration_ms, int(people["end_ms"].max()) + 1)
    if length <= 2 * _STRETCH_MS:
        return None
    per_stretch = (people["start_ms"] // _STRETCH_MS).value_counts()
    options = list(range(-(-length // _STRETCH_MS)))

    def words(option: int) -> str:
        ends = (option * _STRETCH_MS, min((option + 1) * _STRETCH_MS, length))
        first, last = (row.captured_at + timedelta(milliseconds=ms) for ms in ends)
        zone = ZoneInfo(row.time_zone)
        came = people_words(int(per_stretch.get(option, 0)))
        return f"{first.astimezone(zone):%H:%M} to {last.astimezone(zone):%H:%M} · {came}"

    chosen = st.selectbox(
        "Part of the recording",
        options,
        index=int(per_stretch.index.min()),
        format_func=words,
        key=f"part_{row.id}",
        width=320,
    )
    return chosen * _STRETCH_MS, min((chosen + 1) * _STRETCH_MS, length)


def _pictures(row: RecordingRow, stretch: tuple[int, int] | None) -> None:
    """What the camera saw, from the beginning to the end, with all faces hidden."""
    first, last = stretch or (0, row.duration_ms)
    step = (last - first) / _PICTURES
    moments = [0]
    if row.kind == "video":
        moments = [round(first + step * (place + 0.5)) for place in range(_PICTURES)]
    try:
        found = _stills(row.id, moments, row.created_at, row.finished_at)
    except SatisfaceError as error:
        st.caption(escaped(str(error)))
        return
    if not found:
        st.caption("The footage is not in the store any more.")
        return
    with st.grid(len(moments), min_column_width=120 if len(moments) > 1 else 300):
        for still in found:
            at = row.captured_at + timedelta(milliseconds=still.time_ms)
            clock = f"{at.astimezone(ZoneInfo(row.time_zone)):%H:%M:%S}"
            st.image(
                still.jpeg,
                caption=clock if row.kind == "video" else None,
                width="stretch" if len(moments) > 1 else 480,
            )
    st.caption("Faces are hidden.")


@st.cache_data(show_spinner="Looking for pictures …", max_entries=20)
def _stills(
    recording_id: int,
    moments: list[int],
    added_at: datetime,  # noqa: ARG001  once a backup was restored, ids are given again
    read_at: datetime | None,  # noqa: ARG001  read anew, other faces are known
) -> "list[Still]":
    from jobs.stills import stills  # decodes: not for the first page to load

    with database().read() as session:
        footage = footage_of(session, recording_id, moments)
    if footage is None:
        return []
    try:
        return stills(
            footage_store(),
            footage.key,
            moments,
            seen=footage.seen,
            width=640,
            limits=settings().footage_limits,
        )
    except FileNotFoundError:
        return []
