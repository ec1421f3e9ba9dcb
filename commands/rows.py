"""Commands about what was read: export, report, delete, demo."""

import contextlib
import shlex
import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from commands.terminal import (
    Out,
    camera_named,
    local_time_zone,
    opened_database,
    say,
    sentences,
    shown_progress,
)

_MOMENTS = [
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
]


APART: Final = " ".join(
    f"SATISFACE_{setting}="
    for setting in (
        "DATABASE_URL",
        "FOOTAGE_URL",
        "SCHEDULER_ADDRESS",
        "WATCH_FOLDER",
        "REPORTS_FOLDER",
        "SMTP_HOST",
    )
)
"""What keeps a demonstration apart, whatever ``.env`` says: as APART in the Makefile."""


class Export(StrEnum):
    """Rows of faces, of people, or of hours."""

    PREDICTIONS = "predictions"
    TRACKS = "tracks"
    BUCKETS = "buckets"


def export(
    rows: Annotated[Export, typer.Argument(help="Rows of faces, of people, or of hours.")],
    out: Out = Path("-"),
    start: Annotated[
        datetime | None, typer.Option("--from", help="First moment, in UTC unless it says other.")
    ] = None,
    end: Annotated[datetime | None, typer.Option("--to", help="End; itself not included.")] = None,
    camera: Annotated[
        list[str] | None, typer.Option(help='"Site/Camera"; several times for several cameras.')
    ] = None,
) -> None:
    """Write the rows behind the charts."""
    from db import exports
    from jobs.row_files import check_format, write_rows
    from reports.tables import without_withheld
    from settings import settings

    iterate = {
        Export.PREDICTIONS: exports.iterate_predictions,
        Export.TRACKS: exports.iterate_tracks,
        Export.BUCKETS: exports.iterate_buckets,
    }[rows]
    with sentences(), opened_database() as database:
        check_format(out)
        cameras = [camera_named(database, name) for name in camera] if camera else None
        with database.read() as session:
            frames = iterate(session, start=_utc(start), end=_utc(end), camera_ids=cameras)
            if rows is Export.BUCKETS:
                frames = without_withheld(frames, settings().minimum_people)
            count = write_rows(frames, out)
    if str(out) != "-":
        say(f"{count} rows written to {out}")


def report(
    out: Annotated[Path, typer.Option(help="File to write: .pdf or .xlsx.")],
    first: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, local time.")
    ],
    last: Annotated[
        datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, included.")
    ],
    site: Annotated[
        list[str] | None, typer.Option(help="Several times for several sites; all by default.")
    ] = None,
    section: Annotated[
        list[str] | None,
        typer.Option(help="trend, expressions, hours, cameras or days; all by default."),
    ] = None,
) -> None:
    """Write the report of some days, as the Reports page does."""
    from zoneinfo import ZoneInfo

    from db.places import list_sites
    from jobs.reports import NothingToReport, check_report, report_content, write_report
    from settings import settings

    with sentences(), opened_database() as database:
        check_report(out, first, last, section or ())
        with database.read() as session:
            ids = {one.name: one.id for one in list_sites(session)}
            missing = [name for name in site or () if name not in ids]
            if missing:
                raise NothingToReport(f"There is no site named {missing[0]}.")
            content = report_content(
                session,
                first_day=first.date(),
                last_day=last.date(),
                minimum_people=settings().minimum_people,
                now=datetime.now(ZoneInfo(local_time_zone())),
                site_ids=[ids[name] for name in site] if site else None,
                sections=section or (),
            )
        write_report(content, out)
    say(f"The report was written to {out}")


def delete(
    camera: Annotated[str, typer.Option(help='The camera that saw them, as "Site/Camera".')],
    start: Annotated[
        datetime,
        typer.Option("--from", help="First moment, on the site's own clock.", formats=_MOMENTS),
    ],
    end: Annotated[
        datetime, typer.Option("--to", help="End; itself not included.", formats=_MOMENTS)
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
) -> None:
    """Delete everybody whom a camera saw in a stretch of time, and the footage that shows it."""
    from zoneinfo import ZoneInfo

    from db.places import list_sites
    from jobs.erasure import erase, widest
    from jobs.store import FootageStore
    from settings import settings

    with sentences(), opened_database() as database:
        camera_id = camera_named(database, camera)
        with database.read() as session:
            time_zone = next(
                site.time_zone
                for site in list_sites(session)
                if any(one.id == camera_id for one in site.cameras)
            )
        first, last = widest(start, end, time_zone)
        if not yes:
            zone = ZoneInfo(time_zone)
            begins, ends = (f"{at.astimezone(zone):%Y-%m-%d %H:%M %Z}" for at in (first, last))
            stretch = f"from {begins} to {ends}"
            typer.confirm(f"Delete for good all that {camera} saw {stretch}?", abort=True)
        store = FootageStore(settings().resolved_footage_url)
        gone = erase(database, store, camera_id, first, last)
    say(
        f"Deleted: people {gone.people}, pieces of footage {gone.footage}, hours of which only "
        f"sums were left {gone.hours}; looked through: recordings {gone.recordings}."
    )
    if gone.footage_left:
        say(
            f"Pieces of footage that could not be deleted yet: {gone.footage_left}. The footage "
            "store cannot be reached. Nobody can see them any more, and a worker deletes them once "
            "the store is back."
        )
        raise typer.Exit(1)


def demo(
    days: Annotated[int, typer.Option(min=1, max=400, help="Days up to yesterday.")] = 90,
    seed: Annotated[int, typer.Option(help="Another seed, other data.")] = 7,
) -> None:
    """Fill a database of its own with invented data, marked as such."""
    import shutil

    from db.engine import Database, upgrade
    from jobs.demo import fill
    from settings import settings, sqlite_url

    home = settings().home / "demo"
    with sentences():
        shutil.rmtree(home, ignore_errors=True)
        url = sqlite_url(home / "satisface.db")
        upgrade(url)
        database = Database(url)
        with contextlib.closing(database), shown_progress() as progress:
            task = progress.add_task("inventing", total=None)
            recordings = fill(
                database,
                days=days,
                seed=seed,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
    say(f"{recordings} recordings of {days} days invented in {home}. To look around:")
    app = Path(__file__).parents[1] / "app.py"
    command = shlex.join([sys.executable, "-m", "streamlit", "run", str(app)])
    say(f"  SATISFACE_HOME={shlex.quote(str(home))} {APART} {command}")


def _utc(moment: datetime | None) -> datetime | None:
    from datetime import UTC

    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC)
