"""The tus protocol, rule by rule, over a real connection."""

import base64
import hashlib
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from api.routes import known_recording
from jobs.sweep import delete_unfinished
from jobs.uploads import LIFETIME, Upload, Uploads
from tests.made_footage import write_picture
from tests.made_jobs import made_camera, made_settings, opened, take_in, until
from tests.made_server import served
from tests.made_uploads import STREAM, Client, made_options, upload_app

DATA = random.Random(5).randbytes(3_000_000)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with served(upload_app(made_options(tmp_path))) as port:
        yield Client(port, tmp_path)


def stored(home: Path, path: str) -> Upload:
    found = Uploads(home / "unfinished").find(path.rpartition("/")[2])
    assert found is not None
    return found


def checksum(data: bytes, algorithm: str = "sha1") -> str:
    digest = hashlib.new(algorithm, data).digest()
    return f"{algorithm} {base64.b64encode(digest).decode()}"


def test_the_server_says_what_it_can(client: Client) -> None:
    answer = client.ask("OPTIONS", Tus_Resumable=None, X_Upload_Pass=None)
    assert answer.status == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-max-size"] == "10000000"
    assert set(answer.headers["tus-extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "expiration",
        "termination",
        "checksum",
    }
    assert answer.headers["tus-checksum-algorithm"] == "sha1,sha256"


def test_a_file_arrives_in_pieces_and_is_hashed_on_the_way(client: Client, tmp_path: Path) -> None:
    path = client.new(len(DATA))
    first = client.add(path, 0, DATA[:1_234_567])
    assert (first.status, first.offset) == (204, 1_234_567)
    state = client.ask("HEAD", path)
    assert (state.status, state.offset, state.headers["upload-length"]) == (
        200,
        1_234_567,
        str(len(DATA)),
    )
    assert state.headers["cache-control"] == "no-store"
    assert base64.b64decode(state.headers["upload-metadata"].split()[1]) == b"aisle.mp4"
    assert stored(tmp_path, path).sha256 is None
    last = client.add(path, 1_234_567, DATA[1_234_567:])
    assert (last.status, last.offset) == (204, len(DATA))
    upload = stored(tmp_path, path)
    assert upload.is_whole
    assert upload.path.read_bytes() == DATA
    assert upload.sha256 == hashlib.sha256(DATA).hexdigest()


def test_a_restarted_server_goes_on_and_tells_no_hash_of_a_part(tmp_path: Path) -> None:
    with served(upload_app(made_options(tmp_path))) as port:
        path = Client(port, tmp_path).new(len(DATA))
        Client(port, tmp_path).add(path, 0, DATA[:1_000_000])
    with served(upload_app(made_options(tmp_path))) as port:
        client = Client(port, tmp_path)
        assert client.ask("HEAD", path).offset == 1_000_000
        assert client.add(path, 1_000_000, DATA[1_000_000:]).status == 204
    upload = stored(tmp_path, path)
    assert upload.path.read_bytes() == DATA
    assert upload.sha256 is None  # a hash that did not see every byte is not told


def test_what_arrived_before_the_connection_was_cut_counts(client: Client, tmp_path: Path) -> None:
    path = client.new(len(DATA))
    client.begin(path, 0, len(DATA), DATA[:1_500_000]).close()
    until(lambda: stored(tmp_path, path).offset == 1_500_000)
    assert client.ask("HEAD", path).offset == 1_500_000
    assert client.add(path, 1_500_000, DATA[1_500_000:]).status == 204
    assert stored(tmp_path, path).sha256 == hashlib.sha256(DATA).hexdigest()


def test_a_newer_request_takes_over_from_a_connection_that_hangs(
    client: Client, tmp_path: Path
) -> None:
    path = client.new(len(DATA))
    hanging = client.begin(path, 0, len(DATA), DATA[:1_500_000])
    # Nobody has told the server that this connection is dead.
    until(lambda: stored(tmp_path, path).offset > 0)
    offset = client.ask("HEAD", path).offset
    assert 0 < offset <= 1_500_000
    assert client.add(path, offset, DATA[offset:]).status == 204
    assert stored(tmp_path, path).sha256 == hashlib.sha256(DATA).hexdigest()
    hanging.close()


def test_a_connection_that_falls_silent_is_let_go(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.uploads._SILENCE_S", 0.2)
    path = client.new(len(DATA))
    with client.begin(path, 0, len(DATA), DATA[:5]) as silent:
        assert silent.recv(1000).startswith(b"HTTP/1.1 408 ")
    assert client.ask("HEAD", path).offset == 5


def test_bytes_at_another_place_are_refused(client: Client, tmp_path: Path) -> None:
    path = client.new(100)
    assert client.add(path, 0, DATA[:40]).offset == 40
    for offset in (0, 39, 41):
        assert client.add(path, offset, DATA[:10]).status == 409
    assert stored(tmp_path, path).path.read_bytes() == DATA[:40]


def test_a_checksum_holds_or_its_bytes_are_taken_back(client: Client, tmp_path: Path) -> None:
    path = client.new(60)
    good = client.add(path, 0, DATA[:20], Upload_Checksum=checksum(DATA[:20], "sha256"))
    assert (good.status, good.offset) == (204, 20)
    bad = client.add(path, 20, DATA[20:40], Upload_Checksum=checksum(DATA[:20]))
    assert bad.status == 460
    assert client.ask("HEAD", path).offset == 20
    unknown = client.add(path, 20, DATA[20:40], Upload_Checksum="crc32 AAAA")
    assert unknown.status == 400
    assert client.add(path, 20, DATA[20:60]).status == 204
    assert stored(tmp_path, path).sha256 == hashlib.sha256(DATA[:60]).hexdigest()


def test_bytes_with_a_checksum_that_come_in_part_do_not_count(
    client: Client, tmp_path: Path
) -> None:
    path = client.new(len(DATA))
    client.add(path, 0, DATA[:100])
    rest = DATA[100:]
    cut = client.begin(path, 100, len(rest), rest[:2_000_000], Upload_Checksum=checksum(rest))
    until(lambda: stored(tmp_path, path).offset > 100)
    cut.close()
    until(lambda: client.ask("HEAD", path).offset == 100)
    assert client.add(path, 100, rest, Upload_Checksum=checksum(rest)).status == 204
    assert stored(tmp_path, path).path.read_bytes() == DATA


def test_other_versions_are_refused(client: Client) -> None:
    for version in (None, "0.2.2"):
        answer = client.create(10, Tus_Resumable=version)
        assert answer.status == 412
        assert answer.headers["tus-version"] == "1.0.0"


def test_too_much_is_refused(client: Client, tmp_path: Path) -> None:
    answer = client.create(10_000_001)
    assert answer.status == 413
    assert b"aisle.mp4: is too large" in answer.body
    path = client.new(50)
    assert client.add(path, 0, DATA[:51]).status == 413
    assert stored(tmp_path, path).offset == 0


def test_a_body_without_a_length_cannot_bring_more_than_was_announced(
    client: Client, tmp_path: Path
) -> None:
    path = client.new(50)
    chunks = b"28\r\n" + DATA[:40] + b"\r\n28\r\n" + DATA[40:80] + b"\r\n0\r\n\r\n"
    with client.begin(path, 0, None, chunks, Transfer_Encoding="chunked") as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")
    assert stored(tmp_path, path).offset <= 50


def test_what_no_disk_can_hold_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    with served(upload_app(made_options(tmp_path, largest=10**17))) as port:
        answer = Client(port, tmp_path).create(10**17)
    assert answer.status == 507
    assert b"there is no space left" in answer.body


@pytest.mark.parametrize(
    "headers",
    [
        {"Upload_Length": "ten"},
        {"Upload_Length": "-1"},
        {"Upload_Length": None},
        {"Upload_Defer_Length": "1", "Upload_Length": None},
        {"Upload_Metadata": None},
        {"Upload_Metadata": "filename !!!"},
        {"Upload_Metadata": "filename " + base64.b64encode(b"\xff\xfe").decode()},
    ],
)
def test_uploads_that_make_no_sense_are_refused(
    client: Client, headers: dict[str, str | None]
) -> None:
    assert client.create(10, **headers).status == 400


def test_bytes_of_another_kind_are_refused(client: Client) -> None:
    path = client.new(10)
    assert client.add(path, 0, b"x", Content_Type="text/plain").status == 415


def test_an_upload_can_be_taken_back(client: Client, tmp_path: Path) -> None:
    path = client.new(10)
    assert client.ask("DELETE", path).status == 204
    assert client.ask("HEAD", path).status == 404
    assert client.add(path, 0, b"x").status == 404
    assert list((tmp_path / "unfinished").iterdir()) == []


@pytest.mark.parametrize("name", ["x", "..", "%2e%2e%2fsatisface.db", "a" * 22])
def test_only_uploads_can_be_asked_for(client: Client, name: str) -> None:
    assert client.ask("HEAD", f"/api/uploads/{name}").status == 404
    assert client.ask("DELETE", f"/api/uploads/{name}").status == 404


def test_half_an_upload_is_gone_after_a_day(client: Client, tmp_path: Path) -> None:
    path = client.new(10)
    answer = client.add(path, 0, b"12345")
    expires = parsedate_to_datetime(answer.headers["upload-expires"])
    assert timedelta(0) < expires - datetime.now(UTC) <= LIFETIME
    folder = stored(tmp_path, path).path.parent
    assert delete_unfinished(tmp_path / "unfinished", expires - timedelta(minutes=1)) == 0
    old = (datetime.now(UTC) - LIFETIME - timedelta(minutes=1)).timestamp()
    os.utime(folder, (old, old))
    assert client.ask("HEAD", path).status == 410
    assert client.ask("HEAD", path).status == 404
    path = client.new(10)
    assert delete_unfinished(tmp_path / "unfinished", datetime.now(UTC) + LIFETIME * 2) == 1
    assert client.ask("HEAD", path).status == 404


def test_a_small_file_comes_with_its_creation(client: Client, tmp_path: Path) -> None:
    metadata = "filename " + base64.b64encode("Ä.jpg".encode()).decode()
    answer = client.ask(
        "POST",
        "/api/uploads",
        DATA[:500],
        Content_Type=STREAM,
        Upload_Length="500",
        Upload_Metadata=metadata,
    )
    assert (answer.status, answer.offset) == (201, 500)
    upload = stored(tmp_path, answer.headers["location"])
    assert upload.name == "Ä.jpg"
    assert upload.path.read_bytes() == DATA[:500]


def test_an_empty_file_is_whole_at_once(client: Client, tmp_path: Path) -> None:
    upload = stored(tmp_path, client.new(0))
    assert upload.is_whole
    assert upload.sha256 == hashlib.sha256().hexdigest()


def test_methods_hidden_in_a_header_are_understood(client: Client) -> None:
    path = client.new(5)
    answer = client.ask(
        "POST",
        path,
        b"12345",
        X_HTTP_Method_Override="PATCH",
        Content_Type=STREAM,
        Upload_Offset="0",
    )
    assert (answer.status, answer.offset) == (204, 5)
    assert client.ask("POST", path).status == 405


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Upload_Pass": None},
        {"X_Upload_Pass": "a-session.99999999999.0123"},
        {"Origin": "http://elsewhere.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Host": "rebound.example:8501", "Origin": "http://rebound.example:8501"},
        {"X_Forwarded_For": "203.0.113.9"},
    ],
)
def test_strangers_are_refused(client: Client, headers: dict[str, str | None]) -> None:
    path = client.new(10)
    assert client.create(10, **headers).status == 403
    assert client.add(path, 0, b"x", **headers).status == 403
    assert client.ask("HEAD", path, **headers).status == 403
    assert client.ask("DELETE", path, **headers).status == 403
    assert client.ask("GET", "/api/uploads/known?camera=1&size=1", **headers).status == 403


