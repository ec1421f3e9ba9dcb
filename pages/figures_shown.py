"""How figures are shown, on every page of figures alike: always with their people and interval."""

from collections.abc import Hashable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from analytics.comparison import Comparison, told_apart
from analytics.intervals import Estimate
from analytics.scores import ScoreDefinition
from analytics.sources import Sources
from analytics.summary import Summary
from pages.filters import Period
from pages.format import STATES, escaped
from pages.state import Place
from reports.findings import (
    failed_later_sentence,
    failed_sentence,
    unread_later_sentence,
    unread_sentence,
)
from reports.method import index_ends, index_when_neutral
from reports.words import (
    change_interval_words,
    index_interval_words,
    index_words,
    net_words,
    people_words,
    period_words,
    points_words,
    share_interval_words,
    share_words,
    withheld_words,
)

_NEITHER_GOOD_NOR_BAD: Final = "More is not worse, but says less about all who came."
_CHART = {"displayModeBar": False, "responsive": True, "scrollZoom": False}


def about_period(places: Sequence[Place], period: Period, score: ScoreDefinition) -> None:
    """The line above the figures: which days, and how they were made."""
    now = datetime.now(UTC)
    today = min(now.astimezone(ZoneInfo(place.site.time_zone)).date() for place in places)
    st.caption(
        f"{period_words(period.first, period.last)}, on each site's own clock. "
        f"Intervals are 95%. Scored by {escaped(score.label)}."
        + (" The last day is not over yet." if period.last >= today else "")
    )


def what_is_missing(sources: Sources, later: Sources) -> None:
    """Says what of the period's recordings is not in its figures, still or for good. ``later``:
    those of the days after it."""
    unread = (unread_sentence(sources.unread), unread_later_sentence(later.unread))
    failed = (failed_sentence(sources.failed), failed_later_sentence(later.failed))
    for sentences, icon, page, label, address in (
        (unread, ":material/hourglass_top:", "upload.py", "See how far", {}),
        (failed, ":material/error:", "recordings.py", "See which", {"state": STATES["failed"]}),
    ):
        if any(sentences):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.info(" ".join(sentence for sentence in sentences if sentence), icon=icon)
                st.page_link(
                    page, label=label, icon=":material/arrow_forward:", query_params=address
                )


def chart(figure: go.Figure, *, key: str, says: str) -> None:
    """A figure in the theme of the screen. ``says``: what it shows, for who cannot see it."""
    st.plotly_chart(figure, key=key, config=_CHART, alt=says)


def cards(
    summary: Summary,
    before: Summary | None,
    period: Period,
    minimum_people: int,
    *,
    score: ScoreDefinition,
    comparison: Comparison | None = None,
    versus: str = "",
    times: int = 1,
) -> None:
    """The five figures of a period, each beside what it was before.

    ``score``: that the figures were made with. ``comparison``: with ``before``, for the intervals
    of the differences; without it none is shown. ``versus``: what ``before`` is; without it as
    many days before. ``times``: how many periods of this length ``before`` holds.
    """
    versus = versus or _versus(period)
    if before is None or not before.people:
        versus, comparison = "", None
    if versus:
        st.caption(f"Changes are against {versus}.")
    with st.grid(5, min_column_width=155):
        _estimate_card(
            "Satisfaction index",
            summary.index,
            comparison.index if comparison else None,
            summary=summary,
            minimum_people=minimum_people,
            share=False,
            good=1,
            about=f"{index_ends(score).capitalize()}; {index_when_neutral(score)} is neutral. "
            "The mean over all people whose expression could be read, by the weights on the "
            "Settings page.",
        )
        card(
            "People",
            f"{summary.people:,}",
            "Appearances before a camera. Someone who leaves and comes back, or passes two "
            "cameras, counts again: nobody is recognised.",
            _unknown_words(summary),
            delta=_people_change(summary, before, times) if before and versus else None,
        )
        for label, name, good, about in _SHARES:
            _estimate_card(
                label,
                getattr(summary, name),
                getattr(comparison, name) if comparison else None,
                summary=summary,
                minimum_people=minimum_people,
                share=True,
                good=good,
                about=about,
                whole=summary.people if name == "unknown_share" else summary.read,
            )


_SHARES: Final = (
    (
        "Share happy",
        "happy",
        1,
        "Of the people whose expression could be read, those mostly seen happy.",
    ),
    (
        "Share negative",
        "negative",
        -1,
        (
            "Of the people whose expression could be read, those mostly seen angry, disgusted, "
            "afraid or sad."
        ),
    ),
    (
        "Share unknown",
        "unknown_share",
        0,
        (
            "Of all people seen, those whose expression could not be read: too small, blurred, "
            "turned away or unsure. They are in no other share."
        ),
    ),
)


