"""The report that a manager hands on: two to four pages of PDF.

Typst sets it from report.typ; the words and figures travel as JSON, so that no name can become
markup. Only the shipped font is used, so that the same content gives the same bytes anywhere. Only
where a name has letters beyond it (Latin, Greek, Cyrillic) the machine's own fonts help out.
"""

import json
from pathlib import Path
from typing import Final, Literal, cast

import pandas as pd
import typst

from analytics.intervals import Estimate
from fer_core.types import EXPRESSIONS
from reports.charts import FONT, FONTS, distribution_svg, hours_svg, trend_svg
from reports.charts_compared import camera_labels, cameras_svg, heatmap_svg
from reports.content import ReportContent, ReportFigures, report_figures
from reports.findings import change_sentence, findings, people_sentence, target_sentence
from reports.method import method
from reports.palette import ACCENT, ACCENT_TINT, INK, MUTED, PAPER_GRID
from reports.words import (
    day_words,
    hour_words,
    index_interval_words,
    index_words,
    moment_words,
    period_words,
    reach_words,
    share_interval_words,
    share_words,
    week_words,
    weekday_words,
    withheld_words,
)

_TEMPLATE: Final = Path(__file__).with_name("report.typ")
_LOGO: Final = Path(__file__).with_name("logo.svg").read_text()
_WIDTH: Final = 660
"""Of a chart over the whole page, in pixels: one of ours is then one of the paper's."""
_FEW_DAYS: Final = 3
"""Up to so many days have their hours in a row; more in a grid of the week."""
_HEAD_LETTERS: Final = 240
"""Names of more than these, about two lines, stand at the end and not under the title."""

Json = dict[str, object]


def satisfaction_pdf(content: ReportContent) -> bytes:
    """The report as an accessible PDF (PDF/UA-1), A4."""
    inputs = json.dumps(_document(content), ensure_ascii=False)
    made_at = int(content.generated_at.timestamp())
    try:
        return _typeset(inputs, made_at, format="pdf", standard="ua-1")[0]
    except typst.TypstError:
        # PDF/UA refuses letters that no font has. Any other fault is raised again here.
        return _typeset(inputs, made_at, format="pdf", system_fonts=True)[0]


def satisfaction_png(content: ReportContent, *, dots_per_inch: float = 80) -> list[bytes]:
    """The same pages as pictures (PNG), to be looked at before they are handed on."""
    inputs = json.dumps(_document(content), ensure_ascii=False)
    made_at = int(content.generated_at.timestamp())
    return _typeset(inputs, made_at, format="png", ppi=dots_per_inch, system_fonts=True)


def _typeset(
    inputs: str,
    made_at: int,
    *,
    format: Literal["pdf", "png"],  # noqa: A002  typst's own name
    system_fonts: bool = False,
    standard: Literal["ua-1"] | None = None,
    ppi: float | None = None,
) -> list[bytes]:
    made: object = typst.compile(
        _TEMPLATE.read_bytes(),
        format=format,
        ppi=ppi,
        font_paths=typst.Fonts(
            include_system_fonts=system_fonts,
            include_embedded_fonts=False,
            font_paths=[str(FONTS)],
        ),
        sys_inputs={"content": inputs},
        timestamp=made_at,
        pdf_standards=[standard] if standard else [],
    )
    # A document of one page comes as that page.
    return cast("list[bytes]", made if isinstance(made, list) else [made])


