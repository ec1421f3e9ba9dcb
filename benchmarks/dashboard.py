"""How long the dashboard takes over a year: ten million predictions of twenty cameras.

    python -m benchmarks.dashboard --out docs/benchmarks/<date>-dashboard.md

On SQLite and on PostgreSQL (where its server is installed; it runs in a folder of its own for as
long as this takes), filled by benchmarks.bulk_rows, both at once. `--url` measures databases that
are filled already. For each page: the seconds until its script has sent its first figure, and
until its end, by the clock and of the processor, in a process that has opened the page before
(where there is no figure, as on Recordings and Settings, the first is the end); unless
`--no-browser`, also in a real Chromium: from a click in the menu, and from the address, where the
browser loads all of Streamlit's interface anew. The Model page reads no database: its time there is
what the browser and Streamlit need by themselves. Each is the median
of `--runs` (2). Then a year's PDF, and the export of a million faces and of fifty thousand, as CSV
and as Parquet, each in a process of its own: seconds, and the highest resident memory. Seconds of
the processor leave out those of a database server.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, make_url, select

from benchmarks import bulk_rows
from benchmarks.machine import this_machine
from db.engine import Database
from db.tables import Bucket, Camera, Prediction, Recording, Track

if TYPE_CHECKING:
    from playwright.sync_api import Page as PlaywrightPage

ROOT: Final = Path(__file__).parents[1]
YEAR: Final = "Everything"
WEEK: Final = "Last 7 days"
MILLION: Final = 1_000_000
FEW: Final = 50_000
FIGURE: Final = ", ".join(
    f'[data-testid="{kind}"]' for kind in ("stMetric", "stPlotlyChart", "stDataFrame", "stTable")
)

_SENT: Final = {"metric", "plotly_chart", "arrow_data_frame", "arrow_table"}
_LISTED: Final = '[data-testid="stMain"] [data-testid="stPageLink"]'
_FORM: Final = '[data-testid="stMain"] [data-testid="stHeading"]'


@dataclass(frozen=True, slots=True)
class Opened:
    """One page. ``clock``, ``processor``: seconds of its script; ``first_clock``,
    ``first_processor``: of these until its first figure was sent; ``browser``: from its address
    until that is seen, everything loaded anew, and ``menu``: from a click in the menu (None where
    no browser looked, and where the menu leads to another period or there is no figure)."""

    name: str
    clock: float
    processor: float
    first_clock: float
    first_processor: float
    browser: float | None = None
    menu: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """One database. Memory in MiB."""

    database: str
    rows: dict[str, int]
    pages: list[Opened]
    pdf_s: float
    pdf_processor_s: float
    exports: list["Exported"]


@dataclass(frozen=True, slots=True)
class Exported:
    """Rows to a file of ``format``, by the clock and of the processor; ``mib``: the highest
    resident memory of the process, ``before_mib`` of it before the first row was asked for."""

    format: str
    rows: int
    clock: float
    processor: float
    before_mib: float
    mib: float


@dataclass(frozen=True, slots=True)
class View:
    """A page with a query, as it is called here. ``figure``: what to wait for in the browser."""

    name: str
    file: str
    path: str
    period: str | None = None
    figure: str = FIGURE

    @property
    def in_menu(self) -> bool:
        """Whether the menu leads to this very view, and it shows a figure."""
        return self.period in {None, WEEK} and self.figure != _FORM


VIEWS: Final = (
    View("Overview, a week", "overview.py", "", WEEK),
    View("Overview, the year", "overview.py", "", YEAR),
    View("Compare, a week", "compare.py", "compare", WEEK),
    View("Compare, the year", "compare.py", "compare", YEAR),
    View("Recordings", "recordings.py", "recordings", figure=_LISTED),
    View("Reports, a week", "report.py", "reports", WEEK),
    View("Reports, the year", "report.py", "reports", YEAR),
    View("Settings", "configuration.py", "settings", figure=_FORM),
    View("Model (reads no database)", "model.py", "model"),
)


def scripts(runs: int) -> list[Opened]:
    """Each page in this process, whose settings name the database; medians."""
    from streamlit.delta_generator import DeltaGenerator
    from streamlit.testing.v1 import AppTest

    sent: list[tuple[float, float]] = []
    enqueue = DeltaGenerator._enqueue  # noqa: SLF001  nothing else tells what is sent when

    def noting(self: DeltaGenerator, kind: str, *rest: Any, **named: Any) -> Any:
        if kind in _SENT:
            sent.append((time.perf_counter(), time.process_time()))
        return enqueue(self, kind, *rest, **named)

    DeltaGenerator._enqueue = noting  # type: ignore[method-assign,assignment]  # noqa: SLF001
    found = []
    for view in VIEWS:
        app = AppTest.from_file(ROOT / "pages" / "navigation.py", default_timeout=300)
        if view.file != "overview.py":
            # The Overview comes first, to choose from its menu.
            app.query_params["period"] = view.period or "Last day"
            app.run().switch_page(view.file)
        if view.period:
            app.query_params["period"] = view.period
        spent = []
        # The first run loads what the page imports.
        for _ in range(runs + 1):
            sent.clear()
            clock, processor = time.perf_counter(), time.process_time()
            app.run()
            ended = (time.perf_counter(), time.process_time())
            first = sent[0] if sent else ended
            spent.append(
                (ended[0] - clock, ended[1] - processor, first[0] - clock, first[1] - processor)
            )
            if view.period and app.selectbox(key="period").value != view.period:
                raise RuntimeError(
                    f"{view.name}: the period is {app.selectbox(key='period').value}"
                )
            if app.exception:
                raise RuntimeError(f"{view.name}: {app.exception[0].value}")
        found.append(Opened(view.name, *map(median, zip(*spent[1:], strict=True))))
        print(found[-1], file=sys.stderr)
    return found


def in_browser(url: str, home: Path, runs: int) -> dict[str, dict[str, float]]:
    """Seconds to the first figure of each page in an open browser, medians: from its address
    ("browser") and from a click in the menu ("menu")."""
    from urllib.parse import quote

    from tests.browser.server import NoChromium, chromium, serving

    environment = {"SATISFACE_DATABASE_URL": url, "SATISFACE_START_WORKER": "false"}
    found: dict[str, dict[str, float]] = {}
    try:
        with chromium() as browser, serving(home, **environment) as address:
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            for view in VIEWS:
                query = f"?period={quote(view.period)}" if view.period else ""
                seconds, clicked = [], []
                for _ in range(runs + 1):
                    tab.goto("about:blank")
                    began = time.perf_counter()
                    tab.goto(f"{address}/{view.path}{query}", wait_until="commit")
                    tab.locator(view.figure).first.wait_for(timeout=60_000)
                    seconds.append(time.perf_counter() - began)
                    if view.in_menu:
                        clicked.append(_clicked(tab, view))
                found[view.name] = {"browser": median(seconds[1:])}
                if clicked:
                    found[view.name]["menu"] = median(clicked[1:])
    except NoChromium as error:
        print(error, file=sys.stderr)
    return found


def _clicked(tab: "PlaywrightPage", view: View) -> float:
    """Seconds from a click on ``view`` in the menu, on a page without figures, to its first."""
    menu = tab.get_by_test_id("stSidebarNav")
    menu.locator("a[href$='/upload']").click()
    tab.wait_for_url("**/upload*")
    tab.locator(view.figure).first.wait_for(state="detached")
    tab.wait_for_timeout(1000)  # what that page still does is not this one's
    began = time.perf_counter()
    menu.locator(f"a[href$='/{view.path}']").click()
    tab.locator(view.figure).first.wait_for(timeout=60_000)
    return time.perf_counter() - began


def pdf() -> tuple[float, float]:
    """Seconds of a year's report, by the clock and of the processor, from the database on."""
    from jobs.reports import report_content
    from reports.pdf import satisfaction_pdf
    from settings import settings

    seconds = []
    with closing(Database(settings().resolved_database_url)) as database:
        for _ in range(2):  # the first loads typesetting and fonts
            clock, processor = time.perf_counter(), time.process_time()
            with database.read() as session:
                last = session.scalar(select(func.max(Bucket.hour)))
                assert last is not None
                content = report_content(
                    session,
                    first_day=(last - timedelta(days=364)).date(),
                    last_day=last.date(),
                    minimum_people=settings().minimum_people,
                    now=datetime.now(UTC),
                )
            satisfaction_pdf(content)
            seconds.append((time.perf_counter() - clock, time.process_time() - processor))
    return seconds[-1]


