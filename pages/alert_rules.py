"""What the Overview warns of, on Settings: each kind on or off, and how sure it must be."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import streamlit as st

from analytics.alert_rules import (
    CHARTED,
    AlertKind,
    AlertRule,
    days_between_false_alarms,
    limit_for,
    rules_of,
)
from db.alerts import read_rules, remove_rule, save_rule
from db.places import SiteRow
from pages.format import counted, escaped, listed
from pages.state import database
from pages.trouble import callback
from reports.alert_words import TITLES

_EVERY_SITE: Final = 0
"""No site has this id."""

_BEFORE: Final = "alert_rules_before"
_DONE: Final = "alert_rules_done"
_ROUND: Final = "alert_rules_round"
"""Session state: what stood where the last change was made (_Before), what that was, and how often
rules were put back; widgets of another round begin with what is stored."""

_Before = Mapping[tuple[AlertKind, int | None], AlertRule | None]
"""By kind and site, the rule that was chosen there; None for none."""

_DAYS: Final = (50, 100, 200, 400, 800)
"""Choices of days between two false alarms."""

_EXPLAINED: Final = {
    AlertKind.BELOW_TARGET: "The index of a day, or of the last week, is under the site's target "
    "with its whole interval. A site that is exactly on its target is called under it on about one "
    "day in 40 by chance.",
    AlertKind.SUDDEN_DROP: "A whole day's index is lower than the same weekdays of the eight weeks "
    "before let expect, given the people behind it and the usual good and bad days. It judges from "
    "the fourth week on.",
    AlertKind.SILENT: "A camera that sees people nearly every day saw nobody for so many opening "
    "hours, and for more than twice as long as ever in the four weeks before. Cameras whose "
    "footage is brought now and then are not judged.",
    AlertKind.UNKNOWN_SHARE: "At a camera, more people than usual could not be read: by its own "
    "history, as for a sudden drop, and by five points at least.",
}


def alert_rules(sites: Sequence[SiteRow]) -> None:
    """The section of the Settings page."""
    st.subheader("Alerts")
    st.markdown("What the Overview warns of. A rule holds for every site that has none of its own.")
    with database().read() as session:
        rules = read_rules(session)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        site = _choose_site(sites)
        if rules:
            st.button(
                "Back to the defaults",
                key="alert_rules_defaults",
                on_click=_remove,
                args=(None, "All rules are back to the defaults."),
            )
    _undo(sites)
    held = rules_of(rules, site.id if site else None)
    with st.container(border=True):
        for kind in AlertKind:
            if kind is not AlertKind.BELOW_TARGET:
                st.divider()
            _rule(held[kind], rules, site, sites)


def _choose_site(sites: Sequence[SiteRow]) -> SiteRow | None:
    """None: the rules for every site. Asks nothing where there is no choice."""
    if len(sites) < 2:
        return None
    named = {site.id: site for site in sites}
    chosen = st.selectbox(
        "Rules for",
        [_EVERY_SITE, *named],
        format_func=lambda site: named[site].name if site in named else "Every site",
        key="alert_rules_site",
        width=260,
    )
    return named.get(chosen)


def _undo(sites: Sequence[SiteRow]) -> None:
    """What was changed last, and the way back, unless its site is gone."""
    if _DONE not in st.session_state:
        return
    places = {None, *(site.id for site in sites)}
    if not {site_id for _, site_id in st.session_state.get(_BEFORE, ())} <= places:
        st.session_state.pop(_BEFORE)  # for good: a later site may get the number
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":green[:material/check:] {st.session_state[_DONE]}", width="content")
        if _BEFORE in st.session_state:
            st.button(
                "Undo",
                type="tertiary",
                key="alert_rules_undo",
                on_click=_put_back,
                args=(st.session_state[_BEFORE],),
            )


def _rule(
    rule: AlertRule,
    rules: Sequence[AlertRule],
    site: SiteRow | None,
    sites: Sequence[SiteRow],
) -> None:
    mine = replace(rule, site_id=site.id if site else None)
    own = site is not None and mine in rules
    key = f"alert_{rule.kind}_{mine.site_id or 'every'}_{st.session_state.get(_ROUND, 0)}"
    left, right = st.columns([3, 2], gap="large")
    with left:
        badge = " :blue-badge[Its own rule]" if own else ""
        st.markdown(f"**{TITLES[rule.kind]}**{badge}  \n:small[{_EXPLAINED[rule.kind]}]")
        if rule.kind is AlertKind.BELOW_TARGET:
            st.caption(_targets(site, sites))
    with right:
        where = escaped(site.name) if site else "every site"
        st.toggle(
            "Warn",
            value=rule.is_enabled,
            key=f"{key}_on",
            on_change=_switch,
            args=(mine, f"{key}_on", where),
        )
        if rule.is_enabled and rule.threshold is not None:
            _threshold(mine, rule.threshold, (site, sites), where, key)
        if own:
            done = f"{TITLES[rule.kind]}: {where} goes by the rule for every site."
            st.button(
                "As for every site",
                key=f"{key}_as_all",
                type="tertiary",
                on_click=_remove,
                args=(mine, done),
            )


def _threshold(
    rule: AlertRule,
    threshold: float,
    places: tuple[SiteRow | None, Sequence[SiteRow]],
    where: str,
    key: str,
) -> None:
    if rule.kind not in CHARTED:
        st.number_input(
            "Opening hours without people",
            min_value=1,
            max_value=168,
            value=round(threshold),
            key=f"{key}_hours",
            width=220,
            on_change=_set_hours,
            args=(rule, f"{key}_hours", where),
        )
        return
    stored = round(days_between_false_alarms(threshold))
    choices = sorted({*_DAYS, stored})
    st.selectbox(
        "About one false alarm in",
        choices,
        index=choices.index(stored),
        format_func=lambda number: f"{number:,} days",
        key=f"{key}_days",
        help="With rarer false alarms only larger changes are found.",
        width=220,
        on_change=_set_days,
        args=(rule, f"{key}_days", where),
    )
    st.caption(_together(rule.kind, stored, *places))


@callback
def _switch(rule: AlertRule, key: str, where: str) -> None:
    is_enabled = bool(st.session_state[key])
    words = f"{TITLES[rule.kind]}: {'on' if is_enabled else 'off'} for {where}."
    _save(rule, lambda stored: replace(stored, is_enabled=is_enabled), words)


@callback
def _set_hours(rule: AlertRule, key: str, where: str) -> None:
    hours = int(st.session_state[key])
    words = f"{TITLES[rule.kind]}: after {counted(hours, 'opening hour')} for {where}."
    _save(rule, lambda stored: replace(stored, threshold=float(hours)), words)


@callback
def _set_days(rule: AlertRule, key: str, where: str) -> None:
    days = int(st.session_state[key])
    words = f"{TITLES[rule.kind]}: about one false alarm in {days:,} days for {where}."
    _save(rule, lambda stored: replace(stored, threshold=limit_for(days)), words)


def _save(rule: AlertRule, change: Callable[[AlertRule], AlertRule], done: str) -> None:
    """Change what is stored now. ``rule``: as it was drawn; another tab may have changed it."""
    with database().write() as session:
        rules = read_rules(session)
        stored = replace(rules_of(rules, rule.site_id)[rule.kind], site_id=rule.site_id)
        save_rule(session, change(stored))
    if stored != rule:
        _begin_round()
    place = (rule.kind, rule.site_id)
    st.session_state[_BEFORE] = {place: _by_place(rules).get(place)}
    st.session_state[_DONE] = done


@callback
def _remove(rule: AlertRule | None, done: str) -> None:
    """One rule, or all of them."""
    with database().write() as session:
        before = _by_place(read_rules(session))
        if rule is not None:
            place = (rule.kind, rule.site_id)
            before = {place: before[place]} if place in before else {}
        for kind, site_id in before:
            remove_rule(session, kind, site_id)
    _begin_round()
    st.session_state[_BEFORE], st.session_state[_DONE] = before, done


@callback
def _put_back(before: _Before) -> None:
    """What a change replaced, and nothing else."""
    with database().write() as session:
        for (kind, site_id), rule in before.items():
            if rule is None:
                remove_rule(session, kind, site_id)
            else:
                save_rule(session, rule)
    _begin_round()
    st.session_state[_DONE] = "The change was undone."
    st.session_state.pop(_BEFORE, None)


def _by_place(rules: Iterable[AlertRule]) -> dict[tuple[AlertKind, int | None], AlertRule]:
    return {(rule.kind, rule.site_id): rule for rule in rules}


def _begin_round() -> None:
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1


def _together(kind: AlertKind, days: int, site: SiteRow | None, sites: Sequence[SiteRow]) -> str:
    """False alarms add up over the places that are watched."""
    of = [site] if site else list(sites)
    cameras = kind is AlertKind.UNKNOWN_SHARE
    places = sum(len(each.cameras) for each in of) if cameras else len(of)
    one = "camera" if cameras else "site"
    if places < 2:
        return f"At each {one}. That is by chance alone, on days when nothing is wrong."
    often = round(days / places)
    altogether = f"about one in {often} days" if often > 1 else "about one a day or more"
    return (
        f"At each {one}; with {counted(places, one)}, {altogether} altogether. "
        "That is by chance alone, on days when nothing is wrong."
    )


def _targets(site: SiteRow | None, sites: Sequence[SiteRow]) -> str:
    of = [site] if site else list(sites)
    have = [each for each in of if each.target is not None]
    if not have:
        return "No target is set yet. A site's target is set under Sites and cameras, above."
    return f"Targets: {listed(f'{escaped(each.name)} {each.target:g}' for each in have)}."
