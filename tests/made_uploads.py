"""The upload routes, and a client that can be as rude as a network.

upload_app(options)   the routes as an application
Client(port, key)     requests with what the protocol and the server ask for
"""

import base64
import contextlib
import http.client
import socket
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette

from api.uploads import UploadOptions, upload_routes
from jobs.upload_pass import key_of, make_pass

STREAM = "application/offset+octet-stream"


def made_options(home: Path, *, largest: int = 10_000_000, proxy: bool = False) -> UploadOptions:
    (home / "unfinished").mkdir(parents=True, exist_ok=True)
    return UploadOptions(
        home=home,
        folder=home / "unfinished",
        client_files=Path(__file__).parents[1] / "pages" / "assets" / "uploader",
        largest=largest,
        proxy_signs_in=proxy,
        known=lambda camera, size, sha256: False,  # noqa: ARG005
    )


def upload_app(options: UploadOptions) -> Starlette:
    return Starlette(routes=upload_routes("/api/uploads", "/api/uploads", lambda: options))


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def offset(self) -> int:
        return int(self.headers["upload-offset"])


class Client:
    def __init__(self, port: int, home: Path) -> None:
        self.port = port
        self.given = make_pass(key_of(home), "a-session")

    def headers(self, **more: str | None) -> dict[str, str]:
        """What every request needs; a header given as None is left out."""
        every: dict[str, str | None] = {
            "Host": f"127.0.0.1:{self.port}",
            "Tus-Resumable": "1.0.0",
            "X-Upload-Pass": self.given,
        }
        every |= {name.replace("_", "-"): value for name, value in more.items()}
        return {name: value for name, value in every.items() if value is not None}

    def ask(
        self,
        method: str,
        path: str = "/api/uploads",
        body: bytes | None = None,
        /,
        **more: str | None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=240)
        with contextlib.closing(connection):
            connection.request(method, path, body, self.headers(**more))
            reply = connection.getresponse()
            headers = {name.lower(): value for name, value in reply.getheaders()}
            return Answer(reply.status, headers, reply.read())

    def create(self, length: int, name: str = "aisle.mp4", /, **more: str | None) -> Answer:
        metadata = "filename " + base64.b64encode(name.encode()).decode()
        return self.ask(
            "POST", **{"Upload_Length": str(length), "Upload_Metadata": metadata} | more
        )

    def new(self, length: int, name: str = "aisle.mp4") -> str:
        """The path of a new upload."""
        answer = self.create(length, name)
        assert answer.status == 201, answer
        return answer.headers["location"]

    def add(self, path: str, offset: int, data: bytes, /, **more: str | None) -> Answer:
        given: dict[str, str | None] = {"Content_Type": STREAM, "Upload_Offset": str(offset)}
        return self.ask("PATCH", path, data, **given | more)

    def begin(
        self, path: str, offset: int, announced: int | None, data: bytes, /, **more: str | None
    ) -> socket.socket:
        """A request that has sent only some of what it announced; its end is the caller's."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=240)
        head = [f"PATCH {path} HTTP/1.1"]
        length = None if announced is None else str(announced)
        given = {"Content_Type": STREAM, "Upload_Offset": str(offset), "Content_Length": length}
        headers = self.headers(**given | more)
        head += [f"{name}: {value}" for name, value in headers.items()]
        connection.sendall("\r\n".join([*head, "", ""]).encode() + data)
        return connection
