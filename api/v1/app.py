"""The HTTP API of programs, version 1: an application of its own, mounted beside the dashboard.

Its OpenAPI document is made from the models that read requests and write answers. It has no page
of documentation: those of the framework fetch their parts from elsewhere.
"""

from typing import Any, Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.v1 import figures, footage, places, recordings
from api.v1.here import Here
from api.v1.problems import HANDLERS, Problem
from db.engine import Database
from jobs.store import unfinished_folder
from jobs.uploads import Uploads
from settings import Settings

VERSION: Final = "1.0.0"
_LONGEST_JSON: Final = 65_536

_ABOUT: Final = """
Footage in, figures out. Each request brings a key: `Authorization: Bearer satisface_...`. Keys are
made in Settings or by `cli.py keys create`; their scopes are `read` (sites, recordings, hours and
figures), `rows` (single faces and people as well) and `upload`.

Times are UTC in RFC 3339. Days are whole days of each site's own calendar. Lists come in pages:
give `next` as `cursor`, and take it for a word without a meaning. CSV is asked for by
`Accept: text/csv` or `format=csv`. What goes wrong is `application/problem+json` (RFC 9457), with a
sentence in `detail`.

Files of any size can be sent resumably to `/uploads` by tus 1.0 (https://tus.io) with the same key,
the file's name as `filename` in the metadata, and are then taken in by
`POST /cameras/{camera_id}/footage`.
"""


def versioned_api(settings: Settings, public: str = "/api/v1") -> ASGIApp:
    """``public``: where it is mounted, as clients see it."""
    return api_of(here_from(settings), public)


def here_from(settings: Settings) -> Here:
    return Here(
        settings=settings,
        database=Database(settings.resolved_database_url),
        uploads=Uploads(unfinished_folder(settings)),
        largest=settings.max_upload_mb * 1_000_000,
    )


def api_of(here: Here, public: str) -> ASGIApp:
    """Of an installation that somebody else opens and closes."""
    return _Guarded(_application(here, public))


def openapi_document(here: Here, public: str) -> dict[str, Any]:
    return _application(here, public).openapi()


def _application(here: Here, public: str) -> FastAPI:
    app = FastAPI(
        title="Satisface",
        version=VERSION,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=HANDLERS,
        separate_input_output_schemas=False,
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    app.state.here = here
    for module in (places, recordings, figures, footage):
        app.include_router(module.router)
    app.router.routes.extend(footage.key_tus_routes("/uploads", f"{public}/uploads", here))
    app.openapi = _with_problems(app)  # type: ignore[method-assign]  # as FastAPI's guide has it
    return app


def _with_problems(app: FastAPI) -> Any:
    """The document, with the model of problems: they are written by handlers, not by routes."""
    plain = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = plain()
            schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            made["components"]["schemas"] |= schema.pop("$defs", {}) | {"Problem": schema}
        assert app.openapi_schema is not None
        return app.openapi_schema

    return document


class _Guarded:
    """Answers are for who asked with a key, and nobody in between is to keep them. A body that is
    read whole, which is before anybody asks for the key, is a short one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [h for h in message["headers"] if h[0].lower() != b"cache-control"]
                message = {**message, "headers": [*kept, (b"cache-control", b"no-store")]}
            await send(message)

        come = 0

        async def received() -> Message:
            nonlocal come
            message = await receive()
            come += len(message.get("body", b""))
            if come > _LONGEST_JSON:
                raise HTTPException(413, "A request of this kind is a few lines of JSON.")
            return message

        is_json = scope["type"] == "http" and scope["method"] == "POST"
        is_json = is_json and scope["path"].endswith("/footage")
        await self._app(scope, received if is_json else receive, sent)
