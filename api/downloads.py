"""Rows as files, streamed: however many there are, the server holds a few thousand at a time.

GET downloads/<link>    a file, see jobs.downloads; 410 with a sentence where the link is too old,
                        503 where its rows cannot be read now
"""

import logging
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.streams import Streamed
from db.engine import TROUBLE, Database
from jobs.downloads import MEDIA_TYPES, LinkError, Rows, chunks, read_link, row_frames

log = logging.getLogger(__name__)

_AGAIN_S: Final = "10"


@dataclass(frozen=True, slots=True)
class DownloadOptions:
    """``minimum_people``: of an hour whose figures are shown."""

    home: Path
    database: Database
    minimum_people: int


def download_routes(path: str, options: Callable[[], DownloadOptions]) -> list[Route]:
    """``options``: asked for at the first request."""
    options = cache(options)

    async def download(request: Request) -> Response:
        try:
            here = await run_in_threadpool(options)
            rows = read_link(here.home, request.path_params["link"], time.time())
            pieces = _read(here, rows)
            # A status that was sent cannot be taken back.
            first = await run_in_threadpool(next, pieces, b"")
        except LinkError as error:
            return PlainTextResponse(str(error), 410)
        except (*TROUBLE, OSError) as error:
            log.error("a download", exc_info=error)
            return PlainTextResponse(
                "The rows cannot be read at the moment. Try again in a while.",
                503,
                {"Retry-After": _AGAIN_S},
            )
        return Streamed(
            first,
            pieces,
            media_type=MEDIA_TYPES[rows.format],
            headers={
                "Content-Disposition": f'attachment; filename="{rows.file_name}"',
                "Cache-Control": "no-store",
            },
        )

    return [Route(f"{path}/{{link}}", download, methods=["GET"])]


def _read(here: DownloadOptions, rows: Rows) -> Generator[bytes]:
    with here.database.read() as session:
        yield from chunks(row_frames(session, rows, here.minimum_people), rows.format)
