"""Overview: how customers looked in a period, and whether that is better than before."""

import streamlit as st

from analytics.summary import by_camera, by_day, by_hour, summarise
from db.recording_rows import count_recordings
from db.scores import active_score
from db.tables import RecordingState
from pages.alerts_shown import alerts
from pages.figures_shown import camera_table, cards, chart, withheld_days
from pages.filters import choose_period, choose_places, covered_days, read_period
from pages.format import counted
from pages.state import database, places, sites
from reports.figures import (
    distribution_figure,
    distribution_over_time_figure,
    hours_figure,
    trend_figure,
)
from reports.words import period_words
from settings import settings

_UNFINISHED = (RecordingState.QUEUED.value, RecordingState.READING.value)


def page() -> None:
    st.title("Overview")
    everywhere = places(sites())
    with database().read() as session:
        recordings = count_recordings(session)
        unfinished = count_recordings(session, states=_UNFINISHED)
        score = active_score(session)
    if not recordings:
        _welcome()
        return
    if unfinished:
        _being_read(unfinished)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = choose_places(everywhere)
        covered = covered_days(chosen)
        period = choose_period(covered) if covered else None
    if period is None:
        _nobody_yet(unfinished)
        return

    minimum = settings().minimum_people
    buckets = read_period(chosen, period)
    summary = summarise(buckets, score, minimum)
    before = summarise(read_period(chosen, period.before()), score, minimum)
    st.caption(
        f"{period_words(period.first, period.last)}, on each site's own clock. "
        f"Intervals are 95%. Scored by {score.label}."
    )
    alerts(chosen, period.first, period.last)
    if buckets.empty:
        st.info(
            "Nobody was seen in this period. The footage of this choice is from "
            f"{period_words(covered.first, covered.last) if covered else ''}."
        )
        return
    cards(summary, before, period, minimum)

    days = by_day(buckets, score, minimum)
    if len(days) > 1:
        st.subheader("Day by day")
        chart(
            trend_figure(days, minimum),
            key="trend",
            says="The satisfaction index of each day with its interval",
        )
        withheld_days(days, minimum)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Expressions")
        chart(
            distribution_figure(summary),
            key="distribution",
            says="Share of people by expression, with intervals",
        )
    with right:
        st.subheader("By hour of the day")
        chart(
            hours_figure(by_hour(buckets, score, minimum), minimum),
            key="hours",
            says="The satisfaction index and the number of people by hour of the day",
        )
    if len(days) > 1 and not summary.withheld:
        st.subheader("Expressions day by day")
        chart(
            distribution_over_time_figure(days, minimum),
            key="expressions_by_day",
            says="Share of people by expression for each day",
        )
    st.subheader("Cameras")
    camera_table(by_camera(buckets, score, minimum), minimum, key="cameras")


def _welcome() -> None:
    with st.container(border=True):
        st.subheader("Start with some footage")
        st.markdown(
            "Satisface reads the expressions of the people in your store's photos and videos, and "
            "shows here how they looked: by hour, by day and by camera.\n\n"
            "1. Upload photos, videos or a zip of them, and say which camera took them.\n"
            "2. They are read on this machine, and deleted afterwards.\n"
            "3. This page shows the result, and **Reports** hands it on."
        )
        if st.button("Upload footage", type="primary", icon=":material/upload_file:"):
            st.switch_page("upload.py")


def _being_read(unfinished: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(
            f"{counted(unfinished, 'recording')} {'is' if unfinished == 1 else 'are'} still being "
            "read; the figures will change.",
            icon=":material/hourglass_top:",
        )
        st.page_link("upload.py", label="See how far", icon=":material/arrow_forward:")


def _nobody_yet(unfinished: int) -> None:
    with st.container(border=True):
        if unfinished:
            st.subheader("Reading has begun")
            st.markdown("The first figures appear here as soon as people were found.")
            return
        st.subheader("No faces were found yet")
        st.markdown(
            "The recordings that were read hold nobody whose face could be seen. Look at "
            "**Recordings** for what each of them held, or upload footage in which people face "
            "the camera."
        )
        st.page_link("recordings.py", label="Recordings", icon=":material/arrow_forward:")


if __name__ == "__main__":
    page()
