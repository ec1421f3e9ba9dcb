"""The ASGI application: the screens, the HTTP routes and the worker's start, nothing else.

``streamlit run app.py`` finds ``app`` here.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from starlette.concurrency import run_in_threadpool

from api.health import health_route
from db.engine import upgrade
from jobs.child import WorkerProcess
from jobs.logs import log_to_terminal
from settings import settings

log_to_terminal()

_worker = WorkerProcess(settings())


@asynccontextmanager
async def _lifespan(_: st.App) -> AsyncIterator[None]:
    """Bring the database up to date, then run a worker for as long as the server runs."""
    await run_in_threadpool(upgrade, settings().resolved_database_url)
    if settings().start_worker:
        _worker.start()
    try:
        yield
    finally:
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
