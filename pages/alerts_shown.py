"""Alerts at the top of the Overview: nothing where nothing is wrong."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import streamlit as st

from analytics.alert_rules import AlertKind
from analytics.alerts import Alert
from db.alerts import read_alerts
from db.places import SiteRow
from pages.filters import OWN_DATES
from pages.format import counted, escaped
from pages.state import Place, database
from reports.alert_words import TITLES, alert_sentence, next_step, place_words, when_words
from settings import settings

_SHOWN = 3

_ICONS = {
    AlertKind.BELOW_TARGET: ":orange[:material/flag:]",
    AlertKind.SUDDEN_DROP: ":red[:material/trending_down:]",
    AlertKind.SILENT: ":red[:material/videocam_off:]",
    AlertKind.UNKNOWN_SHARE: ":orange[:material/visibility_off:]",
}


def alerts(chosen: Sequence[Place], first: date, last: date) -> None:
    """What to look into at the sites of ``chosen``, about the last days of a period (both ends
    included)."""
    sites: dict[int, SiteRow] = {place.site.id: place.site for place in chosen}
    with database().read() as session:
        found = read_alerts(
            session,
            list(sites.values()),
            first=first,
            last=last,
            minimum_people=settings().minimum_people,
            now=datetime.now(UTC),
        )
    if not found:
        return
    # A view of one whole site that is looked at already needs no way to it.
    whole = len(chosen) == sum(len(site.cameras) for site in sites.values())
    here = (first, last) if len(sites) == 1 and whole else None
    with st.container(border=True):
        st.markdown(f"**{counted(len(found), 'thing')} to look into**")
        for alert in found[:_SHOWN]:
            _alert(alert, here)
        if len(found) > _SHOWN:
            with st.expander(f"{len(found) - _SHOWN} more"):
                for alert in found[_SHOWN:]:
                    _alert(alert, here)


def _alert(alert: Alert, here: tuple[date, date] | None) -> None:
    text, link = st.columns([5, 1], vertical_alignment="center", gap="medium")
    text.markdown(
        f"{_ICONS[alert.kind]} **{TITLES[alert.kind]}** · {escaped(place_words(alert))} · "
        f"{when_words(alert)}  \n{escaped(alert_sentence(alert))} "
        f":gray[{escaped(next_step(alert))}]"
    )
    if (
        alert.kind is AlertKind.SILENT
        or alert.camera is not None
        or (alert.first, alert.last) != here
    ):
        with link:
            _link(alert)


def _link(alert: Alert) -> None:
    """To the view that shows it."""
    address = {"site": alert.site}
    if alert.camera is not None:
        address["camera"] = alert.camera
    if alert.kind is AlertKind.SILENT:
        st.page_link(
            "recordings.py",
            label="Its recordings",
            icon=":material/arrow_forward:",
            query_params=address,
            width="content",
        )
        return
    days = [("dates", alert.first.isoformat()), ("dates", alert.last.isoformat())]
    st.page_link(
        "overview.py",
        label="See the day" if alert.first == alert.last else "See these days",
        icon=":material/arrow_forward:",
        query_params=[*address.items(), ("period", OWN_DATES), *days],
        width="content",
    )
