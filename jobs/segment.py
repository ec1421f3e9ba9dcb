"""The task that runs in a process of the pool, here or on another machine.

The task renews its own lease, computes, and writes all rows in one transaction (see
docs/decisions/0002). Whatever happens ends in the database, not in the pool: the outcome that is
returned is for the log.

Whoever only hands tasks out needs no model and no decoder: both are imported where a task runs.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from db.queue import Lease
from fer_core.limits import FootageLimits


@dataclass(frozen=True, slots=True)
class SegmentTask:
    """All that a process needs to read a segment. ``threads``: for the detector and the model.
    ``smallest_face_in_video``: see ``AnalysisOptions.min_face_video``."""

    database_url: str
    footage_url: str
    scratch: Path
    lease: Lease
    lease_seconds: float
    max_attempts: int
    threads: int
    limits: FootageLimits = field(default_factory=FootageLimits)
    smallest_face_in_video: float = 48.0


class Ending(StrEnum):
    DONE = "done"
    LOST = "lost"
    """The lease went to another worker, or the recording was cancelled or deleted."""
    FAILED = "failed"
    """For good; the recording says why."""
    POSTPONED = "postponed"
    """To be tried again, unless it was the last attempt."""
    STORE_AWAY = "store_away"
    """Given back, and not counted as an attempt: the footage store does not answer."""
    DATABASE_AWAY = "database_away"
    """To be given back, as soon as that can be written, and not counted as an attempt: the database
    cannot be reached, or has no room."""


@dataclass(frozen=True, slots=True)
class SegmentOutcome:
    """``was_last``: with it its recording was read to the end."""

    ending: Ending
    seconds: float = 0.0
    frames: int = 0
    faces: int = 0
    tracks: int = 0
    was_last: bool = False


def run_segment(task: SegmentTask) -> SegmentOutcome:
    """Read the segment of the task and write what it held. Raises nothing that is foreseen."""
    from jobs.reading import read_segment

    return read_segment(task)


def prepare(threads: int) -> None:
    """Load what reading needs, so that the first segment need not wait for it."""
    from jobs.reading import load

    load(threads)