def test_a_proxy_that_signs_people_in_opens_the_door(tmp_path: Path) -> None:
    with served(upload_app(made_options(tmp_path, proxy=True))) as port:
        client = Client(port, tmp_path)
        own = {"Host": "satisface.example", "X_Forwarded_For": "203.0.113.9"}
        assert client.create(10, **own, Origin="https://satisface.example").status == 201
        assert client.create(10, **own, Origin="https://elsewhere.example").status == 403


def test_only_the_browsers_part_is_served(client: Client) -> None:
    answer = client.ask("GET", "/api/uploads/client/tus.min.js")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert client.ask("GET", "/api/uploads/client/LICENSE-hash-wasm.txt").status == 404
    assert client.ask("GET", "/api/uploads/client/..%2f..%2fupload.py").status == 404


def test_known_answers_what_the_database_tells(client: Client) -> None:
    answer = client.ask("GET", "/api/uploads/known?camera=1&size=5")
    assert (answer.status, answer.body) == (200, b'{"known":false}')
    assert client.ask("GET", "/api/uploads/known?camera=x&size=5").status == 400


def test_a_file_is_known_by_its_hash_where_its_camera_has_it(tmp_path: Path) -> None:
    settings = made_settings(tmp_path)
    photo = tmp_path / "portrait.jpg"
    write_picture(photo)
    size = photo.stat().st_size
    digest = hashlib.sha256(photo.read_bytes()).hexdigest()
    with opened(settings) as database:
        camera, other = made_camera(database), made_camera(database, "Till")
        assert known_recording(database, camera, size, None) is False
        take_in(database, settings, camera, photo)
        # The size is only a reason to look closer.
        assert known_recording(database, camera, size, None) is True
        assert known_recording(database, camera, size + 1, None) is False
        assert known_recording(database, other, size, None) is False
        sentence = "Entrance has this file already, as portrait.jpg (queued)."
        assert known_recording(database, camera, size, digest) == sentence
        assert known_recording(database, camera, size, "0" * 64) is False
        assert known_recording(database, other, size, digest) is False
