"""What is known of the shipped model: ``models/card.json`` and ``models/metrics.json``.

``training.export`` writes both from these same classes; the Model page and docs/model-card.md
read them. Both files mirror the classes field by field.
"""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from fer_core.errors import ModelError

MODEL_DIR_VARIABLE: Final = "SATISFACE_MODEL_DIR"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured figure with its 95 % bootstrap interval, resampled over faces."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is needed to use the weights, and what to call them.

    ``input_size``: pixels of both sides of the grey crop. ``temperature``: the logits are divided
    by it before the softmax. ``unknown_below``: a face whose best probability is lower counts as
    unknown. ``sha256``: file name to digest. ``trained_on``, ``preprocessing``, ``recipe``:
    sentences. ``split``: what ``figures`` (by the names of ``SplitMetrics.figures``) were measured
    on. ``created``: ISO date. ``views``: how often the network is shown a face, its logits
    averaged: 1 as it is, 2 mirrored as well. ``multiply_adds``: of one view.
    ``temperature_of_one_view``: in place of ``temperature`` where a face is shown once only; None
    where it is the same.
    """

    name: str
    version: str
    created: str
    expressions: tuple[str, ...]
    input_size: int
    preprocessing: str
    temperature: float
    unknown_below: float
    sha256: dict[str, str]
    parameters: int
    multiply_adds: int
    trained_on: str
    recipe: str
    split: str
    figures: dict[str, Estimate]
    views: int = 1
    temperature_of_one_view: float | None = None


@dataclass(frozen=True, slots=True)
class EpochFigures:
    """One epoch of training. ``accuracy`` and ``loss`` are those of augmented faces against soft
    labels, ``val_accuracy`` and ``val_loss`` of PublicTest by the averaged weights. ``accuracy``:
    None where it was not measured."""

    epoch: int
    loss: float
    accuracy: float | None
    val_loss: float
    val_accuracy: float
    learning_rate: float


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How one expression is read. ``faces``: labelled so; ``predicted``: read so."""

    expression: str
    precision: float
    recall: float
    f1: float
    faces: int
    predicted: int


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Faces with a confidence from ``low`` to ``high``. ``confidence``: their mean confidence;
    ``accuracy``: share of them read right; both 0 where ``faces`` is 0."""

    low: float
    high: float
    confidence: float
    accuracy: float
    faces: int


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """Reading only the faces with a confidence of ``threshold`` or more: ``coverage`` is their
    share of all, ``accuracy`` the share of them read right."""

    threshold: float
    coverage: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class SizeFigures:
    """Accuracy of faces shrunk to ``pixels`` and enlarged again."""

    pixels: int
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class MoveFigures:
    """Accuracy of faces that sit otherwise in their crop than they should, in words: as a
    detector's error would leave them."""

    change: str
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class Confusions:
    """How the probabilities of readable faces spread, by label, in EXPRESSIONS' order: what
    counted shares are corrected with (analytics.prior_shift).

    ``faces``: how many of each label. ``means``: [labelled][read], their mean probabilities.
    ``covariances``: [labelled][read][read], of one face's probabilities.
    """

    faces: tuple[int, ...]
    means: tuple[tuple[float, ...], ...]
    covariances: tuple[tuple[tuple[float, ...], ...], ...]


@dataclass(frozen=True, slots=True)
class DistributionError:
    """How far a day's shares are off, over days of ``people`` people with known expressions: the
    mean absolute error of a share as ``counted`` and as ``corrected``. ``coverage``: how often
    the corrected share's 95 % interval held the true one."""

    people: int
    counted: float
    corrected: float
    coverage: float


@dataclass(frozen=True, slots=True)
class SplitMetrics:
    """Everything measured on one split.

    ``split``: "PublicTest" (all choices were made on it) or "PrivateTest". ``figures``: accuracy,
    balanced_accuracy, macro_f1, nll, brier, expected_calibration_error (15 bins),
    accuracy_at_80_coverage, unknown_share, accuracy_of_known; accuracy_of_one_view, where a face
    is shown more often than once (``ModelCard.views``); and where there are FER+ votes
    ferplus_accuracy and accuracy_without_no_face; accuracy_without_duplicates, where the other
    splits were at hand, leaves out the faces that one of them holds as well.
    ``confusion``: [labelled][predicted] counts in EXPRESSIONS' order. ``confusions``: None where
    too few faces of a label are there.
    """

    split: str
    faces: int
    figures: dict[str, Estimate]
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[ReliabilityBin, ...]
    coverage: tuple[CoveragePoint, ...]
    sizes: tuple[SizeFigures, ...]
    moves: tuple[MoveFigures, ...] = ()
    confusions: Confusions | None = None


@dataclass(frozen=True, slots=True)
class ModelMetrics:
    """Everything measured for one released model.

    ``version``: the card's. ``history``: the epochs of its training. ``labels``: split to
    expression to number of faces (Training, PublicTest, PrivateTest). ``left_out``: how many
    Training images were dropped, by reason. ``test``: None until PrivateTest was looked at.
    ``distribution``: errors of a day's shares, measured on one half of PublicTest with the
    confusions of the other.
    """

    version: str
    history: tuple[EpochFigures, ...]
    labels: dict[str, dict[str, int]]
    left_out: dict[str, int]
    validation: SplitMetrics
    test: SplitMetrics | None
    distribution: tuple[DistributionError, ...] = ()


def default_model_dir() -> Path:
    """The folder of the shipped model: SATISFACE_MODEL_DIR, or ``models`` beside this package."""
    named = os.environ.get(MODEL_DIR_VARIABLE)
    return Path(named) if named else Path(__file__).resolve().parent.parent / "models"


def read_card(folder: Path | None = None) -> ModelCard:
    """The card in ``folder`` (the shipped one). Raises ModelError."""
    return _read(_cards(), (folder or default_model_dir()) / "card.json")


def read_metrics(folder: Path | None = None) -> ModelMetrics:
    """The figures in ``folder`` (the shipped ones). Raises ModelError."""
    return _read(_metrics(), (folder or default_model_dir()) / "metrics.json")


def card_json(card: ModelCard) -> bytes:
    """``card`` as card.json holds it."""
    return _cards().dump_json(card, indent=1) + b"\n"


def metrics_json(metrics: ModelMetrics) -> bytes:
    """``metrics`` as metrics.json holds them."""
    return _metrics().dump_json(metrics, indent=1) + b"\n"


@cache
def _cards() -> TypeAdapter[ModelCard]:
    return TypeAdapter(ModelCard)


@cache
def _metrics() -> TypeAdapter[ModelMetrics]:
    return TypeAdapter(ModelMetrics)


def _read(adapter: TypeAdapter[_T], path: Path) -> _T:
    try:
        return adapter.validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(f"The model's file {path.name} is missing from {path.parent}.") from error
    except ValidationError as error:
        raise ModelError(f"The model's file {path.name} does not hold what it should.") from error