def _document(content: ReportContent) -> Json:
    """Everything report.typ prints, as strings."""
    figures = report_figures(content)
    names = [f"{what}: {' · '.join(of)}" for what, of in content.counted_names.items()]
    few_names = sum(map(len, names)) <= _HEAD_LETTERS
    return {
        "title": content.title,
        "period": period_words(content.first_day, content.last_day),
        "cameras": content.cameras_words,
        "names_first": names if few_names else [],
        "names_last": [] if few_names else names,
        "demonstration": content.demonstration,
        "headline": _headline(content, figures),
        "people": people_sentence(figures.summary, content.minimum_people, content.sources),
        "verdict": [
            sentence
            for sentence in (
                change_sentence(content, figures),
                target_sentence(figures.summary, content.target),
            )
            if sentence
        ],
        "findings": [{"lead": lead, "text": text} for lead, text in findings(figures)],
        "trend": _trend(content, figures),
        "distribution": _distribution(content, figures),
        "hours": _hours(content, figures),
        "cameras_chart": _cameras(content, figures),
        "tables": _tables(content, figures),
        "method": [{"lead": lead, "text": text} for lead, text in method(content)],
        "footer": " · ".join(
            [
                f"Satisface · {moment_words(content.generated_at)}",
                f"score: {content.score.label}",
                *([f"model: {content.models}"] if content.models else []),
            ]
        ),
        "fonts": [FONT],
        "logo": _LOGO,
        "colours": {
            "ink": INK,
            "muted": MUTED,
            "accent": ACCENT,
            "tint": ACCENT_TINT,
            "grid": PAPER_GRID,
        },
    }


def _headline(content: ReportContent, figures: ReportFigures) -> list[Json] | None:
    summary, before = figures.summary, figures.before
    if summary.index is None or summary.happy is None or summary.negative is None:
        return None

    compared = content.versus.removeprefix("the ")

    def box(label: str, value: str, detail: str, was: str | None, *, first: bool = False) -> Json:
        return {
            "first": first,
            "label": label,
            "value": value,
            "detail": detail,
            "was": f"{compared[0].upper()}{compared[1:]}: {was}" if was else None,
        }

    def share(label: str, now: Estimate, then: Estimate | None) -> Json:
        return box(
            label,
            share_words(now.value),
            share_interval_words(now),
            share_words(then.value) if then else None,
        )

    boxes = [
        box(
            "Satisfaction index, 0 to 100",
            index_words(summary.index.value),
            f"95% interval {index_interval_words(summary.index)}",
            index_words(before.index.value) if before and before.index else None,
            first=True,
        ),
        box(
            "People",
            f"{summary.people:,}",
            f"{summary.read:,} read",
            f"{before.people:,}" if before else None,
        ),
        share("Happy", summary.happy, before.happy if before else None),
        share("Negative", summary.negative, before.negative if before else None),
    ]
    if summary.unknown_share is not None:
        then = before.unknown_share if before else None
        boxes.append(share("Could not be read", summary.unknown_share, then))
    return boxes


def _trend(content: ReportContent, figures: ReportFigures) -> Json | None:
    shown = figures.trend[figures.trend["index"].notna()]
    if not content.has("trend") or len(shown) < 2:
        return None
    weekly = figures.trend_weekly
    unit, words = ("week", week_words) if weekly else ("day", day_words)
    low, high = (shown.iloc[place] for place in (shown["index"].argmin(), shown["index"].argmax()))
    return {
        "title": f"Index by {unit}, with its 95% interval",
        "svg": trend_svg(
            figures.trend,
            width=_WIDTH,
            height=200,
            step_days=7 if weekly else 1,
            target=content.target,
        ),
        "alt": f"Index by {unit}, {len(shown)} {unit}s. "
        f"Lowest: {words(low['day'])}, {index_words(low['index'])}. "
        f"Highest: {words(high['day'])}, {index_words(high['index'])}.",
        "note": f"Open circles: withheld, fewer than {content.minimum_people} people read."
        if figures.trend["withheld"].any()
        else None,
    }


def _distribution(content: ReportContent, figures: ReportFigures) -> Json | None:
    summary = figures.summary
    if not content.has("expressions") or summary.withheld:
        return None
    shares = ", ".join(f"{e} {share_words(summary.counts[e] / summary.read)}" for e in EXPRESSIONS)
    return {
        "title": "How people looked",
        "svg": distribution_svg(summary, width=350, height=216),
        "alt": f"Shares of expressions: {shares}",
    }


