"""Hours and figures of a period: the same functions, and the same that is withheld, as on the
pages."""

from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Annotated, Any, Final, Literal

import pandas as pd
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session
from starlette.responses import Response

from analytics.buckets import COUNTS, SUMS
from analytics.periods import day_bounds
from analytics.scores import INDEXED, ScoreDefinition
from analytics.summary import (
    Summary,
    by_camera,
    by_day,
    by_hour,
    by_month,
    by_site,
    by_week,
    indexed,
    summarise,
)
from api.v1.here import Here, HereNow, ReadKey
from api.v1.places import camera_ids_of, chosen_sites
from api.v1.problems import documented
from api.v1.queries import Format, OfPeriod, after, cursor, place_of, wants_csv
from api.v1.rows import BucketPage, csv_documented, first_records, streamed_csv
from db.bucket_days import iterate_packed_buckets
from db.days import read_days
from db.exports import iterate_buckets
from db.places import SiteRow
from db.scores import active_score
from fer_core.types import EXPRESSIONS
from jobs.reports import hours_of_days
from reports.tables import csv_chunks, without_withheld

router = APIRouter(tags=["figures"])

_MOST_HOURS: Final = 5000
_SECOND: Final = timedelta(seconds=1)
_COLUMNS: Final = (
    *("site_id", "site", "camera_id", "camera", "hour_utc", "time_zone"),
    *(*COUNTS, *SUMS, *INDEXED, "score"),
)
By = Literal["day", "week", "month", "hour", "camera", "site"]


