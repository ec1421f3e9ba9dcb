"""Reports: the figures of a period to hand on, as PDF, workbook or rows, once or on a schedule."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from analytics.sources import NO_RECORDINGS
from db.retention import kept_days
from jobs.downloads import Format, Table
from jobs.reports import report_content
from pages.downloads import rows_link
from pages.empty import count_all, no_figures_yet
from pages.figures_shown import about_period, camera_table, cards, what_is_missing
from pages.filters import Period, choose_period, covered_days, read_later_sources
from pages.format import counted, escaped
from pages.schedules import schedules
from pages.state import Place, browser_zone, database, places, sites
from reports.content import SECTIONS, ReportContent, ReportFigures, report_figures
from reports.findings import change_sentence, findings, target_sentence
from reports.words import period_words
from settings import settings

_TABLES: tuple[tuple[Table, str, str], ...] = (
    (
        "tracks",
        "People",
        (
            "One row for each person's appearance: from when to when, its mean, and its index as "
            "a whole, at the start and at the end."
        ),
    ),
    (
        "predictions",
        "Faces",
        "One row for each face in each frame: when, where, how sure, and all probabilities.",
    ),
    ("buckets", "Hours", "One row for each hour of each camera: what the charts are made of."),
)
_KINDS: tuple[tuple[Format, str], ...] = (
    ("csv", "CSV"),
    ("parquet", "Parquet"),
    ("xlsx", "Excel"),
)
_EXCEL_ROWS = 100_000
"""A workbook of more takes minutes to make, and Excel minutes to open."""
_PREVIEW_DPI = 90


def page() -> None:
    st.title("Reports")
    all_sites = sites()
    everywhere = places(all_sites)
    if covered_days(everywhere) is None:
        no_figures_yet(
            *count_all(),
            title="There is nothing to report yet",
            text="Upload footage and let it be read; then a PDF for the meeting, a workbook and "
            "all rows can be downloaded here, or sent each day, week or month.",
        )
        # What was set up earlier goes on.
        schedules(all_sites)
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = _choose_cameras(everywhere)
        covered = covered_days(chosen)
        period = choose_period(covered) if covered else None
    if period is None:
        st.info("Nobody was seen by these cameras yet. Choose others.")
        schedules(all_sites)
        return
    content = _content(everywhere, chosen, period, _choose_sections())
    about_period(chosen, period, content.score)
    what_is_missing(
        content.sources, read_later_sources(chosen, period, covered) if covered else NO_RECORDINGS
    )
    if content.buckets.empty:
        st.info(
            "Nobody was seen in this period. Choose another one; the footage of these cameras is "
            f"from {period_words(covered.first, covered.last) if covered else ''}."
        )
    else:
        figures = report_figures(content)
        _figures(content, figures, period)
        _hand_on(content, period)
        _rows(figures, chosen, period)
    schedules(all_sites)


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


def _choose_sections() -> tuple[str, ...]:
    """Keys of SECTIONS; none means all."""
    keys = {title: key for key, title in SECTIONS.items()}
    chosen = st.pills(
        "Sections",
        list(keys),
        selection_mode="multi",
        key="sections",
        bind="query-params",
        help="The report holds the sections that are chosen; all of them where none is.",
    )
    return tuple(keys[title] for title in keys if title in chosen)


def _content(
    everywhere: Sequence[Place], chosen: Sequence[Place], period: Period, sections: Sequence[str]
) -> ReportContent:
    zone = ZoneInfo(browser_zone() or chosen[0].site.time_zone)
    every_camera = len(chosen) == len(everywhere)
    with database().read() as session:
        return report_content(
            session,
            first_day=period.first,
            last_day=period.last,
            minimum_people=settings().minimum_people,
            now=datetime.now(UTC).astimezone(zone),
            camera_ids=None if every_camera else [place.camera.id for place in chosen],
            sections=sections,
        )


def _figures(content: ReportContent, figures: ReportFigures, period: Period) -> None:
    minimum = content.minimum_people
    cards(
        figures.summary,
        figures.before,
        period,
        minimum,
        score=content.score,
        comparison=figures.comparison,
        versus=content.versus,
    )
    said = [
        change_sentence(content, figures),
        target_sentence(figures.summary, content.target),
    ]
    if any(said):
        st.markdown(escaped(" ".join(sentence for sentence in said if sentence)))
    for lead, text in findings(figures):
        # Plain text: names in it are somebody's own.
        st.text(f"{lead} {text}")
    camera_table(figures.cameras, minimum, key="cameras_table")


def _hand_on(content: ReportContent, period: Period) -> None:
    st.subheader("For the meeting")
    stretch = f"{period.first.isoformat()}-to-{period.last.isoformat()}"

    def pdf() -> bytes:
        # Typesetting is loaded when it is asked for.
        from reports.pdf import satisfaction_pdf

        return satisfaction_pdf(content)

    def workbook() -> bytes:
        from reports.excel import satisfaction_workbook

        return satisfaction_workbook(content)

    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Report (PDF)",
            data=pdf,
            file_name=f"satisface-report-{stretch}.pdf",
            mime="application/pdf",
            on_click="ignore",
            type="primary",
            icon=":material/picture_as_pdf:",
            key="download_pdf",
        )
        st.download_button(
            "Workbook (Excel)",
            data=workbook,
            file_name=f"satisface-report-{stretch}.xlsx",
            mime="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            on_click="ignore",
            icon=":material/table_view:",
            key="download_xlsx",
        )
    _preview(content)


@st.fragment
def _preview(content: ReportContent) -> None:
    if not st.toggle("Show the pages of the PDF", key="preview"):
        return
    with st.spinner("Setting the pages …", show_time=True):
        pages = _pictures(_fingerprint(content), content)
    with st.grid(2, min_column_width=300):
        for number, picture in enumerate(pages, start=1):
            with st.container(border=True):
                st.image(picture, caption=f"Page {number} of {len(pages)}", width="stretch")


@st.cache_data(max_entries=20, show_spinner=False)
def _pictures(fingerprint: str, _content: ReportContent) -> list[bytes]:
    from reports.pdf import satisfaction_png

    assert fingerprint
    return satisfaction_png(_content, dots_per_inch=_PREVIEW_DPI)


def _fingerprint(content: ReportContent) -> str:
    """The same as long as the pages would be, but for the time at which they are made."""
    known = hashlib.sha256()
    for frame in (content.buckets, content.before):
        if frame is not None and not frame.empty:
            plain = frame.drop(columns=[c for c in frame.columns if frame[c].dtype == object])
            known.update(pd.util.hash_pandas_object(plain, index=False).to_numpy().tobytes())
    told = (
        content.sites,
        content.cameras,
        content.first_day,
        content.last_day,
        content.target,
        content.score,
        content.sections,
        content.minimum_people,
        content.sources,
        content.sources_before,
    )
    known.update(repr(told).encode())
    return known.hexdigest()


def _rows(figures: ReportFigures, chosen: list[Place], period: Period) -> None:
    st.subheader("All rows")
    st.caption(
        "For Excel, pandas or a database. They are sent as they are read: the browser shows how "
        "far it is. A link holds for twelve hours. A workbook is offered for up to "
        f"{_EXCEL_ROWS:,} rows, and takes some seconds to be made."
    )
    count: dict[Table, int] = {
        "tracks": figures.summary.people,
        "predictions": figures.summary.faces,
        "buckets": figures.hour_rows,
    }
    with database().read() as session:
        kept = kept_days(session)
    days: dict[Table, int | None] = {
        "tracks": kept.people,
        "predictions": kept.days_of_faces,
        "buckets": None,
    }
    with st.grid(3, min_column_width=240):
        for table, title, about in _TABLES:
            with st.container(border=True, height="stretch"):
                st.markdown(f"**{title}**  \n:small[{about}]")
                st.caption(_count_words(count[table], days[table], period))
                with st.container(horizontal=True):
                    for kind, name in _KINDS:
                        if kind == "xlsx" and count[table] > _EXCEL_ROWS:
                            continue
                        st.link_button(
                            f"{title} ({name})",
                            rows_link(table, kind, chosen, period),
                            icon=":material/download:",
                            key=f"download_{table}_{kind}",
                        )


def _count_words(count: int, days: int | None, period: Period) -> str:
    """``count``: from the sums of hours, which stay when rows go. ``days``: for which those are
    kept; None for good."""
    rows = counted(count, "row")
    if days is not None and period.first <= datetime.now(UTC).date() - timedelta(days=days):
        return f"At most {rows}: those older than {counted(days, 'day')} are deleted"
    return f"About {rows}"


if __name__ == "__main__":
    page()
