"""A recipe: everything that decides what a training run gives, read from a TOML file."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from training.augmentation import Augmentation
from training.data import DataError


@dataclass(frozen=True, slots=True)
class Recipe:
    """The fields are the keys of the TOML file.

    ``ema_momentum``: of the running average of the weights, which is what is validated and
    kept. ``patience``: epochs without a better validation likelihood before it stops.
    ``label_weight``, ``smoothing``: see ``training.data.soft_labels``. ``votes_weight``: of the
    loss of a second head, which learns FER+'s votes alone; 0 makes none. What ships leans to it
    only where ``training.export`` is told so.
    ``balance``: 0 draws faces as they come, 1 draws every expression equally often. ``mixup``:
    faces are blended in pairs, targets likewise, in shares of Beta(mixup, mixup) (Zhang et al.,
    2018, arXiv:1710.09412); 0 blends none.
    ``ranks``: see ``training.network.residual_net`` and ``training.compress``.
    ``start``: a saved model of the same network, such as models/expression.keras, whose weights the
    run begins with; "" begins with random ones.
    ``teachers``: folders of earlier runs, relative to this run's parent: the network learns the
    probabilities of their averaged logits, too; ``distillation``: the share of the loss that is
    theirs, at ``temperature``. ``jit``: compile the step with XLA.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    name: str
    seed: int = 1
    network: Literal["residual", "study"] = "residual"
    widths: tuple[int, ...] = (24, 64, 128, 256)
    blocks: tuple[int, ...] = (1, 2, 2, 2)
    stem_stride: int = 2
    strides: tuple[int, ...] = ()
    squeeze: bool = True
    ranks: dict[str, int] = field(default_factory=dict)
    dropout: float = 0.3
    epochs: int = 70
    batch_size: int = 64
    learning_rate: float = 0.05
    warmup_epochs: float = 1.0
    weight_decay: float = 5e-3
    ema_momentum: float = 0.999
    patience: int = 25
    label_weight: float = 0.6
    votes_weight: float = 0.0
    smoothing: float = 0.0
    balance: float = 0.0
    mixup: float = 0.0
    start: str = ""
    teachers: tuple[str, ...] = ()
    distillation: float = 0.5
    temperature: float = 2.0
    jit: bool = True
    augmentation: Augmentation = field(default_factory=Augmentation)


_RECIPES: Final = TypeAdapter(Recipe)


def read_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """The recipe of the file ``path``, with ``changes`` such as ``dropout=0.2`` or
    ``augmentation.erase=0.0``. Raises DataError where one of them is no setting, or is none of its
    values."""
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    for change in changes:
        try:
            changed = tomllib.loads(change)
        except tomllib.TOMLDecodeError as error:
            raise DataError(f"{change!r} is not of the form setting=value.") from error
        for table in ("augmentation", "ranks"):
            if table in changed:
                changed[table] = values.get(table, {}) | changed[table]
        values |= changed
    try:
        recipe = _RECIPES.validate_python(values)
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise DataError(f"{path} is no recipe: {'; '.join(wrong)}.") from error
    if recipe.warmup_epochs >= recipe.epochs:
        raise DataError(f"{path} is no recipe: warmup_epochs: must be less than epochs.")
    return recipe
