"""What goes wrong, as RFC 9457 has it (``application/problem+json``), with a sentence."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.refused import Refused
from db.engine import TROUBLE

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
_SCHEMA: Final = "#/components/schemas/Problem"
_AGAIN_S: Final = "10"


class Part(BaseModel):
    """One part of a request that cannot be understood."""

    where: str = Field(description="Where it stands, such as `query.from`.")
    sentence: str


class Problem(BaseModel):
    """Why a request was not done."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(default="about:blank", description="`about:blank`: the status says it all.")
    title: str = Field(description="The status in words.")
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="What is wrong, in a sentence for people.")
    errors: list[Part] | None = Field(
        default=None, description="Of a request that cannot be understood: each part."
    )


def answer(
    status: int,
    sentence: str,
    headers: Mapping[str, str] | None = None,
    parts: Sequence[Part] = (),
) -> Response:
    problem = Problem(
        title=_title(status), status=status, detail=sentence, errors=list(parts) or None
    )
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, status, dict(headers or {}), MEDIA_TYPE)


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # tus has statuses of its own
        return "Refused"


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These problems as an operation of the OpenAPI document lists them."""
    content = {MEDIA_TYPE: {"schema": {"$ref": _SCHEMA}}}
    return {
        status: {"description": _MEANINGS[status], "content": content}
        for status in sorted({*statuses, *_ALWAYS})
    }


_MEANINGS: Final = {
    400: "The body did not come whole, or cannot be read.",
    401: "No key, or one that opens nothing.",
    403: "The key does not open this.",
    404: "There is no such thing, or the key does not reach it.",
    409: "Not in this state.",
    411: "The length of the body has to be told beforehand.",
    413: "Too large.",
    422: "It cannot be understood, or read.",
    429: "Too much at once; try again in a while.",
    503: "The database or the store is away; try again in a while.",
    507: "The disk is full.",
}
_ALWAYS: Final = (401, 403, 422, 503)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return answer(error.status, error.sentence, error.headers)


async def _http(request: Request, error: Exception) -> Response:
    """What the framework refuses by itself."""
    assert isinstance(error, HTTPException)
    sentence = {
        400: "The body cannot be read; it is to be JSON.",
        404: "There is nothing at this address; /openapi.json lists what there is.",
        405: f"{request.method} is not among what this address takes.",
    }.get(error.status_code, str(error.detail))
    return answer(error.status_code, sentence, error.headers)


async def _not_understood(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    parts = [
        Part(where=".".join(str(step) for step in one["loc"]), sentence=str(one["msg"]))
        for one in error.errors()
    ]
    first = f"{parts[0].where}: {parts[0].sentence}" if parts else "it is empty"
    return answer(422, f"The request cannot be understood. {first}.", parts=parts)


async def _database_away(_: Request, error: Exception) -> Response:
    log.error("the database, asked by the API", exc_info=error)
    return answer(
        503,
        "The database cannot be reached or read at the moment. Try again in a while.",
        {"Retry-After": _AGAIN_S},
    )


async def _unexpected(_: Request, error: Exception) -> Response:  # noqa: ARG001  logged by the server
    return answer(500, "This was not done because of an unexpected fault; the log tells more.")


HANDLERS: Final[dict[int | type[Exception], Any]] = {
    Refused: _refused,
    HTTPException: _http,
    RequestValidationError: _not_understood,
    **dict.fromkeys(TROUBLE, _database_away),
    Exception: _unexpected,
}
"""For FastAPI: whatever is raised is answered with a problem."""
