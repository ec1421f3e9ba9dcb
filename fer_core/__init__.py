"""Footage in, predictions out. Knows no database and no screen.

    from pathlib import Path
    from fer_core import ExpressionReader, analyse

    for segment in analyse(Path("till.mp4"), ExpressionReader()):
        for track in segment.tracks:
            print(track.start_ms, track.end_ms, track.expression)

Values (``fer_core.types``) and errors (``fer_core.errors``) come with the package; all else is
imported when it is first used, so that a screen that only needs a name loads no decoder and no
model.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from fer_core.errors import (
    Cancelled,
    FootageError,
    FootageTooLarge,
    ModelError,
    NoVideoStream,
    SatisfaceError,
    UnreadableFootage,
    UnsafeArchive,
    UnsupportedFootage,
)
from fer_core.types import (
    EXPRESSIONS,
    UNKNOWN,
    Box,
    CaptureSource,
    CaptureTime,
    Face,
    FootageInfo,
    FootageKind,
    Frame,
    LeadIn,
    Prediction,
    SegmentPlan,
    SegmentResult,
    Track,
    UnknownReason,
)

if TYPE_CHECKING:
    from fer_core.analysis import ExpressionModel, analyse, analyse_segment
    from fer_core.archive import Member, is_archive, unpack
    from fer_core.camera import Camera, is_address
    from fer_core.detection import FaceDetector, YuNetDetector, Zone
    from fer_core.expression import ExpressionReader
    from fer_core.footage import plan_segments, probe, sample
    from fer_core.limits import FootageLimits
    from fer_core.options import AnalysisOptions
    from fer_core.preprocessing import align_crop
    from fer_core.quality import Quality, QualityGate, assess
    from fer_core.tracking import Tracker, TrackerOptions

_HOMES: Final = {
    "analysis": ("ExpressionModel", "analyse", "analyse_segment"),
    "camera": ("Camera", "is_address"),
    "archive": ("Member", "is_archive", "unpack"),
    "detection": ("FaceDetector", "YuNetDetector", "Zone"),
    "expression": ("ExpressionReader",),
    "footage": ("plan_segments", "probe", "sample"),
    "limits": ("FootageLimits",),
    "options": ("AnalysisOptions",),
    "preprocessing": ("align_crop",),
    "quality": ("Quality", "QualityGate", "assess"),
    "tracking": ("Tracker", "TrackerOptions"),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "EXPRESSIONS",
    "UNKNOWN",
    "AnalysisOptions",
    "Box",
    "Camera",
    "Cancelled",
    "CaptureSource",
    "CaptureTime",
    "ExpressionModel",
    "ExpressionReader",
    "Face",
    "FaceDetector",
    "FootageError",
    "FootageInfo",
    "FootageKind",
    "FootageLimits",
    "FootageTooLarge",
    "Frame",
    "LeadIn",
    "Member",
    "ModelError",
    "NoVideoStream",
    "Prediction",
    "Quality",
    "QualityGate",
    "SatisfaceError",
    "SegmentPlan",
    "SegmentResult",
    "Track",
    "Tracker",
    "TrackerOptions",
    "UnknownReason",
    "UnreadableFootage",
    "UnsafeArchive",
    "UnsupportedFootage",
    "YuNetDetector",
    "Zone",
    "align_crop",
    "analyse",
    "analyse_segment",
    "assess",
    "is_address",
    "is_archive",
    "plan_segments",
    "probe",
    "sample",
    "unpack",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
