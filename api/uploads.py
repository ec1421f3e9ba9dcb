"""Resumable uploads: the tus protocol 1.0 (https://tus.io/protocols/resumable-upload) with its
extensions creation, creation-with-upload, expiration, termination and checksum.

Bytes go from the network to the disk in pieces of a megabyte and are hashed on the way; nothing
else of an upload is in memory. An upload belongs to one request at a time: a newer one takes it
over, since the older one is then the rest of a connection that was lost.
"""

import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Final

import anyio
from anyio.to_thread import run_sync
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from api.refused import Refused
from jobs.upload_pass import is_pass, key_of, refusal
from jobs.uploads import Arrival, NoRoom, RunningHashes, Upload, Uploads

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-with-upload,expiration,termination,checksum"
CHECKSUMS: Final = ("sha1", "sha256")
PASS_HEADER: Final = "x-upload-pass"  # noqa: S105  a header's name

_STREAM = "application/offset+octet-stream"
_CHECKSUM_MISMATCH = 460
_BATCH = 1024 * 1024
_ALLOWED = "OPTIONS, HEAD, PATCH, DELETE"
_LONGEST_METADATA = 8192
_LONGEST_NAME = 4096
_PATIENCE_S = 30.0
_SILENCE_S = 60.0  # a server that is told to end waits for its connections
_CLIENT_FILES = frozenset({"tus.min.js", "sha256.umd.min.js", "hash-worker.js"})

Known = Callable[[int, int, str | None], str | bool]
"""Of a camera, a size and perhaps a SHA-256: without the hash, whether the camera has a recording
of that size; with it, the sentence about the recording that is this very file, else False."""


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """``folder``: where unfinished files lie. ``client_files``: where the browser's part lies.
    ``largest``: in bytes."""

    home: Path
    folder: Path
    client_files: Path
    largest: int
    proxy_signs_in: bool
    known: Known


Door = Callable[[Request, UploadOptions], Awaitable[BackgroundTask | None]]
"""Lets a request in, or raises Refused. Tells what is to be done once it was answered."""

Say = Callable[[int, str, Mapping[str, str]], Response]
"""A refusal as it is sent: status, sentence, headers."""


def _plainly(status: int, sentence: str, headers: Mapping[str, str]) -> Response:
    return PlainTextResponse(sentence + "\n", status, dict(headers))


@dataclass(slots=True)
class _Turn:
    """Whose turn an upload is: one holds it, at most a few wait for a moment."""

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    holder: anyio.CancelScope | None = None
    wanted_by: int = 0


def upload_routes(path: str, public: str, options: Callable[[], UploadOptions]) -> list[BaseRoute]:
    """``path``: of the uploads, without a slash at its end. ``public``: the same as clients see
    it. ``options``: asked for at the first request, once the server runs."""
    server = _UploadServer(public, options, _by_pass, _plainly)
    return [
        Route(f"{path}/known", server.known, methods=["GET"]),
        Route(f"{path}/client/{{name}}", server.client_file, methods=["GET"]),
        *_protocol(path, server),
    ]


def tus_routes(
    path: str, public: str, options: Callable[[], UploadOptions], door: Door, say: Say
) -> list[BaseRoute]:
    """The protocol alone, for whom ``door`` lets in."""
    return _protocol(path, _UploadServer(public, options, door, say))


def _protocol(path: str, server: "_UploadServer") -> list[BaseRoute]:
    one = f"{path}/{{upload_id}}"
    return [
        Route(path, server.collection, methods=["OPTIONS", "POST"]),
        Route(one, server.single, methods=["OPTIONS", "HEAD", "PATCH", "DELETE", "POST"]),
    ]


async def _by_pass(request: Request, options: UploadOptions) -> None:
    """For the pages of this server, whose sessions are given a pass."""
    client = request.client.host if request.client else None
    sentence = refusal(client, request.headers, proxy_signs_in=options.proxy_signs_in)
    if sentence:
        raise Refused(403, sentence)
    key = await run_sync(key_of, options.home)
    if not is_pass(key, request.headers.get(PASS_HEADER, "")):
        raise Refused(403, "The page is too old for uploads; load it again.")


