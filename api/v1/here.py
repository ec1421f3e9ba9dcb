"""What every route of the API works with, and who may come in."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import BackgroundTasks, Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request

from api.refused import Refused
from api.v1.uses import Uses
from db.engine import Database
from db.keys import ApiKeyRow, Scope, find_key, is_use_to_be_noted
from jobs.uploads import RunningHashes, Uploads
from settings import Settings

HEAVY_AT_ONCE: Final = 4
"""Answers that read much, at a time: fewer than the database lends connections."""
BODIES_AT_ONCE: Final = 16
_AGAIN_S: Final = "5"


class Turns:
    """So many at a time; who finds none left comes again later."""

    def __init__(self, number: int) -> None:
        self._left = number
        self._lock = threading.Lock()

    def take(self) -> Callable[[], None]:
        """Call what it returns at the end, once or more. Raises Refused where none is left."""
        with self._lock:
            if not self._left:
                raise Refused(
                    429,
                    "This server answers too many large requests at the moment. Try again in a "
                    "few seconds.",
                    {"Retry-After": _AGAIN_S},
                )
            self._left -= 1
        given = threading.Lock()

        def give() -> None:
            if given.acquire(blocking=False):
                with self._lock:
                    self._left += 1

        return give


@dataclass(frozen=True, slots=True)
class Here:
    """This installation. ``largest``: bytes of one upload."""

    settings: Settings
    database: Database
    uploads: Uploads
    largest: int
    hashes: RunningHashes = field(default_factory=RunningHashes)
    heavy: Turns = field(default_factory=lambda: Turns(HEAVY_AT_ONCE))
    bodies: Turns = field(default_factory=lambda: Turns(BODIES_AT_ONCE))
    uses: Uses = field(default_factory=Uses)


def here_of(request: Request) -> Here:
    here = request.app.state.here
    assert isinstance(here, Here)
    return here


HereNow = Annotated[Here, Depends(here_of)]

_bearer = HTTPBearer(
    scheme_name="key",
    bearerFormat="satisface_...",
    description="A key from Settings, or from `cli.py keys create`.",
    auto_error=False,
)


class Needs:
    """Lets in whoever brings a key with this scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __call__(
        self,
        here: HereNow,
        background: BackgroundTasks,
        given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> ApiKeyRow:
        now = datetime.now(UTC)
        key = admitted(here.database, given.credentials if given else None, self._scope, now)
        if is_use_to_be_noted(key, now):
            background.add_task(here.uses.note, here.database, key.id, now)
        return key


def admitted(database: Database, given: str | None, scope: Scope, now: datetime) -> ApiKeyRow:
    """The key's row. Raises Refused."""
    if given is None:
        raise Refused(
            401,
            "A key is needed: send it as “Authorization: Bearer satisface_...”. Keys are made in "
            "Settings.",
            {"WWW-Authenticate": "Bearer"},
        )
    with database.read() as session:
        key = find_key(session, given)
    sentence = "This is no key of this installation." if key is None else key.refusal(now)
    if key is None or sentence is not None:
        invalid = 'Bearer error="invalid_token"'
        raise Refused(401, sentence or "", {"WWW-Authenticate": invalid})
    if scope not in key.scopes:
        raise Refused(
            403,
            f"The key {key.name} has no scope “{scope.value}”.",
            {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope.value}"'},
        )
    return key


ReadKey = Annotated[ApiKeyRow, Depends(Needs(Scope.READ))]
RowsKey = Annotated[ApiKeyRow, Depends(Needs(Scope.ROWS))]
UploadKey = Annotated[ApiKeyRow, Depends(Needs(Scope.UPLOAD))]
