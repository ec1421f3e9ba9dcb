"""Rows as files, streamed: however many there are, the server holds a few thousand at a time.

GET downloads/<link>    a file, see jobs.downloads; 410 with a sentence where the link is too old
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from db.engine import Database
from jobs.downloads import MEDIA_TYPES, LinkError, Rows, chunks, read_link, row_frames


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
        here = await run_in_threadpool(options)
        try:
            rows = read_link(here.home, request.path_params["link"], time.time())
        except LinkError as error:
            return PlainTextResponse(str(error), 410)
        return StreamingResponse(
            closing(_read(here, rows)),
            media_type=MEDIA_TYPES[rows.format],
            headers={
                "Content-Disposition": f'attachment; filename="{rows.file_name}"',
                "Cache-Control": "no-store",
            },
        )

    return [Route(f"{path}/{{link}}", download, methods=["GET"])]


def _read(here: DownloadOptions, rows: Rows) -> Iterator[bytes]:
    with here.database.read() as session:
        yield from chunks(row_frames(session, rows, here.minimum_people), rows.format)


async def closing(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Each piece from a thread; the database is let go of when the browser is gone, too."""
    try:
        while (piece := await run_in_threadpool(next, pieces, None)) is not None:
            yield piece
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
