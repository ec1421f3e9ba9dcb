"""Model: what reads the faces, how well it was measured to do so, and what it cannot do."""

import math
from collections.abc import Sequence

import streamlit as st

from fer_core.errors import ModelError
from fer_core.model_card import (
    Estimate,
    ModelCard,
    ModelMetrics,
    SplitMetrics,
    read_card,
    read_metrics,
)
from fer_core.types import EXPRESSIONS
from pages.figures_shown import card, chart
from pages.format import counted, escaped
from reports.figures import (
    confusion_figure,
    curves_figure,
    per_class_figure,
    reliability_figure,
)
from reports.words import expression_words, share_words

_SPLITS = {
    "PrivateTest": "faces it had never seen, looked at once, when it was finished",
    "PublicTest": "faces it did not learn from, but on which choices were made while it was built",
}


def page() -> None:
    st.title("Model")
    try:
        card = read_card()
    except ModelError as error:
        st.error(escaped(str(error)))
        st.markdown("Nothing can be read until the model is back: install Satisface again.")
        return
    measured = _metrics()
    st.markdown(
        "A recogniser looks at each face that is large and sharp enough, and gives seven "
        "probabilities: "
        + ", ".join(expression_words(e).lower() for e in card.expressions)
        + ". It reads what a face **shows**, not what a person feels."
    )
    split = None
    if measured is not None:
        split = measured.test or measured.validation
    _headline(card, split)
    _limits(split)
    if split is not None and measured is not None:
        _measured(split, measured)
    _details(card, measured)


def _metrics() -> ModelMetrics | None:
    try:
        return read_metrics()
    except ModelError as error:
        st.warning(escaped(str(error)))
        return None


def _headline(card: ModelCard, split: SplitMetrics | None) -> None:
    figures = card.figures if split is None else split.figures
    name = card.split if split is None else split.split
    with st.grid(4, min_column_width=190):
        _card("Read right", figures.get("accuracy"), "Of all faces, with no face left out.")
        _card(
            "Right when sure",
            figures.get("accuracy_of_known"),
            "Of the faces that it is sure enough of, and does not leave as unknown.",
        )
        _card(
            "Left as unknown",
            figures.get("unknown_share"),
            "Faces for which no expression was probable enough: counted, never guessed.",
        )
        _card(
            "Average over expressions",
            figures.get("balanced_accuracy"),
            "The share read right of each expression, averaged, so that rare ones count as much "
            "as common ones.",
        )
    faces = "" if split is None else f" on {counted(split.faces, 'face')}"
    st.caption(
        f"Measured{faces} of FER2013's {name}: {_SPLITS.get(name, 'held-out faces')}. Intervals "
        "are 95%. People who labelled these pictures agree with each other on roughly two of "
        "three."
    )


def _card(label: str, estimate: Estimate | None, about: str) -> None:
    if estimate is None:
        card(label, "–", about, "Not measured")
        return
    low, high = 100 * estimate.low, 100 * estimate.high
    card(label, f"{100 * estimate.value:.1f}%", about, f"Between {low:.1f}% and {high:.1f}%")


def _limits(split: SplitMetrics | None) -> None:
    st.subheader("What it cannot do")
    weakest = wrong = ""
    if split is not None:
        tenths = round(10 * (1 - split.figures["accuracy"].value))
        wrong = f" About {tenths} in 10 are read otherwise than people labelled them."
        two = sorted(split.classes, key=lambda c: c.f1)[:2]
        weakest = (
            f" The hardest expressions for it are {two[0].expression} and {two[1].expression}."
        )
    st.markdown(
        f"""- Judge a single face.{wrong}{weakest}
  Compare days, hours and stores with many people each; do not look at single rows.
- Tell feelings. A polite smile counts as happy; concentration can look angry or sad.
- Read small, blurred, dark or turned faces. They are left as unknown and counted.
- Promise to be equally good for everybody. Its training pictures come from the web; how well it
  reads people of different age, sex and skin colour has not been measured.
- Recognise anybody. It has no memory of faces."""
    )


