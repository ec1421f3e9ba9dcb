"""A large file through a real browser, with the connection cut and the server restarted.

``python -m benchmarks.uploads --out docs/benchmarks/<date>-uploads.md``: a file of ``--gb``
gigabytes goes through Chromium and a network that is cut ``--cuts`` times while the server is
restarted ``--restarts`` times, at moments drawn by ``--seed``. The memory of the server's process
is looked at twice a second. The hash at the end has to be that of the file.
"""

import argparse
import contextlib
import hashlib
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from playwright.sync_api import Page

from benchmarks.machine import this_machine
from jobs.uploads import Upload, Uploads
from tests.browser.bad_network import BadNetwork
from tests.browser.server import chromium, serving
from tests.browser.steps import add_first_camera, choose

_BLOCK = 16_000_000
_LOOK_S = 0.5
_PATIENCE_S = 3600.0


@dataclass(slots=True)
class Memory:
    """Bytes of the server's process, as often as it was looked at: (resident, its own alone).
    Resident memory counts the pages of libraries, which lie on the disk as well."""

    idle: list[tuple[int, int]] = field(default_factory=list)
    sending: list[tuple[int, int]] = field(default_factory=list)
    after: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Result:
    bytes: int
    seconds: float
    cuts: int
    restarts: int
    sent: int
    same_hash: bool
    memory: Memory


def write_noise(path: Path, size: int, seed: int) -> str:
    """A file without two equal blocks; its SHA-256."""
    digest = hashlib.sha256()
    block = bytearray(random.Random(seed).randbytes(_BLOCK))
    with path.open("wb") as file:
        for begin in range(0, size, _BLOCK):
            block[:8] = begin.to_bytes(8, "big")
            piece = memoryview(block)[: min(_BLOCK, size - begin)]
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


class Server:
    """The dashboard behind a bad network, and what its process holds in memory."""

    def __init__(self, home: Path, size: int) -> None:
        self.home = home
        self.memory = Memory()
        self.is_sending = False
        self._size = size
        self._running = contextlib.ExitStack()
        self._process: psutil.Process | None = None
        self.network = BadNetwork(self._start(), bytes_a_second=1e12)

    def _start(self) -> int:
        address = self._running.enter_context(serving(self.home, SATISFACE_START_WORKER="false"))
        port = int(urlsplit(address).port or 0)
        children = psutil.Process().children()
        self._process = next(c for c in children if str(port) in c.cmdline())
        return port

    def restart(self) -> None:
        self.network.is_down = True
        self.network.cut()
        self._process = None
        self._running.close()
        self.network.port = self._start()
        self.network.is_down = False

    def close(self) -> None:
        self._process = None
        self._running.close()

    def look(self) -> None:
        process = self._process
        with contextlib.suppress(psutil.Error, AttributeError):
            full = process.memory_full_info()  # type: ignore[union-attr]
            seen = self.memory.sending if self.is_sending else self.memory.idle
            if self.arrived() >= self._size:  # the decoders come now, and a table
                seen = self.memory.after
            seen.append((full.rss, full.uss))

    def upload(self) -> Upload | None:
        for folder in (self.home / "unfinished").glob("upload-*"):
            kept = Uploads(folder.parent)
            return kept.find(folder.name.removeprefix("upload-"))
        return None

    def arrived(self) -> int:
        upload = self.upload()
        return upload.offset if upload else 0


@contextlib.contextmanager
def _looked_at(server: Server) -> Iterator[None]:
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(_LOOK_S):
            server.look()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _until(page: Page, true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError
        page.wait_for_timeout(100)


def run(folder: Path, *, size: int, cuts: int, restarts: int, seed: int) -> Result:
    file = folder / "monday.mp4"
    expected = write_noise(file, size, seed)
    events = ["cut"] * cuts + ["restart"] * restarts
    drawn = random.Random(seed)
    drawn.shuffle(events)
    moments = sorted(drawn.uniform(0.02, 0.95) * size for _ in events)
    server = Server(folder / "home", size)
    with contextlib.closing(server), server.network, _looked_at(server), chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(300_000)
        page.goto(f"{server.network.address}/upload")
        add_first_camera(page, "Main Street", "Entrance")
        page.wait_for_timeout(3000)
        idle = list(server.memory.idle)
        server.is_sending = True
        began = time.monotonic()
        choose(page, [file])
        for event, moment in zip(events, moments, strict=True):
            _until(page, lambda moment=moment: server.arrived() >= moment)  # type: ignore[misc]
            print(f"{time.monotonic() - began:6.0f} s  {event} at {server.arrived() / 1e6:,.0f} MB")
            if event == "cut":
                server.network.cut()
            else:
                server.restart()
        _until(page, lambda: server.arrived() == size)
        seconds = time.monotonic() - began
        page.get_by_text("1 file cannot be read").wait_for()  # it is noise, and the page says so
        server.look()
        memory = Memory(idle, list(server.memory.sending), list(server.memory.after))
        upload = server.upload()
        assert upload is not None
        with upload.path.open("rb") as arrived:
            digest = hashlib.file_digest(arrived, "sha256").hexdigest()
        same = digest == expected and upload.sha256 in {None, digest}
        return Result(size, seconds, cuts, restarts, server.network.sent, same, memory)


def page_of(result: Result, command: str) -> str:
    """The dated page, in Markdown."""

    def most(seen: list[tuple[int, int]]) -> str:
        resident, own = (max(figures) / 1e6 for figures in zip(*seen, strict=True))
        return f"{resident:,.0f} MB ({own:,.0f} MB)"

    extra = 100 * (result.sent / result.bytes - 1)
    rows = [
        ("file", f"{result.bytes / 1e9:,.1f} GB"),
        ("connection cut", f"{result.cuts} times"),
        ("server restarted", f"{result.restarts} times"),
        ("same SHA-256 at the end", "yes" if result.same_hash else "**no**"),
        ("time from choosing to the last byte", f"{result.seconds:,.0f} s"),
        ("bytes sent more than the file has", f"{extra:.1f} %"),
        ("server's memory before, at most: resident (its own)", most(result.memory.idle)),
        ("the same while the file was sent", most(result.memory.sending)),
        ("the same once the page had looked at the file", most(result.memory.after)),
    ]
    made = (
        f"{datetime.now(UTC):%d %B %Y}, {this_machine()}, shared with other work. "
        f"Made by `{command}`: a file of noise goes through a real Chromium and a TCP relay that "
        "breaks every connection, or stays away while the dashboard is stopped and started again, "
        "at random moments. Memory is the resident set of the dashboard's process (Streamlit and "
        "all), looked at twice a second, restarts included."
    )
    table = [f"| {what} | {figure} |" for what, figure in rows]
    head = ["# Uploads: a large file, a bad network", "", made, "", "| | |", "|---|---|"]
    return "\n".join([*head, *table, ""])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.uploads", description=__doc__)
    parser.add_argument("--gb", type=float, default=5.0)
    parser.add_argument("--cuts", type=int, default=10)
    parser.add_argument("--restarts", type=int, default=2)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--folder", type=Path, help="for twice the file; by default the system's")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder, prefix="satisface-") as folder:
        result = run(
            Path(folder),
            size=round(chosen.gb * 1e9),
            cuts=chosen.cuts,
            restarts=chosen.restarts,
            seed=chosen.seed,
        )
    command = (
        f"python -m benchmarks.uploads --gb {chosen.gb:g} --cuts {chosen.cuts} "
        f"--restarts {chosen.restarts} --seed {chosen.seed}"
    )
    text = page_of(result, command)
    print(text)
    if chosen.out:
        chosen.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
