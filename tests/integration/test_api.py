"""The API of programs: who is let in, what they see, in which pages, and what stays withheld."""

import asyncio
import csv
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.types import ASGIApp

from analytics.scores import DEFAULT_SCORE
from analytics.summary import by_camera, by_day, summarise
from api.v1.app import here_from
from api.v1.here import HEAVY_AT_ONCE, Here
from db.days import read_days
from db.engine import Database
from db.keys import Scope, create_key, find_key, list_keys, revoke_key
from db.places import create_site, delete_site, list_sites
from db.recordings import delete_recording
from db.scores import active_score
from tests.made_api import (
    PREFIX,
    Answer,
    Client,
    Filled,
    filled,
    key_for,
    mounted,
    settings_for,
)
from tests.made_jobs import until
from tests.made_server import served
from tests.unit.db.made_rows import NOON, add_video

DAYS = "from=2026-03-01&to=2026-03-03"


@pytest.fixture
def there(database: Database) -> Filled:
    return filled(database)


@pytest.fixture
def here(database_url: str, tmp_path: Path) -> Iterator[Here]:
    made = here_from(settings_for(tmp_path, database_url, minimum_people=10))
    yield made
    made.database.close()


@pytest.fixture
def port(here: Here, there: Filled) -> Iterator[int]:  # noqa: ARG001  what is there to be asked for
    with served(mounted(here)) as port:
        yield port


@pytest.fixture
def client(port: int, database: Database) -> Client:
    return Client(port, key_for(database))


def table(answer: Answer) -> list[dict[str, str]]:
    assert answer.status == 200, answer
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig"))))


def all_pages(client: Client, path: str, rows: str = "rows") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = client.get(f"{path}{cursor}").json
        found += page[rows]
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"


# Who is let in


def test_without_a_key_nothing_is_told(port: int, database: Database) -> None:
    key = key_for(database)
    for given in (None, "satisface_" + "x" * 43, key[:-1], ""):
        for path in ("/sites", "/recordings/999", "/summary"):
            answer = Client(port, given).get(path)
            assert answer.status == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert "key" in answer.problem
    for scheme in ("Basic", "Token", "satisface"):
        answer = Client(port, None).get("/sites", Authorization=f"{scheme} {key}")
        assert answer.status == 401
    assert Client(port, key).get("/sites").status == 200
    assert Client(port, None).get(f"/sites?key={key}").status == 401


def test_a_key_opens_what_its_scopes_say(port: int, database: Database, there: Filled) -> None:
    paths = {
        Scope.READ: ("/sites", "/recordings", f"/recordings/{there.busy}", f"/summary?{DAYS}"),
        Scope.ROWS: ("/recordings/1/predictions", "/recordings/1/tracks"),
    }
    for scope in Scope:
        client = Client(port, key_for(database, scope, name=scope.value))
        for needed, some in paths.items():
            for path in some:
                answer = client.get(path)
                assert answer.status == (200 if needed is scope else 403), (scope, path)
                if answer.status == 403:
                    assert f"has no scope “{needed.value}”" in answer.problem
                    assert f'scope="{needed.value}"' in answer.headers["www-authenticate"]
        sent = client.ask("PUT", f"/cameras/{there.busy}/footage/x.jpg", b"no picture")
        assert sent.status == (422 if scope is Scope.UPLOAD else 403)


def test_a_key_that_was_revoked_or_has_expired_is_refused_at_once(
    port: int, database: Database
) -> None:
    key = key_for(database)
    client = Client(port, key)
    assert client.get("/sites").status == 200
    with database.write() as session:
        row = find_key(session, key)
        assert row is not None
        revoke_key(session, row.id)
        old, _ = create_key(
            session, "old", [Scope.READ], expires_at=NOON, now=NOON - timedelta(days=1)
        )
    assert client.get("/sites").problem.startswith("This key was revoked on ")
    assert Client(port, old).get("/sites").problem == "This key expired on 2026-03-02."


