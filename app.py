"""The ASGI application: the screens, the HTTP routes and the worker's start, nothing else.

``streamlit run app.py`` finds ``app`` here.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

import streamlit as st
from starlette.concurrency import run_in_threadpool

from api.health import health_route
from db.engine import upgrade
from jobs.child import WorkerProcess
from jobs.logs import log_to_terminal
from settings import settings

log_to_terminal()

log = logging.getLogger(__name__)
_worker = WorkerProcess(settings())


def _get_ready() -> None:
    """Bring the database up to date and load what the first page draws with, then start the
    worker, so that it does not fight with the first page for the machine."""
    try:
        upgrade(settings().resolved_database_url)
        import_module("pages.overview")
    except Exception:
        # The pages and /healthz tell of it to whoever asks; the worker has its own patience.
        log.exception("getting ready")
    if settings().start_worker:
        _worker.start()


@asynccontextmanager
async def _lifespan(_: st.App) -> AsyncIterator[None]:
    """Run a worker for as long as the server runs. The server answers while it gets ready: a
    browser needs that time to load the frame of the page."""
    ready = asyncio.create_task(run_in_threadpool(_get_ready))
    try:
        yield
    finally:
        await ready
        await run_in_threadpool(_worker.stop)


app = st.App(
    "pages/navigation.py",
    lifespan=_lifespan,
    routes=[
        health_route(
            settings().resolved_database_url,
            (lambda: _worker.pid is not None) if settings().start_worker else None,
        )
    ],
)