class _UploadServer:
    def __init__(
        self, public: str, options: Callable[[], UploadOptions], door: Door, say: Say
    ) -> None:
        self._public = public
        self._read_options = options
        self._door = door
        self._say = say
        self._options: UploadOptions | None = None
        self._hashes = RunningHashes()
        self._turns: dict[str, _Turn] = {}

    async def collection(self, request: Request) -> Response:
        return await self._answered(request, self._collection)

    async def single(self, request: Request) -> Response:
        return await self._answered(request, self._single)

    async def known(self, request: Request) -> Response:
        """Before a file is sent: is it there already? The answer is ``{"known": ...}``: see
        ``Known``."""
        try:
            options = await self._opened()
            await self._door(request, options)
            camera, size = (_number(request.query_params.get(n)) for n in ("camera", "size"))
            found = await run_sync(options.known, camera, size, request.query_params.get("sha256"))
        except Refused as refused:
            return self._refused(refused)
        return JSONResponse({"known": found}, headers={"Cache-Control": "no-store"})

    async def client_file(self, request: Request) -> Response:
        """The browser's part that is too large to be sent with the page."""
        name = request.path_params["name"]
        if name not in _CLIENT_FILES:
            return PlainTextResponse("There is no such file.\n", 404)
        options = await self._opened()
        return FileResponse(options.client_files / name, media_type="text/javascript")

    async def _opened(self) -> UploadOptions:
        if self._options is None:
            # The event loop does not wait for a disk.
            self._options = await run_sync(self._read_options)
        return self._options

    def _refused(self, refused: Refused) -> Response:
        return self._say(refused.status, refused.sentence, refused.headers)

    async def _answered(
        self,
        request: Request,
        handler: Callable[[Request, str, UploadOptions], Awaitable[Response]],
    ) -> Response:
        """What holds for every request of the protocol."""
        # For clients whose network lets only GET and POST through.
        method = request.headers.get("x-http-method-override", request.method).upper()
        afterwards: BackgroundTask | None = None
        try:
            options = await self._opened()
            if method == "OPTIONS":
                response = self._abilities(options)
            else:
                _check_version(request)
                afterwards = await self._door(request, options)
                response = await handler(request, method, options)
        except Refused as refused:
            response = self._refused(refused)
        except NoRoom as error:
            response = self._say(HTTPStatus.INSUFFICIENT_STORAGE, str(error), {})
        response.headers["Tus-Resumable"] = VERSION
        response.background = afterwards
        return response

    def _abilities(self, options: UploadOptions) -> Response:
        return Response(
            status_code=204,
            headers={
                "Tus-Version": VERSION,
                "Tus-Extension": EXTENSIONS,
                "Tus-Max-Size": str(options.largest),
                "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
            },
        )

    async def _collection(self, request: Request, method: str, options: UploadOptions) -> Response:
        if method != "POST":
            raise Refused(405, "Uploads are created by POST.", {"Allow": "OPTIONS, POST"})
        if "upload-defer-length" in request.headers:
            raise Refused(400, "The length of an upload has to be known.")
        length = _number(request.headers.get("upload-length"))
        metadata = request.headers.get("upload-metadata", "")
        name = _metadata(metadata).get("filename", "").strip()
        if not name or len(name) > _LONGEST_NAME or len(metadata) > _LONGEST_METADATA:
            raise Refused(400, "An upload needs a file name of a usable length.")
        if length > options.largest:
            raise Refused(
                413,
                f"{name}: is too large; at most {options.largest / 1e9:,.1f} GB can be uploaded.",
            )
        uploads = Uploads(options.folder)
        upload = await run_sync(uploads.create, name, length, metadata)
        headers = {"Location": f"{self._public}/{upload.id}"}
        if _is_stream(request) or length == 0:
            async with self._turn(upload.id):
                # Whatever became of these bytes, the upload stands, and says how far it is.
                _, offset = await self._received(request, uploads, upload)
            headers["Upload-Offset"] = str(offset)
        return Response(status_code=201, headers=headers | _expiry(upload))

    async def _single(self, request: Request, method: str, options: UploadOptions) -> Response:
        upload_id = request.path_params["upload_id"]
        uploads = Uploads(options.folder)
        async with self._turn(upload_id):
            upload = await run_sync(uploads.find, upload_id)
            if upload is None:
                raise Refused(404, "There is no such upload.", {"Cache-Control": "no-store"})
            if datetime.now(UTC) > upload.expires:
                await run_sync(uploads.remove, upload_id)
                raise Refused(410, "This upload was left unfinished for too long.")
            if method == "HEAD":
                return _progress(upload)
            if method == "DELETE":
                await run_sync(uploads.remove, upload_id)
                return Response(status_code=204)
            if method != "PATCH":
                raise Refused(405, "An upload takes HEAD, PATCH and DELETE.", {"Allow": _ALLOWED})
            if not _is_stream(request):
                raise Refused(415, f"The bytes of an upload come as {_STREAM}.")
            if _number(request.headers.get("upload-offset")) != upload.offset:
                raise Refused(409, f"The upload stands at {upload.offset} bytes.")
            status, offset = await self._received(request, uploads, upload)
            if status == _CHECKSUM_MISMATCH:
                raise Refused(status, "The bytes are not those of their checksum.")
            return Response(
                status_code=status, headers={"Upload-Offset": str(offset)} | _expiry(upload)
            )

    @asynccontextmanager
    async def _turn(self, upload_id: str) -> AsyncIterator[None]:
        """The upload for this request alone; whoever has it lets go of it."""
        turn = self._turns.setdefault(upload_id, _Turn())
        turn.wanted_by += 1
        try:
            if turn.holder is not None:
                turn.holder.cancel()
            with anyio.move_on_after(_PATIENCE_S) as waiting:
                await turn.lock.acquire()
            if waiting.cancelled_caught:
                raise Refused(423, "Another request holds this upload.")
            try:
                with anyio.CancelScope() as scope:
                    turn.holder = scope
                    yield
                if scope.cancelled_caught:
                    raise Refused(423, "A newer request took this upload over.")
            finally:
                turn.holder = None
                turn.lock.release()
        finally:
            turn.wanted_by -= 1
            if not turn.wanted_by:
                self._turns.pop(upload_id, None)

    async def _received(
        self, request: Request, uploads: Uploads, upload: Upload
    ) -> tuple[int, int]:
        """Take the request's bytes in. Returns the answer's status and how far the upload is;
        whatever has arrived counts, also when the connection is lost."""
        checksum = _checksum(request.headers.get("upload-checksum"))
        sent = request.headers.get("content-length")
        if sent is not None and _number(sent) > upload.length - upload.offset:
            raise Refused(413, f"{upload.name}: more bytes than were announced.")
        arrival = await run_sync(partial(Arrival, uploads, self._hashes, upload, checksum))
        with arrival:
            whole = await write_body(request, arrival)
            if not whole and arrival.has_checksum:
                await run_sync(arrival.take_back)
                return 408, arrival.offset
            if not await run_sync(arrival.end):
                return _CHECKSUM_MISMATCH, arrival.offset
            return (204 if whole else 408), arrival.offset