def test_that_a_key_was_used_is_noted(client: Client, database: Database) -> None:
    def used() -> datetime | None:
        with database.read() as session:
            return list_keys(session)[0].last_used_at

    before = datetime.now(UTC)
    assert used() is None
    client.get("/sites")
    until(lambda: (used() or datetime.min.replace(tzinfo=UTC)) >= before)


def test_a_key_bound_to_a_site_sees_nothing_of_others(
    port: int, database: Database, there: Filled
) -> None:
    client = Client(port, key_for(database, sites=(there.site,)))
    assert [site["id"] for site in client.get("/sites").json["sites"]] == [there.site]
    seen = all_pages(client, "/recordings?limit=2", "recordings")
    assert {one["site_id"] for one in seen} == {there.site}
    assert len(seen) == 6
    foreign = there.recordings[-1]
    for path in (
        f"/recordings/{foreign}",
        f"/recordings/{foreign}/predictions",
        f"/recordings/{foreign}/tracks?format=csv",
        f"/recordings?camera={there.other}",
        f"/summary?{DAYS}&site={there.other_site}",
        f"/buckets?{DAYS}&camera={there.other}",
        f"/buckets?{DAYS}&camera={there.other}&format=csv",
    ):
        answer = client.get(path)
        assert answer.status == 404, path
        missing = client.get(path.replace(str(foreign), "99"))
        assert missing.status == 404
    assert client.ask("PUT", f"/cameras/{there.other}/footage/x.jpg", b"x").status == 404
    summary = client.get(f"/summary?{DAYS}").json["figures"]
    assert summary["people"] == 35
    assert {row["site"] for row in table(client.get(f"/buckets?{DAYS}&format=csv"))} == {
        "Main Street"
    }


def test_a_key_whose_sites_are_gone_sees_nothing_at_all(port: int, database: Database) -> None:
    with database.write() as session:
        gone = create_site(session, "Gone", "UTC")
    client = Client(port, key_for(database, sites=(gone,)))
    with database.write() as session:
        delete_site(session, gone)
    assert client.get("/sites").json == {"sites": []}
    assert client.get("/recordings").json == {"recordings": [], "next": None}
    assert client.get(f"/buckets?{DAYS}").json == {"rows": [], "next": None}
    assert table(client.get(f"/buckets?{DAYS}&format=csv")) == []
    assert client.get(f"/summary?{DAYS}").json["figures"]["people"] == 0


# What is told


def test_a_recording_tells_its_state_and_why_it_failed(client: Client, there: Filled) -> None:
    done = client.get(f"/recordings/{there.recordings[0]}").json
    assert (done["state"], done["progress"], done["people"], done["unknown"]) == ("done", 1, 15, 3)
    assert done["error"] is None
    assert done["captured_at"] == "2026-03-02T12:00:00Z"
    failed = client.get(f"/recordings/{there.failed}").json
    assert (failed["state"], failed["error"]) == ("failed", "failed.mp4: it is damaged.")
    waiting = client.get(f"/recordings/{there.waiting}").json
    assert (waiting["state"], waiting["progress"]) == ("queued", 0)


def test_a_number_leads_to_nothing_else_once_its_recording_is_deleted(
    client: Client, database: Database, there: Filled
) -> None:
    with database.write() as session:
        delete_recording(session, there.waiting)
        add_video(session, there.other, name="later.mp4")
    for path in ("", "/tracks", "/predictions"):
        assert client.get(f"/recordings/{there.waiting}{path}").status == 404


def test_recordings_come_in_pages_and_each_once(client: Client, there: Filled) -> None:
    whole = client.get("/recordings?limit=200").json
    assert whole["next"] is None
    ids = [one["id"] for one in whole["recordings"]]
    assert sorted(ids) == sorted([*there.recordings, there.failed, there.waiting])
    assert [one["created_at"] for one in whole["recordings"]] == sorted(
        (one["created_at"] for one in whole["recordings"]), reverse=True
    )
    for limit in (1, 2, 3, 7):
        paged = all_pages(client, f"/recordings?limit={limit}", "recordings")
        assert [one["id"] for one in paged] == ids


