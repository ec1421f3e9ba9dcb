"""From a schedule that is due to the file in its folder and the mail in the inbox."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pypdf import PdfReader

from analytics.periods import Every
from analytics.scores import DEFAULT_SCORE
from analytics.summary import summarise
from db.buckets import read_buckets
from db.engine import Database
from db.places import create_camera, create_site, delete_site, list_sites
from db.schedules import (
    LEASE,
    Plan,
    Schedule,
    create_schedule,
    delete_schedule,
    list_schedules,
    update_schedule,
)
from jobs import reports, schedules
from jobs.reports import write_hours
from jobs.schedules import make_due_reports
from jobs.worker import run_worker
from reports.words import index_words
from settings import Settings
from tests.chosen_database import ON_BOTH
from tests.made_jobs import in_a_thread, made_settings, opened, until
from tests.made_mail_server import MailServer, mail_server
from tests.unit.db.made_rows import NOON, Person, Scene, add_camera, add_video, read_segment
from tests.workbooks import Book

TUESDAY_7 = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)
PLAN = Plan(
    "Daily: all",
    Every.DAY,
    7,
    "Europe/Berlin",
    formats=("pdf", "xlsx", "csv"),
    folder="daily",
    recipients=("ada@example.org",),
)
STEM = "daily-all-2026-03-02-to-2026-03-02"


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as listening:
        yield listening


@pytest.fixture
def settings(tmp_path: Path, server: MailServer, chosen_url: str) -> Settings:
    made = made_settings(
        tmp_path,
        database_url=chosen_url,
        smtp_host="localhost",
        smtp_port=server.port,
        smtp_security="none",
        smtp_from="reports@example.org",
    )
    made.home.mkdir()  # which the database does not lie in
    return made


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    looks = ("happy",) * 12 + ("sad",) * 5 + ("unknown",)
    with opened(settings) as database:
        with database.write() as session:
            recording = add_video(session, add_camera(session), segments=1)
            people = [Person([n * 1000], expression) for n, expression in enumerate(looks)]
            read_segment(session, recording, Scene(people, segments=1), 0, now=NOON)
        yield database


def planned(database: Database, plan: Plan = PLAN) -> None:
    with database.write() as session:
        create_schedule(session, plan, NOON)


def only(database: Database) -> Schedule:
    with database.read() as session:
        (schedule,) = list_schedules(session)
    return schedule


def test_the_report_lies_in_its_folder_and_comes_by_mail_with_the_same_figures(
    settings: Settings, database: Database, server: MailServer
) -> None:
    planned(database)
    assert make_due_reports(settings, TUESDAY_7) == 1
    with database.read() as session:
        summary = summarise(read_buckets(session), DEFAULT_SCORE, settings.minimum_people)
    assert summary.index is not None
    index = index_words(summary.index.value)

    folder = settings.home / "reports" / "daily"
    names = [f"{STEM}.{ending}" for ending in ("pdf", "xlsx", "csv")]
    assert sorted(file.name for file in folder.iterdir()) == sorted(names)
    printed = " ".join(page.extract_text() for page in PdfReader(folder / names[0]).pages)
    assert f"Satisfaction index, 0 to 100 {index}" in re.sub(r"\s+", " ", printed)
    hours = pd.read_csv(folder / names[2])
    assert (hours["people"].sum(), hours["n_happy"].sum()) == (18, 12)

    (mail,) = server.mails
    assert server.recipients == [["ada@example.org"]]
    assert mail["Subject"] == f"Satisface: Site of Entrance, 2 Mar 2026: index {index}"
    body = mail.get_body()
    assert body is not None
    assert f"Satisfaction index: {index} (95% interval" in body.get_content()
    assert "People: 18, 17 of them read" in body.get_content()
    attached = {
        part.get_filename(): part.get_payload(decode=True) for part in mail.iter_attachments()
    }
    assert list(attached) == names
    for name, data in attached.items():
        assert data == (folder / str(name)).read_bytes()

    schedule = only(database)
    assert (schedule.error, schedule.made_at) == (None, TUESDAY_7)
    assert make_due_reports(settings, TUESDAY_7 + timedelta(hours=1)) == 0
    assert len(server.mails) == 1


def test_footage_that_is_still_being_read_is_told_in_mail_pdf_and_workbook(
    settings: Settings, database: Database, server: MailServer
) -> None:
    planned(database)
    with database.write() as session:
        (site,) = list_sites(session)
        (camera,) = site.cameras
        add_video(session, camera.id, name="evening.mp4", captured_at=NOON + timedelta(hours=6))
        add_video(session, camera.id, name="later.mp4", captured_at=NOON + timedelta(days=1))
    make_due_reports(settings, TUESDAY_7)
    said = "1 recording of this time is still being read; the figures will change."
    (mail,) = server.mails
    body = mail.get_body()
    assert body is not None
    assert said in body.get_content()
    folder = settings.home / "reports" / "daily"
    printed = " ".join(page.extract_text() for page in PdfReader(folder / f"{STEM}.pdf").pages)
    assert said in re.sub(r"\s+", " ", printed)
    rows = Book((folder / f"{STEM}.xlsx").read_bytes()).rows("Summary")
    assert any(said in str(row.get("A")) for row in rows)


def test_a_mail_server_that_is_down_is_told_and_tried_again(
    settings: Settings, database: Database, server: MailServer
) -> None:
    planned(database, replace(PLAN, formats=("csv",)))
    down = settings.model_copy(update={"smtp_port": 9})
    make_due_reports(down, TUESDAY_7)
    assert "cannot be reached" in str(only(database).error)
    assert only(database).made_at is None
    # The file is there all the same.
    assert (settings.home / "reports" / "daily" / f"{STEM}.csv").exists()
    assert make_due_reports(settings, TUESDAY_7 + timedelta(minutes=1)) == 0
    assert make_due_reports(settings, TUESDAY_7 + timedelta(minutes=15)) == 1
    assert only(database).error is None
    (mail,) = server.mails
    assert f"satisface-1-{TUESDAY_7:%Y%m%dT%H%M%S}@" in mail["Message-ID"]


def test_mail_alone_leaves_no_file(
    settings: Settings, database: Database, server: MailServer
) -> None:
    planned(database, replace(PLAN, formats=("csv",), folder=""))
    make_due_reports(settings, TUESDAY_7)
    assert len(server.mails) == 1
    assert not (settings.home / "reports").exists()


def test_sites_that_are_gone_are_said_to_be(
    settings: Settings, database: Database, server: MailServer
) -> None:
    planned(database, replace(PLAN, site_ids=(99,)))
    make_due_reports(settings, TUESDAY_7)
    assert "None of the sites" in str(only(database).error)
    assert server.mails == []


def test_nobody_is_sent_the_figures_of_a_site_that_got_the_number_of_theirs(
    settings: Settings, database: Database, server: MailServer
) -> None:
    with database.write() as session:
        south = create_site(session, "South", "UTC")
    planned(database, replace(PLAN, site_ids=(south,)))
    with database.write() as session:
        delete_site(session, south)
        create_camera(session, create_site(session, "West", "UTC"), "Entrance")
    make_due_reports(settings, TUESDAY_7)
    assert "None of the sites" in str(only(database).error)
    assert server.mails == []


def test_a_folder_that_cannot_be_written_is_said_to_be(
    settings: Settings, database: Database
) -> None:
    (settings.home / "reports").write_text("a file where a folder should be")
    planned(database, replace(PLAN, formats=("csv",), recipients=()))
    make_due_reports(settings, TUESDAY_7)
    assert "could not be written" in str(only(database).error)


@ON_BOTH
def test_two_that_work_at_once_send_one_mail(
    settings: Settings, database: Database, server: MailServer
) -> None:
    planned(database, replace(PLAN, formats=("csv",)))
    with ThreadPoolExecutor(2) as both:
        tried = list(both.map(lambda _: make_due_reports(settings, TUESDAY_7), range(2)))
    assert sorted(tried) == [0, 1]
    assert len(server.mails) == 1


@ON_BOTH
def test_a_report_that_takes_longer_than_its_lease_is_made_and_sent_once(
    settings: Settings, database: Database, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(database, replace(PLAN, formats=("csv",)))
    # What it took then has run out by now.
    long_ago = datetime.now(UTC) - 2 * LEASE
    others: list[int] = []

    def slowly(*arguments: Any, **options: Any) -> None:
        if not others:
            others.append(-1)
            until(lambda: (only(database).waits_until or long_ago) > datetime.now(UTC))
            others[0] = make_due_reports(settings)
        write_hours(*arguments, **options)

    monkeypatch.setattr(reports, "write_hours", slowly)
    assert make_due_reports(settings, long_ago) == 1
    assert others == [0]
    assert len(server.mails) == 1
    schedule = only(database)
    assert (schedule.made_at, schedule.waits_until, schedule.error) == (long_ago, None, None)


@ON_BOTH
@pytest.mark.parametrize("change", ["one is taken out", "switched off", "deleted"])
def test_who_is_taken_out_while_a_report_is_made_does_not_get_it(
    settings: Settings,
    database: Database,
    server: MailServer,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    plan = replace(PLAN, formats=("csv",), recipients=("ada@example.org", "bo@example.org"))
    planned(database, plan)

    def meanwhile(*arguments: Any, **options: Any) -> None:
        schedule_id = only(database).id
        with database.write() as session:
            if change == "deleted":
                delete_schedule(session, schedule_id)
            else:
                left = replace(plan, recipients=("ada@example.org",))
                new = left if change == "one is taken out" else replace(plan, is_enabled=False)
                update_schedule(session, schedule_id, new, TUESDAY_7)
        write_hours(*arguments, **options)

    monkeypatch.setattr(reports, "write_hours", meanwhile)
    assert make_due_reports(settings, TUESDAY_7) == 1
    assert server.recipients == ([["ada@example.org"]] if change == "one is taken out" else [])


@ON_BOTH
def test_a_running_worker_makes_what_is_due(
    settings: Settings, database: Database, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedules, "SegmentPool", in_a_thread)
    planned(database, replace(PLAN, formats=("csv",)))  # long overdue: made up for once
    stop = threading.Event()
    worker = threading.Thread(
        target=run_worker, args=(settings, stop), kwargs={"executor_factory": in_a_thread}
    )
    worker.start()
    try:
        until(lambda: only(database).made_at)
    finally:
        stop.set()
        worker.join()
    assert len(server.mails) == 1
    assert only(database).due_at > datetime.now(UTC)
