"""Reports: the figures of a period to hand on, as PDF or as rows."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from analytics.scores import ScoreDefinition
from analytics.summary import by_camera, summarise
from db.scores import active_score
from fer_core.errors import ModelError
from fer_core.model_card import read_card
from pages.downloads import Table, table_csv
from pages.figures_shown import camera_table, cards
from pages.filters import Period, choose_period, covered_days, read_period
from pages.state import Place, database, places, sites
from reports.words import period_words
from settings import settings

_TABLES: tuple[tuple[Table, str, str], ...] = (
    (
        "predictions",
        "Faces",
        "One row for each face in each frame: when, where, how sure, and all probabilities. Large.",
    ),
    ("tracks", "People", "One row for each person's appearance: from when to when, and its mean."),
    ("buckets", "Hours", "One row for each hour of each camera: what the charts are made of."),
)


def page() -> None:
    st.title("Reports")
    everywhere = places(sites())
    if covered_days(everywhere) is None:
        _nothing_yet()
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = _choose_cameras(everywhere)
        covered = covered_days(chosen)
        period = choose_period(covered) if covered else None
    if period is None:
        st.info("Nobody was seen by these cameras yet. Choose others.")
        return
    minimum = settings().minimum_people
    with database().read() as session:
        score = active_score(session)
    buckets = read_period(chosen, period)
    summary = summarise(buckets, score, minimum)
    before = summarise(read_period(chosen, period.before()), score, minimum)
    st.caption(
        f"{period_words(period.first, period.last)}, on each site's own clock. "
        f"Intervals are 95%. Scored by {score.label}."
    )
    if buckets.empty:
        st.info("Nobody was seen in this period. Choose another.")
        return
    cards(summary, before, period, minimum)
    camera_table(by_camera(buckets, score, minimum), minimum, key="cameras_table")
    st.subheader("Hand it on")
    _pdf(everywhere, chosen, period, buckets, score)
    _rows(chosen, period)


def _choose_cameras(everywhere: Sequence[Place]) -> list[Place]:
    """Any of the cameras; none chosen means all."""
    by_label = {place.label: place for place in everywhere}
    chosen = st.multiselect(
        "Cameras",
        list(by_label),
        key="cameras",
        bind="query-params",
        placeholder="All cameras",
        width=420,
    )
    return [by_label[label] for label in chosen] or list(everywhere)


def _pdf(
    everywhere: Sequence[Place],
    chosen: Sequence[Place],
    period: Period,
    buckets: pd.DataFrame,
    score: ScoreDefinition,
) -> None:
    zone = ZoneInfo(st.context.timezone or chosen[0].site.time_zone)

    def make() -> bytes:
        # Typesetting is loaded when it is asked for.
        from reports.content import ReportContent
        from reports.pdf import satisfaction_pdf

        every_camera = len(chosen) == len(everywhere)
        return satisfaction_pdf(
            ReportContent(
                sites=tuple(dict.fromkeys(place.site.name for place in chosen)),
                cameras=() if every_camera else tuple(place.label for place in chosen),
                first_day=period.first,
                last_day=period.last,
                buckets=buckets,
                score=score,
                minimum_people=settings().minimum_people,
                generated_at=datetime.now(UTC).astimezone(zone),
                model_version=_model_version(),
                demonstration=any(place.site.is_demonstration for place in chosen),
            )
        )

    with (
        st.container(border=True),
        st.container(horizontal=True, vertical_alignment="center"),
    ):
        st.markdown(
            "**For the meeting**  \n:small[One or two pages: the index and its trend, expressions, "
            "hours and cameras, each with its people and interval.]"
        )
        st.download_button(
            "Report (PDF)",
            data=make,
            file_name=f"satisface-report-{_stretch(period)}.pdf",
            mime="application/pdf",
            on_click="ignore",
            type="primary",
            icon=":material/picture_as_pdf:",
            key="download_pdf",
        )


def _model_version() -> str:
    try:
        return read_card().version
    except ModelError:
        return ""


def _stretch(period: Period) -> str:
    return f"{period.first.isoformat()}-to-{period.last.isoformat()}"


def _rows(chosen: list[Place], period: Period) -> None:
    with st.grid(3, min_column_width=240):
        for table, title, about in _TABLES:
            with st.container(border=True, height="stretch"):
                st.markdown(f"**{title}**  \n:small[{about}]")
                st.download_button(
                    f"{title} (CSV)",
                    # Made when it is asked for, not each time the page is drawn.
                    data=partial(table_csv, table, chosen, period),
                    file_name=f"satisface-{table}-{_stretch(period)}.csv",
                    mime="text/csv",
                    on_click="ignore",
                    icon=":material/download:",
                    key=f"download_{table}",
                )


def _nothing_yet() -> None:
    with st.container(border=True):
        st.subheader("There is nothing to report yet")
        st.markdown(
            "Upload footage and let it be read; then a PDF for the meeting and all rows as CSV "
            "can be downloaded here."
        )
        if st.button("Upload footage", type="primary", icon=":material/upload_file:"):
            st.switch_page("upload.py")


if __name__ == "__main__":
    page()
