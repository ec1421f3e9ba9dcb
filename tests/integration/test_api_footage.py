"""Footage from programs: whole or resumable, from any machine, cut anywhere, never in by half."""

import base64
import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.v1.app import here_from
from api.v1.here import Here
from db.engine import Database
from db.keys import Scope
from db.places import delete_camera
from db.recording_rows import count_recordings, list_recordings
from jobs.store import FootageStore
from tests.made_api import PREFIX, Answer, Client, key_for, mounted, settings_for
from tests.made_footage import Appearance, write_picture, write_video, write_zip
from tests.made_jobs import until
from tests.made_server import served
from tests.unit.db.made_rows import add_camera

STREAM = "application/offset+octet-stream"


@pytest.fixture
def here(database_url: str, tmp_path: Path) -> Iterator[Here]:
    made = here_from(settings_for(tmp_path / "home", database_url, max_upload_mb=5))
    yield made
    made.database.close()


@pytest.fixture
def client(here: Here, database: Database) -> Iterator[Client]:
    with served(mounted(here)) as port:
        yield Client(port, key_for(database, Scope.UPLOAD))


@pytest.fixture
def camera(database: Database) -> int:
    with database.write() as session:
        return add_camera(session)


@pytest.fixture
def video(tmp_path: Path) -> bytes:
    path = tmp_path / "clip.mp4"
    write_video(path, [Appearance(160, 90, face_height=60)], (320, 180), seconds=3)
    return path.read_bytes()


def unfinished(here: Here) -> list[str]:
    return [entry.name for entry in here.uploads.folder.iterdir()]


def stored(here: Here) -> list[bytes]:
    store = FootageStore(here.settings.resolved_footage_url)
    found = []
    for one in store.stored():
        with store.local(one.key) as path:
            found.append(path.read_bytes())
    return found


def count(database: Database) -> int:
    with database.read() as session:
        return count_recordings(session)


def test_a_file_comes_in_one_request_from_any_machine(
    client: Client, database: Database, here: Here, camera: int, video: bytes
) -> None:
    # Nobody at this machine, and no page that was given a pass.
    answer = client.ask(
        "PUT",
        f"/cameras/{camera}/footage/monday%20clip.mp4?captured_at=2026-03-02T10:15:00",
        video,
        X_Forwarded_For="203.0.113.9",
    )
    assert answer.status == 201, answer
    (outcome,) = answer.json["outcomes"]
    assert outcome["outcome"] == "accepted"
    assert outcome["sentence"] == "monday clip.mp4: taken in."
    assert outcome["captured_at"] == "2026-03-02T09:15:00Z"  # the clock of Berlin
    with database.read() as session:
        (row,) = list_recordings(session)
    assert row.id == outcome["recording_id"]
    assert (row.name, row.state, row.camera_id) == ("monday clip.mp4", "queued", camera)
    assert row.sha256 == hashlib.sha256(video).hexdigest()
    assert row.bytes == len(video)
    assert stored(here) == [video]
    assert unfinished(here) == []


def test_the_same_file_again_is_said_and_not_taken_in_twice(
    client: Client, database: Database, here: Here, camera: int, video: bytes
) -> None:
    path = f"/cameras/{camera}/footage/clip.mp4"
    first = client.ask("PUT", path, video).json["outcomes"][0]["recording_id"]
    again = client.ask("PUT", path.replace("clip", "other"), video)
    assert again.status == 200
    (outcome,) = again.json["outcomes"]
    assert (outcome["outcome"], outcome["recording_id"]) == ("duplicate", first)
    assert "has this file already, as clip.mp4" in outcome["sentence"]
    assert count(database) == 1
    assert stored(here) == [video]


def test_a_bound_key_does_not_learn_that_another_site_has_the_file(
    client: Client, database: Database, camera: int, video: bytes
) -> None:
    client.ask("PUT", f"/cameras/{camera}/footage/clip.mp4", video)
    with database.write() as session:
        other = add_camera(session, "Till")
    bound = Client(client.port, key_for(database, Scope.UPLOAD, name="bound", sites=(2,)))
    answer = bound.ask("PUT", f"/cameras/{other}/footage/clip.mp4", video)
    assert answer.json["outcomes"][0]["sentence"] == "clip.mp4: taken in."


