"""The dashboard's server: it migrates, brings its worker along, and takes it with it."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from db.engine import is_current
from db.recording_rows import list_recordings
from settings import Settings
from tests.made_footage import write_picture
from tests.made_jobs import ROOT, environment, made_camera, made_settings, opened, until


@contextlib.contextmanager
def serving(settings: Settings) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """``streamlit run app.py`` and the address of its health."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ("--server.headless=true", "--server.address=127.0.0.1", f"--server.port={port}")
    log = settings.home / "server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", *options],
            cwd=ROOT,
            env=environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        yield server, f"http://127.0.0.1:{port}/healthz"
    finally:
        server.kill()
        server.wait()


def answer(url: str) -> dict[str, str]:
    try:
        with urllib.request.urlopen(url, timeout=240) as reply:
            body: dict[str, str] = json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            body = json.loads(error.read())
    except OSError:
        return {}
    return body


def workers(server: subprocess.Popen[bytes]) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(server.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it ended meanwhile
            if "worker" in child.cmdline():
                found.append(child)
    return found


def test_the_worker_of_the_server_looks_after_the_watched_folder(tmp_path: Path) -> None:
    photo = tmp_path / "in" / "Site of Entrance" / "Entrance" / "photo.jpg"
    settings = made_settings(tmp_path, watch_folder=str(tmp_path / "in"), watch_settle_seconds=0.5)
    with opened(settings) as database:
        made_camera(database)
    log = settings.home / "server.log"
    with serving(settings):
        until(lambda: "there is no such folder" in log.read_text())
        photo.parent.mkdir(parents=True)  # a share that is mounted late
        write_picture(photo)
        until(lambda: (tmp_path / "in" / "done").is_dir() and not photo.exists())
    with opened(settings) as database, database.read() as session:
        (row,) = list_recordings(session)
    assert row.name == "Site of Entrance/Entrance/photo.jpg"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_worker_comes_and_goes_with_the_server(tmp_path: Path, number: signal.Signals) -> None:
    settings = Settings(home=tmp_path / "new home", database_url="", footage_url="")
    with serving(settings) as (server, url):
        until(lambda: answer(url).get("status") == "ok")
        assert is_current(settings.resolved_database_url)
        # The rest of what is checked is the machine's, or for the tests of the health routes.
        well = {
            "database": "reachable",
            "schema": "current",
            "worker": "running",
            "reading": "nothing waits",
            "footage": "writable",
        }
        ready = answer(url.replace("healthz", "readyz"))
        assert ready | well == ready
        with urllib.request.urlopen(url.replace("healthz", "metrics"), timeout=240) as reply:
            assert b"satisface_segments_waiting 0.0" in reply.read()
        api = url.replace("healthz", "api/v1")
        assert answer(f"{api}/openapi.json")["openapi"].startswith("3.1")
        assert answer(f"{api}/sites")["detail"].startswith("A key is needed")
        until(lambda: workers(server))
        (worker,) = workers(server)

        if number == signal.SIGTERM:
            # One that died is started again, and the server says so meanwhile or not at all.
            worker.kill()
            until(lambda: [w for w in workers(server) if w.pid != worker.pid])
            (worker,) = workers(server)
            until(lambda: answer(url).get("status") == "ok")

        server.send_signal(number)
        server.wait(240)
        _, alive = psutil.wait_procs([worker], timeout=240)
        assert alive == []


def test_a_worker_that_hangs_does_not_outlive_its_dashboard(tmp_path: Path) -> None:
    """Its database takes connections and never says a word."""
    program = (
        "import commands.footage; from commands.app import app; commands.footage._PARTING_S = 0.5;"
        "app(['worker', '--with-parent'])"
    )
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        address = f"postgresql+psycopg://somebody@127.0.0.1:{port}/satisface"
        settings = Settings(home=tmp_path, database_url=address, footage_url="")
        with subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environment(settings),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as worker:
            try:
                mute.settimeout(240)
                connection, _ = mute.accept()
                with connection:
                    _, said = worker.communicate(timeout=240)  # the end of its input
            finally:
                worker.kill()
    assert worker.returncode == 1
    assert b"did not end in time" in said


def test_a_setting_that_cannot_be_ends_the_start_with_its_name(tmp_path: Path) -> None:
    settings = made_settings(tmp_path)
    wrong = environment(settings) | {"SATISFACE_SAMPLE_RATE": "0"}
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        command.append(f"--server.port={free.getsockname()[1]}")
    ended = subprocess.run(
        command, cwd=ROOT, env=wrong, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode != 0
    assert "sample_rate" in ended.stdout + ended.stderr
