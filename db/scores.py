"""Score definitions: which weights are in force, and every earlier version of them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from analytics.scores import DEFAULT_SCORE
from analytics.scores import ScoreDefinition as Score
from db.tables import ScoreDefinition
from fer_core.types import EXPRESSIONS


def active_score(session: Session) -> Score:
    """The definition in force; DEFAULT_SCORE until one is saved."""
    row = session.scalar(select(ScoreDefinition).where(ScoreDefinition.is_active))
    if row is None:
        return DEFAULT_SCORE
    return Score(
        name=row.name,
        version=row.version,
        weights=tuple(getattr(row, f"w_{expression}") for expression in EXPRESSIONS),
    )


def save_score(
    session: Session,
    weights: Sequence[float],
    *,
    name: str = DEFAULT_SCORE.name,
    now: datetime | None = None,
) -> Score:
    """Put weights (in EXPRESSIONS' order) in force as the next version of ``name``.

    What is in force already stays as it is. Raises ValueError as ScoreDefinition does.
    """
    active = active_score(session)
    if (active.name, active.weights) == (name, tuple(weights)):
        return active
    newest = session.scalar(
        select(func.max(ScoreDefinition.version)).where(ScoreDefinition.name == name)
    )
    # Version 1 of the default stands in no row, but reports were made with it.
    taken = newest or (DEFAULT_SCORE.version if name == DEFAULT_SCORE.name else 0)
    score = Score(name=name, version=taken + 1, weights=tuple(float(w) for w in weights))
    session.execute(
        update(ScoreDefinition).where(ScoreDefinition.is_active).values(is_active=False)
    )
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
