"""Commands for whoever keeps the installation: backup, restore, db."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.terminal import opened_database, say, sentences, short, shown_progress, told_progress

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that is not there.")],
) -> None:
    """Write the database and the footage that is still there to a folder, while all goes on."""
    from jobs.backup import back_up
    from settings import settings

    with sentences(), told_progress() as progress:
        made = back_up(settings(), folder, progress)
    say(f"Backed up to {folder}: the database and {made.footage} files of footage.")
    if made.gone:
        say(f"{made.gone} files of footage were not in the store any more.")


def restore(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What backup has written.")],
) -> None:
    """Bring a backup back into an empty installation."""
    from jobs.backup import restore
    from settings import settings

    with sentences(), told_progress() as progress:
        brought = restore(settings(), folder, progress)
    say(
        f"Restored as of {brought.made_at:%Y-%m-%d %H:%M} UTC: the database and {brought.footage} "
        "files of footage."
    )


def db_upgrade() -> None:
    """Create or migrate the database."""
    from db.engine import upgrade
    from settings import settings

    with sentences():
        upgrade(settings().resolved_database_url)
    say("The database is up to date.")


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

    with sentences(), told_progress() as progress:
        copied = copy_database(settings().resolved_database_url, target_url, progress)
    rows = sum(table.rows for table in copied.values())
    say(f"{rows} rows of {len(copied)} tables were copied, and all of them arrived unchanged.")
    say("To use that database, set SATISFACE_DATABASE_URL to its address.")


def db_rebuild_buckets() -> None:
    """Compute the hourly buckets anew from the tracks."""
    from db.buckets import rebuild_camera
    from db.places import list_sites

    with sentences(), opened_database() as database, shown_progress() as progress:
        with database.read() as session:
            cameras = [
                (camera.id, f"{site.name}/{camera.name}")
                for site in list_sites(session)
                for camera in site.cameras
            ]
        for camera_id, name in cameras:
            task = progress.add_task(short(name), total=1.0)
            # One after the other: whoever writes waits for one camera, not for all.
            with database.write() as session:
                rebuild_camera(session, camera_id, partial(_complete, progress, task))
            progress.update(task, completed=1.0)
    say(f"The buckets of {len(cameras)} cameras were computed anew.")


def _complete(progress: "Progress", task: "TaskID", share: float) -> None:
    progress.update(task, completed=share)
