"""The ASGI application: the screens, the HTTP routes and the worker's start, nothing else.

``streamlit run app.py`` finds ``app`` here.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from importlib import import_module
from typing import TYPE_CHECKING

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from jobs.logs import log_to_terminal

# What else there is to load is loaded once the server answers: a browser needs that time for the
# frame of the page.
if TYPE_CHECKING:
    from jobs.child import WorkerProcess

log_to_terminal("text")

log = logging.getLogger(__name__)
_worker: "WorkerProcess | None" = None


def _get_ready() -> None:
    """Bring the database up to date and load what the first page draws with, where there is
    something to draw; then start the worker, so that it does not fight with the first page for the
    machine."""
    global _worker
    from db.engine import Database, upgrade
    from db.recording_rows import count_recordings
    from jobs.child import WorkerProcess
    from settings import settings

    log_to_terminal()
    try:
        upgrade(settings().resolved_database_url)
        with (
            closing(Database(settings().resolved_database_url)) as database,
            database.read() as session,
        ):
            has_figures = count_recordings(session) > 0
        if has_figures:
            import_module("pages.overview")
    except Exception:
        # The pages and /healthz tell of it to whoever asks; the worker has its own patience.
        log.exception("getting ready")
    if settings().start_worker:
        _worker = WorkerProcess(settings())
        _worker.start()


@asynccontextmanager
async def _lifespan(_: st.App) -> AsyncIterator[None]:
    """Run a worker for as long as the server runs. A setting that cannot be what it is ends the
    start, with what is wrong with it."""
    from settings import settings

    settings()
    ready = asyncio.create_task(run_in_threadpool(_get_ready))
    try:
        yield
    finally:
        await ready
        if _worker is not None:
            await run_in_threadpool(_worker.stop)


def _healthz(_: Request) -> Response:
    from api.health import health
    from settings import settings

    return health(settings(), _worker_is_alive())


def _readyz(_: Request) -> Response:
    from api.health import readiness
    from settings import settings

    return readiness(settings(), _worker_is_alive())


def _metrics(request: Request) -> Response:
    from api.metrics import metrics, refused
    from settings import settings

    return refused(request, settings()) or metrics(settings())


def _worker_is_alive() -> bool | None:
    """None where this instance starts no worker of its own."""
    from settings import settings

    alive = _worker is not None and _worker.pid is not None
    return alive if settings().start_worker else None


class _Late:
    """An application that is loaded when it is first asked for."""

    def __init__(self, load: Callable[[], ASGIApp]) -> None:
        self._load = load
        self._app: ASGIApp | None = None
        self._loading = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._loading:
            if self._app is None:
                self._app = await run_in_threadpool(self._load)
        await self._app(scope, receive, send)


def _routes_of_pages() -> ASGIApp:
    from api.routes import api_router

    return api_router(_api_path)


def _api_of_programs() -> ASGIApp:
    from api.v1.app import versioned_api
    from settings import settings

    return versioned_api(settings(), f"{_api_path}/v1")


_base = st.get_option("server.baseUrlPath").strip("/")
_api_path = f"/{_base}/api" if _base else "/api"

app = st.App(
    "pages/navigation.py",
    lifespan=_lifespan,
    routes=[
        Route("/healthz", _healthz, methods=["GET"]),
        Route("/readyz", _readyz, methods=["GET"]),
        Route("/metrics", _metrics, methods=["GET"]),
        Mount(f"{_api_path}/v1", _Late(_api_of_programs)),
        Mount(_api_path, _Late(_routes_of_pages)),
    ],
)