def test_a_zip_is_taken_in_member_by_member(
    client: Client, database: Database, camera: int, tmp_path: Path
) -> None:
    write_picture(tmp_path / "a.jpg")
    write_zip(tmp_path / "all.zip", {"a.jpg": tmp_path / "a.jpg", "b.jpg": b"no picture"})
    body = (tmp_path / "all.zip").read_bytes()
    answer = client.ask("PUT", f"/cameras/{camera}/footage/all.zip", body)
    assert answer.status == 201
    kinds = [(one["name"], one["outcome"]) for one in answer.json["outcomes"]]
    assert sorted(kind for _, kind in kinds) == ["accepted", "refused"]
    assert all(one["sentence"] for one in answer.json["outcomes"])
    assert count(database) == 1


def test_what_cannot_be_read_is_refused_with_its_sentence(
    client: Client, database: Database, here: Here, camera: int
) -> None:
    for body in (b"no picture", b""):
        answer = client.ask("PUT", f"/cameras/{camera}/footage/note.jpg", body)
        assert answer.status == 422
        assert answer.problem.startswith("note.jpg: ")
    assert count(database) == 0
    assert unfinished(here) == []
    assert stored(here) == []


def test_a_body_that_is_cut_leaves_nothing_behind(
    client: Client, database: Database, here: Here, camera: int, video: bytes
) -> None:
    path = f"/cameras/{camera}/footage/clip.mp4"
    cut = client.begin("PUT", path, video[:1000], Content_Length=str(len(video)))
    until(lambda: unfinished(here))
    cut.close()
    until(lambda: not unfinished(here))
    assert count(database) == 0
    assert client.ask("PUT", path, video).status == 201


