"""The same work from a terminal. Each command imports what it needs when it runs."""

import contextlib
import glob
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from db.engine import Database
    from fer_core.annotation import AnnotatedVideo
    from fer_core.footage import Source
    from jobs.direct import FileSummary

app = typer.Typer(
    help="Satisface: how did our customers look today, and is it getting better?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
db_app = typer.Typer(help="The database.", no_args_is_help=True)
app.add_typer(db_app, name="db")

_STALLED_S = 30.0
_MOMENTS = [
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
]


class Export(StrEnum):
    """Rows of faces, of people, or of hours."""

    PREDICTIONS = "predictions"
    TRACKS = "tracks"
    BUCKETS = "buckets"


Paths = Annotated[
    list[Path],
    typer.Argument(metavar="PATH", help='Files, zips, folders or patterns ("**/*.mp4").'),
]
Out = Annotated[
    Path, typer.Option(help="File to write: .csv, .parquet or .jsonl; - is CSV to the terminal.")
]


@app.command()
def analyse(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Files, zips or folders, or the address of a camera (rtsp://...).",
        ),
    ],
    out: Out = Path("-"),
    sample_rate: Annotated[
        float | None, typer.Option(min=0.01, max=60, help="Frames read from a second of video.")
    ] = None,
    annotated: Annotated[
        Path | None,
        typer.Option(
            help="Video to write (.mp4) of the one file that is read, with what was read."
        ),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Show faces in the annotated video; else a mosaic.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=1, help="How long to watch a camera.")] = 60.0,
    keyframes: Annotated[
        bool,
        typer.Option(
            "--keyframes",
            help="Read only the frames that the camera coded whole: much faster, but they may be "
            "seconds apart, so people are not followed and may be counted anew in each.",
        ),
    ] = False,
    smallest_face: Annotated[
        float | None,
        typer.Option(min=8, help="Height in pixels of the smallest face to be found, at a cost."),
    ] = None,
) -> None:
    """Read files or a camera without a database: one row for each face found."""
    from fer_core.analysis import AnalysisOptions
    from fer_core.camera import Camera, is_address, without_secrets
    from fer_core.footage import Source
    from jobs.direct import FileReader
    from jobs.row_files import check_format, write_rows
    from jobs.store import UNFINISHED
    from settings import settings

    with _sentences(), contextlib.ExitStack() as opened:
        check_format(out)
        paths = [Path(source) for source in sources if not is_address(source)]
        files: list[tuple[Source, str]] = [*_given(paths)]
        addresses = [source for source in sources if is_address(source)]
        video = _annotated(annotated, files, addresses, plain=plain)
        options = AnalysisOptions(
            rate=sample_rate or settings().sample_rate,
            limits=settings().footage_limits,
            min_face=smallest_face or AnalysisOptions().min_face,
            min_face_video=smallest_face or settings().smallest_face_in_video,
            keyframes=keyframes,
        )
        reader = FileReader(
            settings().home / UNFINISHED,
            options,
            opened.enter_context(video) if video else None,
        )

        def watched() -> Iterator[tuple[Source, str]]:
            yield from files
            for address in addresses:
                with Camera(address, seconds, rate=options.rate) as camera:
                    yield camera, without_secrets(address)

        with _progress("{task.completed:.0f} of {task.total:.0f} s") as progress:
            task = progress.add_task("reading", total=1.0)

            def tell(name: str, read_s: float, length_s: float) -> None:
                progress.update(
                    task, description=_short(name), completed=read_s, total=max(length_s, 1e-3)
                )

            rows = write_rows(reader.rows(watched(), tell), out)
    _summary(reader.summaries)
    if str(out) != "-":
        _say(f"{rows} rows written to {out}")
    if annotated and annotated.exists():
        _say(f"annotated video written to {annotated}")
    if any(summary.problem for summary in reader.summaries):
        raise typer.Exit(1)


