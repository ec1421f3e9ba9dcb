"""Scheduled reports are made by whatever worker runs: files into a folder, and by mail."""

import logging
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from db.engine import Database
from db.schedules import (
    LEASE,
    Due,
    claim_due,
    fail,
    finish,
    is_any_due,
    recipients_left,
    renew,
    slug,
)
from fer_core.errors import SatisfaceError
from jobs.heartbeat import Renewal, patiently
from jobs.mail import Mail, send
from jobs.pool import SegmentPool
from settings import Settings

if TYPE_CHECKING:
    # Every worker looks what is due; only the process that makes it pays for pandas and SciPy.
    from reports.content import ReportContent

log = logging.getLogger(__name__)

CHECK_S: Final = 10.0
"""How often a worker looks for schedules that are due."""


class ScheduledReports:
    """A worker's side of it: looks now and then, and has a process of its own make what is due,
    since charts and typesetting take more memory than a worker should keep."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        executor_factory: Callable[[], Executor] | None = None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._executor_factory = executor_factory or SegmentPool
        self._executor: Executor | None = None
        self._making: Future[int] | None = None
        self._looked = -CHECK_S

    def step(self) -> None:
        """Start what is due, and clear up what has ended. Returns at once."""
        if self._making is not None:
            if not self._making.done():
                return
            error = self._making.exception()
            if error is not None:
                log.error("making scheduled reports ended with a fault", exc_info=error)
            self.close()
        if time.monotonic() - self._looked < CHECK_S:
            return
        self._looked = time.monotonic()
        with self._database.read() as session:
            due = is_any_due(session, datetime.now(UTC))
        if due:
            self._executor = self._executor_factory()
            self._making = self._executor.submit(make_due_reports, self._settings)

    def close(self) -> None:
        """End the process; a report that it was making is made again once its lease has run
        out."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = self._making = None


def make_due_reports(settings: Settings, now: datetime | None = None) -> int:
    """Make and send all reports that are due; returns how many were tried.

    ``now``: the clock's time where none is given.
    """
    database = Database(settings.resolved_database_url)
    tried = 0

    def clock() -> datetime:
        return now or datetime.now(UTC)

    try:
        while True:
            with database.write() as session:
                due = claim_due(session, clock())
            if due is None:
                return tried
            tried += 1
            _make(database, settings, due, clock)
    finally:
        database.close()


class _Turn(Renewal):
    """Keeps a report with the process that makes it, for as long as that takes. ``due``: the right
    to it, as it was renewed last."""

    def __init__(self, database: Database, due: Due) -> None:
        super().__init__(due.until, LEASE.total_seconds())
        self._database = database
        self.due = due

    def __str__(self) -> str:
        return f"schedule {self.due.plan.name!r}"

    def renew(self) -> bool:
        with self._database.write() as session:
            renewed = renew(session, self.due, datetime.now(UTC))
        self.due = renewed or self.due
        return renewed is not None


def _make(database: Database, settings: Settings, due: Due, clock: Callable[[], datetime]) -> None:
    name = due.plan.name
    turn = _Turn(database, due)
    try:
        with turn:
            remark = _hand_on(database, settings, due, clock())
    except SatisfaceError as error:
        _failed(database, turn.due, clock(), str(error))
    except OSError as error:
        why = error.strerror or str(error)
        _failed(database, turn.due, clock(), f"The file could not be written: {why}.")
    except Exception:
        log.exception("schedule %r: making the report", name)
        sentence = "An unexpected fault stopped the report; the log tells more."
        _failed(database, turn.due, clock(), sentence)
    else:
        # What is not noted is made, and mailed, again.
        noted = patiently(lambda: _finish(database, turn.due, clock(), remark))
        how = "made" if noted else "made for a plan that was changed or deleted meanwhile"
        log.info("schedule %r: report of %s to %s %s", name, due.first_day, due.last_day, how)


def _finish(database: Database, due: Due, now: datetime, remark: str | None) -> bool:
    with database.write() as session:
        return finish(session, due, now, error=remark)


