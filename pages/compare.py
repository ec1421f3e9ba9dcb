"""Compare: sites and cameras side by side, and which of them the data tell apart."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

import pandas as pd
import streamlit as st

from analytics.comparison import compare, league
from analytics.intervals import Estimate
from analytics.scores import ScoreDefinition
from analytics.sources import NO_RECORDINGS
from analytics.summary import by_day
from db.scores import active_score
from pages.empty import count_all, no_figures_yet
from pages.figures_shown import about_period, chart, what_is_missing
from pages.filters import (
    Period,
    choose_period,
    choose_site,
    covered_days,
    read_later_sources,
    read_period,
    read_sources,
)
from pages.format import escaped
from pages.state import Place, database, places, sites
from reports.figures import small_trend_figure
from reports.figures_compared import distributions_figure, league_figure
from reports.findings import models_sentence
from reports.scales import index_range
from reports.style import plain
from reports.words import (
    change_interval_words,
    difference_words,
    index_interval_words,
    people_words,
    rank_words,
    share_and_interval_words,
    withheld_words,
)
from settings import settings

_MOST_TRENDS = 24
_By = Literal["site", "camera"]


def page() -> None:
    st.title("Compare")
    everywhere = places(sites())
    if covered_days(everywhere) is None:
        no_figures_yet(
            *count_all(),
            title="There is nothing to compare yet",
            text="Upload footage of two cameras or more and let it be read; then their figures "
            "stand here side by side.",
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = choose_site(everywhere)
        by = _choose_what(chosen)
        covered = covered_days(chosen)
        period = choose_period(covered) if covered else None
    if period is None:
        st.info("Nobody was seen at this site yet. Choose another.")
        return
    minimum = settings().minimum_people
    with database().read() as session:
        score = active_score(session)
    sources = read_sources(chosen, period)
    later = read_later_sources(chosen, period, covered) if covered else NO_RECORDINGS
    buckets = read_period(chosen, period)
    about_period(chosen, period, score)
    what_is_missing(sources, later)
    if buckets.empty:
        st.info("Nobody was seen in this period. Choose another.")
        return
    table = league(buckets, by, score, minimum)
    names = [_name(row, by, chosen) for row in table.to_dict("records")]
    _league(table, names, minimum, _targets(chosen))
    if len(table) < 2:
        st.info("Only one place has people here; a second one makes a comparison.")
    else:
        if models := models_sentence(sources, "difference"):
            st.markdown(escaped(models))
        _pair(buckets, table, names, by, score, minimum)
    _trends(buckets, table, names, by, period, score, minimum)
    st.subheader("Expressions side by side")
    chart(
        distributions_figure(table, _lines(names)),
        key="distributions",
        says="Share of people by expression for each place",
    )


def _choose_what(chosen: Sequence[Place]) -> _By:
    """Sites where there are several, or their cameras."""
    if len({place.site.id for place in chosen}) < 2:
        return "camera"
    choice = st.selectbox("Side by side", ["Sites", "Cameras"], key="by", bind="query-params",
                          width=160)  # fmt: skip
    return "camera" if choice == "Cameras" else "site"


def _name(row: Mapping[Hashable, Any], by: _By, chosen: Sequence[Place]) -> str:
    if by == "site":
        return str(row["site"])
    several = len({place.site.id for place in chosen}) > 1
    return f"{row['site']} / {row['camera']}" if several else str(row["camera"])


def _lines(names: Sequence[str]) -> list[str]:
    """For an axis: site above camera, so that small screens have room for both."""
    return [plain(name).replace(" / ", "<br>") for name in names]


def _targets(chosen: Sequence[Place]) -> dict[str, float | None]:
    return {place.site.name: place.site.target for place in chosen}


def _league(
    table: pd.DataFrame,
    names: Sequence[str],
    minimum: int,
    targets: Mapping[str, float | None],
) -> None:
    st.subheader("League")
    chart(
        league_figure(table, _lines(names), [targets.get(str(site)) for site in table["site"]]),
        key="league",
        says="The satisfaction index of each place with its interval, best first",
    )
    rows = [
        {
            "Rank": "–" if row["withheld"] else rank_words(row["rank_low"], row["rank_high"]),
            "Place": name,
            "Index": None if row["withheld"] else round(float(row["index"]), 1),
            "Interval": _interval(row, minimum),
            "Target": targets.get(str(row["site"])),
            "People": int(row["people"]),
            "Not read": _share(row, "unknown_share"),
            "Happy": _share(row, "happy"),
            "Negative": _share(row, "negative"),
        }
        for name, row in zip(names, table.to_dict("records"), strict=True)
    ]
    frame = pd.DataFrame(rows)
    if frame["Target"].isna().all():
        frame = frame.drop(columns="Target")
    st.dataframe(
        frame,
        hide_index=True,
        key="league_table",
        alt="Rank, index and people of each place",
        placeholder="–",
        column_config={
            "Index": st.column_config.NumberColumn(format="%.1f"),
            "Target": st.column_config.NumberColumn(format="%.1f"),
            "People": st.column_config.NumberColumn(format="localized"),
            "Not read": st.column_config.TextColumn(
                alignment="right", help="Share of people whose expression could not be read"
            ),
            "Happy": st.column_config.TextColumn(alignment="right"),
            "Negative": st.column_config.TextColumn(alignment="right"),
        },
    )
    st.caption(
        "A rank such as 2 to 4 is a tie: the data do not tell which of these ranks is the true "
        "one. Every two places are compared, and all ranks are right at once in 19 of 20 tables."
    )


def _interval(row: Mapping[Hashable, Any], minimum: int) -> str:
    if row["withheld"]:
        return withheld_words(int(row["people"] - row["unknown"]), minimum)
    return index_interval_words(_estimate(row, "index"))


def _share(row: Mapping[Hashable, Any], name: str) -> str | None:
    return None if pd.isna(row[name]) else share_and_interval_words(_estimate(row, name))


def _estimate(row: Mapping[Hashable, Any], name: str) -> Estimate:
    return Estimate(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _pair(
    buckets: pd.DataFrame,
    table: pd.DataFrame,
    names: Sequence[str],
    by: _By,
    score: ScoreDefinition,
    minimum: int,
) -> None:
    st.subheader("Two of them")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        one = st.selectbox("First", names, key="first", bind="query-params", width=280)
        others = [name for name in names if name != one]
        two = st.selectbox("Second", others, key="second", bind="query-params", width=280)
    sides = [_rows_of(buckets, table.iloc[names.index(name)], by) for name in (one, two)]
    comparison = compare(sides[0], sides[1], score, minimum)
    if comparison.index is None:
        few = one if comparison.now.withheld else two
        read = (comparison.now if few == one else comparison.before).read
        st.markdown(
            f"**{escaped(few)}** is withheld: {people_words(read)} read, fewer than {minimum}."
        )
        return
    apart, interval = difference_words(comparison.index), change_interval_words(comparison.index)
    lines = [
        f"**{escaped(one)}** beside **{escaped(two)}**: the index is {apart} (interval {interval})."
    ]
    for label, change in (
        ("Share happy", comparison.happy),
        ("Share negative", comparison.negative),
    ):
        if change is not None:
            lines.append(
                f"{label}: {difference_words(change, share=True)} "
                f"(interval {change_interval_words(change, share=True)})."
            )
    st.markdown("  \n".join(lines))


def _rows_of(buckets: pd.DataFrame, row: "pd.Series[Any]", by: _By) -> pd.DataFrame:
    key = "site" if by == "site" else "camera_id"
    rows: pd.DataFrame = buckets[buckets[key] == row[key]]
    return rows


def _trends(
    buckets: pd.DataFrame,
    table: pd.DataFrame,
    names: Sequence[str],
    by: _By,
    period: Period,
    score: ScoreDefinition,
    minimum: int,
) -> None:
    if period.days == 1:
        return
    days = [by_day(_rows_of(buckets, row, by), score, minimum) for _, row in table.iterrows()]
    every = pd.concat(days)
    bounds = index_range([*every["index_low"].dropna(), *every["index_high"].dropna()])
    st.subheader("Day by day")
    with st.grid(3, min_column_width=280):
        for place, (name, own) in enumerate(zip(names, days, strict=True)):
            if place == _MOST_TRENDS:
                break
            with st.container():
                st.markdown(f"**{escaped(name)}**")
                chart(
                    small_trend_figure(own, bounds, every["day"].min(), every["day"].max()),
                    key=f"trend_{place}",
                    says=f"The satisfaction index of {name} on each day with its interval",
                )
    hidden = len(names) - _MOST_TRENDS
    if hidden > 0:
        st.caption(f"The first {_MOST_TRENDS} of {len(names)} are drawn; choose a site for fewer.")


if __name__ == "__main__":
    page()
