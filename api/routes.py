"""Every HTTP route of ours below ``/api``, made from the settings when the first request comes."""

from pathlib import Path

from sqlalchemy import exists, select
from starlette.routing import Router

from api.downloads import DownloadOptions, download_routes
from api.uploads import UploadOptions, upload_routes
from db.engine import Database
from db.recording_rows import find_by_sha256
from db.tables import Recording
from jobs.store import unfinished_folder
from settings import Settings, settings

_CLIENT_FILES = Path(__file__).parent.parent / "pages" / "assets" / "uploader"


def api_router(prefix: str) -> Router:
    """``prefix``: the path that the router is mounted at, as browsers see it."""
    return Router(
        routes=[
            *upload_routes("/uploads", f"{prefix}/uploads", _upload_options),
            *download_routes("/downloads", _download_options),
        ]
    )


def _download_options() -> DownloadOptions:
    here = settings()
    database = Database(here.resolved_database_url)
    return DownloadOptions(here.home, database, here.minimum_people)


def _upload_options() -> UploadOptions:
    here = settings()
    database = Database(here.resolved_database_url)

    def known(camera: int, size: int, sha256: str | None) -> str | bool:
        return known_recording(database, camera, size, sha256)

    return UploadOptions(
        home=here.home,
        folder=unfinished_folder(here),
        client_files=_CLIENT_FILES,
        largest=largest_upload(here),
        proxy_signs_in=here.proxy_signs_in,
        known=known,
    )


def largest_upload(here: Settings) -> int:
    """Bytes."""
    return here.max_upload_mb * 1_000_000


def known_recording(
    database: Database, camera_id: int, size: int, sha256: str | None
) -> str | bool:
    """See ``api.uploads.Known``. A size costs the browser nothing to tell and most files have one
    of their own, so it reads a file through for its hash only when that may spare sending it."""
    with database.read() as session:
        if sha256 is None:
            same = (Recording.camera_id == camera_id, Recording.bytes == size)
            return bool(session.scalar(select(exists().where(*same))))
        found = find_by_sha256(session, sha256)
    for recording in found:
        if recording.camera_id == camera_id:
            # With it come the decoders, which a server that only takes files in does not need.
            from jobs.intake import Duplicate

            return Duplicate(recording.name, recording).reason
    return False