@app.command()
def ingest(
    paths: Paths,
    camera: Annotated[str, typer.Option(help='The camera that filmed it, as "Site/Camera".')],
    captured_at: Annotated[
        datetime | None,
        typer.Option(
            help="When the footage begins, in the site's local time; by default as the file tells.",
            formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"],
        ),
    ] = None,
    create: Annotated[
        bool, typer.Option("--create", help="Make the site and the camera if they are missing.")
    ] = False,
    time_zone: Annotated[
        str | None, typer.Option(help="Of a site that is made; by default this machine's.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when all of it was read.")] = False,
) -> None:
    """Take files in through the database, as the Upload page would."""
    from jobs.intake import Accepted, Refused, admit
    from jobs.store import FootageStore
    from settings import settings

    accepted, refused = [], 0
    with _sentences(), _database() as database:
        camera_id = _camera(database, camera, create=create, time_zone=time_zone)
        store = FootageStore(settings().resolved_footage_url)
        files = list(_given(paths))
        sizes = [path.stat().st_size if path.is_file() else 0 for path, _ in files]
        with _progress() as progress:
            task = progress.add_task("taking in", total=max(sum(sizes), 1))
            for (path, name), size in zip(files, sizes, strict=True):
                progress.update(task, description=_short(name))
                for outcome in admit(
                    database,
                    store,
                    settings(),
                    path=path,
                    name=name,
                    camera_id=camera_id,
                    captured_at=captured_at,
                ):
                    progress.console.print(outcome.sentence, markup=False, soft_wrap=True)
                    refused += isinstance(outcome, Refused)
                    if isinstance(outcome, Accepted):
                        accepted.append(outcome.recording_id)
                progress.advance(task, size)
        _say(f"{len(accepted)} taken in, {refused} refused")
        failed = _wait(database, accepted) if wait else 0
    if refused or failed:
        raise typer.Exit(1)


@app.command()
def watch(
    folder: Annotated[
        Path | None, typer.Argument(help="Instead of the one that SATISFACE_WATCH_FOLDER names.")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Take in what has stopped growing, then return.")
    ] = False,
) -> None:
    """Take in what comes to lie in a folder, until stopped."""
    from jobs.logs import log_to_terminal
    from jobs.watch import take_in_settled, watched_folder
    from jobs.watch import watch as watch_on
    from settings import settings

    log_to_terminal()
    stop = _stopped_by_signals()
    with _sentences(), _database() as database:
        watched = watched_folder(settings(), folder)
        _say(f"Watching {watched.folder}")
        if not once:
            watch_on(settings(), database, watched, stop, _say)
            return
        # A file is known not to grow once it was looked at twice.
        for pause in (watched.settle_seconds, 0.0):
            take_in_settled(settings(), database, watched, stop, _say)
            stop.wait(pause)


@app.command()
def worker(
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Return when nothing is left to read.")
    ] = False,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", hidden=True, help="End when the input ends.")
    ] = False,
) -> None:
    """Read what waits, until stopped; what is being read then is handed back."""
    from jobs.logs import log_to_terminal

    log_to_terminal()
    stop = _stopped_by_signals()
    if with_parent:
        # The dashboard holds the other end: it closes when the dashboard ends, however it ends.
        threading.Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()

    from jobs.pool import PoolsAhead
    from settings import settings

    with contextlib.ExitStack() as opened, _sentences():
        pools = None
        if not settings().scheduler_address:
            pools = opened.enter_context(
                contextlib.closing(PoolsAhead(settings().worker_processes))
            )

        from jobs.worker import run_worker

        _upgrade_if_needed()
        if settings().metrics_port:
            from jobs.metrics import serve

            serve(settings().metrics_port, to_others=settings().metrics_to_others)
        with _watching(stop) if with_parent else contextlib.nullcontext():
            run_worker(settings(), stop, until_idle=until_idle, executor_factory=pools)


@app.command()
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
    with _sentences(), _database() as database:
        check_format(out)
        cameras = [_camera(database, name) for name in camera] if camera else None
        with database.read() as session:
            frames = iterate(session, start=_utc(start), end=_utc(end), camera_ids=cameras)
            if rows is Export.BUCKETS:
                frames = without_withheld(frames, settings().minimum_people)
            count = write_rows(frames, out)
    if str(out) != "-":
        _say(f"{count} rows written to {out}")


