"""Reports from the database: what page, command line and schedules make alike."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Final

import pandas as pd
from sqlalchemy.orm import Session

from analytics.comparison import combined_target
from analytics.periods import days_before
from analytics.summary import by_camera
from db.days import Chosen, bounds_of_days, read_days, sources_of_days
from db.exports import iterate_buckets
from db.places import SiteRow, list_sites
from db.scores import active_score
from fer_core.errors import SatisfaceError
from reports.content import SECTIONS, ReportContent
from reports.tables import csv_chunks, without_withheld


class NothingToReport(SatisfaceError):
    """The sites or cameras of a report are not there; the message says so."""


def report_content(
    session: Session,
    *,
    first_day: date,
    last_day: date,
    minimum_people: int,
    now: datetime,
    site_ids: Sequence[int] | None = None,
    camera_ids: Sequence[int] | None = None,
    sections: Sequence[str] = (),
) -> ReportContent:
    """A report on whole days of each site's own calendar, both ends included.

    ``site_ids``, ``camera_ids``: None means all. ``now``: aware, shown on its own clock. Raises
    NothingToReport where no camera is left.
    """
    chosen = _chosen(list_sites(session), site_ids, camera_ids)
    sites = [site for site, _ in chosen]
    buckets = read_days(session, chosen, first_day, last_day)
    score = active_score(session)
    people = by_camera(buckets, score, minimum_people).assign(
        read=lambda frame: frame["people"] - frame["unknown"]
    )
    return ReportContent(
        sites=tuple(site.name for site in sites),
        cameras=_named(chosen) if camera_ids is not None else (),
        first_day=first_day,
        last_day=last_day,
        buckets=buckets,
        before=read_days(session, chosen, *days_before(first_day, last_day)),
        target=combined_target(
            {site.name: site.target for site in sites},
            {str(name): int(n) for name, n in people.groupby("site")["read"].sum().items()},
        ),
        score=score,
        minimum_people=minimum_people,
        generated_at=now,
        sections=tuple(sections),
        demonstration=any(site.is_demonstration for site in sites),
        sources=sources_of_days(session, chosen, first_day, last_day),
        sources_before=sources_of_days(session, chosen, *days_before(first_day, last_day)),
    )


def check_report(path: Path, first: date, last: date, sections: Sequence[str]) -> None:
    """Raises NothingToReport where no report can be made so, before any work is done."""
    if path.suffix not in _MAKERS:
        raise NothingToReport(f"{path}: a report is written as {' or '.join(_MAKERS)}.")
    if first > last:
        raise NothingToReport("The first day comes after the last.")
    for section in sections:
        if section not in SECTIONS:
            raise NothingToReport(
                f"There is no section {section}; there are {', '.join(SECTIONS)}."
            )


def hours_of_days(
    session: Session, chosen: Chosen, first_day: date, last_day: date, minimum_people: int
) -> Iterator[pd.DataFrame]:
    """The buckets of whole days as rows to hand on (reports.tables.BUCKET_COLUMNS), a frame at a
    time."""

    def frames() -> Iterator[pd.DataFrame]:
        for start, end, camera_ids in bounds_of_days(chosen, first_day, last_day):
            yield from iterate_buckets(session, start=start, end=end, camera_ids=camera_ids)

    return without_withheld(frames(), minimum_people)


def write_report(content: ReportContent, path: Path) -> None:
    """The PDF or the workbook, by the file's ending; the file appears when it is whole."""
    made = _MAKERS[path.suffix](content)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        unfinished.write_bytes(made)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_hours(
    session: Session,
    path: Path,
    *,
    first_day: date,
    last_day: date,
    minimum_people: int,
    site_ids: Sequence[int] | None = None,
) -> None:
    """The hours of a report as CSV."""
    chosen = _chosen(list_sites(session), site_ids, None)
    frames = hours_of_days(session, chosen, first_day, last_day, minimum_people)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("wb") as file:
            file.writelines(csv_chunks(frames))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _pdf(content: ReportContent) -> bytes:
    # Typesetting and charts are loaded when they are asked for.
    from reports.pdf import satisfaction_pdf

    return satisfaction_pdf(content)


def _workbook(content: ReportContent) -> bytes:
    from reports.excel import satisfaction_workbook

    return satisfaction_workbook(content)


_MAKERS: Final[Mapping[str, Callable[[ReportContent], bytes]]] = {
    ".pdf": _pdf,
    ".xlsx": _workbook,
}


def _chosen(
    sites: Sequence[SiteRow],
    site_ids: Sequence[int] | None,
    camera_ids: Sequence[int] | None,
) -> Chosen:
    chosen = [
        (site, cameras)
        for site in sites
        if site_ids is None or site.id in site_ids
        if (
            cameras := [
                camera.id
                for camera in site.cameras
                if camera_ids is None or camera.id in camera_ids
            ]
        )
    ]
    if not chosen:
        raise NothingToReport("None of the sites and cameras of this report exist any more.")
    return chosen


def _named(chosen: Chosen) -> tuple[str, ...]:
    """Names of the cameras; none where every camera of these sites is meant."""
    if all(len(ids) == len(site.cameras) for site, ids in chosen):
        return ()
    several = len(chosen) > 1
    return tuple(
        f"{site.name} / {camera.name}" if several else camera.name
        for site, ids in chosen
        for camera in site.cameras
        if camera.id in ids
    )
