"""The real server and a real Chromium, for tests and for the screenshots of the docs.

serving(home)            starts ``streamlit run app.py`` on a free loopback port
reading(home)            a worker beside it
chromium()               a browser; raises NoChromium where none is installed
Watch(page)              what a page asked for and complained about
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, sync_playwright

from settings import Settings
from tests.made_jobs import ROOT, environment

_START_S = 240.0
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class NoChromium(Exception):
    """No Chromium on this machine; SATISFACE_CHROMIUM can name one."""


def find_chromium() -> str:
    for name in (os.environ.get("SATISFACE_CHROMIUM"), "chromium", "chromium-browser", "chrome"):
        found = shutil.which(name) if name else None
        if found:
            return found
    raise NoChromium("no Chromium found; install one or name it with SATISFACE_CHROMIUM")


@contextmanager
def chromium() -> Iterator[Browser]:
    executable = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def serving(home: Path, **variables: str) -> Iterator[str]:
    """The dashboard with its worker, on ``home``; gives its address. The log goes to
    ``home/server.log``."""
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
            cwd=ROOT,
            env=environment(Settings.model_validate({"home": home})) | variables,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_healthy(address, process, home / "server.log")
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def reading(home: Path) -> Iterator[None]:
    """A worker on ``home``, for as long as the block lasts."""
    with (home / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "cli.py", "worker"],
            cwd=ROOT,
            env=environment(Settings.model_validate({"home": home})),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_healthy(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=30) as response:
                if response.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"the server did not start:\n{log.read_text(errors='replace')[-3000:]}")


@dataclass
class Watch:
    """Everything a page asked for from elsewhere, and its complaints."""

    page: Page
    address: str
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", self._request)
        self.page.on("response", self._response)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _request(self, request: Request) -> None:
        url = urlsplit(request.url)
        own = urlsplit(self.address).netloc
        if url.scheme not in {"data", "blob"} and url.netloc != own:
            self.foreign.append(request.url)

    def _response(self, response: Response) -> None:
        if response.status >= 400 and not _seeks_base_path(response.url):
            self.errors.append(f"{response.status} {response.url}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not _seeks_base_path(message.location["url"]):
            self.errors.append(message.text)


def _seeks_base_path(url: str) -> bool:
    """On a page below "/" Streamlit tries where its server begins: 404 means "not there"."""
    path = urlsplit(url).path
    return path.count("/") > 2 and path.endswith(("/_stcore/health", "/_stcore/host-config"))


def settled(page: Page) -> None:
    """Wait until the running script is done and its charts are drawn."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    page.wait_for_function(
        '() => !document.querySelector(\'[data-testid="stSkeleton"], [data-stale="true"]\')'
    )
    page.wait_for_timeout(400)
