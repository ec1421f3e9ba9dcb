"""Footage from programs: a file in one request, or resumable by tus and taken in afterwards."""

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.routing import BaseRoute

from api.refused import Refused
from api.uploads import UploadOptions, tus_routes, write_body
from api.v1.here import Here, HereNow, UploadKey, admitted
from api.v1.places import Id, PathId, chosen_sites
from api.v1.problems import answer, documented
from api.v1.queries import Asked, Moment
from db.keys import ApiKeyRow, Scope, is_use_to_be_noted
from jobs.uploads import Arrival, NoRoom, Upload

router = APIRouter(tags=["footage"])

_LONGEST_NAME: Final = 255
_NAME: Final = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
_DIGEST: Final = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]*):")


class OutcomeOut(BaseModel):
    """What became of one file, or of one member of a zip."""

    name: str
    outcome: Literal["accepted", "duplicate", "refused"]
    sentence: str
    recording_id: int | None = Field(description="Of a duplicate the one that is there already.")
    captured_at: datetime | None = Field(description="When an accepted one begins.")
    captured_from: str | None = Field(description="What told that.")


class Outcomes(BaseModel):
    outcomes: list[OutcomeOut]


class TakenAt(Asked):
    captured_at: Moment | None = Field(
        default=None,
        description="When the footage begins; without an offset by the site's clock. Left out: as "
        "the file tells, else now.",
    )


class Uploaded(TakenAt):
    """An upload that has arrived by tus."""

    upload_id: str = Field(
        pattern="^[A-Za-z0-9_-]{22}$", description="The last part of its address."
    )


_TAKEN: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": Outcomes, "description": "All of it was there already."},
    201: {"model": Outcomes, "description": "Taken in: the recordings wait to be read."},
}
_BODY: Final = {
    "requestBody": {
        "required": True,
        "description": "The bytes of the file. Their number has to be told beforehand.",
        "content": {"application/octet-stream": {"schema": {"type": "string"}}},
    }
}


@router.put(
    "/cameras/{camera_id}/footage/{name:path}",
    response_model=Outcomes,
    status_code=201,
    responses=_TAKEN | documented(400, 404, 411, 413, 429, 507),
    openapi_extra=_BODY,
    operation_id="put_footage",
)
async def put_footage(
    key: UploadKey,
    here: HereNow,
    request: Request,
    camera_id: PathId,
    name: Annotated[
        str, Path(min_length=1, max_length=_LONGEST_NAME, pattern=_NAME, description="Of the file.")
    ],
    asked: Annotated[TakenAt, Query()],
    content_digest: Annotated[
        str | None,
        Header(
            max_length=1000,
            description="As RFC 9530 has it: the SHA-256 that the bytes must have.",
            examples=["sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"],
        ),
    ] = None,
) -> Any:
    """Give a picture, a video or a zip of them in one request (`curl -T file`).

    Sending it again does no harm: what the camera has already is said and not taken in twice.
    """
    expected = _digest_of(content_digest)
    length = _length(request, name, here.largest)
    done = here.bodies.take()
    try:
        await run_sync(_reached_camera, here, key, camera_id)
        upload = await run_sync(_begun, here, name, length)
        try:
            await _arrived(here, request, upload, expected)
            whole = await run_sync(here.uploads.find, upload.id)
            assert whole is not None
            return await run_sync(_taken_in, here, key, whole, camera_id, asked.captured_at)
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(here.uploads.remove, upload.id)
    finally:
        done()


@router.post(
    "/cameras/{camera_id}/footage",
    response_model=Outcomes,
    status_code=201,
    responses=_TAKEN | documented(400, 404, 409, 413, 429),
    operation_id="take_in_upload",
)
def take_in(key: UploadKey, here: HereNow, camera_id: PathId, given: Uploaded) -> Any:
    """Take in a file that has arrived at `/uploads` by tus."""
    done = here.bodies.take()
    try:
        _reached_camera(here, key, camera_id)
        upload = here.uploads.find(given.upload_id)
        if upload is None:
            raise Refused(
                404,
                "There is no such upload (any more): it may have been taken in already. "
                "/recordings?sha256=... tells.",
            )
        if not upload.is_whole:
            raise Refused(
                409,
                f"The upload stands at {upload.offset} of {upload.length} bytes; go on with it.",
            )
        taken = _taken_in(here, key, upload, camera_id, given.captured_at)
        if taken.status_code != 503:  # nobody sends it again because the disk was full
            here.uploads.remove(upload.id)
        return taken
    finally:
        done()


def key_tus_routes(path: str, public: str, here: Here) -> list[BaseRoute]:
    """The tus protocol for whoever brings a key: from any machine, without a page."""

    def options() -> UploadOptions:
        return UploadOptions(
            home=here.settings.home,
            folder=here.uploads.folder,
            client_files=here.settings.home,
            largest=here.largest,
            proxy_signs_in=True,
            known=lambda *_: False,
        )

    async def door(request: Request, _options: UploadOptions) -> BackgroundTask | None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        bearer = given.strip() if scheme.lower() == "bearer" else None
        return await run_sync(_let_in, here, bearer or None)

    return tus_routes(path, public, options, door, answer)


