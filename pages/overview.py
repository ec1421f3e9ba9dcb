"""Overview: how customers looked in a period, and whether that is better than before."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from analytics.comparison import combined_target, compare
from analytics.scores import ScoreDefinition
from analytics.summary import by_camera, by_day, by_hour, by_weekday_hour, matched_days
from db.scores import active_score
from pages.alerts_shown import alerts
from pages.distribution_shown import distribution
from pages.empty import count_all, no_figures_yet
from pages.figures_shown import (
    about_period,
    camera_table,
    cards,
    chart,
    what_is_missing,
    withheld_days,
)
from pages.filters import (
    Baseline,
    Period,
    choose_baseline,
    choose_period,
    choose_places,
    covered_days,
    read_baseline,
    read_later_sources,
    read_period,
    read_sources,
)
from pages.format import escaped, fate_of_footage
from pages.state import Place, database, places, sites
from pages.what_changed import what_changed
from reports.figures import (
    distribution_over_time_figure,
    hours_figure,
    trend_figure,
)
from reports.figures_compared import week_figure
from reports.findings import change_sentences, target_sentence
from reports.words import period_words, reach_words
from settings import settings

_FIRST_STEPS = (
    "Satisface reads the expressions of the people in your store's photos and videos, and "
    "shows here how they looked: by hour, by day and by camera.\n\n"
    "1. Upload photos, videos or a zip of them, and say which camera took them.\n"
    "2. They are read in your own installation, and {fate}.\n"
    "3. This page shows the result, and **Reports** hands it on."
)


def page() -> None:
    st.title("Overview")
    everywhere = places(sites())
    if covered_days(everywhere) is None:
        steps = _FIRST_STEPS.format(fate=fate_of_footage(settings()))
        no_figures_yet(*count_all(), title="Start with some footage", text=steps)
        return
    with database().read() as session:
        score = active_score(session)
    filters = st.container(horizontal=True, vertical_alignment="bottom")
    with filters:
        chosen = choose_places(everywhere)
        covered = covered_days(chosen)
        period = choose_period(covered) if covered else None
    if covered is None or period is None:
        st.info("Nobody was seen here yet. Choose another site or camera.")
        return

    with filters:
        wanted = choose_baseline(period, covered)
    minimum = settings().minimum_people
    sources, earlier = read_sources(chosen, period), read_sources(chosen, *wanted.periods)
    later = read_later_sources(chosen, period, covered)
    buckets = read_period(chosen, period)
    baseline, parts = read_baseline(chosen, wanted, period)
    before = pd.concat(parts, ignore_index=True)
    comparison = compare(buckets, before, score, minimum)
    summary = comparison.now
    target = _target(chosen, buckets)
    about_period(chosen, period, score)
    what_is_missing(sources, later)
    warnings = st.container()
    if buckets.empty:
        with warnings:
            alerts(chosen, period.first, period.last)
        st.info(
            "Nobody was seen in this period. The footage of this choice is from "
            f"{period_words(covered.first, covered.last)}."
        )
        return
    cards(
        summary,
        comparison.before,
        period,
        minimum,
        score=score,
        comparison=comparison,
        versus=baseline.words,
        times=len(baseline.periods),
    )
    # They stand above the figures and take longer to find: nobody waits for them.
    with warnings:
        alerts(chosen, period.first, period.last)
    said = [
        *change_sentences(
            comparison.index, baseline.words, sources, earlier, withheld=summary.withheld
        ),
        target_sentence(summary, target),
    ]
    if any(said):
        st.markdown(escaped(" ".join(sentence for sentence in said if sentence)))

    days = by_day(buckets, score, minimum)
    if len(days) > 1:
        _trend(days, parts, period, baseline, score, minimum, target)
    what_changed(buckets, before, score, minimum, baseline.words)
    left, right = st.columns(2, gap="large")
    with left:
        if len(days) > 1:
            st.subheader("Hours of the week")
            hours = by_weekday_hour(buckets, score, minimum)
            st.caption(
                "The index of each hour, from sand (low) to dark green (high); below it, in "
                "small, the people seen."
                + (
                    ""
                    if hours["withheld"].all()
                    else f" Its 95% interval reaches {reach_words(hours)} to either side."
                )
            )
            chart(
                week_figure(hours, minimum),
                key="week",
                says="The satisfaction index and the people of each hour of the week",
            )
        else:
            st.subheader("By hour of the day")
            chart(
                hours_figure(by_hour(buckets, score, minimum), minimum),
                key="hours",
                says="The satisfaction index and the number of people by hour of the day",
            )
    with right:
        st.subheader("Expressions")
        distribution(buckets, summary, minimum)
        if len(days) > 1 and not summary.withheld:
            st.subheader("Expressions day by day")
            chart(
                distribution_over_time_figure(days, minimum),
                key="expressions_by_day",
                says="Share of people by expression for each day",
            )
    st.subheader("Cameras")
    camera_table(by_camera(buckets, score, minimum), minimum, key="cameras")


def _trend(
    days: pd.DataFrame,
    parts: Sequence[pd.DataFrame],
    period: Period,
    baseline: Baseline,
    score: ScoreDefinition,
    minimum: int,
    target: float | None,
) -> None:
    st.subheader("Day by day")
    moved = [
        (part, (period.first - earlier.first).days)
        for part, earlier in zip(parts, baseline.periods, strict=True)
    ]
    chart(
        trend_figure(
            days,
            minimum,
            target=target,
            before=matched_days(moved, score, minimum),
            before_name=baseline.words[0].upper() + baseline.words[1:],
        ),
        key="trend",
        says="The satisfaction index of each day with its interval, beside "
        f"{baseline.words} and the target",
    )
    withheld_days(days, minimum)


def _target(chosen: Sequence[Place], buckets: pd.DataFrame) -> float | None:
    """Of one site its own; of several what they reach together, where each has one."""
    read = (buckets["people"] - buckets["unknown"]).groupby(buckets["site"]).sum()
    return combined_target(
        {place.site.name: place.site.target for place in chosen},
        {str(site): int(people) for site, people in read.items()},
    )


if __name__ == "__main__":
    page()
