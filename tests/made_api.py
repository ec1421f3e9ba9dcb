"""The API of programs over a real database, and a client that speaks to it.

filled(database)       two sites with recordings that were read, one that failed, one that waits
Client(port, key)      requests with a key
"""

import contextlib
import http.client
import json
import socket
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import update
from starlette.applications import Starlette
from starlette.routing import Mount

from api.v1.app import api_of
from api.v1.here import Here
from db.engine import Database
from db.keys import Scope, create_key
from db.places import create_camera, create_site
from db.tables import Recording, RecordingState
from settings import Settings
from tests.unit.db.made_rows import NOON, Person, Scene, add_video, read_segment

PREFIX = "/api/v1"
ALL = tuple(Scope)


def settings_for(home: Path, database_url: str, **values: object) -> Settings:
    return Settings.model_validate({"home": home, "database_url": database_url} | values)


def mounted(here: Here) -> Starlette:
    """As app.py mounts it."""
    return Starlette(routes=[Mount(PREFIX, api_of(here, PREFIX))])


@dataclass(frozen=True, slots=True)
class Filled:
    """Ids. ``busy`` has fifteen people in each of two hours and three in a third, ``quiet`` two
    in one; ``other`` is the camera of another site."""

    site: int
    other_site: int
    busy: int
    quiet: int
    other: int
    recordings: tuple[int, ...]
    failed: int
    waiting: int


def filled(database: Database) -> Filled:
    with database.write() as session:
        site = create_site(session, "Main Street", "Europe/Berlin")
        other_site = create_site(session, "Harbour", "America/New_York")
        busy, quiet = (create_camera(session, site, name) for name in ("Entrance", "Till"))
        other = create_camera(session, other_site, "Door")
        recordings: list[int] = []
        for camera, hour, people in (
            (busy, 0, 15),
            (busy, 1, 15),
            (busy, 2, 3),
            (quiet, 0, 2),
            (other, 0, 20),
        ):
            recordings.append(
                add_video(
                    session,
                    camera,
                    segments=1,
                    name=f"{camera}-{hour}.mp4",
                    captured_at=NOON + timedelta(hours=hour),
                    now=NOON + timedelta(minutes=len(recordings)),
                )
            )
            read_segment(session, recordings[-1], _scene(people), 0)
        tomorrow = NOON + timedelta(days=1)
        failed, waiting = (
            add_video(session, busy, segments=1, name=name, captured_at=tomorrow)
            for name in ("failed.mp4", "waiting.mp4")
        )
        session.execute(
            update(Recording)
            .where(Recording.id == failed)
            .values(state=RecordingState.FAILED.value, error="failed.mp4: it is damaged.")
        )
    return Filled(site, other_site, busy, quiet, other, tuple(recordings), failed, waiting)


def _scene(people: int) -> Scene:
    """Each is seen twice; two begin at the same moment."""
    looks = ("happy", "neutral", "sad", "happy", "unknown")
    return Scene(
        [
            Person([n // 2 * 1000, n // 2 * 1000 + 500], looks[n % len(looks)])
            for n in range(people)
        ],
        segments=1,
    )


def key_for(
    database: Database,
    *scopes: Scope,
    name: str = "a program",
    sites: tuple[int, ...] | None = None,
) -> str:
    with database.write() as session:
        return create_key(session, name, scopes or ALL, site_ids=sites)[0]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """The sentence, after a look at the form."""
        assert self.headers["content-type"] == "application/problem+json", self
        told = self.json
        assert told["status"] == self.status
        assert told["type"] == "about:blank"
        assert told["title"]
        return str(told["detail"])


class Client:
    """``key``: None sends none."""

    def __init__(self, port: int, key: str | None) -> None:
        self.port = port
        self.key = key

    def headers(self, **more: str | None) -> dict[str, str]:
        every: dict[str, str | None] = {"Host": "satisface.example"}
        if self.key is not None:
            every["Authorization"] = f"Bearer {self.key}"
        every |= {name.replace("_", "-"): value for name, value in more.items()}
        return {name: value for name, value in every.items() if value is not None}

    def ask(
        self, method: str, path: str, body: bytes | None = None, /, **more: str | None
    ) -> Answer:
        """``path``: below the version, or a whole one."""
        whole = path if path.startswith(PREFIX) else PREFIX + path
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(connection):
            connection.request(method, whole, body, self.headers(**more))
            reply = connection.getresponse()
            headers = {name.lower(): value for name, value in reply.getheaders()}
            return Answer(reply.status, headers, reply.read())

    def get(self, path: str, /, **more: str | None) -> Answer:
        return self.ask("GET", path, **more)

    def begin(self, method: str, path: str, data: bytes, /, **more: str | None) -> socket.socket:
        """A request that has sent only ``data`` of its body; its end is the caller's."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=120)
        head = [f"{method} {PREFIX}{path} HTTP/1.1"]
        head += [f"{name}: {value}" for name, value in self.headers(**more).items()]
        connection.sendall("\r\n".join([*head, "", ""]).encode() + data)
        return connection
