"""How the index is made, on Settings: weights, what others would have made of last month, and
every earlier version."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from analytics.periods import day_bounds
from analytics.scores import DEFAULT_SCORE, ScoreDefinition
from analytics.summary import summarise
from db.buckets import covered_span, read_buckets
from db.places import SiteRow
from db.scores import SavedScore, activate_score, active_score, list_scores, save_score
from fer_core.types import EXPRESSIONS
from pages.format import escaped
from pages.state import database, say_after_rerun
from pages.trouble import in_dialog
from reports.palette import DISPLAY_ORDER
from reports.words import (
    date_words,
    expression_words,
    index_interval_words,
    index_words,
    period_words,
    withheld_words,
)
from settings import settings

_DAYS: Final = 28
_EDITED: Final = "score_weight_"
_NAME: Final = "score_name"
_READ: Final = tuple(expression for expression in DISPLAY_ORDER if expression in EXPRESSIONS)


def score_editor(sites: Sequence[SiteRow]) -> None:
    """The section of the Settings page."""
    with database().read() as session:
        versions = list_scores(session)
    active = next(each.score for each in versions if each.is_active)
    st.subheader("How the index is made")
    st.markdown(
        f"**{escaped(active.label)}** is in force. For each person, the probability of every "
        "expression counts with its weight: the index is 50 where they cancel out, 100 where "
        "everything counts +1 and 0 where everything counts −1. Who could not be read is left out, "
        "and counted beside it."
    )
    _weights_table(active)
    with st.expander("Change the weights", icon=":material/tune:", key="score_change"):
        _editor(active, versions, sites)
    with st.expander(f"All versions ({len(versions)})", icon=":material/history:"):
        _versions(versions)


def _weights_table(score: ScoreDefinition) -> None:
    weights = dict(zip(EXPRESSIONS, score.weights, strict=True))
    st.dataframe(
        {expression_words(e): [weight_words(weights[e])] for e in _READ},
        hide_index=True,
        alt="The weight of each expression",
    )


def weight_words(weight: float) -> str:
    """Signed: ``+1``, ``−0.5``, ``0``."""
    return f"{weight:+g}".replace("-", "−") if weight else "0"


def _editor(
    active: ScoreDefinition, versions: Sequence[SavedScore], sites: Sequence[SiteRow]
) -> None:
    left, right = st.columns([1, 2], gap="medium")
    in_force = dict(zip(EXPRESSIONS, active.weights, strict=True))
    with left:
        # Another version in force is another starting point: the keys carry it.
        name = st.text_input(
            "Name", value=active.name, max_chars=100, key=f"{_NAME}_{active.label}"
        )
        chosen = {
            expression: st.slider(
                expression_words(expression),
                min_value=-1.0,
                max_value=1.0,
                value=float(in_force[expression]),
                step=0.05,
                format="%+.2f",
                key=f"{_EDITED}{expression}_{active.label}",
            )
            for expression in _READ
        }
    weights = tuple(round(chosen[expression], 2) for expression in EXPRESSIONS)
    with right:
        _preview_and_save(active, versions, sites, " ".join(name.split()), weights)


def _preview_and_save(
    active: ScoreDefinition,
    versions: Sequence[SavedScore],
    sites: Sequence[SiteRow],
    name: str,
    weights: tuple[float, ...],
) -> None:
    if not name:
        st.error("A score needs a name.")
        return
    if len(set(weights)) == 1:
        st.error(
            "With the same weight for every expression the index is the same for everybody. Give "
            "at least one expression another weight."
        )
        return
    if (name, weights) == (active.name, active.weights):
        st.info("Move a slider: what other weights would have made of last month shows here.")
        return
    there = [each.score for each in versions if each.score.name == name]
    same = next((score for score in there if score.weights == weights), None)
    proposed = same or ScoreDefinition(
        name, max((score.version for score in there), default=0) + 1, weights
    )
    _preview(active, proposed, sites)
    if same is not None:
        st.caption(f"These are the weights of {escaped(same.label)}.")
    if st.button("Use these weights", type="primary", key="score_use"):
        _confirm(proposed)


def _preview(now: ScoreDefinition, then: ScoreDefinition, sites: Sequence[SiteRow]) -> None:
    """The index of each site in the newest weeks by both, from buckets only."""
    last = _newest_day(sites)
    if last is None:
        st.info("Nobody was seen yet, so there is no month to show the effect on.")
        return
    first = last - timedelta(days=_DAYS - 1)
    minimum = settings().minimum_people
    rows = []
    for site in sites:
        buckets = _buckets(site, first, last)
        if buckets.empty:
            continue
        before, after = summarise(buckets, now, minimum), summarise(buckets, then, minimum)
        if before.index is None or after.index is None:
            why = withheld_words(before.read, minimum)
            rows.append((site.name, "", why, why, before.read))
            continue
        rows.append(
            (
                site.name,
                f"{after.index.value - before.index.value:+.1f}".replace("-", "−"),
                f"{index_words(before.index.value)} ({index_interval_words(before.index)})",
                f"{index_words(after.index.value)} ({index_interval_words(after.index)})",
                before.read,
            )
        )
    st.markdown(f"**What it changes**, {period_words(first, last)}")
    st.dataframe(
        pd.DataFrame(rows, columns=["Site", "Change", "Now", "With these", "People read"]),
        hide_index=True,
        key="score_preview",
        alt="The index of each site by the weights in force and by these",
        column_config={"People read": st.column_config.NumberColumn(format="localized")},
    )
    raising = ", ".join(expression_words(e) for e in _READ if e in then.satisfied) or "none"
    lowering = ", ".join(expression_words(e) for e in _READ if e in then.dissatisfied) or "none"
    st.caption(
        f"Raises the index: {raising}. Lowers it: {lowering}. "
        f"It can lie between {then.lowest:g} and {then.highest:g}."
    )


def _newest_day(sites: Sequence[SiteRow]) -> date | None:
    """The last day with people, each site by its own calendar."""
    newest = []
    with database().read() as session:
        for site in sites:
            span = covered_span(session, [camera.id for camera in site.cameras])
            if span is not None:
                end = (span[1] - timedelta(seconds=1)).astimezone(ZoneInfo(site.time_zone))
                newest.append(end.date())
    return max(newest, default=None)


def _buckets(site: SiteRow, first: date, last: date) -> pd.DataFrame:
    start, end = day_bounds(first, last, site.time_zone)
    cameras = [camera.id for camera in site.cameras]
    with database().read() as session:
        return read_buckets(session, start=start, end=end, camera_ids=cameras)


@st.dialog("Score everything by these weights?")
@in_dialog
def _confirm(score: ScoreDefinition) -> None:
    st.markdown(
        f"**{escaped(score.label)}** will be in force. Every figure of every day is scored by it "
        "from now on, here and in new reports. Reports that were already made stay as they are, "
        "and say what they were scored with. Targets stay too: see whether they still fit. You can "
        "go back to any version at any time."
    )
    if st.button("Score by these weights", type="primary"):
        with database().write() as session:
            saved = save_score(session, score.weights, name=score.name)
        say_after_rerun(f"{escaped(saved.label)} is in force.")
        st.rerun()


def _versions(versions: Sequence[SavedScore]) -> None:
    for saved in reversed(versions):
        score = saved.score
        with st.container(
            horizontal=True,
            vertical_alignment="center",
            horizontal_alignment="distribute",
            border=True,
        ):
            weights = dict(zip(EXPRESSIONS, score.weights, strict=True))
            listed = ", ".join(f"{e} {weight_words(weights[e])}" for e in _READ)
            state = " :green-badge[In force]" if saved.is_active else ""
            since = (
                "the default"
                if saved.created_at is None
                else f"made {date_words(saved.created_at)}"
            )
            st.markdown(
                f"**{escaped(score.label)}**{state}  \n:small[{since}: {escaped(listed)}]",
                width="stretch",
            )
            if saved.is_active:
                continue
            label = "Back to the default" if score == DEFAULT_SCORE else "Use again"
            if st.button(
                label,
                key=f"score_again_{score.name}_{score.version}",
                help=f"Put {escaped(score.label)} in force again",
            ):
                _confirm_again(score)


@st.dialog("Put this version in force again?")
@in_dialog
def _confirm_again(score: ScoreDefinition) -> None:
    st.markdown(
        f"**{escaped(score.label)}** will be in force. Every figure of every day is scored by it "
        "from now on; the version in force now stays in the list."
    )
    if st.button("Score by this version", type="primary"):
        with database().write() as session:
            activate_score(session, score.name, score.version)
            active = active_score(session)
        say_after_rerun(f"{escaped(active.label)} is in force.")
        st.rerun()