def test_a_body_that_falls_silent_is_let_go(
    client: Client, here: Here, camera: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.uploads._SILENCE_S", 0.2)
    path = f"/cameras/{camera}/footage/clip.mp4"
    with client.begin("PUT", path, b"12345", Content_Length="10") as silent:
        assert silent.recv(1000).startswith(b"HTTP/1.1 400 ")
    until(lambda: not unfinished(here))


def test_a_digest_that_does_not_hold_is_refused(
    client: Client, database: Database, here: Here, camera: int, video: bytes
) -> None:
    path = f"/cameras/{camera}/footage/clip.mp4"

    def digest(data: bytes) -> str:
        return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"

    damaged = client.ask("PUT", path, video, Content_Digest=digest(b"other bytes"))
    assert damaged.status == 422
    assert "not what its Content-Digest says" in damaged.problem
    senseless = client.ask("PUT", path, video, Content_Digest="sha-256=:AAAA:")
    assert senseless.status == 422
    assert count(database) == 0
    assert unfinished(here) == []
    both = f"md5=:AAAA:, {digest(video)}"
    assert client.ask("PUT", path, video, Content_Digest=both).status == 201


def test_too_much_is_refused_before_it_is_sent(client: Client, here: Here, camera: int) -> None:
    path = f"/cameras/{camera}/footage/clip.mp4"
    with client.begin("PUT", path, b"", Content_Length=str(5_000_001)) as waiting:
        assert waiting.recv(1000).startswith(b"HTTP/1.1 413 ")
    with client.begin("PUT", path, b"", Transfer_Encoding="chunked") as waiting:
        assert waiting.recv(1000).startswith(b"HTTP/1.1 411 ")
    assert unfinished(here) == []


def test_footage_without_a_place_is_refused_before_it_is_sent(client: Client, here: Here) -> None:
    with client.begin("PUT", "/cameras/99/footage/clip.mp4", b"", Content_Length="9") as waiting:
        assert waiting.recv(1000).startswith(b"HTTP/1.1 404 ")
    nobody = Client(client.port, None)
    with nobody.begin("PUT", "/cameras/1/footage/clip.mp4", b"", Content_Length="9") as waiting:
        assert waiting.recv(1000).startswith(b"HTTP/1.1 401 ")
    assert unfinished(here) == []


def test_footage_of_a_deleted_camera_goes_to_no_later_one(
    client: Client, database: Database, camera: int, video: bytes
) -> None:
    with database.write() as session:
        delete_camera(session, camera)
        add_camera(session, "Another")
    assert client.ask("PUT", f"/cameras/{camera}/footage/clip.mp4", video).status == 404
    assert count(database) == 0


def test_a_full_disk_is_said_and_may_pass(
    client: Client,
    database: Database,
    here: Here,
    camera: int,
    video: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    path = f"/cameras/{camera}/footage/clip.mp4"
    with monkeypatch.context() as patch:
        patch.setattr("jobs.store.FootageStore.put", full)
        answer = client.ask("PUT", path, video)
    assert answer.status == 503
    assert answer.problem == "clip.mp4: there is no space left to store it."
    assert answer.headers["retry-after"]
    assert count(database) == 0
    assert unfinished(here) == []
    assert client.ask("PUT", path, video).status == 201


@pytest.fixture
def zipped(tmp_path: Path) -> bytes:
    """Four pictures that differ."""
    for number in range(4):
        write_picture(tmp_path / f"{number}.jpg", (), (320 + number, 240))
    members = {f"{number}.jpg": tmp_path / f"{number}.jpg" for number in range(4)}
    write_zip(tmp_path / "day.zip", members)
    return (tmp_path / "day.zip").read_bytes()


def full_once(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """The disk is full for one file, once so many were put into the store."""
    put, puts = FootageStore.put, iter(range(1000))

    def sometimes(*given: Any, **options: Any) -> str:
        if next(puts) == at:
            raise OSError(28, "No space left on device")
        return put(*given, **options)

    monkeypatch.setattr("jobs.store.FootageStore.put", sometimes)


def test_a_zip_that_came_in_by_half_is_not_said_to_be_in(
    client: Client,
    database: Database,
    here: Here,
    camera: int,
    zipped: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    full_once(monkeypatch, 1)
    path = f"/cameras/{camera}/footage/day.zip"
    answer = client.ask("PUT", path, zipped)
    assert answer.status == 503
    assert answer.headers["retry-after"]
    assert "there is no space left to store it" in answer.problem
    assert "Taken in so far: 3; repeat the request for the rest." in answer.problem
    assert count(database) == 3
    again = client.ask("PUT", path, zipped)
    assert again.status == 201
    assert {one["outcome"] for one in again.json["outcomes"]} == {"accepted", "duplicate"}
    assert count(database) == 4
    assert unfinished(here) == []


# Resumable, by tus


def tus(client: Client, method: str, path: str, body: bytes = b"", /, **more: str) -> Answer:
    return client.ask(method, path, body or None, Tus_Resumable="1.0.0", **more)


def begun(client: Client, length: int, name: str = "clip.mp4") -> str:
    metadata = "filename " + base64.b64encode(name.encode()).decode()
    answer = tus(client, "POST", "/uploads", Upload_Length=str(length), Upload_Metadata=metadata)
    assert answer.status == 201, answer
    assert answer.headers["location"].startswith(f"{PREFIX}/uploads/")
    return answer.headers["location"]


def add(client: Client, path: str, offset: int, data: bytes) -> Answer:
    return tus(client, "PATCH", path, data, Content_Type=STREAM, Upload_Offset=str(offset))


def stands_at(client: Client, path: str) -> int:
    """How far the upload is; bytes that were sent before may take the turn of who asks."""
    while (answer := tus(client, "HEAD", path)).status == 423:
        pass
    return int(answer.headers["upload-offset"])


def taken_in(client: Client, camera: int, path: str) -> Answer:
    upload_id = path.rpartition("/")[2]
    body = f'{{"upload_id": "{upload_id}"}}'.encode()
    return client.ask("POST", f"/cameras/{camera}/footage", body, Content_Type="application/json")


def test_a_file_that_is_cut_again_and_again_arrives_by_tus(
    client: Client, database: Database, here: Here, camera: int, video: bytes
) -> None:
    path = begun(client, len(video))
    offset = 0
    for end in sorted(random.Random(3).sample(range(1, len(video)), 4)):
        cut = client.begin(
            "PATCH",
            path.removeprefix(PREFIX),
            video[offset:end],
            Tus_Resumable="1.0.0",
            Upload_Offset=str(offset),
            Content_Length=str(len(video) - offset),
            Content_Type=STREAM,
        )
        cut.close()
        before, offset = offset, stands_at(client, path)
        assert before <= offset <= end
        early = taken_in(client, camera, path)
        assert early.status == 409
        assert f"of {len(video)} bytes" in early.problem
    offset = stands_at(client, path)
    half = (offset + len(video)) // 2
    assert add(client, path, offset, video[offset:half]).status == 204
    assert add(client, path, half, video[half:]).status == 204
    answer = taken_in(client, camera, path)
    assert answer.status == 201, answer
    with database.read() as session:
        (row,) = list_recordings(session)
    assert row.sha256 == hashlib.sha256(video).hexdigest()
    assert stored(here) == [video]
    assert unfinished(here) == []
    gone = taken_in(client, camera, path)
    assert gone.status == 404
    assert "taken in already" in gone.problem


def test_tus_asks_for_the_key_and_its_scope(
    client: Client, database: Database, camera: int
) -> None:
    path = begun(client, 5)
    reader = Client(client.port, key_for(database, Scope.READ, name="reader"))
    for stranger, status in ((Client(client.port, None), 401), (reader, 403)):
        assert tus(stranger, "POST", "/uploads", Upload_Length="5").status == status
        assert tus(stranger, "HEAD", path).status == status
        refused = add(stranger, path, 0, b"12345")
        assert refused.status == status
        assert refused.problem
        assert tus(stranger, "DELETE", path).status == status
        assert taken_in(stranger, camera, path).status == status
    assert int(tus(client, "HEAD", path).headers["upload-offset"]) == 0


def test_what_tus_refuses_is_a_problem(client: Client) -> None:
    path = begun(client, 5)
    assert add(client, path, 3, b"12").problem == "The upload stands at 0 bytes."
    assert client.ask("HEAD", path).status == 412
    too_large = tus(
        client,
        "POST",
        "/uploads",
        Upload_Length="5000001",
        Upload_Metadata="filename " + base64.b64encode(b"x.mp4").decode(),
    )
    assert too_large.status == 413
    assert too_large.problem.startswith("x.mp4: is too large")


def test_a_name_that_no_database_holds_is_cleaned(
    client: Client, database: Database, camera: int, video: bytes
) -> None:
    path = begun(client, len(video), "a\0\nb.mp4")
    add(client, path, 0, video)
    assert taken_in(client, camera, path).status == 201
    with database.read() as session:
        assert [row.name for row in list_recordings(session)] == ["ab.mp4"]


def test_an_upload_stays_when_the_disk_was_full(
    client: Client, database: Database, camera: int, video: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = begun(client, len(video))
    add(client, path, 0, video)

    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("jobs.store.FootageStore.put", full)
        assert taken_in(client, camera, path).status == 503
    assert taken_in(client, camera, path).status == 201
    assert count(database) == 1


def test_an_upload_stays_until_all_of_a_zip_is_in(
    client: Client,
    database: Database,
    here: Here,
    camera: int,
    zipped: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = begun(client, len(zipped), "day.zip")
    add(client, path, 0, zipped)
    full_once(monkeypatch, 1)
    assert taken_in(client, camera, path).status == 503
    assert 0 < count(database) < 4
    assert stands_at(client, path) == len(zipped)
    assert taken_in(client, camera, path).status == 201
    assert count(database) == 4
    assert unfinished(here) == []


def test_a_long_body_is_not_read_before_the_key_is_asked_for(client: Client) -> None:
    nobody = Client(client.port, None)
    answer = nobody.ask("POST", "/cameras/1/footage", b" " * 100_000)
    assert answer.status == 413
    assert "a few lines of JSON" in answer.problem
    assert nobody.ask("POST", "/cameras/1/footage", b"{}").status == 401
    damaged = client.ask("POST", "/cameras/1/footage", b"\xff", Content_Type="application/json")
    assert damaged.status == 400
    assert "to be JSON" in damaged.problem
