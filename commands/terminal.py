"""What the commands share: sentences, progress, files that were named, the database."""

import contextlib
import glob
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from db.engine import Database

Out = Annotated[
    Path,
    typer.Option(help="File to write: .csv, .parquet, .xlsx or .jsonl; - is CSV to the terminal."),
]


def console(*, to_standard_output: bool = False) -> "Console":
    """What people read goes to standard error: standard output may carry rows."""
    from rich.console import Console

    return Console(stderr=not to_standard_output, highlight=False)


def say(sentence: str) -> None:
    console().print(sentence, markup=False, soft_wrap=True)


@contextlib.contextmanager
def sentences() -> Iterator[None]:
    """Errors that can be foreseen end the command with a sentence and status 1."""
    from fer_core.errors import SatisfaceError

    try:
        yield
    except SatisfaceError as error:
        say(str(error))
        raise typer.Exit(1) from None
    except Exception as error:
        sentence = _foreseen(error)
        if sentence is None:
            raise
        say(sentence)
        raise typer.Exit(1) from None


def _foreseen(error: Exception) -> str | None:
    """What is wrong around us: the disk, the database, a setting."""
    from pydantic import ValidationError

    from db.engine import TROUBLE

    if isinstance(error, BrokenPipeError):
        return None
    if isinstance(error, OSError):
        return f"{error.filename or 'A file'}: {error.strerror or error}."
    if isinstance(error, TROUBLE):
        return f"The database does not answer as it should: {str(error).splitlines()[0]}"
    if isinstance(error, ValidationError) and error.title == "Settings":
        wrong = (
            f"SATISFACE_{'_'.join(map(str, one['loc'])).upper()}: {one['msg']}"
            for one in error.errors()
        )
        return f"A setting cannot be what it is. {'; '.join(wrong)}."
    return None


def shown_progress(figures: str = "{task.percentage:>3.0f} %") -> "Progress":
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn(figures),
        TimeRemainingColumn(),
        console=console(),
        transient=True,
    )


@contextlib.contextmanager
def told_progress() -> "Iterator[Callable[[str, int, int], None]]":
    """Shows what is told: a name, and how much of how much."""
    with shown_progress() as progress:
        task = progress.add_task("starting", total=None)

        def tell(name: str, done: int, total: int) -> None:
            progress.update(task, description=name, completed=done, total=max(total, 1))

        yield tell


def short(name: str) -> str:
    return name if len(name) <= 40 else "…" + name[-39:]


def given_files(paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """(file, the name to call it by): the files themselves, all files in folders, and what
    matches a pattern that no shell has resolved."""
    from jobs.intake import as_text

    for path in paths:
        if not path.exists() and glob.has_magic(str(path)):
            matching = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207  any path
            if matching:
                yield from given_files([Path(found) for found in matching])
            else:
                yield path, as_text(PurePath(path.name))
            continue
        if not path.is_dir():
            yield path, as_text(PurePath(path.name))
            continue
        for file in sorted(path.rglob("*")):
            inside = file.relative_to(path)
            if file.is_file() and not any(part.startswith(".") for part in inside.parts):
                yield file, as_text(inside)


def stopped_by_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def upgrade_if_needed() -> None:
    from db.engine import is_current, upgrade
    from settings import settings

    if not is_current(settings().resolved_database_url):
        upgrade(settings().resolved_database_url)


@contextlib.contextmanager
def opened_database() -> "Iterator[Database]":
    from db.engine import Database
    from settings import settings

    upgrade_if_needed()
    with contextlib.closing(Database(settings().resolved_database_url)) as database:
        yield database


def camera_named(
    database: "Database",
    name: str,
    *,
    create: bool = False,
    time_zone: str | None = None,
    hint: str = "",
) -> int:
    """The id of "Site/Camera", either of which may hold a slash. Raises PlaceError where it is
    missing and not to be made."""
    from db.places import PlaceError, create_camera, create_site, list_sites

    site_name, slash, camera_name = (part.strip() for part in name.rpartition("/"))
    if not (slash and site_name and camera_name):
        raise PlaceError(f'{name} is not a camera; write it as "Site/Camera".')
    with database.write() as session:
        sites = list_sites(session)
        named = {
            written: camera.id
            for site in sites
            for camera in site.cameras
            for written in ((site.name, camera.name), f"{site.name}/{camera.name}")
        }
        found = named.get((site_name, camera_name)) or named.get(name.strip())
        if found is not None:
            return found
        if not create:
            raise PlaceError(f"There is no camera {name}.{hint}")
        site_id = next((site.id for site in sites if site.name == site_name), None)
        if site_id is None:
            zone = time_zone or local_time_zone()
            site_id = create_site(session, site_name, zone)
            say(f"The site {site_name} was made, in the time zone {zone}.")
        return create_camera(session, site_id, camera_name)


def local_time_zone() -> str:
    """This machine's IANA name; UTC where it cannot be told."""
    from zoneinfo import available_timezones

    link = Path("/etc/localtime")
    linked = str(link.readlink()) if link.is_symlink() else ""
    for name in (os.environ.get("TZ", "").lstrip(":"), linked.rpartition("zoneinfo/")[2]):
        if name in available_timezones():
            return name
    return "UTC"