def test_recordings_are_found_by_what_is_asked(client: Client, there: Filled) -> None:
    def ids(query: str) -> set[int]:
        return {one["id"] for one in client.get(f"/recordings?{query}").json["recordings"]}

    assert ids("state=failed&state=queued") == {there.failed, there.waiting}
    assert ids(f"camera={there.quiet}&camera={there.other}") == set(there.recordings[3:])
    assert ids(f"site={there.other_site}") == {there.recordings[4]}
    assert ids("from=2026-03-03") == {there.failed, there.waiting}
    assert ids("to=2026-03-02") == set(there.recordings)
    assert ids("search=FAIL") == {there.failed}
    sha256 = client.get(f"/recordings/{there.failed}").json["sha256"]
    assert ids(f"sha256={sha256}") == {there.failed}
    assert ids(f"sha256={'0' * 64}") == set()


@pytest.mark.parametrize("kind", ["predictions", "tracks"])
def test_rows_in_pages_are_those_of_the_file(client: Client, there: Filled, kind: str) -> None:
    path = f"/recordings/{there.recordings[0]}/{kind}"
    file = table(client.get(f"{path}?format=csv"))
    assert len(file) == {"predictions": 30, "tracks": 15}[kind]
    for limit in (7, 5000):
        rows = all_pages(client, f"{path}?limit={limit}")
        assert [str(row["person_id"]) for row in rows] == [row["person_id"] for row in file]
        assert set(rows[0]) == set(file[0])
        for row, line in zip(rows, file, strict=True):
            assert row["expression"] == line["expression"]
            assert (row["p_happy"] is None) == (line["p_happy"] == "")
            assert line["p_happy"] == "" or row["p_happy"] == pytest.approx(float(line["p_happy"]))
            assert (row["model_version"], row["recording"]) == ("model 1", "1-0.mp4")
            prefix = "time" if kind == "predictions" else "start"
            local = datetime.fromisoformat(row[f"{prefix}_local"])
            assert local == datetime.fromisoformat(row[f"{prefix}_utc"])
            assert local.utcoffset() == timedelta(hours=1)


def test_the_header_chooses_the_form_and_the_parameter_wins(client: Client) -> None:
    path = "/recordings/1/tracks"
    assert client.get(path).headers["content-type"] == "application/json"
    assert client.get(path, Accept="*/*").headers["content-type"] == "application/json"
    assert len(table(client.get(path, Accept="text/csv"))) == 15
    assert len(table(client.get(path, Accept="text/csv;q=0.9, application/json;q=0.1"))) == 15
    chosen = client.get(f"{path}?format=json", Accept="text/csv")
    assert chosen.headers["content-type"] == "application/json"


def test_hours_of_few_people_leak_neither_as_json_nor_as_csv(client: Client, there: Filled) -> None:
    rows = all_pages(client, f"/buckets?{DAYS}&limit=2")
    assert [(row["camera_id"], row["people"], row["withheld"]) for row in rows] == [
        (there.busy, 15, False),
        (there.busy, 15, False),
        (there.busy, 3, True),
        (there.quiet, 2, True),
        (there.other, 20, False),
    ]
    for row in rows:
        looks = {name for name in row if name.startswith(("n_", "sum_", "product_", "index"))}
        assert len(looks) == 17
        assert {row[name] is None for name in looks} == {row["withheld"]}
    lines = table(client.get(f"/buckets?{DAYS}&format=csv"))
    assert len(lines) == 5
    for line in lines:
        looks = {name for name in line if name.startswith(("n_", "sum_", "product_", "index"))}
        assert len(looks) == 17
        assert {line[name] == "" for name in looks} == {line["withheld"] == "true"}


