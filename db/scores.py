"""Score definitions: which weights are in force, and every earlier version of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from analytics.scores import DEFAULT_SCORE
from analytics.scores import ScoreDefinition as Score
from db.tables import ScoreDefinition
from fer_core.types import EXPRESSIONS

_NAME_LENGTH: Final = 100


def active_score(session: Session) -> Score:
    """The definition in force; DEFAULT_SCORE until one is saved."""
    row = session.scalar(select(ScoreDefinition).where(ScoreDefinition.is_active))
    return DEFAULT_SCORE if row is None else _score_of(row)


@dataclass(frozen=True, slots=True)
class SavedScore:
    """``created_at``: None for the default, which was always there."""

    score: Score
    is_active: bool
    created_at: datetime | None


def list_scores(session: Session) -> list[SavedScore]:
    """Every definition that figures were ever made with, the default first, then as saved."""
    rows = session.scalars(select(ScoreDefinition).order_by(ScoreDefinition.id)).all()
    saved = [SavedScore(_score_of(row), row.is_active, row.created_at) for row in rows]
    default = SavedScore(DEFAULT_SCORE, not any(each.is_active for each in saved), None)
    return [default, *saved]


def save_score(
    session: Session,
    weights: Sequence[float],
    *,
    name: str = DEFAULT_SCORE.name,
    now: datetime | None = None,
) -> Score:
    """Put weights (in EXPRESSIONS' order) in force as the next version of ``name``.

    Weights that a version of that name has already put that version in force again. Raises
    ValueError as ScoreDefinition does, and for a name that is empty or longer than 100 letters.
    """
    clean = " ".join(name.split())
    if not 1 <= len(clean) <= _NAME_LENGTH:
        raise ValueError(f"a score needs a name of at most {_NAME_LENGTH} letters")
    wanted = Score(name=clean, version=1, weights=tuple(float(w) for w in weights))
    versions = [each.score for each in list_scores(session) if each.score.name == clean]
    for score in versions:
        if score.weights == wanted.weights:
            activate_score(session, score.name, score.version)
            return score
    # Version 1 of the default stands in no row, but reports were made with it.
    newest = max((score.version for score in versions), default=0)
    score = replace(wanted, version=newest + 1)
    _nothing_in_force(session)
    session.add(
        ScoreDefinition(
            name=score.name,
            version=score.version,
            is_active=True,
            created_at=now or datetime.now(UTC),
            **{f"w_{e}": w for e, w in zip(EXPRESSIONS, score.weights, strict=True)},
        )
    )
    session.flush()
    return score


def activate_score(session: Session, name: str, version: int) -> None:
    """Put an earlier definition in force again. Raises ValueError where there is none."""
    if (name, version) == (DEFAULT_SCORE.name, DEFAULT_SCORE.version):
        _nothing_in_force(session)
        return
    row = session.scalar(
        select(ScoreDefinition).where(
            ScoreDefinition.name == name, ScoreDefinition.version == version
        )
    )
    if row is None:
        raise ValueError(f"there is no score {name}, version {version}")
    _nothing_in_force(session)
    row.is_active = True
    session.flush()


def _nothing_in_force(session: Session) -> None:
    """Then the default is."""
    session.execute(
        update(ScoreDefinition).where(ScoreDefinition.is_active).values(is_active=False)
    )


def _score_of(row: ScoreDefinition) -> Score:
    return Score(
        name=row.name,
        version=row.version,
        weights=tuple(getattr(row, f"w_{expression}") for expression in EXPRESSIONS),
    )