def _let_in(here: Here, given: str | None) -> BackgroundTask | None:
    """Raises Refused. That the key was used is noted after the answer."""
    now = datetime.now(UTC)
    key = admitted(here.database, given, Scope.UPLOAD, now)
    if not is_use_to_be_noted(key, now):
        return None
    return BackgroundTask(here.uses.note, here.database, key.id, now)


def _reached_camera(here: Here, key: ApiKeyRow, camera_id: Id) -> None:
    """Raises Refused (404)."""
    with here.database.read() as session:
        chosen_sites(session, key, (), (camera_id,))


def _length(request: Request, name: str, largest: int) -> int:
    """Of the body. Raises Refused before a byte of it is read."""
    told = request.headers.get("content-length")
    if told is None or not (told.isascii() and told.isdigit() and len(told) < 19):
        raise Refused(
            411,
            "The length of the file has to be told beforehand (Content-Length). What is not known "
            "yet can be sent by tus.",
        )
    if int(told) > largest:
        raise Refused(
            413, f"{name}: is too large; at most {largest / 1e9:,.1f} GB can be uploaded."
        )
    return int(told)


def _digest_of(header: str | None) -> bytes | None:
    """Raises Refused. Other algorithms than SHA-256 are passed over, as RFC 9530 has it."""
    found = _DIGEST.search(header or "")
    if found is None:
        return None
    try:
        digest = base64.b64decode(found[1], validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != 32:
        raise Refused(422, "Content-Digest: this is no SHA-256 in base64.")
    return digest


def _begun(here: Here, name: str, length: int) -> Upload:
    try:
        return here.uploads.create(name, length)
    except NoRoom as error:
        raise Refused(507, str(error)) from error


async def _arrived(here: Here, request: Request, upload: Upload, expected: bytes | None) -> None:
    """Raises Refused where the body did not come whole, or is not what it should be."""
    arrival = await run_sync(Arrival, here.uploads, here.hashes, upload)
    try:
        with arrival:
            came = await write_body(request, arrival)
            if not came or arrival.room:
                raise Refused(400, f"{upload.name}: the connection was lost; nothing was taken in.")
            await run_sync(arrival.end)
    except NoRoom as error:
        raise Refused(507, str(error)) from error
    finally:
        here.hashes.forget(upload.id)
    if expected is not None:
        whole = await run_sync(here.uploads.find, upload.id)
        if whole is None or whole.sha256 != expected.hex():
            raise Refused(422, f"{upload.name}: what arrived is not what its Content-Digest says.")


def _taken_in(
    here: Here, key: ApiKeyRow, upload: Upload, camera_id: int, captured_at: datetime | None
) -> Response:
    """From an upload to recordings that wait. Its file is then somebody else's to delete; where the
    answer is 503 it is still needed, since some of a zip may not have been taken in."""
    # With it come the decoders.
    from jobs.intake import Refused as NotTaken
    from jobs.intake import admit
    from jobs.store import FootageStore

    found = list(
        admit(
            here.database,
            FootageStore(here.settings.resolved_footage_url),
            here.settings,
            path=upload.path,
            name=_clean(upload.name),
            camera_id=camera_id,
            captured_at=captured_at,
            sha256=upload.sha256,
            is_ours=True,
        )
    )
    refused = [outcome for outcome in found if isinstance(outcome, NotTaken)]
    passing = next((outcome for outcome in refused if outcome.may_pass), None)
    if passing is not None:
        there = len(found) - len(refused)
        rest = f" Taken in so far: {there}; repeat the request for the rest." if there else ""
        return answer(503, passing.sentence + rest, {"Retry-After": "30"})
    if len(refused) == len(found):
        sentence = refused[0].sentence if refused else f"{upload.name}: holds no footage."
        more = f" So it is with {len(refused) - 1} more." if len(refused) > 1 else ""
        return answer(422, sentence + more)
    outcomes = [_outcome(outcome, key) for outcome in found]
    is_new = any(outcome.outcome == "accepted" for outcome in outcomes)
    body = Outcomes(outcomes=outcomes).model_dump(mode="json")
    return JSONResponse(body, 201 if is_new else 200)


def _outcome(outcome: Any, key: ApiKeyRow) -> OutcomeOut:
    from jobs.intake import Accepted, Duplicate

    if isinstance(outcome, Accepted):
        # The same file of other sites is nothing that a key bound to its own may learn of.
        told = outcome.sentence if key.site_ids is None else f"{outcome.name}: taken in."
        return OutcomeOut(
            name=outcome.name,
            outcome="accepted",
            sentence=told,
            recording_id=outcome.recording_id,
            captured_at=outcome.captured_at,
            captured_from=outcome.captured_from,
        )
    is_there = isinstance(outcome, Duplicate)
    return OutcomeOut(
        name=outcome.name,
        outcome="duplicate" if is_there else "refused",
        sentence=outcome.sentence,
        recording_id=outcome.recording.id if is_there else None,
        captured_at=None,
        captured_from=None,
    )


def _clean(name: str) -> str:
    """By tus a name can hold anything; a database cannot."""
    return re.sub(r"[\x00-\x1f\x7f]", "", name).strip() or "upload"
