"""The charts of the Model page: how the recogniser was trained and how far it can be trusted.

They take plain numbers, as the model's card and the training's record hold them.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike
from plotly.subplots import make_subplots

from fer_core.types import EXPRESSIONS
from reports.palette import ACCENT, ACCENT_TINT, EXPRESSION_COLOURS, MUTED, translucent
from reports.style import empty_figure, styled
from reports.words import expression_words, share_words

_METRICS: Final = (("precision", "Precision"), ("recall", "Recall"), ("f1", "F1"))


def confusion_figure(matrix: ArrayLike, labels: Sequence[str] = EXPRESSIONS) -> go.Figure:
    """Counts of pictures by true (rows) and predicted (columns) expression, (k, k).

    Shaded by row: the share of a true expression that was read as each.
    """
    counts = np.asarray(matrix, dtype=np.int64)
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    names = [expression_words(label) for label in labels]
    figure = go.Figure(
        go.Heatmap(
            x=names,
            y=names,
            z=shares,
            zmin=0,
            zmax=1,
            colorscale=[[0, ACCENT_TINT], [1, ACCENT]],
            text=[[f"{100 * share:.0f}" for share in row] for row in shares],
            texttemplate="%{text}",
            textfont={"size": 12},
            customdata=[
                [
                    f"{share_words(shares[i, j])} of true {labels[i]} read as {labels[j]}: "
                    f"{counts[i, j]:,} of {int(totals[i, 0]):,} pictures"
                    for j in range(len(names))
                ]
                for i in range(len(names))
            ],
            hovertemplate="%{customdata}<extra></extra>",
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    figure.update_xaxes(title="Read as", showgrid=False, tickangle=-45)
    figure.update_yaxes(title="True expression (% of each row)", autorange="reversed")
    figure.update_yaxes(showgrid=False)
    return styled(figure, height=440, showlegend=False)


def curves_figure(history: Mapping[str, Sequence[float]]) -> go.Figure:
    """Accuracy and loss by epoch, for training and validation.

    ``history``: Keras' names: accuracy, val_accuracy, loss, val_loss; missing ones are left out.
    """
    if not history:
        return empty_figure("The training's record was not kept")
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    series = (
        ("accuracy", "Training", MUTED, 1, 100.0),
        ("val_accuracy", "Validation", ACCENT, 1, 100.0),
        ("loss", "Training", MUTED, 2, 1.0),
        ("val_loss", "Validation", ACCENT, 2, 1.0),
    )
    for key, name, colour, row, scale in series:
        if key not in history:
            continue
        values = np.asarray(history[key], dtype=np.float64)
        figure.add_scatter(
            x=np.arange(1, len(values) + 1),
            y=scale * values,
            mode="lines",
            name=name,
            legendgroup=name,
            showlegend=row == 1,
            line={"color": colour, "width": 2.5},
            customdata=[
                f"Epoch {epoch}, {name.lower()}: "
                + (f"{share_words(value)} right" if row == 1 else f"loss {value:.3f}")
                for epoch, value in enumerate(values, start=1)
            ],
            hovertemplate="%{customdata}<extra></extra>",
            row=row,
            col=1,
        )
    figure.update_yaxes(title="Accuracy (%)", row=1, col=1)
    figure.update_yaxes(title="Loss (nats)", row=2, col=1)
    figure.update_xaxes(title="Epoch", row=2, col=1)
    return styled(figure, height=440, legend="above")


def reliability_figure(confidence: ArrayLike, accuracy: ArrayLike, counts: ArrayLike) -> go.Figure:
    """How often the recogniser is right when it says it is sure: one point for each bin.

    All three (bins,): mean confidence and accuracy from 0 to 1, pictures in the bin. Empty bins
    are left out. On the diagonal confidence means what it says.
    """
    said = np.asarray(confidence, dtype=np.float64)
    right = np.asarray(accuracy, dtype=np.float64)
    pictures = np.asarray(counts, dtype=np.int64)
    filled = pictures > 0
    said, right, pictures = said[filled], right[filled], pictures[filled]
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 100],
        y=[0, 100],
        mode="lines",
        line={"color": MUTED, "width": 1.5, "dash": "dash"},
        hoverinfo="skip",
        name="Confidence as it should be",
    )
    figure.add_scatter(
        x=100 * said,
        y=100 * right,
        mode="lines+markers",
        line={"color": ACCENT, "width": 2},
        marker={
            "color": ACCENT,
            # Area by pictures, so that a bin of ten does not look like a bin of a thousand.
            "size": 6 + 18 * np.sqrt(pictures / max(int(pictures.max(initial=1)), 1)),
            "opacity": 0.85,
            "line": {"width": 0},
        },
        customdata=[
            f"Said {share_words(s)} sure, right {share_words(r)} of the time, {n:,} pictures"
            for s, r, n in zip(said, right, pictures, strict=True)
        ],
        hovertemplate="%{customdata}<extra></extra>",
        name="Measured",
    )
    figure.update_xaxes(title="Confidence (%)", range=[0, 102])
    figure.update_yaxes(title="Right (%)", range=[0, 102])
    return styled(figure, height=380, legend="above")


def per_class_figure(metrics: Mapping[str, Mapping[str, float]]) -> go.Figure:
    """Precision, recall and F1 of each expression.

    ``metrics``: expression -> {precision, recall, f1, support}; the first three from 0 to 1,
    ``support`` the number of pictures (may be missing).
    """
    if not metrics:
        return empty_figure("No figures were measured")
    names = [expression_words(e) for e in metrics]
    figure = go.Figure()
    for (key, title), symbol in zip(_METRICS, ("triangle-up", "square", "circle"), strict=True):
        figure.add_scatter(
            x=[100 * m[key] for m in metrics.values()],
            y=names,
            mode="markers",
            name=title,
            marker={
                "symbol": symbol,
                "size": 12 if key == "f1" else 10,
                "color": [EXPRESSION_COLOURS[e] for e in metrics]
                if key == "f1"
                else translucent(MUTED, 0.75),
                "line": {"width": 0},
            },
            customdata=[
                f"{name}: {title} {share_words(m[key])}"
                + (f", {int(m['support']):,} pictures" if "support" in m else "")
                for name, m in zip(names, metrics.values(), strict=True)
            ],
            hovertemplate="%{customdata}<extra></extra>",
        )
    figure.update_xaxes(title="Percent", range=[0, 102])
    figure.update_yaxes(autorange="reversed")
    return styled(figure, height=360, legend="above")
