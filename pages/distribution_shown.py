"""The distribution of expressions, as counted or corrected for what the model mixes up."""

from functools import lru_cache

import pandas as pd
import streamlit as st

from analytics.prior_shift import corrected_shares, error_at, helps_from
from analytics.summary import Summary
from fer_core.errors import ModelError
from fer_core.model_card import DistributionError, ModelMetrics, read_metrics
from pages.figures_shown import chart
from reports.figures import distribution_figure
from reports.words import people_words

COUNTED = "As counted"
CORRECTED = "Corrected for known confusions"


def distribution(buckets: pd.DataFrame, summary: Summary, minimum: int) -> None:
    """The shares of ``summary``, made of ``buckets``; a choice between the two ways where the
    correction was seen to help with as many people."""
    metrics = _metrics()
    confusions = metrics.validation.confusions if metrics else None
    measured = metrics.distribution if metrics else ()
    fewest = helps_from(measured)
    error = error_at(measured, summary.read)
    shares = None
    if confusions and error and fewest and not summary.withheld and summary.read >= fewest:
        chosen = st.segmented_control(
            "Shares",
            [COUNTED, CORRECTED],
            default=COUNTED,
            required=True,
            key="shares",
            bind="query-params",
            label_visibility="collapsed",
        )
        if chosen == CORRECTED:
            shares = corrected_shares(buckets, confusions, minimum)
        st.caption(_about(error, corrected=shares is not None))
    chart(
        distribution_figure(summary, shares),
        key="distribution",
        says="Share of people by expression, with intervals",
    )


def _about(error: DistributionError, *, corrected: bool) -> str:
    on = f"on test days of {people_words(error.people)} with known faces"
    if corrected:
        return (
            "The model takes some expressions for others, and how often is known. These are the "
            f"shares that explain best what it read: {on} a share was off by "
            f"{100 * error.corrected:.1f} points on average, as counted by "
            f"{100 * error.counted:.1f}. Customers may differ from test faces."
        )
    return (
        f"Each person counts as their most probable expression: {on} a share was off by "
        f"{100 * error.counted:.1f} points on average, corrected by {100 * error.corrected:.1f}."
    )


@lru_cache(maxsize=1)
def _metrics() -> ModelMetrics | None:
    try:
        return read_metrics()
    except ModelError:
        return None