def export(rows: int, format: str) -> Exported:  # noqa: A002
    """About ``rows`` faces to a file, as the command line does."""
    from db.exports import iterate_predictions
    from jobs.row_files import write_rows
    from settings import settings

    with (
        closing(Database(settings().resolved_database_url)) as database,
        database.read() as session,
        tempfile.TemporaryDirectory() as folder,
    ):
        first = session.scalar(select(func.min(Recording.captured_at)))
        last = session.scalar(select(func.max(Recording.captured_at)))
        total = session.scalar(select(func.count()).select_from(Prediction)) or 1
        assert first is not None
        assert last is not None
        end = first + (last - first) * min(rows / total, 1.0)
        before_mib = _highest_mib()
        clock, processor = time.perf_counter(), time.process_time()
        frames = iterate_predictions(session, start=first, end=end)
        written = write_rows(frames, Path(folder) / f"faces.{format}")
        clock, processor = time.perf_counter() - clock, time.process_time() - processor
    return Exported(format, written, clock, processor, before_mib, _highest_mib())


def _highest_mib() -> float:
    """The highest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


_PARTS: Final[dict[str, Callable[[int], object]]] = {
    "scripts": lambda runs: [asdict(page) for page in scripts(runs)],
    "pdf": lambda _runs: pdf(),
    **{
        f"{rows}-{kind}": partial(lambda how, _runs: asdict(export(*how)), (rows, kind))
        for kind in ("csv", "parquet")
        for rows in (FEW, MILLION)
    },
}


def _apart(part: str, url: str, home: Path, runs: int) -> Any:
    """A part in a process of its own, whose settings name the database."""
    command = [sys.executable, "-m", "benchmarks.dashboard", "--part", part, "--runs", str(runs)]
    environment = os.environ | {
        "SATISFACE_DATABASE_URL": url,
        "SATISFACE_HOME": str(home),
        "PYTHONPATH": str(ROOT),
    }
    told = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT
    )
    if told.returncode:
        raise RuntimeError(f"{part}:\n{told.stderr[-3000:]}")
    answer = json.loads(told.stdout.splitlines()[-1])
    print(f"{datetime.now(UTC):%H:%M:%S} {make_url(url).get_backend_name()} {part}: {answer}",
          file=sys.stderr)  # fmt: skip
    return answer


def measure(url: str, runs: int, *, look: bool) -> Measured:
    """Everything about the database at ``url``."""
    with closing(Database(url)) as database, database.read() as session:
        rows = {
            name: session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in {
                "cameras": Camera,
                "recordings": Recording,
                "people": Track,
                "predictions": Prediction,
                "hours": Bucket,
            }.items()
        }
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        browser = in_browser(url, home, runs) if look else {}
        pages = [Opened(**page) for page in _apart("scripts", url, home, runs)]
        pdf_s, pdf_processor_s = _apart("pdf", url, home, runs)
        exports = [
            Exported(**_apart(part, url, home, runs))
            for part in _PARTS
            if part not in {"scripts", "pdf"}
        ]
    return Measured(
        database=make_url(url).get_backend_name(),
        rows=rows,
        pages=[_seen(page, browser.get(page.name, {})) for page in pages],
        pdf_s=pdf_s,
        pdf_processor_s=pdf_processor_s,
        exports=exports,
    )


def _seen(page: Opened, seconds: dict[str, float]) -> Opened:
    return replace(page, browser=seconds.get("browser"), menu=seconds.get("menu"))


def databases(stack: ExitStack, predictions: int) -> list[str]:
    """Addresses of filled databases: SQLite, and PostgreSQL where it is installed."""
    from tests.made_postgresql import binaries, running_server

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    urls = [f"sqlite:///{folder / 'satisface.db'}"]
    programs = binaries()
    if programs is None:
        print("No PostgreSQL server is installed.", file=sys.stderr)
    else:
        urls.append(stack.enter_context(running_server(programs)).new_database())
    with ProcessPoolExecutor(len(urls)) as pool:
        for made in pool.map(partial(bulk_rows.make, predictions=predictions), urls):
            print(made, file=sys.stderr)
    return urls


def page_of(measured: list[Measured], now: datetime, remark: str) -> str:
    """The report as Markdown."""
    parts = [
        f"# The dashboard over a year, {now:%Y-%m-%d}",
        "",
        f"Command: `python -m benchmarks.dashboard`. Machine: {this_machine()}. {remark}".strip(),
    ]
    for one in measured:
        counted = ", ".join(f"{count:,} {name}" for name, count in one.rows.items())
        parts += ["", f"## {one.database}", "", f"{counted}.", ""]
        parts += ["| page | first figure | of the processor | whole page | of the processor |"]
        parts += ["|---|---|---|---|---|"]
        for page in one.pages:
            seconds = (page.first_clock, page.first_processor, page.clock, page.processor)
            parts.append(f"| {page.name} | " + " | ".join(f"{s:.2f} s" for s in seconds) + " |")
        seen = [page for page in one.pages if page.browser is not None]
        if seen:
            parts += ["", "| first figure in Chromium | from the menu | from the address |"]
            parts += ["|---|---|---|"]
            for page in seen:
                menu = "" if page.menu is None else f"{page.menu:.2f} s"
                parts.append(f"| {page.name} | {menu} | {page.browser:.2f} s |")
        parts += [
            "",
            "| job | measured |",
            "|---|---|",
            f"| a year's PDF, from the database on | {one.pdf_s:.1f} s |",
            f"| the same, of the processor | {one.pdf_processor_s:.1f} s |",
            "",
            "| faces exported | clock | processor | rows a second | most memory | at its start |",
            "|---|---|---|---|---|---|",
            *map(_export_line, one.exports),
        ]
    about = (__doc__ or "").partition("dashboard.md")[2].strip()
    return "\n".join([*parts, "", about, ""])


def _export_line(done: Exported) -> str:
    return (
        f"| {done.rows:,} as {done.format} | {done.clock:.1f} s | {done.processor:.1f} s "
        f"| {done.rows / done.clock:,.0f} | {done.mib:.0f} MiB | {done.before_mib:.0f} MiB |"
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="where to write the page; printed otherwise")
    parser.add_argument("--url", action="append", help="a filled database; several times for more")
    parser.add_argument("--predictions", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--no-browser", action="store_true", help="scripts alone")
    parser.add_argument("--remark", default="", help="what else the machine did, for the page")
    parser.add_argument("--part", choices=sorted(_PARTS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(_PARTS[arguments.part](arguments.runs)))
        return
    began = time.monotonic()
    with ExitStack() as stack:
        urls = arguments.url or databases(stack, arguments.predictions)
        measured = [measure(url, arguments.runs, look=not arguments.no_browser) for url in urls]
    minutes = (time.monotonic() - began) / 60
    remark = f"All of it took {minutes:.0f} minutes. {arguments.remark}".strip()
    text = page_of(measured, datetime.now(UTC), remark)
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
