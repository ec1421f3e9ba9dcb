"""``/healthz`` and ``/readyz``: whether this instance can do its work, and what is wrong where it
cannot, for whatever watches over it.

Streamlit answers 200 on unknown paths, so a watcher should look at the body.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.responses import JSONResponse

from jobs.condition import Check, all_checks, own_checks
from settings import Settings


def health(settings: Settings, worker_is_alive: bool | None) -> JSONResponse:
    """Its database and its worker: where this fails, a restart may help.

    ``worker_is_alive``: None where this instance starts no worker of its own.
    """
    return _answer(own_checks(settings, worker_is_alive))


def readiness(
    settings: Settings, worker_is_alive: bool | None, now: datetime | None = None
) -> JSONResponse:
    """Also the footage store, the disk, and whether what waits is being read."""
    return _answer(all_checks(settings, worker_is_alive, now or datetime.now(UTC)))


def _answer(checks: Sequence[Check]) -> JSONResponse:
    problems = [check.problem for check in checks if check.problem]
    body = {
        "status": "failing" if problems else "ok",
        **{check.name: check.says for check in checks},
        "problems": problems,
    }
    return JSONResponse(body, 503 if problems else 200, {"Cache-Control": "no-store"})
