"""Commands that read footage: analyse, ingest, watch, worker."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.terminal import (
    Out,
    camera_named,
    console,
    given_files,
    opened_database,
    say,
    sentences,
    short,
    shown_progress,
    stopped_by_signals,
    upgrade_if_needed,
)

if TYPE_CHECKING:
    from db.engine import Database
    from fer_core.annotation import AnnotatedVideo
    from fer_core.footage import Source
    from jobs.direct import FileSummary

Paths = Annotated[
    list[Path],
    typer.Argument(metavar="PATH", help='Files, zips, folders or patterns ("**/*.mp4").'),
]


_STALLED_S = 30.0
_PARTING_S = 30.0
"""How long a worker whose dashboard is gone may take to hand back what it reads."""


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
        typer.Option(
            min=8,
            help="Height in pixels of the smallest face to be found, at a cost; by default 24, and "
            "down to 12 in a video of at most 640 pixels, which is enlarged.",
        ),
    ] = None,
) -> None:
    """Read files or a camera without a database: one row for each face found."""
    from fer_core.camera import Camera, is_address, without_secrets
    from fer_core.footage import Source
    from fer_core.options import AnalysisOptions
    from jobs.direct import FileReader
    from jobs.row_files import check_format, write_rows
    from jobs.store import UNFINISHED
    from settings import settings

    with sentences(), contextlib.ExitStack() as opened:
        check_format(out)
        paths = [Path(source) for source in sources if not is_address(source)]
        files: list[tuple[Source, str]] = [*given_files(paths)]
        addresses = [source for source in sources if is_address(source)]
        video = _annotated(annotated, files, addresses, plain=plain)
        usual = AnalysisOptions()
        options = AnalysisOptions(
            rate=sample_rate or settings().sample_rate,
            limits=settings().footage_limits,
            min_face=smallest_face or usual.min_face,
            min_face_video=smallest_face or settings().smallest_face_in_video,
            min_face_far=smallest_face or usual.min_face_far,
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

        with shown_progress("{task.completed:.0f} of {task.total:.0f} s") as progress:
            task = progress.add_task("reading", total=1.0)

            def tell(name: str, read_s: float, length_s: float) -> None:
                progress.update(
                    task, description=short(name), completed=read_s, total=max(length_s, 1e-3)
                )

            rows = write_rows(reader.rows(watched(), tell), out)
    _summary(reader.summaries)
    if str(out) != "-":
        say(f"{rows} rows written to {out}")
    if annotated and annotated.exists():
        say(f"annotated video written to {annotated}")
    if any(summary.problem for summary in reader.summaries):
        raise typer.Exit(1)


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
    with sentences(), opened_database() as database:
        camera_id = camera_named(
            database, camera, create=create, time_zone=time_zone, hint=" --create makes it."
        )
        store = FootageStore(settings().resolved_footage_url)
        files = list(given_files(paths))
        sizes = [path.stat().st_size if path.is_file() else 0 for path, _ in files]
        with shown_progress() as progress:
            task = progress.add_task("taking in", total=max(sum(sizes), 1))
            for (path, name), size in zip(files, sizes, strict=True):
                progress.update(task, description=short(name))
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
        say(f"{len(accepted)} taken in, {refused} refused")
        failed = _wait(database, accepted) if wait else 0
    if refused or failed:
        raise typer.Exit(1)


def watch(
    folder: Annotated[
        Path | None, typer.Argument(help="Instead of the one that SATISFACE_WATCH_FOLDER names.")
    ] = None,
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help="Take in what has stopped growing, then return: with status 1 where something was "
            "refused.",
        ),
    ] = False,
) -> None:
    """Take in what comes to lie in a folder, until stopped."""
    from jobs.logs import log_to_terminal
    from jobs.watch import take_in_settled, watched_folder
    from jobs.watch import watch as watch_on
    from settings import settings

    log_to_terminal()
    stop = stopped_by_signals()
    refused = 0
    with sentences(), opened_database() as database:
        watched = watched_folder(settings(), folder)
        say(f"Watching {watched.folder}")
        if not once:
            watch_on(settings(), database, watched, stop, say)
            return
        # A file is known not to grow once it was looked at twice.
        for pause in (watched.settle_seconds, 0.0):
            refused += take_in_settled(settings(), database, watched, stop, say)
            stop.wait(pause)
    if refused:
        raise typer.Exit(1)


def worker(
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Return when nothing is left to read.")
    ] = False,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", hidden=True, help="End when the input ends.")
    ] = False,
) -> None:
    """Read what waits, until stopped; what is being read then is handed back."""
    stop = stopped_by_signals()
    if with_parent:
        # The dashboard holds the other end: it closes when the dashboard ends, however it ends.
        threading.Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()

    from jobs.pool import PoolsAhead

    with contextlib.closing(PoolsAhead()) as ahead, sentences():
        from jobs.logs import log_to_terminal
        from settings import settings

        log_to_terminal()
        pools = None if settings().scheduler_address else ahead
        if pools is None:
            ahead.close()

        from jobs.heartbeat import patiently
        from jobs.worker import run_worker

        # The machine may have started before its database did.
        patiently(upgrade_if_needed, stop.is_set)
        if settings().metrics_port:
            from jobs.metrics import serve

            serve(settings().metrics_port, to_others=settings().metrics_to_others)
        with _watching(stop) if with_parent else contextlib.nullcontext():
            run_worker(settings(), stop, until_idle=until_idle, executor_factory=pools)


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
    if files[0][1].lower().endswith(".zip"):
        raise CannotAnnotate("An annotated video shows one file; unpack the zip first.")
    if path.resolve() in {file.resolve() for file, _ in files if isinstance(file, Path)}:
        raise CannotAnnotate(f"{path} is the footage itself; choose another name.")
    return AnnotatedVideo(path, plain=plain)


def _summary(summaries: "list[FileSummary]") -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("file", "people", "faces", "unread", "remarks")
    for found in summaries:
        remarks = "\n".join([*([found.problem] if found.problem else []), *found.warnings])
        cells = (str(found.people), str(found.faces), str(found.faces_unknown))
        table.add_row(*map(Text, (found.name, *cells, remarks)))
    console().print(table)


def _wait(database: "Database", ids: list[int]) -> int:
    """Show the progress of recordings until none is left unread; the number that failed."""
    from db.recording_rows import list_recordings
    from db.tables import RecordingState

    open_states = {RecordingState.QUEUED, RecordingState.READING}
    moved, last = time.monotonic(), -1.0
    with shown_progress() as progress:
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
                say("Nothing moves; is a worker running? (cli.py worker)")
                moved = time.monotonic()
            time.sleep(0.5)
    for row in rows:
        say(row.error or f"{row.name}: {row.state}, {row.people} people, {row.faces} faces")
    return sum(row.state is not RecordingState.DONE for row in rows)


@contextlib.contextmanager
def _watching(stop: threading.Event) -> Iterator[None]:
    """The dashboard's worker looks after the watched folder, in a thread: a large file that is
    taken in keeps no segment waiting."""
    import logging

    from fer_core.errors import SatisfaceError
    from jobs.watch import LOOK_S, watched_folder
    from jobs.watch import watch as watch_on
    from settings import settings

    if not settings().watch_folder:
        yield
        return

    def watch_once_there(database: "Database") -> None:
        # A share may be mounted later than the worker starts.
        told = ""
        while not stop.is_set():
            try:
                watched = watched_folder(settings())
            except SatisfaceError as error:
                if told != (told := str(error)):
                    logging.getLogger(__name__).error("%s", error)
                stop.wait(LOOK_S)
            else:
                watch_on(settings(), database, watched, stop)

    with opened_database() as database:
        thread = threading.Thread(target=watch_once_there, args=(database,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _stop_at_end_of_input(stop: threading.Event) -> None:
    """In a thread of its own. A worker that waits for something that does not come, a server that
    takes connections and never answers, must not live on without anybody to know of it."""
    import logging

    while sys.stdin.buffer.read(1024):
        pass
    stop.set()
    time.sleep(_PARTING_S)
    logging.getLogger(__name__).error("the worker did not end in time and is ended")
    # Nothing that matters lives in this process: see jobs.worker.
    os._exit(1)
