"""Reports from the database: what page, command line and schedules make alike."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Final

import pandas as pd
from sqlalchemy.orm import Session

from analytics.comparison import combined_target
from analytics.periods import day_bounds, days_before
from analytics.summary import by_camera
from db.bucket_days import no_buckets
from db.buckets import read_buckets
from db.exports import iterate_buckets
from db.places import SiteRow, list_sites
from db.scores import active_score
from db.unread import unread_between
from fer_core.errors import ModelError, SatisfaceError
from fer_core.model_card import read_card
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
        model_version=_model_version(),
        demonstration=any(site.is_demonstration for site in sites),
        unread=_count_unread(session, chosen, first_day, last_day),
        unread_before=_count_unread(session, chosen, *days_before(first_day, last_day)),
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


Chosen = Sequence[tuple[SiteRow, Sequence[int]]]
"""Sites with the ids of those of their cameras that are meant."""


def read_days(session: Session, chosen: Chosen, first_day: date, last_day: date) -> pd.DataFrame:
    """The buckets of whole days, each site's by its own calendar."""
    frames = [] if chosen else [no_buckets()]
    for time_zone, camera_ids in _by_zone(chosen).items():
        start, end = day_bounds(first_day, last_day, time_zone)
        frames.append(read_buckets(session, start=start, end=end, camera_ids=camera_ids))
    filled = [frame for frame in frames if not frame.empty] or frames[:1]
    return pd.concat(filled, ignore_index=True)


def _count_unread(session: Session, chosen: Chosen, first_day: date, last_day: date) -> int:
    """Recordings that touch these days and are not read yet."""
    return sum(
        len(unread_between(session, *day_bounds(first_day, last_day, time_zone), camera_ids))
        for time_zone, camera_ids in _by_zone(chosen).items()
    )


def hours_of_days(
    session: Session, chosen: Chosen, first_day: date, last_day: date, minimum_people: int
) -> Iterator[pd.DataFrame]:
    """The same as rows to hand on (reports.tables.BUCKET_COLUMNS), a frame at a time."""

    def frames() -> Iterator[pd.DataFrame]:
        for time_zone, camera_ids in _by_zone(chosen).items():
            start, end = day_bounds(first_day, last_day, time_zone)
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


def _by_zone(chosen: Chosen) -> dict[str, list[int]]:
    zones: dict[str, list[int]] = {}
    for site, cameras in chosen:
        zones.setdefault(site.time_zone, []).extend(cameras)
    return zones


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


def _model_version() -> str:
    try:
        return read_card().version
    except ModelError:
        return ""
