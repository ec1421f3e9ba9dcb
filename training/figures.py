"""Pictures of a model's figures, drawn from metrics.json alone."""

import math
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from fer_core.model_card import ModelMetrics, SplitMetrics
from fer_core.types import EXPRESSIONS

mpl.use("agg")


def draw(measured: ModelMetrics, folder: Path) -> list[Path]:
    """Write curves.png, confusion.png, reliability.png and risk_coverage.png into ``folder``,
    of PrivateTest where it was measured, else of PublicTest; curves.png is always of that. Each
    file's Title tells the model's version and the split."""
    folder.mkdir(parents=True, exist_ok=True)
    split = measured.test or measured.validation
    written = []
    for name, figure, shown in (
        ("curves", curves(measured), measured.validation),
        ("confusion", confusion(split), split),
        ("reliability", reliability(split), split),
        ("risk_coverage", risk_coverage(split), split),
    ):
        path = folder / f"{name}.png"
        title = f"{measured.version}, {shown.split}"
        figure.savefig(path, dpi=110, metadata={"Software": None, "Title": title})
        plt.close(figure)
        written.append(path)
    return written


def curves(measured: ModelMetrics) -> Figure:
    """Accuracy and loss by epoch."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    epochs = [row.epoch for row in measured.history]
    seen = [math.nan if row.accuracy is None else row.accuracy for row in measured.history]
    left.plot(epochs, seen, label="training, augmented")
    left.plot(epochs, [row.val_accuracy for row in measured.history], label="PublicTest")
    left.set(xlabel="epoch", ylabel="accuracy")
    right.plot(epochs, [row.loss for row in measured.history], label="training, soft labels")
    right.plot(epochs, [row.val_loss for row in measured.history], label="PublicTest")
    right.set(xlabel="epoch", ylabel="loss")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    return figure


def confusion(split: SplitMetrics) -> Figure:
    """Share of each labelled expression by what was read, with counts."""
    counts = np.array(split.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = plt.subplots(figsize=(6, 5.4), layout="constrained")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        text = f"{share:.0%}\n{counts[row, column]}"
        colour = "white" if share > 0.5 else "black"
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(EXPRESSIONS)), EXPRESSIONS, rotation=45, ha="right")
    axes.set_yticks(range(len(EXPRESSIONS)), EXPRESSIONS)
    axes.set(xlabel="read as", ylabel="labelled", title=f"{split.split}, {split.faces} faces")
    return figure


def reliability(split: SplitMetrics) -> Figure:
    """Confidence against accuracy; a calibrated model lies on the diagonal."""
    figure, axes = plt.subplots(figsize=(5, 4.4), layout="constrained")
    bins = [entry for entry in split.reliability if entry.faces]
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
    axes.bar(
        [(entry.low + entry.high) / 2 for entry in bins],
        [entry.accuracy for entry in bins],
        width=[0.9 * (entry.high - entry.low) for entry in bins],
    )
    axes.plot([entry.confidence for entry in bins], [entry.accuracy for entry in bins], "k.")
    error = split.figures["expected_calibration_error"].value
    axes.set(
        xlabel="confidence",
        ylabel="share read right",
        xlim=(0, 1),
        ylim=(0, 1),
        title=f"{split.split}, expected calibration error {error:.3f}",
    )
    return figure


def risk_coverage(split: SplitMetrics) -> Figure:
    """Accuracy of the faces that are read, by their share."""
    figure, axes = plt.subplots(figsize=(5, 4.4), layout="constrained")
    axes.plot(
        [point.coverage for point in split.coverage], [point.accuracy for point in split.coverage]
    )
    axes.set(
        xlabel="share of faces read",
        ylabel="share of them read right",
        xlim=(0, 1),
        title=split.split,
    )
    axes.grid(alpha=0.3)
    return figure