def test_a_withheld_period_says_how_many_and_nothing_else(client: Client, there: Filled) -> None:
    found = client.get(f"/summary?{DAYS}&camera={there.quiet}").json["figures"]
    assert found == {
        "people": 2,
        "unknown": 0,
        "faces": 4,
        "withheld": True,
        "index": None,
        "happy": None,
        "negative": None,
        "net": None,
        "unknown_share": None,
        "counts": None,
    }
    by = client.get(f"/figures?{DAYS}&by=camera").json["rows"]
    assert [row["withheld"] for row in by] == [False, False, True]
    assert by[2]["index"] is None
    assert by[2]["counts"] is None
    lines = table(client.get(f"/figures?{DAYS}&by=camera&format=csv"))
    assert lines[2]["people"] == "2"
    told = {name for name, value in lines[2].items() if value}
    assert told == {"site", "camera", "camera_id", "people", "unknown", "faces", "withheld"}


def test_figures_are_those_of_the_pages(client: Client, database: Database, there: Filled) -> None:
    with database.read() as session:
        chosen = [(site, [one.id for one in site.cameras]) for site in list_sites(session)]
        buckets = read_days(session, chosen, date(2026, 3, 1), date(2026, 3, 3))
        score = active_score(session)
    assert score == DEFAULT_SCORE
    page = summarise(buckets, score, 10)
    told = client.get(f"/summary?{DAYS}").json
    assert (told["score"], told["minimum_people"]) == (score.label, 10)
    assert (told["from"], told["to"]) == ("2026-03-01", "2026-03-03")
    figures = told["figures"]
    for name in ("index", "happy", "negative", "net", "unknown_share"):
        estimate = getattr(page, name)
        assert figures[name] == {
            "value": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
        }
    assert figures["counts"] == page.counts
    assert (figures["people"], figures["unknown"]) == (page.people, page.unknown) == (55, 10)
    days = by_day(buckets, score, 10)
    rows = client.get(f"/figures?{DAYS}").json["rows"]
    assert [row["begins"] for row in rows] == [str(day.date()) for day in days["day"]]
    assert [row["index"]["low"] for row in rows] == days["index_low"].tolist()
    cameras = by_camera(buckets, score, 10)
    rows = client.get(f"/figures?{DAYS}&by=camera").json["rows"]
    assert [row["camera_id"] for row in rows] == cameras["camera_id"].tolist()
    assert rows[0]["index"]["value"] == cameras["index"].iloc[0]
    assert "begins" not in rows[0]
    own = client.get(f"/summary?{DAYS}&site={there.other_site}").json["figures"]
    assert own["people"] == 20


def test_days_are_those_of_each_sites_own_calendar(client: Client) -> None:
    """Noon in UTC is an hour of the afternoon in Berlin, and of the morning in New York."""
    hours = client.get(f"/figures?{DAYS}&by=hour").json["rows"]
    assert [(row["hour"], row["people"]) for row in hours] == [(7, 20), (13, 17), (14, 15), (15, 3)]
    assert client.get("/summary?from=2026-03-03&to=2026-03-03").json["figures"]["people"] == 0


# What goes wrong


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/summary", "query.from: Field required"),
        ("/summary?from=2026-03-03&to=2026-03-01", "“to” is before “from”"),
        ("/summary?from=2024-01-01&to=2026-03-01", "at most 400 days"),
        ("/summary?from=yesterday&to=2026-03-01", "is written as 2026-03-02"),
        ("/summary?from=0&to=1", "is written as 2026-03-02"),
        ("/summary?from=0001-01-01&to=0001-01-02", "query.from"),
        ("/recordings?limit=100000", "query.limit"),
        ("/recordings?cursor=next", "query.cursor"),
        ("/recordings?form=csv", "query.form"),
        ("/recordings?state=lost", "query.state"),
        ("/recordings/first", "path.recording_id"),
        (f"/recordings?search={quote(chr(0))}", "query.search"),
        ("/recordings/1/tracks?format=xml", "query.format"),
        ("/figures?from=2026-03-01&to=2026-03-01&by=year", "query.by"),
    ],
)
def test_what_cannot_be_understood_is_named(client: Client, path: str, words: str) -> None:
    answer = client.get(path)
    assert answer.status == 422
    assert words in answer.problem
    assert answer.json["errors"]