def _versus(period: Period) -> str:
    return "the day before" if period.days == 1 else f"the {period.days} days before"


def card(
    label: str,
    value: str,
    about: str,
    *captions: str,
    delta: str | None = None,
    delta_colour: Literal["green", "red", "off"] = "off",
    delta_arrow: Literal["up", "down", "off"] = "off",
) -> None:
    """A figure in its frame. ``about``: what it is; ``captions``: what stands below it."""
    with st.container(border=True, height="stretch"):
        st.metric(
            label,
            value,
            delta=delta,
            delta_color=delta_colour,
            delta_arrow=delta_arrow,
            help=about,
        )
        for caption in captions:
            st.caption(caption)


def _estimate_card(
    label: str,
    estimate: Estimate | None,
    change: Estimate | None,
    *,
    summary: Summary,
    minimum_people: int,
    share: bool,
    good: int,
    about: str,
    whole: int | None = None,
) -> None:
    """``good``: 1 where more is better, -1 where less is, 0 where neither is. ``whole``: the
    people that a share is of, where it is not those read."""
    of = summary.read if whole is None else whole
    words, interval = (
        (share_words, share_interval_words) if share else (index_words, index_interval_words)
    )
    read = "seen" if good == 0 else "read"
    if estimate is None:
        seen = f"{people_words(of).capitalize()} {read}"
        card(label, "Withheld", about, f"{seen}; shown from {minimum_people} people on.")
        return
    captions = [
        f"Between {interval(estimate).replace(' to ', ' and ')}, from {people_words(of)} {read}"
    ]
    delta = None
    colour: Literal["green", "red", "off"] = "off"
    if change is not None:
        delta = _difference(change, share=share)
        if delta != "no change":
            if told_apart(change) and good:
                # By name: Streamlit would take "−0.1" for a rise.
                colour = "green" if good * change.value > 0 else "red"
            captions.append(_change_interval(change, share=share))
    # Streamlit knows no sign but a hyphen, and would show an arrow up beside "−0.1".
    arrow: Literal["up", "down", "off"] = "down" if str(delta).startswith("−") else "up"
    meaning = "A grey change may be chance." if good else _NEITHER_GOOD_NOR_BAD
    card(
        label,
        words(estimate.value),
        f"{about} {meaning}",
        *captions,
        delta=delta,
        delta_colour=colour,
        delta_arrow="off" if delta in {None, "no change"} else arrow,
    )


def _difference(change: Estimate, *, share: bool) -> str:
    if share:
        points = net_words(change.value)
        return "no change" if points.startswith("0") else points
    points = points_words(change.value)
    return "no change" if points == "0.0" else points


def _change_interval(change: Estimate, *, share: bool) -> str:
    ends = change_interval_words(change, share=share)
    return f"Change between {ends.replace(' to ', ' and ')}"


def _people_change(now: Summary, before: Summary, times: int) -> str:
    change = now.people - round(before.people / times)
    return f"{change:+,}".replace("-", "−") if change else "no change"


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
            "Index, interval": _interval_or_why(row, minimum_people),
            **_share(row, "Happy", "happy"),
            **_share(row, "Negative", "negative"),
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
            "Happy": st.column_config.NumberColumn(format="%.0f%%"),
            "Negative": st.column_config.NumberColumn(format="%.0f%%"),
        },
    )


def _interval_or_why(row: Mapping[Hashable, Any], minimum_people: int) -> str:
    if row["withheld"]:
        return withheld_words(int(row["people"] - row["unknown"]), minimum_people)
    return index_interval_words(_estimate(row, "index"))


def _share(row: Mapping[Hashable, Any], title: str, name: str) -> dict[str, float | str | None]:
    """A share in whole percent, rounded as share_words does, and its interval."""
    if row["withheld"]:
        return {title: None, f"{title}, interval": None}
    share = _estimate(row, name)
    return {title: round(100 * share.value), f"{title}, interval": share_interval_words(share)}


def _estimate(row: Mapping[Hashable, Any], name: str) -> Estimate:
    return Estimate(float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]))


def withheld_days(days: pd.DataFrame, minimum_people: int) -> None:
    """Says in words which days are missing from a chart, and why."""
    hidden = int(days["withheld"].sum())
    if hidden:
        st.caption(
            f"{hidden} of {len(days)} days with people {'is' if hidden == 1 else 'are'} withheld: "
            f"fewer than {minimum_people} people could be read."
        )
