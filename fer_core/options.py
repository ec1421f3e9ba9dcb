"""How footage is read: values only."""

from dataclasses import dataclass, field
from typing import Final

from fer_core import footage
from fer_core.detection import FOUND_WELL_HEIGHT, GENEROUS_SIDE
from fer_core.limits import FootageLimits
from fer_core.quality import QualityGate
from fer_core.tracking import TrackerOptions, missed_ms
from fer_core.types import Face
from fer_core.zones import Zone

_WORTH_ENLARGING: Final = 1.5
"""Times. In frames of 768 and 854 pixels less than that found nobody more (docs/decisions)."""


@dataclass(frozen=True, slots=True)
class AnalysisOptions:
    """How footage is read; values only, so it can be sent to another process.

    ``rate``: samples a second. ``segment_ms``: length of a segment. ``lead_in_ms``: footage before
    a segment that is followed again; longer than a track may go unseen (``tracked_ms`` says what
    becomes of both at few samples a second). ``min_face``: height in pixels of the smallest face
    that matters. ``min_face_video``: the smallest that must be found in each frame of a large
    video; smaller ones are found less often, which is enough for someone who is there for a while.
    ``detector_threshold``: score from which the tracker is told of a face (and see
    ``TrackerOptions.sure_score``). ``clear_score``: score that someone in a video must reach once
    to be a person. ``zones``: staff zones, left out before anything is read. ``min_face_far``:
    height of the smallest face that is looked for in a small video, whose frames are enlarged,
    since that is cheap; ``clear_score_far``: score that a face under ``min_face`` must reach to be
    seen clearly (docs/decisions/0012). ``batch_size``: faces read by the model at once.
    ``keyframes``: the fast mode of ``footage.sample``; frames may then be seconds apart, so that
    somebody who stays may be a person anew in each. ``search_ms``: the longest that a video goes
    without a frame that is searched. Where two such frames show the same people in the same places,
    those between are looked at only there; where not, every other one of them is searched, too.
    ``whole_ms``: the longest that it goes without one of which every part is searched; the others
    are only where something changed. Raises ValueError where the values do not go together.
    """

    rate: float = footage.DEFAULT_RATE
    segment_ms: int = footage.SEGMENT_MS
    lead_in_ms: int = 2000
    min_face: float = 24.0
    min_face_video: float = 48.0
    min_face_far: float = 12.0
    detector_threshold: float = 0.45
    clear_score: float = 0.78
    clear_score_far: float = 0.85
    gate: QualityGate = field(default_factory=QualityGate)
    tracker: TrackerOptions = field(default_factory=TrackerOptions)
    zones: tuple[Zone, ...] = ()
    limits: FootageLimits = field(default_factory=FootageLimits)
    batch_size: int = 16
    keyframes: bool = False
    search_ms: int = 800
    whole_ms: int = 3200

    def __post_init__(self) -> None:
        sizes = (self.min_face, self.min_face_video, self.min_face_far, self.batch_size)
        if min(self.rate, self.segment_ms, *sizes) <= 0:
            raise ValueError("rates, lengths, sizes of faces and of batches must be above 0")
        if self.lead_in_ms < self.tracker.max_missed_ms:
            raise ValueError("lead_in_ms must be at least as long as a track may go unseen")

    @property
    def least_face(self) -> float:
        """Height in pixels under which no face of any footage is of interest."""
        return min(self.min_face, self.min_face_video, self.min_face_far)

    def tracked_ms(self, rate: float) -> tuple[int, int]:
        """(how long a track may go unseen, how long a segment's lead-in is) in a video that gives
        ``rate`` samples a second, milliseconds: longer than usual where they are seldom."""
        seldom_ms = missed_ms(rate)
        return max(self.tracker.max_missed_ms, seldom_ms), max(self.lead_in_ms, 2 * seldom_ms)

    def sizes_in_video(self, width: int, height: int) -> tuple[float, float]:
        """(the smallest face that must be found, the height under which faces are dropped) in a
        frame of a video, pixels.

        A frame that can be enlarged by half and more within ``detection.GENEROUS_SIDE`` is: that
        costs no more than a large one does, and what was too small to be found no longer is.
        """
        least = min(self.min_face, self.min_face_video)
        enlarged = min(GENEROUS_SIDE / max(width, height), least / self.min_face_far)
        if enlarged < _WORTH_ENLARGING:
            return self.min_face_video, least
        return min(self.min_face_video, FOUND_WELL_HEIGHT / enlarged), least / enlarged

    def is_clear(self, face: Face) -> bool:
        """Whether a sight of a face tells that it is one."""
        small = face.box.height < min(self.min_face, self.min_face_video)
        return face.score >= (self.clear_score_far if small else self.clear_score)
