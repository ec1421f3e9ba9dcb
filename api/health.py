"""The answer of ``/healthz``: whether this instance can do its work, for whatever watches over it.

Streamlit answers 200 on unknown paths, so a watcher should look at the body.
"""

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse

from db.engine import Database, is_current


def health(database_url: str, worker_is_alive: bool | None) -> JSONResponse:
    """``worker_is_alive``: None where this instance starts no worker of its own."""
    reachable, current = _database(database_url)
    if worker_is_alive is None:
        worker = "not started here"
    else:
        worker = "running" if worker_is_alive else "not running"
    healthy = reachable and current and worker != "not running"
    body = {
        "status": "ok" if healthy else "failing",
        "database": "reachable" if reachable else "not reachable",
        "schema": "current" if current else "not current",
        "worker": worker,
    }
    return JSONResponse(body, 200 if healthy else 503, {"Cache-Control": "no-store"})


def _database(url: str) -> tuple[bool, bool]:
    """(reachable, schema current)"""
    database = Database(url)
    try:
        with database.read() as session:
            session.execute(text("SELECT 1"))
        return True, is_current(url)
    except (SQLAlchemyError, OSError):
        return False, False
    finally:
        database.close()
