"""Write docs/model-card.md from card.json and metrics.json: ``python -m training.document``.

No figure in that page is typed by hand; a test holds page and files together.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from fer_core.model_card import (
    Estimate,
    ModelCard,
    ModelMetrics,
    SplitMetrics,
    default_model_dir,
    read_card,
    read_metrics,
)
from fer_core.types import EXPRESSIONS

PAGE: Final = Path("docs/model-card.md")

_NAMES: Final = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy (mean recall)",
    "macro_f1": "Macro-F1",
    "nll": "Negative log likelihood, nats",
    "brier": "Brier score, 0 to 2",
    "expected_calibration_error": "Expected calibration error, 15 bins",
    "accuracy_at_80_coverage": "Accuracy of the surest 80 %",
    "unknown_share": "Share counted as unknown",
    "accuracy_of_known": "Accuracy of the faces not unknown",
    "accuracy_of_one_view": "Accuracy from one view of a face, as in video",
    "ferplus_accuracy": "Agreement with FER+'s clear majority",
    "accuracy_without_no_face": "Accuracy without images that are no face",
    "accuracy_without_duplicates": "Accuracy without faces that another split holds, too",
}

_USE: Final = """\
## What it is for

Counting expressions over many people: how the faces in a store's footage looked, by hour and by
day, always with the number of people and an interval. Each face gets seven probabilities; those
the model is unsure of count as *unknown* and are left out of the index.

## What it is not for

- Telling how somebody feels. It reads what a face shows in one picture, and people who were
  shown these pictures agree with each other only some seven times in ten.
- Judging one person: an employee, a customer, an applicant, a suspect. In the European Union,
  inferring the emotions of people at work or in education is forbidden (AI Act, article 5).
- Recognising anyone: it makes no embedding, and nothing in it tells two people apart.
- Medicine, safety, or any decision about a person.

## What to know

- FER2013 was collected by web search: posed, acted and news pictures. Store
  cameras see people from above, from the side, in bad light; expect less than the figures below.
- Its labels are noisy: one of FER+'s ten taggers agrees with the plurality of the others on
  about 70 % of the private test images. A net that reads far better than that has learnt the
  labels, not the faces.
- Disgust and fear are rare and often mistaken; read their rows below before using them.
- **No figures by age, sex, skin tone or other group exist: none were measured, since FER2013
  carries no such labels.** Do not compare groups of people with it.
"""

_SOURCES: Final = """\
## Where the data come from

- FER2013: Goodfellow et al., 2013, "Challenges in representation learning" (arXiv:1307.0414), a
  contest of ICML 2013. Its pictures were collected by web search; it came without a licence for
  them that we know of. None of them is part of Satisface.
- FER+: Barsoum et al., 2016 (arXiv:1608.01041), ten people's votes for the same pictures, MIT.
- The weights are our own, trained from random ones, and come under Satisface's licence,
  Apache-2.0. Whether weights learnt from such pictures are free of others' rights is not settled
  in law everywhere: ask your own counsel where that matters to you.
"""


def page(card: ModelCard, measured: ModelMetrics) -> str:
    """The model card as Markdown."""
    sections = [
        "# Model card: the expression recogniser",
        "<!-- Written by `python -m training.document`; change that, not this. -->",
        (
            f"Version {card.version}. {card.parameters:,} parameters, "
            f"{card.multiply_adds / 1e6:.1f} million multiply-adds a view; input one grey face of "
            f"{card.input_size}x{card.input_size} pixels, output seven probabilities: "
            f"{', '.join(card.expressions)}."
        ),
        _USE,
        "## How it was made",
        f"Trained on {card.trained_on}. Preprocessing: {card.preprocessing}",
        "Network, epoch, temperature and the unknown rule were chosen on PublicTest. "
        + _private_test(measured),
        *_views(card),
        (
            f"Temperature {card.temperature}; a face whose best probability is below "
            f"{card.unknown_below:.2f} is unknown."
        ),
        "Recipe:",
        _table(("setting", "value"), sorted(_settings(json.loads(card.recipe)))),
        "![Accuracy and loss by epoch](../models/figures/curves.png)",
        "### Labels in the data",
        _labels(measured),
        _SOURCES,
    ]
    splits = [split for split in (measured.test, measured.validation) if split is not None]
    for split in splits:
        sections += [f"## Figures on {split.split} ({split.faces:,} faces)", *_figures(split)]
    sections += [
        f"## In pictures ({splits[0].split})",
        "![Confusion matrix](../models/figures/confusion.png)",
        "![Reliability](../models/figures/reliability.png)",
        "![Accuracy by share of faces read](../models/figures/risk_coverage.png)",
        "## Files",
        _table(
            ("file", "sha256"), [(name, f"`{card.sha256[name]}`") for name in sorted(card.sha256)]
        ),
    ]
    return "\n\n".join(section.strip() for section in sections) + "\n"


def _views(card: ModelCard) -> Iterable[str]:
    if card.views > 1:
        yield (
            "A face in a picture is read as it is and mirrored, and the two views are averaged. In "
            "video, where a person is seen again and again, it is read as it is in one sample and "
            "mirrored in the next, at a temperature of its own "
            f"({card.temperature_of_one_view})."
        )


def _private_test(measured: ModelMetrics) -> str:
    if measured.test is None:
        return "PrivateTest was not looked at for this version."
    return "PrivateTest was looked at once, for this version, after all was chosen."


def _settings(recipe: dict[str, object], prefix: str = "") -> Iterable[tuple[str, str]]:
    for name, value in recipe.items():
        if isinstance(value, dict):
            yield from _settings(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)


def _labels(measured: ModelMetrics) -> str:
    rows = [
        (split, *(f"{counts[name]:,}" for name in EXPRESSIONS))
        for split, counts in measured.labels.items()
    ]
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in measured.left_out.items())
    return f"{_table(('', *EXPRESSIONS), rows)}\n\nLeft out of Training: {dropped or 'nothing'}."


def _figures(split: SplitMetrics) -> list[str]:
    return [
        "In brackets: 95 % bootstrap intervals over faces.",
        _table(
            ("figure", "value"),
            [(_NAMES[name], _interval(figure)) for name, figure in split.figures.items()],
        ),
        _table(
            ("expression", "precision", "recall", "F1", "labelled", "predicted"),
            [
                (
                    entry.expression,
                    f"{entry.precision:.3f}",
                    f"{entry.recall:.3f}",
                    f"{entry.f1:.3f}",
                    f"{entry.faces:,}",
                    f"{entry.predicted:,}",
                )
                for entry in split.classes
            ],
        ),
        _table(
            ("pixels a side (shrunk and enlarged again)", "accuracy"),
            [(str(size.pixels), _interval(size.accuracy)) for size in split.sizes],
        ),
    ]


def _interval(figure: Estimate) -> str:
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.document", description=__doc__)
    parser.add_argument("--model", type=Path, default=default_model_dir(), help="its folder")
    parser.add_argument("--out", type=Path, default=PAGE)
    arguments = parser.parse_args()
    text = page(read_card(arguments.model), read_metrics(arguments.model))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
