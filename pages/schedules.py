"""Scheduled reports on the Reports page: what is made when, for whom, and what became of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import streamlit as st

from analytics.periods import Every
from db.places import SiteRow
from db.schedules import (
    GONE_SITE,
    Plan,
    Schedule,
    ScheduleError,
    create_schedule,
    delete_schedule,
    list_schedules,
    request_now,
    slug,
    update_schedule,
)
from pages.format import escaped, listed, moment
from pages.place_forms import time_zones
from pages.state import browser_zone, database, say_after_rerun
from pages.trouble import draw_anew, in_dialog, refreshing
from reports.content import SECTIONS
from settings import settings

_EVERY = {Every.DAY: "Each day", Every.WEEK: "Each Monday", Every.MONTH: "Each first of the month"}
_COVERS = {
    Every.DAY: "the day before",
    Every.WEEK: "the week before, Monday to Sunday",
    Every.MONTH: "the month before",
}
_GONE = "a site that is gone"
_FORMATS = {"pdf": "PDF", "xlsx": "Excel", "csv": "Hours as CSV"}
_WATCH_S = 3.0


def schedules(all_sites: Sequence[SiteRow]) -> None:
    st.subheader("On a schedule")
    st.caption("Made by the worker, left in a folder or sent by mail, without anybody here.")
    with database().read() as session:
        known = list_schedules(session)
    names = {site.id: site.name for site in all_sites}
    for schedule in known:
        with st.container(border=True):
            _one(schedule, names, all_sites)
    if st.button("New schedule", icon=":material/add:", key="new_schedule"):
        _edit(all_sites, None)
    waiting = [schedule.id for schedule in known if _is_waiting(schedule)]
    if waiting:  # after whatever opens a dialog
        refreshing(_watch, every=_WATCH_S)(waiting)


def _is_waiting(schedule: Schedule) -> bool:
    """Due, and not because the last try failed."""
    is_ready = schedule.ready_at <= datetime.now(UTC)
    return schedule.plan.is_enabled and not schedule.error and is_ready


def _watch(waiting: list[int]) -> None:
    """Draw the page anew once one of these was made."""
    with database().read() as session:
        still = [schedule.id for schedule in list_schedules(session) if _is_waiting(schedule)]
    if still != waiting:
        draw_anew()


def _one(schedule: Schedule, names: dict[int, str], all_sites: Sequence[SiteRow]) -> None:
    plan, key = schedule.plan, f"schedule_{schedule.id}"
    st.markdown(f"**{escaped(plan.name)}**  \n{escaped(_plan_words(plan, names))}")
    st.caption(_state_words(schedule))
    if schedule.error:
        st.error(escaped(schedule.error), icon=":material/error:")
    with st.container(horizontal=True):
        if st.button(
            "Send now" if plan.recipients else "Make now",
            key=f"{key}_now",
            icon=":material/send:",
            disabled=not plan.is_enabled or _is_waiting(schedule),
        ):
            with database().write() as session:
                request_now(session, schedule.id, datetime.now(UTC))
            st.rerun()
        if st.button("Change", key=f"{key}_change", icon=":material/edit:"):
            _edit(all_sites, schedule)
        if st.button("Delete", key=f"{key}_delete", icon=":material/delete:"):
            _confirm_delete(schedule)


def _plan_words(plan: Plan, names: dict[int, str]) -> str:
    sites = listed(names.get(one, _GONE) for one in plan.site_ids)
    where = []
    if plan.folder:
        where.append(f"into {settings().resolved_reports_folder / plan.folder}")
    if plan.recipients:
        where.append(f"to {', '.join(plan.recipients)}")
    return (
        f"{_EVERY[plan.every]} at {plan.hour}:00 ({plan.time_zone}), on {_COVERS[plan.every]}: "
        f"{sites if plan.site_ids else 'all sites'}, as "
        f"{listed(_FORMATS[ending] for ending in plan.formats)}, {' and '.join(where)}."
    )


def _state_words(schedule: Schedule) -> str:
    zone = schedule.plan.time_zone
    last = (
        f"Last made {moment(schedule.made_at, zone)}." if schedule.made_at else "Not made so far."
    )
    if not schedule.plan.is_enabled:
        return f"{last} Switched off."
    if _is_waiting(schedule):
        return f"{last} Being made now, if a worker runs."
    tried_again = schedule.error and schedule.ready_at <= datetime.now(UTC)
    coming = schedule.waits_until if tried_again and schedule.waits_until else schedule.ready_at
    return f"{last} {'Tried again' if tried_again else 'Next'}: {moment(coming, zone)}."


# Fields carry the schedule in their keys, and closing begins anew: who was entered for one must not
# stand in the form of the next.
@st.dialog("Schedule", width="medium", on_dismiss="rerun")
@in_dialog
def _edit(all_sites: Sequence[SiteRow], schedule: Schedule | None) -> None:
    """A new schedule, or a change of one: saved is what differs from ``schedule``."""
    key = f"schedule_{schedule.id if schedule else 'new'}"
    default_zone = browser_zone() or (all_sites[0].time_zone if all_sites else "UTC")
    old = schedule.plan if schedule else Plan("", Every.WEEK, 7, default_zone)
    name = st.text_input(
        "Name", old.name, max_chars=100, placeholder="Weekly, all sites", key=f"{key}_name"
    )
    left, right = st.columns(2)
    every = left.selectbox(
        "How often",
        list(_EVERY),
        list(_EVERY).index(old.every),
        format_func=_EVERY.__getitem__,
        key=f"{key}_every",
    )
    hour = right.selectbox(
        "At", range(24), old.hour, format_func=lambda hour: f"{hour}:00", key=f"{key}_hour"
    )
    zones = time_zones()
    if old.time_zone not in zones:
        zones = (old.time_zone, *zones)
    zone = st.selectbox("Time zone", zones, zones.index(old.time_zone), key=f"{key}_zone")
    site_names = {site.id: site.name for site in all_sites}
    # None chosen means all sites: one that is gone stays until somebody takes it out.
    old_sites = tuple(
        dict.fromkeys(one if one in site_names else GONE_SITE for one in old.site_ids)
    )
    if GONE_SITE in old_sites:
        site_names[GONE_SITE] = _GONE
    chosen_sites = st.multiselect(
        "Sites",
        list(site_names),
        list(old_sites),
        format_func=site_names.__getitem__,
        placeholder="All sites",
        key=f"{key}_sites",
    )
    if GONE_SITE in site_names:
        st.caption(
            "A site of this schedule was deleted. Choose another in its place, or take it out: "
            "where none is left, the report is on all sites."
        )
    sections = st.multiselect(
        "Sections",
        list(SECTIONS),
        list(old.sections),
        format_func=SECTIONS.__getitem__,
        placeholder="All sections",
        key=f"{key}_sections",
    )
    formats = st.multiselect(
        "As",
        list(_FORMATS),
        list(old.formats),
        format_func=_FORMATS.__getitem__,
        key=f"{key}_formats",
    )
    recipients = st.text_area(
        "By mail to",
        "\n".join(old.recipients),
        height=90,
        help="One address a line. Everybody sees to whom it went.",
        key=f"{key}_recipients",
    )
    if not settings().smtp_host:
        st.caption("No mail server is set yet: see SATISFACE_SMTP_HOST in docs/operations.md.")
    keeps = st.checkbox(
        f"Leave the files in {settings().resolved_reports_folder}",
        bool(old.folder),
        key=f"{key}_leaves",
    )
    folder = ""
    if keeps:
        proposed = old.folder or slug(name)  # follows the name, and so does the key
        folder = st.text_input("Folder inside it", proposed, key=f"{key}_folder_{proposed}") or "."
    enabled = st.checkbox("Switched on", old.is_enabled, key=f"{key}_enabled")
    if not st.button("Save", type="primary", key="save_schedule"):
        return
    plan = Plan(
        name=name,
        every=every,
        hour=hour,
        time_zone=zone,
        formats=tuple(formats),
        site_ids=tuple(chosen_sites),
        sections=tuple(sections),
        folder=folder,
        recipients=tuple(
            address
            for part in recipients.replace(",", "\n").splitlines()
            if (address := part.strip())
        ),
        is_enabled=enabled,
    )
    now = datetime.now(UTC)
    try:
        with database().write() as session:
            if schedule is None:
                create_schedule(session, plan, now)
            else:
                shown = replace(old, site_ids=old_sites)
                update_schedule(session, schedule.id, plan, now, shown=shown)
    except ScheduleError as error:
        st.error(escaped(str(error)))
        return
    say_after_rerun(f"The schedule {escaped(plan.name)} was saved.")
    st.rerun()


@st.dialog("Delete this schedule?", on_dismiss="rerun")
@in_dialog
def _confirm_delete(schedule: Schedule) -> None:
    st.markdown(
        f"**{escaped(schedule.plan.name)}** will not be made any more. Files that it left stay "
        "where they are."
    )
    if st.button("Delete", type="primary", key="delete_schedule"):
        with database().write() as session:
            delete_schedule(session, schedule.id)
        say_after_rerun("The schedule was deleted.")
        st.rerun()
