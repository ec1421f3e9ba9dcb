"""How figures are shown, on Overview and Reports alike: always with their people and interval."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Literal

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from analytics.intervals import Estimate
from analytics.summary import Summary
from pages.filters import Period
from reports.words import (
    index_interval_words,
    index_words,
    net_words,
    people_words,
    share_interval_words,
    share_words,
    withheld_words,
)

_CHART = {"displayModeBar": False, "responsive": True, "scrollZoom": False}


def chart(figure: go.Figure, *, key: str, says: str) -> None:
    """A figure in the theme of the screen. ``says``: what it shows, for who cannot see it."""
    st.plotly_chart(figure, key=key, config=_CHART, alt=says)


def cards(summary: Summary, before: Summary | None, period: Period, minimum_people: int) -> None:
    """The four figures of a period, each beside what it was in the period before."""
    versus = None
    if before and before.people:
        versus = "vs the day before" if period.days == 1 else f"vs {period.days} days before"
    with st.grid(4, min_column_width=190):
        _card(
            "Satisfaction index",
            summary.index,
            before.index if before else None,
            summary=summary,
            minimum_people=minimum_people,
            versus=versus,
            words=index_words,
            interval=index_interval_words,
            good=1,
            about="From 0 to 100; 50 is neutral. The mean over all people whose expression could "
            "be read, by the weights on the Settings page.",
        )
        with st.container(border=True, height="stretch"):
            st.metric(
                "People",
                f"{summary.people:,}",
                delta=_people_change(summary, before) if before and versus else None,
                delta_color="off",
                delta_arrow="off",
                delta_description=versus,
                help="Appearances before a camera. Someone who leaves and comes back, or passes "
                "two cameras, counts again: nobody is recognised.",
            )
            st.caption(_unknown_words(summary))
        _card(
            "Share happy",
            summary.happy,
            before.happy if before else None,
            summary=summary,
            minimum_people=minimum_people,
            versus=versus,
            words=share_words,
            interval=share_interval_words,
            good=1,
            about="Of the people whose expression could be read, those mostly seen happy.",
        )
        _card(
            "Share negative",
            summary.negative,
            before.negative if before else None,
            summary=summary,
            minimum_people=minimum_people,
            versus=versus,
            words=share_words,
            interval=share_interval_words,
            good=-1,
            about="Of the people whose expression could be read, those mostly seen angry, "
            "disgusted, afraid or sad.",
        )


def _card(
    label: str,
    estimate: Estimate | None,
    before: Estimate | None,
    *,
    summary: Summary,
    minimum_people: int,
    versus: str | None,
    words: Callable[[float], str],
    interval: Callable[[Estimate], str],
    good: int,
    about: str,
) -> None:
    """``good``: 1 where more is better, -1 where less is."""
    with st.container(border=True, height="stretch"):
        if estimate is None:
            st.metric(label, "Withheld", help=about)
            st.caption(
                f"{people_words(summary.read).capitalize()} read; shown from "
                f"{minimum_people} people on."
            )
            return
        delta = None
        colour: Literal["normal", "inverse", "off"] = "off"
        if before is not None:
            delta = _difference(estimate.value, before.value, words)
            if estimate.low > before.high or estimate.high < before.low:
                colour = "normal" if good > 0 else "inverse"
        st.metric(
            label,
            words(estimate.value),
            delta=delta,
            delta_color=colour,
            delta_arrow="off" if delta == "no change" else "auto",
            delta_description=versus if delta else None,
            help=f"{about} A grey change is smaller than the intervals: it may be chance.",
        )
        st.caption(
            f"Between {interval(estimate).replace(' to ', ' and ')}, from "
            f"{people_words(summary.read)} read"
        )


def _difference(now: float, before: float, words: Callable[[float], str]) -> str:
    if words is share_words:
        points = net_words(now - before)
        return "no change" if points.startswith("0") else points
    change = f"{now - before:+.1f}"
    return "no change" if float(change) == 0 else change


def _people_change(now: Summary, before: Summary) -> str:
    change = now.people - before.people
    return f"{change:+,}" if change else "no change"


def _unknown_words(summary: Summary) -> str:
    if summary.unknown == 0:
        return "All of them could be read"
    sentence = f"{summary.unknown:,} of them could not be read"
    if summary.unknown_share is None:
        return sentence
    return (
        f"{sentence}: {share_words(summary.unknown_share.value)} "
        f"({share_interval_words(summary.unknown_share)})"
    )


def camera_table(cameras: pd.DataFrame, minimum_people: int, *, key: str) -> None:
    """One row a camera, every figure with its interval. ``cameras``: see summary.by_camera."""
    rows = [
        {
            "Site": row["site"],
            "Camera": row["camera"],
            "People": int(row["people"]),
            "Not read": int(row["unknown"]),
            "Index": None if row["withheld"] else round(float(row["index"]), 1),
            "Index, interval": _interval_or_why(row, "index", index_interval_words, minimum_people),
            "Happy": None if row["withheld"] else 100 * float(row["happy"]),
            "Negative": None if row["withheld"] else 100 * float(row["negative"]),
        }
        for row in cameras.to_dict("records")
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key=key,
        alt="Figures of each camera",
        placeholder="–",
        column_config={
            "People": st.column_config.NumberColumn(format="localized"),
            "Not read": st.column_config.NumberColumn(
                format="localized", help="People whose expression could not be read"
            ),
            "Index": st.column_config.NumberColumn(format="%.1f"),
            "Index, interval": st.column_config.TextColumn(width="medium"),
            "Happy": st.column_config.NumberColumn(format="%.0f%%"),
            "Negative": st.column_config.NumberColumn(format="%.0f%%"),
        },
    )


def _interval_or_why(
    row: Mapping[Hashable, Any], name: str, words: Callable[[Estimate], str], minimum_people: int
) -> str:
    if row["withheld"]:
        return withheld_words(int(row["people"] - row["unknown"]), minimum_people)
    return words(Estimate(row[name], row[f"{name}_low"], row[f"{name}_high"]))


def withheld_days(days: pd.DataFrame, minimum_people: int) -> None:
    """Says in words which days are missing from a chart, and why."""
    hidden = int(days["withheld"].sum())
    if hidden:
        st.caption(
            f"{hidden} of {len(days)} days with people {'is' if hidden == 1 else 'are'} withheld: "
            f"fewer than {minimum_people} people could be read."
        )