@app.command()
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

    with _sentences(), _database() as database:
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
                now=datetime.now(ZoneInfo(_local_time_zone())),
                site_ids=[ids[name] for name in site] if site else None,
                sections=section or (),
            )
        write_report(content, out)
    _say(f"The report was written to {out}")


@app.command()
def demo(
    days: Annotated[int, typer.Option(min=1, max=400, help="Days up to yesterday.")] = 90,
    seed: Annotated[int, typer.Option(help="Another seed, other data.")] = 7,
) -> None:
    """Fill a database of its own with invented data, marked as such."""
    import shutil

    from db.engine import Database, upgrade
    from jobs.demo import fill
    from settings import settings

    home = settings().home / "demo"
    with _sentences():
        shutil.rmtree(home, ignore_errors=True)
        url = f"sqlite:///{home / 'satisface.db'}"
        upgrade(url)
        database = Database(url)
        with contextlib.closing(database), _progress() as progress:
            task = progress.add_task("inventing", total=None)
            recordings = fill(
                database,
                days=days,
                seed=seed,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
    _say(f"{recordings} recordings of {days} days invented in {home}. To look around:")
    _say(f"  SATISFACE_HOME={home} {sys.executable} -m streamlit run app.py")


@app.command()
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
    from fer_core.errors import SatisfaceError
    from jobs.erasure import erase
    from jobs.store import FootageStore
    from settings import settings

    with _sentences(), _database() as database:
        camera_id = _camera(database, camera)
        with database.read() as session:
            zone = ZoneInfo(
                next(
                    site.time_zone
                    for site in list_sites(session)
                    if any(one.id == camera_id for one in site.cameras)
                )
            )
        first, last = start.replace(tzinfo=zone), end.replace(tzinfo=zone)
        if last <= first:
            raise SatisfaceError("The end must come after the first moment.")
        if not yes:
            stretch = f"from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M %Z}"
            typer.confirm(f"Delete for good all that {camera} saw {stretch}?", abort=True)
        store = FootageStore(settings().resolved_footage_url)
        gone = erase(database, store, camera_id, first, last)
    _say(
        f"Deleted: people {gone.people}, pieces of footage {gone.footage}, hours of which only "
        f"sums were left {gone.hours}; looked through: recordings {gone.recordings}."
    )


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that is not there.")],
) -> None:
    """Write the database and the footage that waits to a folder, while all goes on."""
    from jobs.backup import back_up
    from settings import settings

    with _sentences(), _told_progress() as progress:
        made = back_up(settings(), folder, progress)
    _say(f"Backed up to {folder}: the database and {made.footage} files of footage.")
    if made.gone:
        _say(f"{made.gone} files of footage were not in the store any more.")


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What backup has written.")],
) -> None:
    """Bring a backup back into an empty installation."""
    from jobs.backup import restore
    from settings import settings

    with _sentences(), _told_progress() as progress:
        brought = restore(settings(), folder, progress)
    _say(
        f"Restored as of {brought.made_at:%Y-%m-%d %H:%M} UTC: the database and {brought.footage} "
        "files of footage."
    )


@db_app.command("upgrade")
def db_upgrade() -> None:
    """Create or migrate the database."""
    from db.engine import upgrade
    from settings import settings

    with _sentences():
        upgrade(settings().resolved_database_url)
    _say("The database is up to date.")


@db_app.command("copy")
def db_copy(
    target_url: Annotated[
        str,
        typer.Argument(
            metavar="URL", help="Address of an empty database: postgresql://..., sqlite:///..."
        ),
    ],
) -> None:
    """Copy every row to another database, and check that all arrived."""
    from db.copy import copy_database
    from settings import settings

    with _sentences(), _told_progress() as progress:
        copied = copy_database(settings().resolved_database_url, target_url, progress)
    rows = sum(table.rows for table in copied.values())
    _say(f"{rows} rows of {len(copied)} tables were copied, and all of them arrived unchanged.")
    _say("To use that database, set SATISFACE_DATABASE_URL to its address.")