async def write_body(request: Request, arrival: Arrival) -> bool:
    """Stream the request's body into the arrival. False when the connection was lost on the way
    or fell silent; a request that has to let go leaves what it has, too."""
    batch = bytearray()
    try:
        with anyio.CancelScope() as silence:
            silence.deadline = anyio.current_time() + _SILENCE_S
            async for piece in request.stream():
                if len(batch) + len(piece) > arrival.room:
                    raise Refused(413, "More bytes than were announced.")
                batch += piece
                if len(batch) >= _BATCH:
                    full, batch = batch, bytearray()
                    await run_sync(arrival.write, full)
                silence.deadline = anyio.current_time() + _SILENCE_S
    except ClientDisconnect:
        return False
    else:
        return not silence.cancelled_caught
    finally:
        with anyio.CancelScope(shield=True):
            if batch:
                await run_sync(arrival.write, batch)


def _check_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != VERSION:
        raise Refused(412, f"This server speaks tus {VERSION}.", {"Tus-Version": VERSION})


def _is_stream(request: Request) -> bool:
    return request.headers.get("content-type") == _STREAM


def _progress(upload: Upload) -> Response:
    headers = {
        "Upload-Offset": str(upload.offset),
        "Upload-Length": str(upload.length),
        "Cache-Control": "no-store",
    }
    if upload.metadata:
        headers["Upload-Metadata"] = upload.metadata
    return Response(headers=headers | _expiry(upload))


def _expiry(upload: Upload) -> dict[str, str]:
    return {"Upload-Expires": format_datetime(upload.expires, usegmt=True)}


def _number(text: str | None) -> int:
    """A size or an offset. Raises Refused."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refused(400, "A number is missing or is none.")
    return int(text)


def _metadata(header: str) -> dict[str, str]:
    """ "key base64,key base64" as the protocol has it. Raises Refused."""
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        key, _, value = pair.partition(" ")
        try:
            found[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise Refused(400, "The metadata of the upload cannot be read.") from None
    return found


def _checksum(header: str | None) -> tuple[str, bytes] | None:
    """(algorithm, digest). Raises Refused."""
    if header is None:
        return None
    algorithm, _, digest = header.partition(" ")
    if algorithm not in CHECKSUMS:
        raise Refused(400, f"Checksums are understood as {' or '.join(CHECKSUMS)}.")
    try:
        return algorithm, base64.b64decode(digest, validate=True)
    except binascii.Error:
        raise Refused(400, "The checksum cannot be read.") from None