class Estimate(BaseModel):
    """A value with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


class Figures(BaseModel):
    """What some people add up to. Everything but the first four is null where too few were read."""

    people: int = Field(
        description="Unbroken appearances. Nobody is recognised again: who passes two cameras "
        "counts twice."
    )
    unknown: int = Field(description="How many of these could not be read.")
    faces: int
    withheld: bool = Field(description="Whether too few people were read for figures.")
    index: Estimate | None = Field(description="The satisfaction index, 0 to 100.")
    happy: Estimate | None = Field(description="Share of read people.")
    negative: Estimate | None = Field(description="Share of angry, disgust, fear or sad people.")
    net: Estimate | None = Field(description="Satisfied less dissatisfied people, -1 to 1.")
    unknown_share: Estimate | None = Field(description="Share of all people.")
    counts: dict[str, int] | None = Field(description="People by expression.")


class Scored(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    first: date = Field(alias="from")
    last: date = Field(alias="to")
    score: str = Field(description="The weights behind the index, by name and version.")
    minimum_people: int = Field(description="Figures of fewer people than this are withheld.")


class SummaryOut(Scored):
    """A period as one figure."""

    figures: Figures


class FiguresRow(Figures):
    """One part of a period; which keys are told depends on `by`."""

    begins: date | None = Field(default=None, description="Of a day, a week or a month.")
    hour: int | None = Field(default=None, description="Of the day, on the site's clock.")
    site: str | None = None
    camera: str | None = None
    camera_id: int | None = None


class FiguresOut(Scored):
    """A period in parts."""

    rows: list[FiguresRow]


class HoursAsked(OfPeriod):
    format: Format = None
    limit: int = Field(default=1000, ge=1, le=_MOST_HOURS)
    cursor: str | None = Field(default=None, pattern=cursor(10, 10))


class FiguresAsked(OfPeriod):
    by: By = Field(default="day", description="What a row is: `hour` is one of the day's 24.")
    format: Format = None


@router.get("/summary", responses=documented(404, 429), operation_id="get_summary")
def summary(key: ReadKey, here: HereNow, asked: Annotated[OfPeriod, Query()]) -> SummaryOut:
    """The satisfaction index and what belongs to it, of a period, with intervals."""
    buckets, score = _read(here, key, asked)
    minimum = here.settings.minimum_people
    found = summarise(buckets, score, minimum)
    return SummaryOut(figures=_figures(found), **_scored(asked, score, minimum))


@router.get(
    "/figures",
    response_model=FiguresOut,
    response_model_exclude_unset=True,
    responses=csv_documented() | documented(404, 429),
    operation_id="list_figures",
)
def figures(
    key: ReadKey, here: HereNow, request: Request, asked: Annotated[FiguresAsked, Query()]
) -> Any:
    """Figures with intervals by day, week, month, hour of the day, camera or site."""
    buckets, score = _read(here, key, asked)
    minimum = here.settings.minimum_people
    frame = _BY[asked.by](buckets, score, minimum)
    frame = frame.rename(columns=dict.fromkeys(("day", "week", "month"), "begins"))
    if "begins" in frame:
        frame["begins"] = pd.to_datetime(frame["begins"]).dt.strftime("%Y-%m-%d")
    if wants_csv(request, asked.format):
        body = b"".join(csv_chunks(iter([frame])))
        return Response(
            body,
            headers={"Content-Disposition": f'attachment; filename="figures-by-{asked.by}.csv"'},
            media_type="text/csv",
        )
    return FiguresOut(rows=_figure_rows(frame), **_scored(asked, score, minimum))


_BY: Final[dict[str, Callable[[pd.DataFrame, ScoreDefinition, int], pd.DataFrame]]] = {
    "day": by_day,
    "week": by_week,
    "month": by_month,
    "hour": by_hour,
    "camera": by_camera,
    "site": by_site,
}


@router.get(
    "/buckets",
    response_model=BucketPage,
    responses=csv_documented() | documented(404, 429),
    operation_id="list_buckets",
)
def buckets(
    key: ReadKey, here: HereNow, request: Request, asked: Annotated[HoursAsked, Query()]
) -> Any:
    """The hours of cameras: counts of people, and how they looked where they were enough."""
    if wants_csv(request, asked.format):
        return _hours_csv(here, key, asked)
    minimum = here.settings.minimum_people
    with here.database.read() as session:
        chosen = chosen_sites(session, key, asked.site, asked.camera)
        hours = without_withheld(_hours(session, chosen, asked, place_of(asked.cursor)), minimum)
        found = first_records(hours, asked.limit + 1)
    page = found[: asked.limit]
    following = None
    if len(found) > asked.limit:
        last = page[-1]
        following = after(last["camera_id"], int(last["hour_utc"].timestamp()))
    return {"rows": page, "next": following}


def _hours(
    session: Session, chosen: Sequence[SiteRow], asked: HoursAsked, place: tuple[int, int] | None
) -> Iterator[pd.DataFrame]:
    """Hours behind ``place`` (a camera, and seconds since 1970), by camera and hour."""
    zones = sorted((camera.id, site.time_zone) for site in chosen for camera in site.cameras)
    if place is not None:
        zones = [one for one in zones if one[0] >= place[0]]
    score = active_score(session)
    # The camera that the last page ended in goes on by itself; the others, those of one zone
    # together.
    for (time_zone, _), some in groupby(zones, lambda one: (one[1], place and one[0] == place[0])):
        ids = [camera_id for camera_id, _ in some]
        start, end = day_bounds(asked.first, asked.last, time_zone)
        if place is not None and ids == [place[0]]:
            start = max(start, datetime.fromtimestamp(place[1], UTC) + _SECOND)
        for frame in iterate_packed_buckets(
            session, start=start, end=end, camera_ids=ids, chunk=asked.limit + 1
        ):
            yield indexed(frame, score).rename(columns={"hour": "hour_utc"})[list(_COLUMNS)]


def _hours_csv(here: Here, key: ReadKey, asked: HoursAsked) -> Response:
    done = here.heavy.take()
    try:

        def pieces() -> Generator[bytes]:
            with here.database.read() as session:
                sites = chosen_sites(session, key, asked.site, asked.camera)
                chosen = [(site, camera_ids_of([site])) for site in sites]
                minimum = here.settings.minimum_people
                frames = (
                    hours_of_days(session, chosen, asked.first, asked.last, minimum)
                    if camera_ids_of(sites)
                    else without_withheld(iterate_buckets(session, camera_ids=()), minimum)
                )
                yield from csv_chunks(frames)

        stream = pieces()
        name = f"satisface-buckets-{asked.first}-to-{asked.last}.csv"
        return streamed_csv(next(stream), stream, name, done)
    except BaseException:
        done()
        raise


def _read(here: Here, key: ReadKey, asked: OfPeriod) -> tuple[pd.DataFrame, ScoreDefinition]:
    """All hours that are asked for, and the score in force."""
    done = here.heavy.take()
    try:
        with here.database.read() as session:
            chosen = chosen_sites(session, key, asked.site, asked.camera)
            cameras = [(site, camera_ids_of([site])) for site in chosen]
            return read_days(session, cameras, asked.first, asked.last), active_score(session)
    finally:
        done()


def _scored(asked: OfPeriod, score: ScoreDefinition, minimum: int) -> dict[str, Any]:
    return {
        "first": asked.first,
        "last": asked.last,
        "score": score.label,
        "minimum_people": minimum,
    }


def _figures(found: Summary) -> Figures:
    return Figures.model_validate(
        {name: _estimate_of(getattr(found, name)) for name in _ESTIMATES}
        | {
            "people": found.people,
            "unknown": found.unknown,
            "faces": found.faces,
            "withheld": found.withheld,
            "counts": found.counts or None,
        }
    )


def _estimate_of(estimate: Any) -> dict[str, float] | None:
    if estimate is None:
        return None
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _figure_rows(frame: pd.DataFrame) -> list[FiguresRow]:
    rows = []
    for row in frame.astype(object).where(frame.notna(), None).to_dict("records"):
        told = {name: row[name] for name in _KEYS if name in row}
        counts = {e: row[f"n_{e}"] for e in EXPRESSIONS} | {"unknown": row["unknown"]}
        rows.append(
            FiguresRow.model_validate(
                {
                    **told,
                    **{name: row[name] for name in ("people", "unknown", "faces", "withheld")},
                    **{name: _estimate(row, name) for name in _ESTIMATES},
                    "counts": None if row["withheld"] else counts,
                }
            )
        )
    return rows


_KEYS: Final = ("begins", "hour", "site", "camera", "camera_id")
_ESTIMATES: Final = ("index", "happy", "negative", "net", "unknown_share")


def _estimate(row: dict[Any, Any], name: str) -> dict[str, float] | None:
    if row[name] is None:
        return None
    return {"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}