def test_unknown_addresses_and_methods_are_problems_too(client: Client) -> None:
    answer = client.get("/nothing")
    assert answer.status == 404
    assert "openapi.json" in answer.problem
    answer = client.ask("DELETE", "/recordings/1")
    assert answer.status == 405
    assert answer.headers["allow"] == "GET"
    assert answer.problem.startswith("DELETE ")
    assert client.get("/sites/").status == 404


def test_a_database_that_is_away_is_said(tmp_path: Path) -> None:
    away = here_from(settings_for(tmp_path, f"sqlite:///{tmp_path / 'nothing.db'}"))
    with served(mounted(away)) as port:
        answer = Client(port, "satisface_" + "x" * 43).get("/sites")
    assert answer.status == 503
    assert "cannot be reached" in answer.problem
    assert answer.headers["retry-after"] == "10"


def test_answers_are_kept_by_nobody_in_between(client: Client) -> None:
    for path in ("/sites", "/nothing", "/recordings/1/tracks?format=csv", "/openapi.json"):
        assert client.get(path).headers["cache-control"] == "no-store"


def test_the_document_needs_no_key_and_there_is_no_page_that_fetches_from_elsewhere(
    port: int,
) -> None:
    nobody = Client(port, None)
    document = nobody.get("/openapi.json")
    assert document.status == 200
    assert document.json["openapi"].startswith("3.1")
    assert document.json["servers"] == [{"url": PREFIX}]
    assert b"<" not in document.body.partition(b"paths")[0]
    for path in ("/docs", "/redoc"):
        assert nobody.get(path).status == 404


def test_large_answers_give_their_turn_back(client: Client) -> None:
    # More than there are turns, one after the other: none is kept, whatever becomes of them.
    for _ in range(HEAVY_AT_ONCE + 1):
        assert client.get(f"/buckets?{DAYS}&format=csv").status == 200
        assert client.get("/recordings/99/tracks?format=csv").status == 404
        assert client.get(f"/summary?{DAYS}").status == 200


def test_who_finds_no_turn_left_comes_again(client: Client, here: Here) -> None:
    taken = [here.heavy.take() for _ in range(HEAVY_AT_ONCE)]
    for path in (
        f"/summary?{DAYS}",
        f"/buckets?{DAYS}&format=csv",
        "/recordings/1/tracks?format=csv",
    ):
        answer = client.get(path)
        assert answer.status == 429
        assert answer.headers["retry-after"] == "5"
        assert "too many large requests" in answer.problem
    assert client.get("/recordings").status == 200
    for give in taken:
        give()
        give()  # once more is no other turn
    assert client.get(f"/summary?{DAYS}").status == 200
    for give in [here.heavy.take() for _ in range(HEAVY_AT_ONCE)]:
        give()


def test_who_reads_no_further_keeps_no_turn(
    here: Here, there: Filled, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.streams.TAKEN_WITHIN_S", 0.05)
    app, key = mounted(here), key_for(database)
    for path in (f"/recordings/{there.recordings[0]}/tracks", "/buckets"):
        for _ in range(HEAVY_AT_ONCE + 1):
            assert _status_unread(app, key, path) == 200
    for give in [here.heavy.take() for _ in range(HEAVY_AT_ONCE)]:
        give()


def _status_unread(app: ASGIApp, key: str, path: str) -> int:
    """Of an answer as CSV whose reader takes its head and stays; it has to be over all the same."""
    found: list[int] = []
    asked = DAYS if path == "/buckets" else ""
    scope = {
        "type": "http",
        "method": "GET",
        "path": PREFIX + path,
        "query_string": f"{asked}&format=csv".encode(),
        "headers": [(b"authorization", f"Bearer {key}".encode())],
    }

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message["type"] != "http.response.start":
            await asyncio.Event().wait()
        found.append(message["status"])

    async def answered() -> None:
        async with asyncio.timeout(60):
            await app(scope, receive, send)

    # In a thread: the browser's tests leave a loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(answered())).result()
    return found[0]