def _failed(database: Database, due: Due, now: datetime, sentence: str) -> None:
    log.warning("schedule %r: %s", due.plan.name, sentence)
    with database.write() as session:
        fail(session, due, now, sentence)


def _hand_on(database: Database, settings: Settings, due: Due, now: datetime) -> str | None:
    """Returns what went wrong beside; raises where nothing arrived."""
    from jobs.reports import report_content, write_hours, write_report

    plan = due.plan
    with database.read() as session:
        content = report_content(
            session,
            first_day=due.first_day,
            last_day=due.last_day,
            minimum_people=settings.minimum_people,
            now=now.astimezone(ZoneInfo(plan.time_zone)),
            site_ids=plan.site_ids or None,
            sections=plan.sections,
        )
    stretch = f"{due.first_day.isoformat()}-to-{due.last_day.isoformat()}"
    stem = f"{slug(plan.name)}-{stretch}"
    with tempfile.TemporaryDirectory(prefix="satisface-") as scratch:
        # A file that is left in a folder is written there: a later try writes over it.
        root = settings.resolved_reports_folder
        folder = root / plan.folder if plan.folder else Path(scratch)
        files = [folder / f"{stem}.{ending}" for ending in plan.formats]
        for file in files:
            if file.suffix == ".csv":
                with database.read() as session:
                    write_hours(
                        session,
                        file,
                        first_day=due.first_day,
                        last_day=due.last_day,
                        minimum_people=settings.minimum_people,
                        site_ids=plan.site_ids or None,
                    )
            else:
                write_report(content, file)
        with database.read() as session:
            recipients = recipients_left(session, due)
        if not recipients:
            return None
        refused = send(
            Mail(
                key=f"satisface-{due.id}-{due.occasion:%Y%m%dT%H%M%S}",
                subject=mail_subject(content),
                text=mail_text(content, plan.name),
                recipients=recipients,
                sent_at=now,
                attachments=files,
            ),
            settings,
        )
    return f"The mail server refused {', '.join(refused)}; others got it." if refused else None


def mail_subject(content: "ReportContent") -> str:
    """``Satisface: Berlin Mitte, 2 Nov 2026 to 8 Nov 2026: index 57.4``."""
    from reports.content import report_figures
    from reports.words import index_words, period_words

    index = report_figures(content).summary.index
    period = period_words(content.first_day, content.last_day)
    subject = f"Satisface: {content.title}, {period}"
    return subject if index is None else f"{subject}: index {index_words(index.value)}"


def mail_text(content: "ReportContent", schedule: str) -> str:
    """The first figures in plain text; the rest is attached."""
    from reports.content import report_figures
    from reports.findings import (
        change_sentence,
        findings,
        missing_sentences,
        people_sentence,
        target_sentence,
    )
    from reports.words import (
        index_interval_words,
        index_words,
        moment_words,
        period_words,
        share_and_interval_words,
    )

    figures = report_figures(content)
    summary = figures.summary
    lines = [content.title, period_words(content.first_day, content.last_day), ""]
    if content.demonstration:
        lines += ["Demonstration data: these figures are invented.", ""]
    if summary.index and summary.happy and summary.negative:
        lines += [
            (
                f"Satisfaction index: {index_words(summary.index.value)} "
                f"(95% interval {index_interval_words(summary.index)})"
            ),
            f"People: {summary.people:,}, {summary.read:,} of them read",
            f"Happy: {share_and_interval_words(summary.happy)}",
            f"Negative: {share_and_interval_words(summary.negative)}",
        ]
        if summary.unknown_share:
            lines.append(f"Could not be read: {share_and_interval_words(summary.unknown_share)}")
        told = (
            *missing_sentences(content.sources),
            change_sentence(content, figures),
            target_sentence(summary, content.target),
        )
        lines += ["", *(sentence for sentence in told if sentence)]
        lines += ["", *(f"{lead} {text}" for lead, text in findings(figures))]
    else:
        lines.append(people_sentence(summary, content.minimum_people, content.sources))
    lines += [
        "",
        (
            f"Made by the schedule {schedule}, {moment_words(content.generated_at)}. "
            "The report is attached."
        ),
    ]
    return "\n".join(lines) + "\n"