@db_app.command("rebuild-buckets")
def db_rebuild_buckets() -> None:
    """Compute the hourly buckets anew from the tracks."""
    from db.buckets import rebuild_camera
    from db.places import list_sites

    with _sentences(), _database() as database, _progress() as progress:
        with database.read() as session:
            cameras = [
                (camera.id, f"{site.name}/{camera.name}")
                for site in list_sites(session)
                for camera in site.cameras
            ]
        for camera_id, name in cameras:
            task = progress.add_task(_short(name), total=1.0)
            # One after the other: whoever writes waits for one camera, not for all.
            with database.write() as session:
                rebuild_camera(session, camera_id, partial(_complete, progress, task))
            progress.update(task, completed=1.0)
    _say(f"The buckets of {len(cameras)} cameras were computed anew.")


def _console() -> "Console":
    """What people read goes to standard error: standard output may carry rows."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def _say(sentence: str) -> None:
    _console().print(sentence, markup=False, soft_wrap=True)


@contextlib.contextmanager
def _sentences() -> Iterator[None]:
    """Errors raised on purpose end the command with their sentence and status 1."""
    from fer_core.errors import SatisfaceError

    try:
        yield
    except SatisfaceError as error:
        _say(str(error))
        raise typer.Exit(1) from None


def _annotated(
    path: Path | None, files: "list[tuple[Source, str]]", addresses: list[str], *, plain: bool
) -> "AnnotatedVideo | None":
    """Raises CannotAnnotate before anything is read for nothing."""
    from fer_core.annotation import CONTAINERS, AnnotatedVideo
    from jobs.direct import CannotAnnotate

    if path is None:
        return None
    if path.suffix.lower() not in CONTAINERS:
        raise CannotAnnotate(f"{path}: an annotated video ends in {', '.join(sorted(CONTAINERS))}.")
    if addresses or len(files) != 1:
        raise CannotAnnotate("An annotated video shows exactly one file, and no camera.")
    if path.resolve() in {file.resolve() for file, _ in files if isinstance(file, Path)}:
        raise CannotAnnotate(f"{path} is the footage itself; choose another name.")
    return AnnotatedVideo(path, plain=plain)


def _progress(figures: str = "{task.percentage:>3.0f} %") -> "Progress":
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn(figures),
        TimeRemainingColumn(),
        console=_console(),
        transient=True,
    )


@contextlib.contextmanager
def _told_progress() -> "Iterator[Callable[[str, int, int], None]]":
    """Shows what is told: a name, and how much of how much."""
    with _progress() as progress:
        task = progress.add_task("starting", total=None)

        def tell(name: str, done: int, total: int) -> None:
            progress.update(task, description=name, completed=done, total=max(total, 1))

        yield tell


def _complete(progress: "Progress", task: "TaskID", share: float) -> None:
    progress.update(task, completed=share)


def _short(name: str) -> str:
    return name if len(name) <= 40 else "…" + name[-39:]


def _given(paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """(file, the name to call it by): the files themselves, all files in folders, and what
    matches a pattern that no shell has resolved."""
    for path in paths:
        if not path.exists() and glob.has_magic(str(path)):
            matching = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207  any path
            yield from (
                _given([Path(found) for found in matching]) if matching else ((path, path.name),)
            )
            continue
        if not path.is_dir():
            yield path, path.name
            continue
        for file in sorted(path.rglob("*")):
            inside = file.relative_to(path)
            if file.is_file() and not any(part.startswith(".") for part in inside.parts):
                yield file, str(inside)


def _summary(summaries: "list[FileSummary]") -> None:
    from rich.table import Table

    table = Table("file", "people", "faces", "unread", "remarks")
    for found in summaries:
        remarks = "\n".join([*([found.problem] if found.problem else []), *found.warnings])
        cells = (str(found.people), str(found.faces), str(found.faces_unknown))
        table.add_row(found.name, *cells, remarks)
    _console().print(table)


def _upgrade_if_needed() -> None:
    from db.engine import is_current, upgrade
    from settings import settings

    if not is_current(settings().resolved_database_url):
        upgrade(settings().resolved_database_url)


@contextlib.contextmanager
def _database() -> "Iterator[Database]":
    from db.engine import Database
    from settings import settings

    _upgrade_if_needed()
    with contextlib.closing(Database(settings().resolved_database_url)) as database:
        yield database


def _camera(
    database: "Database", name: str, *, create: bool = False, time_zone: str | None = None
) -> int:
    """The id of "Site/Camera". Raises PlaceError where it is missing and not to be made."""
    from db.places import PlaceError, create_camera, create_site, list_sites

    site_name, slash, camera_name = (part.strip() for part in name.rpartition("/"))
    if not (slash and site_name and camera_name):
        raise PlaceError(f'{name} is not a camera; write it as "Site/Camera".')
    with database.write() as session:
        sites = {site.name: site for site in list_sites(session)}
        site = sites.get(site_name)
        for camera in site.cameras if site else ():
            if camera.name == camera_name:
                return camera.id
        if not create:
            raise PlaceError(f"There is no camera {name}; --create makes it.")
        if site is None:
            zone = time_zone or _local_time_zone()
            site_id = create_site(session, site_name, zone)
            _say(f"The site {site_name} was made, in the time zone {zone}.")
        else:
            site_id = site.id
        return create_camera(session, site_id, camera_name)


def _local_time_zone() -> str:
    """This machine's IANA name; UTC where it cannot be told."""
    from zoneinfo import available_timezones

    link = Path("/etc/localtime")
    linked = str(link.readlink()) if link.is_symlink() else ""
    for name in (os.environ.get("TZ", "").lstrip(":"), linked.rpartition("zoneinfo/")[2]):
        if name in available_timezones():
            return name
    return "UTC"


