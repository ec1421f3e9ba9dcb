"""What is needed to show a picture of footage with its faces hidden."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from db.months import faces_of
from db.tables import Prediction, Recording
from fer_core.types import Box

_NEAR_MS: Final = 5_000


@dataclass(frozen=True, slots=True)
class SeenBox:
    """Where a face was seen."""

    time_ms: int
    box: Box


@dataclass(frozen=True, slots=True)
class KeptFootage:
    """``key``: in the footage store. ``seen``: the faces that were read near the moments."""

    key: str
    seen: tuple[SeenBox, ...]


def footage_of(session: Session, recording_id: int, around_ms: Sequence[int]) -> KeptFootage | None:
    """None where the recording is gone, or its footage is no longer kept."""
    recording = session.get(Recording, recording_id)
    if recording is None or recording.footage_key is None:
        return None
    near = [
        and_(Prediction.time_ms >= at - _NEAR_MS, Prediction.time_ms <= at + _NEAR_MS)
        for at in around_ms
    ]
    boxes = select(
        Prediction.time_ms, Prediction.x, Prediction.y, Prediction.width, Prediction.height
    ).where(faces_of(recording), or_(*near))
    return KeptFootage(
        recording.footage_key,
        tuple(SeenBox(row[0], Box(*row[1:])) for row in session.execute(boxes)),
    )