def _hours(content: ReportContent, figures: ReportFigures) -> Json | None:
    few_days = content.days <= _FEW_DAYS
    hours = figures.hours_of_day if few_days else figures.hours
    shown = hours[hours["index"].notna()]
    if not content.has("hours") or shown.empty:
        return None
    if few_days:
        return {
            "title": "Index by hour of the day",
            "svg": hours_svg(hours, width=_WIDTH, height=190),
            "alt": "Index by hour of the day: "
            + ", ".join(
                f"{int(row['hour'])}:00 {index_words(row['index'])}"
                for row in shown.to_dict("records")
            ),
            "note": "Open circles: withheld, too few people read."
            if hours["withheld"].any()
            else None,
        }
    low, high = (shown.iloc[place] for place in (shown["index"].argmin(), shown["index"].argmax()))
    return {
        "title": "Index by hour and day of the week, and people by hour",
        "svg": heatmap_svg(hours, width=_WIDTH, height=212),
        "alt": "Index by hour of the week. "
        f"Lowest: {_hour_of_week(low)}, {index_words(low['index'])}. "
        f"Highest: {_hour_of_week(high)}, {index_words(high['index'])}.",
        "note": "Darker green is higher. Local time of the sites. "
        f"The 95% interval of an hour reaches {reach_words(shown)} to either side."
        + (
            f" A dash: withheld, fewer than {content.minimum_people} people read."
            if hours["withheld"].any()
            else ""
        ),
    }


def _hour_of_week(row: "pd.Series[float]") -> str:
    return f"{weekday_words(int(row['weekday']))} {hour_words(int(row['hour']))}"


def _cameras(content: ReportContent, figures: ReportFigures) -> Json | None:
    shown = figures.cameras[~figures.cameras["withheld"]]
    labels = camera_labels(list(shown["name"]))
    if not content.has("cameras") or len(shown) < 2 or labels is None:
        return None
    # That of several sites together is not what any one camera is measured by.
    target = content.target if figures.cameras["site"].nunique() == 1 else None
    return {
        "title": "Index by camera, with its 95% interval",
        "svg": cameras_svg(shown.assign(name=labels), width=_WIDTH, target=target),
        "alt": "Index by camera: "
        + ", ".join(
            f"{row['name']} {index_words(row['index'])}" for row in shown.to_dict("records")
        ),
    }


def _tables(content: ReportContent, figures: ReportFigures) -> list[Json]:
    """By camera, and by day, week or month, whichever fits a page or two."""
    if content.buckets.empty:
        return []
    minimum = content.minimum_people
    tables = []
    if content.has("cameras"):
        tables.append(_table("By camera", "Camera", figures.cameras, minimum))
    if content.has("days"):
        stretch = figures.stretch
        tables.append(_table(f"By {stretch}", stretch.capitalize(), figures.stretches, minimum))
    return tables


def _table(title: str, what: str, rows: pd.DataFrame, minimum_people: int) -> Json:
    return {
        "title": title,
        "head": [
            what,
            "People",
            "Not read",
            "Index",
            "95% interval",
            "Happy, 95% interval",
            "Negative, 95% interval",
        ],
        "rows": [_row(row, minimum_people) for _, row in rows.iterrows()],
    }


def _row(row: "pd.Series[float]", minimum_people: int) -> Json:
    people, unknown = int(row["people"]), int(row["unknown"])
    common: Json = {"name": str(row["name"]), "people": f"{people:,}", "unread": f"{unknown:,}"}
    if row["withheld"]:
        reason = withheld_words(people - unknown, minimum_people)
        return {**common, "withheld": True, "reason": reason}
    index = _estimate(row, "index")
    return {
        **common,
        "withheld": False,
        "index": index_words(index.value),
        "interval": index_interval_words(index),
        "shares": [
            {"share": share_words(share.value), "interval": share_interval_words(share)}
            for share in (_estimate(row, name) for name in ("happy", "negative"))
        ],
    }


def _estimate(row: "pd.Series[float]", name: str) -> Estimate:
    return Estimate(row[name], row[f"{name}_low"], row[f"{name}_high"])
