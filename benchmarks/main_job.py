"""How long the main job takes on this machine: first page, and video against its own length.

    python -m benchmarks.main_job --out docs/benchmarks/<date>-main-job.md

The first page is timed from the start of the server's process, on an empty home folder, until a
real Chromium shows the Overview. The video is made on the spot (60 s, 1280 x 720, 25 frames a
second, six people at a time) and read as a worker reads it: five samples a second, YuNet, the
shipped recogniser. Reading is compared with the video's own length and with decoding it alone by
the same decoder at the same samples, all in one run.
"""

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from playwright.sync_api import sync_playwright

from benchmarks.machine import this_machine
from fer_core import ExpressionReader, YuNetDetector, analyse, probe, sample
from tests.made_footage import Appearance, write_video

ROOT = Path(__file__).parents[1]
SECONDS = 60
RATE = 5.0


def made_video(folder: Path) -> Path:
    """Three people who stand and three who walk through, at any time."""
    standing = [
        Appearance(200 + 400 * n, 200 + 60 * n, face_height=70 + 20 * n, look=look)
        for n, look in enumerate(("plain", "warm", "cold"))
    ]
    walking = [
        Appearance(100, 420 + 90 * row, start, start + 20, (1180, 420 + 90 * row), 60, look)
        for start in range(0, SECONDS, 20)
        for row, look in enumerate(("mirrored", "dark", "plain"))
    ]
    path = folder / "made-720p.mp4"
    write_video(path, [*standing, *walking], size=(1280, 720), fps=25, seconds=SECONDS)
    return path


def timed(action: Callable[[], None], runs: int) -> list[float]:
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return seconds


def reading(path: Path, runs: int) -> tuple[float, float, int]:
    """(seconds to read, seconds to decode the same samples alone, faces), medians."""
    model, detector = ExpressionReader(), YuNetDetector()
    info = probe(path)
    faces = 0

    def read() -> None:
        nonlocal faces
        results = analyse(path, model, detector=detector)
        faces = sum(len(result.predictions) for result in results)

    def decode() -> None:
        for _ in sample(path, 0, info.duration_ms, rate=RATE):
            pass

    return median(timed(read, runs)), median(timed(decode, runs)), faces


def free_port() -> int:
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        return int(probe_socket.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Until something listens. A browser that asked over and over would take the cores that the
    server starts on."""
    while True:
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)


def first_page(chromium: str, runs: int) -> list[float]:
    """Seconds from the start of the server to the first page in an open browser, each on an
    empty home folder. The disk's cache is warm from the second on."""
    seconds = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        for _ in range(runs):
            with tempfile.TemporaryDirectory() as home:
                seconds.append(_one_first_page(browser.new_page(), Path(home)))
        browser.close()
    return seconds


def _one_first_page(page: object, home: Path) -> float:
    from playwright.sync_api import Page

    assert isinstance(page, Page)
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py"]
    options = ["--server.address", "127.0.0.1", "--server.port", str(port)]
    began = time.perf_counter()
    server = subprocess.Popen(
        [*command, *options, "--server.headless", "true"],
        cwd=ROOT,
        env={**os.environ, "SATISFACE_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port)
        page.goto(f"http://127.0.0.1:{port}/")
        page.get_by_role("heading", name=re.compile(".")).first.wait_for()
        return time.perf_counter() - began
    finally:
        server.terminate()
        server.wait()


def page_of(rows: list[tuple[str, str]], now: datetime) -> str:
    """The report as Markdown."""
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"""# The main job, {now:%Y-%m-%d}

Command: `python -m benchmarks.main_job`. Machine: {this_machine()}.

| figure | measured |
|---|---|
{table}

{(__doc__ or "").partition("md")[2].strip()}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="where to write the page; printed otherwise")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    chromium = shutil.which(os.environ.get("SATISFACE_CHROMIUM", "chromium"))
    if chromium is None:
        sys.exit("There is no Chromium; on Debian: apt install chromium libatomic1")
    starts = first_page(chromium, arguments.runs)
    with tempfile.TemporaryDirectory() as folder:
        read, decode, faces = reading(made_video(Path(folder)), arguments.runs)
    rows = [
        ("server start to first page, first run", f"{starts[0]:.1f} s"),
        ("the same, median of all runs", f"{median(starts):.1f} s"),
        ("reading 60 s of 720p", f"{read:.1f} s: {SECONDS / read:.1f} times as fast as it plays"),
        ("decoding the same samples alone", f"{decode:.1f} s"),
        ("reading over decoding alone", f"{read / decode:.2f}"),
        ("faces read", f"{faces}: {faces / read:.0f} a second"),
    ]
    text = page_of(rows, datetime.now(UTC))
    if arguments.out:
        arguments.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