def _measured(split: SplitMetrics, measured: ModelMetrics) -> None:
    st.subheader("How well each expression is read")
    left, right = st.columns(2, gap="large")
    with left:
        chart(
            per_class_figure(
                {
                    c.expression: {
                        "precision": c.precision,
                        "recall": c.recall,
                        "f1": c.f1,
                        "support": float(c.faces),
                    }
                    for c in split.classes
                }
            ),
            key="classes",
            says="Precision, recall and F1 of each expression",
        )
        st.caption(
            "Precision: of the faces it calls happy, how many are. Recall: of the happy faces, how "
            "many it finds. F1: both in one figure."
        )
    with right:
        chart(
            confusion_figure(split.confusion, EXPRESSIONS),
            key="confusion",
            says="How often each true expression was read as each other one",
        )
        st.caption("Each row: faces that people gave this label, and what the recogniser read.")
    with st.expander("Can its probabilities be believed?"):
        chart(
            reliability_figure(
                [b.confidence for b in split.reliability],
                [b.accuracy for b in split.reliability],
                [b.faces for b in split.reliability],
            ),
            key="reliability",
            says="Confidence against the share that was right",
        )
        error = split.figures.get("expected_calibration_error")
        st.caption(
            "On the dashed line it is right as often as it says it is sure."
            + (f" The mean distance from it is {share_words(error.value)}." if error else "")
        )
    with st.expander("How it was trained"):
        history = {
            name: [_plotted(getattr(epoch, name)) for epoch in measured.history]
            for name in ("accuracy", "val_accuracy", "loss", "val_loss")
        }
        chart(
            curves_figure(history if measured.history else {}),
            key="curves",
            says="Accuracy and loss by epoch of training",
        )
        st.caption(
            "Training accuracy is measured on faces that were altered on purpose (turned, "
            "cropped, darkened), which are harder than the real ones."
        )
    if split.sizes:
        with st.expander("How small may a face be?"):
            _accuracies(
                "Face, pixels",
                [(size.pixels, size.accuracy) for size in split.sizes],
                "Share of faces read right by size of the face",
            )
    if split.moves:
        with st.expander("What if a face is found a little off?"):
            _accuracies(
                "The face",
                [(move.change, move.accuracy) for move in split.moves],
                "Share of faces read right when the face sits otherwise in its crop",
            )


def _accuracies(what: str, rows: Sequence[tuple[int | str, Estimate]], says: str) -> None:
    """A table of accuracies with their intervals."""
    st.dataframe(
        {
            what: [name for name, _ in rows],
            "Read right": [f"{100 * one.value:.1f}%" for _, one in rows],
            "Interval": [f"{100 * one.low:.1f}% to {100 * one.high:.1f}%" for _, one in rows],
        },
        hide_index=True,
        alt=says,
    )


def _plotted(value: float | None) -> float:
    """A gap where nothing was measured."""
    return math.nan if value is None else value


def _views(card: ModelCard) -> str:
    if card.views == 1:
        return "each face is read once, as it is"
    return "pictures: each face as it is and mirrored, averaged; video: the two in turns"


def _details(card: ModelCard, measured: ModelMetrics | None) -> None:
    with st.expander("Technical details"):
        lines = {
            "Name and version": f"{card.name} {card.version}, {card.created}",
            "Trained on": card.trained_on,
            "Recipe": card.recipe,
            "What it is given": card.preprocessing,
            "Size": f"{counted(card.parameters, 'parameter')}, "
            f"{card.multiply_adds / 1e6:,.0f} million multiplications a view of a face",
            "Views": _views(card),
            "Unknown below": f"{share_words(card.unknown_below)} for the most probable expression",
            "Temperature": f"{card.temperature:.3f}",
        }
        if measured is not None and measured.left_out:
            lines["Training pictures left out"] = ", ".join(
                f"{count:,} {reason}" for reason, count in measured.left_out.items()
            )
        for digest in card.sha256.items():
            lines[f"sha256 of {digest[0]}"] = digest[1]
        st.markdown("\n".join(f"- **{escaped(k)}**: {escaped(v)}" for k, v in lines.items()))


if __name__ == "__main__":
    page()
