"""The report that a manager hands on: one or two pages of PDF for a few cameras.

Typst sets it from report.typ; the words and figures travel as JSON, so that no name can become
markup. Only the shipped font is used, so that the same content gives the same bytes anywhere. Only
where a name has letters beyond it (Latin, Greek, Cyrillic) the machine's own fonts help out.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final

import pandas as pd
import typst

from analytics.scores import ScoreDefinition
from analytics.summary import (
    Estimate,
    Summary,
    by_camera,
    by_day,
    by_hour,
    by_month,
    by_week,
    summarise,
)
from fer_core.types import EXPRESSIONS
from reports.charts import FONT, FONTS, distribution_svg, hours_svg, trend_svg
from reports.palette import ACCENT, ACCENT_TINT, INK, MUTED, PAPER_GRID
from reports.words import (
    day_words,
    index_interval_words,
    index_words,
    moment_words,
    month_words,
    people_words,
    period_words,
    share_interval_words,
    share_words,
    week_words,
    withheld_words,
)

_TEMPLATE: Final = Path(__file__).with_name("report.typ")
_MOST_TREND_DAYS: Final = 92
_MOST_DAYS: Final = 35
_MOST_WEEKS: Final = 27

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class ReportContent:
    """What a report is made of.

    ``sites``, ``cameras``: names as chosen; no cameras means all of them. ``first_day``,
    ``last_day``: local days, both included. ``buckets``: the frame the pages are drawn from,
    already cut to period and cameras. ``generated_at``: aware, shown on its own clock.
    ``model_version``: of the recogniser; empty when unknown. ``demonstration``: invented data.
    """

    sites: Sequence[str]
    first_day: date
    last_day: date
    buckets: pd.DataFrame
    score: ScoreDefinition
    minimum_people: int
    generated_at: datetime
    model_version: str = ""
    cameras: Sequence[str] = ()
    demonstration: bool = False


def satisfaction_pdf(content: ReportContent) -> bytes:
    """The report as an accessible PDF (PDF/UA-1), A4."""
    inputs = json.dumps(_document(content), ensure_ascii=False)
    made_at = int(content.generated_at.timestamp())
    try:
        return _typeset(inputs, made_at, system_fonts=False, accessible=True)
    except typst.TypstError:
        # PDF/UA refuses letters that no font has. Any other fault is raised again here.
        return _typeset(inputs, made_at, system_fonts=True, accessible=False)


def _typeset(inputs: str, made_at: int, *, system_fonts: bool, accessible: bool) -> bytes:
    return typst.compile(
        _TEMPLATE.read_bytes(),
        font_paths=typst.Fonts(
            include_system_fonts=system_fonts,
            include_embedded_fonts=False,
            font_paths=[str(FONTS)],
        ),
        sys_inputs={"content": inputs},
        timestamp=made_at,
        pdf_standards=["ua-1"] if accessible else [],
    )


def _document(content: ReportContent) -> Json:
    """Everything report.typ prints, as strings."""
    args = (content.buckets, content.score, content.minimum_people)
    summary = summarise(*args)
    hours = by_hour(*args)
    weekly = _length(content) > _MOST_TREND_DAYS
    # A line of more than a quarter's days is noise to the eye.
    days = by_week(*args).rename(columns={"week": "day"}) if weekly else by_day(*args)
    drawn_days = days["index"].notna()
    drawn_hours = hours["index"].notna()
    return {
        "title": " · ".join(content.sites) or "All sites",
        "period": period_words(content.first_day, content.last_day),
        "cameras": _cameras_words(content),
        "demonstration": content.demonstration,
        "headline": _headline(summary),
        "people": _people_sentence(summary, content.minimum_people),
        "trend": _trend(days, weekly=weekly) if drawn_days.sum() > 1 else None,
        "distribution": None
        if summary.withheld
        else {
            "svg": distribution_svg(summary, width=330, height=216),
            "alt": "Shares of expressions: "
            + ", ".join(
                f"{e} {share_words(summary.counts[e] / summary.read)}" for e in EXPRESSIONS
            ),
        },
        "hours": {
            "svg": hours_svg(hours, width=330, height=216),
            "alt": "Index by hour of the day: "
            + ", ".join(
                f"{int(row['hour'])}:00 {index_words(row['index'])}"
                for row in hours[drawn_hours].to_dict("records")
            ),
        }
        if drawn_hours.any()
        else None,
        "withheld_note": f"Open circles: withheld, fewer than {content.minimum_people} people read."
        if (drawn_days.sum() > 1 and not drawn_days.all())
        or (drawn_hours.any() and not drawn_hours.all())
        else None,
        "tables": _tables(content),
        "method": _method(content),
        "footer": " · ".join(
            [
                f"Satisface · {moment_words(content.generated_at)}",
                f"score: {content.score.label}",
                *([f"model: {content.model_version}"] if content.model_version else []),
            ]
        ),
        "fonts": [FONT],
        "colours": {
            "ink": INK,
            "muted": MUTED,
            "accent": ACCENT,
            "tint": ACCENT_TINT,
            "grid": PAPER_GRID,
        },
    }


def _cameras_words(content: ReportContent) -> str:
    if not content.cameras:
        return "all cameras"
    return ("camera " if len(content.cameras) == 1 else "cameras ") + ", ".join(content.cameras)


def _headline(summary: Summary) -> list[Json] | None:
    if summary.index is None or summary.happy is None or summary.negative is None:
        return None

    def share(label: str, estimate: Estimate) -> Json:
        return {
            "first": False,
            "label": label,
            "value": share_words(estimate.value),
            "interval": share_interval_words(estimate),
        }

    boxes: list[Json] = [
        {
            "first": True,
            "label": "Satisfaction index, 0 to 100",
            "value": index_words(summary.index.value),
            "interval": f"95% interval {index_interval_words(summary.index)}",
        },
        share("Happy", summary.happy),
        share("Angry, disgust, fear or sad", summary.negative),
    ]
    if summary.unknown_share is not None:
        boxes.append(share("Could not be read", summary.unknown_share))
    return boxes


def _people_sentence(summary: Summary, minimum_people: int) -> str:
    if summary.people == 0:
        return "Nobody was seen in this period."
    seen = f"{people_words(summary.people)} {'was' if summary.people == 1 else 'were'} seen"
    if summary.withheld:
        return (
            f"{seen}, {summary.read:,} of them could be read: figures from fewer than "
            f"{minimum_people} are withheld."
        )
    return f"{seen} ({summary.faces:,} faces); {summary.read:,} of them could be read."


def _trend(days: pd.DataFrame, *, weekly: bool) -> Json:
    unit = "week" if weekly else "day"
    words = week_words if weekly else day_words
    drawn = days[days["index"].notna()]
    low, high = (drawn.iloc[place] for place in (drawn["index"].argmin(), drawn["index"].argmax()))
    return {
        "title": f"Index by {unit}, with its 95% interval",
        "svg": trend_svg(days, width=660, height=190, step_days=7 if weekly else 1),
        "alt": f"Index by {unit}, {len(drawn)} {unit}s. "
        f"Lowest: {words(low['day'])}, {index_words(low['index'])}. "
        f"Highest: {words(high['day'])}, {index_words(high['index'])}.",
    }


def _length(content: ReportContent) -> int:
    return (content.last_day - content.first_day).days + 1


def _tables(content: ReportContent) -> list[Json]:
    """By day, week or month, whichever fits a page or two, and by camera."""
    if content.buckets.empty:
        return []
    args = (content.buckets, content.score, content.minimum_people)
    length = _length(content)
    if length <= _MOST_DAYS:
        rows = by_day(*args)
        when = ("By day", "Day", [day_words(day) for day in rows["day"]])
    elif length <= 7 * _MOST_WEEKS:
        rows = by_week(*args)
        when = ("By week", "Week", [week_words(week) for week in rows["week"]])
    else:
        rows = by_month(*args)
        when = ("By month", "Month", [month_words(month) for month in rows["month"]])
    cameras = by_camera(*args)
    several = cameras["site"].nunique() > 1
    names = [
        f"{site}, {camera}" if several else str(camera)
        for site, camera in zip(cameras["site"], cameras["camera"], strict=True)
    ]
    minimum = content.minimum_people
    return [
        _table(*when, rows, minimum),
        _table("By camera", "Camera", names, cameras, minimum),
    ]


def _table(
    title: str, what: str, names: Sequence[str], rows: pd.DataFrame, minimum_people: int
) -> Json:
    head = [what, "People", "Not read", "Index", "95% interval", "Happy", "Negative"]
    return {
        "title": title,
        "head": head,
        "rows": [
            _row(name, row, minimum_people)
            for name, (_, row) in zip(names, rows.iterrows(), strict=True)
        ],
    }


def _row(name: str, row: "pd.Series[float]", minimum_people: int) -> Json:
    people, unknown = int(row["people"]), int(row["unknown"])
    common: Json = {"name": name, "people": f"{people:,}", "unread": f"{unknown:,}"}
    if row["withheld"]:
        reason = withheld_words(people - unknown, minimum_people)
        return {**common, "withheld": True, "reason": reason}
    index = Estimate(row["index"], row["index_low"], row["index_high"])
    return {
        **common,
        "withheld": False,
        "index": index_words(index.value),
        "interval": index_interval_words(index),
        "happy": share_words(row["happy"]),
        "negative": share_words(row["negative"]),
    }


def _method(content: ReportContent) -> list[Json]:
    score = content.score
    by_weight: dict[float, list[str]] = {}
    for expression, weight in zip(EXPRESSIONS, score.weights, strict=True):
        by_weight.setdefault(weight, []).append(expression)
    weights = "; ".join(
        f"{', '.join(by_weight[weight])} {_signed(weight)}"
        for weight in sorted(by_weight, reverse=True)
    )
    paragraphs = {
        "What the index says.": "It runs from 0 to 100: 50 when faces are neutral or balanced, "
        "higher when more look happy. Negative means angry, disgust, fear or sad. Weights "
        f"({score.label}): {weights}. They apply to each person's mean probabilities; the index "
        "is the mean over people.",
        "What it cannot say.": "A facial expression, as a computer model reads it, is not a "
        "feeling and not an opinion of the store. Models err, and not equally for all people. "
        "Compare like with like: the same cameras, the same hours.",
        "Who is counted.": "A person is one unbroken appearance before one camera. Nobody is "
        "recognised: who passes two cameras, or comes back, counts again. Faces too small, "
        "blurred, turned or unsure are counted as not read and left out of index and shares.",
        "How sure it is.": "Intervals hold the chance of who happened to pass (95%, people as the "
        "unit), not the model's errors. Figures from fewer than "
        f"{people_words(content.minimum_people)} are withheld. Times are the sites' own.",
    }
    return [{"lead": lead, "text": text} for lead, text in paragraphs.items()]


def _signed(weight: float) -> str:
    return "0" if weight == 0 else f"{weight:+g}".replace("-", "−")
