"""Status in Settings: whether this installation can do its work, and what it is made of."""

import platform
from datetime import UTC, datetime

import streamlit as st

from db.status import Queue, queue, server
from db.tables import RecordingState
from jobs.condition import Check, all_checks, disk
from pages.format import ago, counted, escaped, size
from pages.state import app_version, database
from pages.trouble import refreshing
from settings import settings

_NAMES = {
    "database": "Database",
    "schema": "Tables",
    "reading": "Reading",
    "footage": "Footage store",
}


def status_shown() -> None:
    """Keeps itself up to date."""
    refreshing(_show, every=30)()


def _show() -> None:
    here, now = settings(), datetime.now(UTC)
    # Whether the worker's process runs is known to the server alone; its work shows here.
    found = all_checks(here, None, now)
    checks = [check for check in found if check.name in _NAMES]
    with database().read() as session:
        work = queue(session, now, here.lease_seconds)
        kept = server(session)
    st.subheader("Status")
    problems = [check.problem for check in found if check.problem]
    for problem in problems:
        st.error(escaped(problem), icon=":material/error:")
    if not problems:
        st.success("Everything that this installation needs is working.", icon=":material/check:")
    model = next(check for check in found if check.name == "model")
    free = disk(here)
    facts = {
        **{_NAMES[check.name]: _with_icon(check) for check in checks},
        "Disk": f"{size(free.free)} free of {size(free.total)}",
        "Being read": counted(work.being_read, "segment"),
        "Waiting": _waiting(work, now),
        "Failed": counted(work.recordings[RecordingState.FAILED], "recording"),
        "Last sign of a worker": ago(work.last_sign, now) if work.last_sign else "none yet",
        "Size of the database": size(kept.bytes),
        "Database kind": f"{kept.kind} {kept.version}",
        "Versions": f"Satisface {app_version()}, model {model.says}, "
        f"Python {platform.python_version()}",
    }
    with st.container(border=True), st.grid(3, min_column_width=220):
        for label, value in facts.items():
            with st.container(gap=None):
                st.caption(label)
                st.markdown(value)


def _with_icon(check: Check) -> str:
    icon = ":red[:material/error:]" if check.problem else ":green[:material/check_circle:]"
    return f"{icon} {escaped(check.says)}"


def _waiting(work: Queue, now: datetime) -> str:
    waiting = counted(work.waiting, "segment")
    if not work.waiting_since:
        return waiting
    return f"{waiting}; the oldest recording came {ago(work.waiting_since, now)}"
