"""What moved the index between two periods: by hour, camera and expression."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from analytics.changes import (
    REST,
    changes_by_camera,
    changes_by_expression,
    changes_by_hour,
)
from analytics.intervals import Estimate
from analytics.scores import ScoreDefinition
from pages.figures_shown import chart
from reports.figures_compared import Part, parts_figure
from reports.style import plain
from reports.words import (
    chance_words,
    change_words,
    expression_words,
    hour_words,
    index_words,
    people_words,
    points_words,
)


def what_changed(
    now: pd.DataFrame,
    before: pd.DataFrame,
    score: ScoreDefinition,
    minimum_people: int,
    versus: str,
) -> None:
    """Nothing where either side is withheld."""
    expressions = changes_by_expression(now, before, score, minimum_people)
    if expressions.empty:
        return
    st.subheader("What changed")
    st.caption(
        f"What each part added to the change of the index against {versus}, in points. The parts "
        "add up. Where chance may explain all that a part added, its bar is pale."
    )
    hours = changes_by_hour(now, before, score, minimum_people)
    cameras = changes_by_camera(now, before, score, minimum_people)
    several = cameras["site"].nunique() > 1
    shown = [
        ("Hours", "hours", _group_parts(hours, _hour)),
        ("Cameras", "cameras", _group_parts(cameras, _place if several else _camera)),
    ]
    # A single hour or camera is the whole change.
    shown = [each for each in shown if len(each[2]) > 1]
    shown.append(("Expressions", "expressions", _expression_parts(expressions)))
    with st.grid(len(shown), min_column_width=260):
        for title, key, parts in shown:
            with st.container():
                st.markdown(f"**{title}**")
                chart(
                    parts_figure(parts),
                    key=f"changed_{key}",
                    says=f"What each of the {key} added to the change of the index",
                )
    named = (("Hours", hours), ("Cameras", cameras))
    withheld = [title for title, changes in named if changes[REST].all()]
    if withheld:
        st.caption(
            f"{' and '.join(withheld).capitalize()} are withheld: too few people to show what "
            "each added."
        )


def _group_parts(
    changes: pd.DataFrame, name: Callable[[Mapping[Hashable, Any]], str]
) -> list[Part]:
    parts = []
    for row in changes.to_dict("records"):
        if row[REST]:
            called = "Too few people"
            says = (
                f"Parts with too few people to show each, together {_lead(row)}<br>"
                "Where these alone are too few, the smallest other is among them."
            )
        else:
            called = name(row)
            says = _sentence(called.replace("<br>", ", "), row)
        sure, sure_on = bool(row["told_apart"]), bool(row["told_apart_on"])
        parts.append(Part(called, row["total"], sure, says, sure_on))
    return parts


def _sentence(name: str, row: Mapping[Hashable, Any]) -> str:
    """``Entrance: −1.2 points, more than chance would explain. Its own index was 55.0 and is 48.1:
    down 6.9 points, more than chance would explain. That adds −1.1; that more or fewer of all
    people came here adds −0.1``."""
    lead = f"{name}: {_lead(row)}"
    if np.isnan(row["change"]):
        when = "now" if row["people_now"] else "before"
        return (
            f"{lead}<br>People came here only {when}: "
            f"{people_words(max(row['people_now'], row['people_before']))} read."
        )
    change = Estimate(row["change"], row["change_low"], row["change_high"])
    return (
        f"{lead}<br>Its own index was {index_words(row['index_before'])} and is "
        f"{index_words(row['index_now'])}:<br>{change_words(change)}.<br>"
        f"That adds {points_words(row['within'])}; that more or fewer of all people<br>"
        f"came here adds {points_words(row['mix'])}."
    )


def _lead(row: Mapping[Hashable, Any]) -> str:
    """``−1.2 points, which chance could explain.``"""
    return f"{points_words(row['total'])} points, {chance_words(bool(row['told_apart']))}."


def _hour(row: Mapping[Hashable, Any]) -> str:
    return hour_words(int(row["hour"]))


def _camera(row: Mapping[Hashable, Any]) -> str:
    return plain(str(row["camera"]))


def _place(row: Mapping[Hashable, Any]) -> str:
    return f"{plain(row['site'])}<br>{plain(row['camera'])}"


def _expression_parts(changes: pd.DataFrame) -> list[Part]:
    parts = []
    for row in changes.to_dict("records"):
        if row["total"] == 0:
            continue
        name = expression_words(row["expression"])
        parts.append(
            Part(
                name,
                row["total"],
                bool(row["told_apart"]),
                f"{name}: {points_words(row['total'])} points "
                f"({points_words(row['total_low'])} to {points_words(row['total_high'])}).<br>"
                f"Its mean probability was {100 * row['share_before']:.1f}% and is "
                f"{100 * row['share_now']:.1f}%.",
            )
        )
    return parts