def _utc(moment: datetime | None) -> datetime | None:
    from datetime import UTC

    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC)


def _wait(database: "Database", ids: list[int]) -> int:
    """Show the progress of recordings until none is left unread; the number that failed."""
    from db.recording_rows import list_recordings
    from db.tables import RecordingState

    open_states = {RecordingState.QUEUED, RecordingState.READING}
    moved, last = time.monotonic(), -1.0
    with _progress() as progress:
        task = progress.add_task("reading", total=float(len(ids)))
        while True:
            with database.read() as session:
                rows = list_recordings(session, ids=ids, limit=len(ids)) if ids else []
            running = [row for row in rows if row.state in open_states]
            done = len(ids) - len(running) + sum(row.progress for row in running)
            progress.update(task, completed=done)
            if not running:
                break
            if done != last:
                moved, last = time.monotonic(), done
            elif time.monotonic() - moved > _STALLED_S:
                _say("Nothing moves; is a worker running? (cli.py worker)")
                moved = time.monotonic()
            time.sleep(0.5)
    for row in rows:
        _say(row.error or f"{row.name}: {row.state}, {row.people} people, {row.faces} faces")
    return sum(row.state is not RecordingState.DONE for row in rows)


@contextlib.contextmanager
def _watching(stop: threading.Event) -> Iterator[None]:
    """The dashboard's worker looks after the watched folder, in a thread: a large file that is
    taken in keeps no segment waiting."""
    import logging

    from fer_core.errors import SatisfaceError
    from jobs.watch import watch as watch_on
    from jobs.watch import watched_folder
    from settings import settings

    if not settings().watch_folder:
        yield
        return
    try:
        watched = watched_folder(settings())
    except SatisfaceError as error:
        # Reading goes on without it.
        logging.getLogger(__name__).error("%s", error)
        yield
        return
    with _database() as database:
        thread = threading.Thread(target=watch_on, args=(settings(), database, watched, stop))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _stopped_by_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _stop_at_end_of_input(stop: threading.Event) -> None:
    while sys.stdin.buffer.read(1024):
        pass
    stop.set()


if __name__ == "__main__":
    app()
