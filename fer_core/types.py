"""The values that walk through the pipeline: frame -> face -> track -> prediction -> segment."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

EXPRESSIONS: Final = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""FER2013's label order; the order of every probability vector."""

UNKNOWN: Final = "unknown"


class UnknownReason(StrEnum):
    """Why a face, or a whole track, is counted but not read."""

    SMALL = "small"
    BLURRED = "blurred"
    TURNED = "turned"
    DARK = "dark"
    CUT_OFF = "cut off"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned rectangle in the frame's own pixels; may reach over the frame's edge."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded, upright picture.

    ``time_ms``: milliseconds since the start of the recording, unique in it.
    ``pixels``: uint8 (height, width, 3), BGR.
    """

    time_ms: int
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Face:
    """One detection in one frame.

    ``landmarks``: float32 (5, 2), pixels, in YuNet's order: the person's right eye (left in the
    picture), left eye, nose tip, right and left corner of the mouth.
    ``score``: the detector's, 0 to 1.
    """

    box: Box
    landmarks: NDArray[np.float32]
    score: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """One face, read or counted as unknown.

    ``(time_ms, face)`` is unique in a recording: ``face`` numbers the faces of one frame from 0,
    left to right (then top to bottom), so the same frame always gives the same key. Where a
    detection turned out to be nobody, its number is left out.
    ``track``: number of the track within its segment.
    ``probabilities``: float32 (7,), calibrated, summing to 1, in EXPRESSIONS' order; None when
    the quality gate kept the face from the model. Present when ``unknown_reason`` is UNSURE.
    ``expression``: the most probable one, or "unknown".
    ``confidence``: its probability (0 when there are no probabilities).
    ``quality``: 0 to 1, see fer_core.quality.
    """

    time_ms: int
    face: int
    track: int
    box: Box
    detector_score: float
    quality: float
    expression: str
    confidence: float
    probabilities: NDArray[np.float32] | None
    unknown_reason: UnknownReason | None


@dataclass(frozen=True, slots=True)
class LeadIn:
    """Where a track was last seen before its segment began: the key of that face's prediction
    in the segment before."""

    time_ms: int
    face: int


@dataclass(frozen=True, slots=True)
class Track:
    """One person's unbroken appearance within one segment.

    ``mean_probabilities``: float32 (7,), quality-weighted over the readable faces; None when
    no face of the track could be read, and then ``expression`` is "unknown".
    ``weight``: the sum of qualities behind the mean (0 when it is None).
    ``lead_in``: set when the person was already followed before the segment began, so that the
    two parts are counted as one person.
    ``start_probabilities``, ``end_probabilities``: as the mean, over the first and the last two
    seconds (at most half of the appearance each); None when no face there could be read.
    """

    number: int
    start_ms: int
    end_ms: int
    faces: int
    faces_unknown: int
    mean_probabilities: NDArray[np.float32] | None
    weight: float
    expression: str
    lead_in: LeadIn | None = None
    start_probabilities: NDArray[np.float32] | None = None
    end_probabilities: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """A stretch of a recording, in milliseconds: ``start_ms`` included, ``end_ms`` excluded."""

    index: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """All that one segment held. ``warnings`` are sentences about what could not be read."""

    plan: SegmentPlan
    frames: int
    predictions: tuple[Prediction, ...]
    tracks: tuple[Track, ...]
    warnings: tuple[str, ...] = ()


class FootageKind(StrEnum):
    PICTURE = "picture"
    VIDEO = "video"


class CaptureSource(StrEnum):
    """Where a capture time was read from."""

    EXIF = "exif"
    METADATA = "metadata"
    FILE_NAME = "file name"


@dataclass(frozen=True, slots=True)
class CaptureTime:
    """When footage was taken.

    ``at`` is aware (UTC) when the source names a zone, naive when it tells local time only: the
    caller knows the site's zone.
    """

    at: datetime
    source: CaptureSource


@dataclass(frozen=True, slots=True)
class FootageInfo:
    """What a cheap probe tells of a picture or video; sizes after rotation, in pixels.

    ``duration_ms``: 0 for a picture. ``frame_rate``: mean frames a second, None for a picture or
    where the container does not tell. ``codec``: the decoder's name. ``rotation``: degrees
    clockwise that were applied to stand the frame upright.
    """

    kind: FootageKind
    width: int
    height: int
    duration_ms: int
    frame_rate: float | None
    codec: str
    rotation: int
    captured: CaptureTime | None
    warnings: tuple[str, ...] = field(default=())
