"""Recordings: what was uploaded, how far it is, what it held; one of them by ?recording=ID."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, TypedDict

import streamlit as st

from db.recording_rows import RecordingRow, TakenBetween, count_recordings, list_recordings
from db.recordings import RUNNING
from db.tables import RecordingState
from pages.empty import nothing_uploaded
from pages.filters import choose_places, chosen_days, taken_bounds
from pages.format import STATES, counted, duration, escaped, moment, time_left
from pages.reading import ending
from pages.recording_detail import detail
from pages.state import Place, database, places, sites
from pages.trouble import refreshing

_PAGE_SIZE: Final = 20
_PAGE: Final = "page"
_LAST_CHOICE: Final = "recordings_choice"
_ALL = "All"
_BY_WORDS = {words: state for state, words in STATES.items()}
_COLOURS: dict[str, "str"] = {
    "queued": "gray",
    "reading": "blue",
    "done": "green",
    "failed": "red",
    "cancelled": "gray",
}


def page() -> None:
    asked_for = st.query_params.get("recording")
    if asked_for is not None:
        # Leaving the list takes its filters out of the address, and this with them: put it back.
        st.query_params["recording"] = asked_for
        detail(asked_for)
        return
    st.title("Recordings")
    everywhere = places(sites())
    with database().read() as session:
        total = count_recordings(session)
    if not total:
        nothing_uploaded(
            "Nothing was uploaded yet",
            "Every photo and video that you upload is listed here, with what it held.",
        )
        return
    earliest, latest = taken_bounds()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = choose_places(everywhere)
        state = st.selectbox(
            "State", [_ALL, *_BY_WORDS], key="state", bind="query-params", width=130
        )
        days = st.date_input(
            "Taken",
            value=[],
            min_value=earliest,
            max_value=latest,
            format="DD/MM/YYYY",
            key="taken",
            bind="query-params",
            width=255,
            help="One day or a stretch of days, on each site's own calendar; empty: any",
        )
        search = st.text_input(
            "Search",
            key="search",
            bind="query-params",
            placeholder="File, site or camera",
            width=200,
        )
    choice = _Choice(
        states=None if state == _ALL else (_BY_WORDS[str(state)],),
        camera_ids=None
        if len(chosen) == len(everywhere)
        else tuple(place.camera.id for place in chosen),
        search=search,
        taken=_stretches(chosen, days),
    )
    with database().read() as session:
        found = count_recordings(session, **choice.filters)
    if not found:
        st.info("No recording fits this choice.")
        return
    st.caption(counted(found, "recording"))
    listing = st.container()
    number = _page_number(found, choice)
    with listing:
        _refreshing_list(choice, number)


class _Filters(TypedDict):
    states: tuple[str, ...] | None
    camera_ids: tuple[int, ...] | None
    search: str
    taken: tuple[TakenBetween, ...] | None


@dataclass(frozen=True, slots=True)
class _Choice:
    """What is listed; see list_recordings."""

    states: tuple[str, ...] | None
    camera_ids: tuple[int, ...] | None
    search: str
    taken: tuple[TakenBetween, ...] | None

    @property
    def filters(self) -> _Filters:
        return _Filters(
            states=self.states, camera_ids=self.camera_ids, search=self.search, taken=self.taken
        )


def _stretches(chosen: Sequence[Place], days: tuple[date, ...]) -> tuple[TakenBetween, ...] | None:
    """The days as each site's clock has them; None for any time."""
    period = chosen_days(days)
    if period is None:
        return None
    return tuple(
        TakenBetween(time_zone, *period.bounds(time_zone))
        for time_zone in dict.fromkeys(place.site.time_zone for place in chosen)
    )


def _page_number(found: int, choice: _Choice) -> int:
    """The page of the list to show. Another choice begins at the first page."""
    pages = -(-found // _PAGE_SIZE)
    # As words: this file is run anew each time, and its classes are then others.
    if st.session_state.get(_LAST_CHOICE, repr(choice)) != repr(choice):
        st.session_state[_PAGE] = 1
    st.session_state[_LAST_CHOICE] = repr(choice)
    if pages == 1:
        return 1
    return st.pagination(pages, key=_PAGE, bind="query-params")


def _refreshing_list(choice: _Choice, number: int) -> None:
    def show() -> None:
        with database().read() as session:
            rows = list_recordings(
                session,
                **choice.filters,
                limit=_PAGE_SIZE,
                offset=(number - 1) * _PAGE_SIZE,
            )
        for row in rows:
            _row(row)

    with database().read() as session:
        busy = count_recordings(session, states=RUNNING, camera_ids=choice.camera_ids)
    refreshing(show, every=3 if busy else None)()


def _row(row: RecordingRow) -> None:
    with st.container(border=True):
        name, taken, state = st.columns([4, 4, 4], vertical_alignment="center")
        with name:
            st.page_link(
                "recordings.py",
                label=f"**{escaped(row.name)}**",
                icon=":material/image:" if row.kind == "picture" else ":material/movie:",
                query_params={"recording": str(row.id)},
            )
        with taken:
            st.markdown(
                f"{escaped(row.site)} / {escaped(row.camera)}  \n"
                f":small[{moment(row.captured_at, row.time_zone)}"
                f"{'' if row.kind == 'picture' else ' · ' + duration(row.duration_ms)}]"
            )
        with state:
            _state(row)


def _state(row: RecordingRow) -> None:
    if row.state == RecordingState.READING:
        left = "" if row.seconds_left is None else f", {time_left(row.seconds_left)}"
        st.progress(min(row.progress, 1.0), text=f"{100 * row.progress:.0f}% read{left}")
        return
    badge = f":{_COLOURS[row.state]}-badge[{STATES[row.state]}]"
    if row.state == RecordingState.DONE:
        st.markdown(f"{badge} {ending(row)}")
    elif row.state == RecordingState.FAILED:
        st.markdown(f"{badge} {escaped(row.error or '')}")
    else:
        st.markdown(badge)


if __name__ == "__main__":
    page()
