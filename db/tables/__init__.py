"""The tables. All times are UTC; expressions stand in FER2013's order everywhere.

site 1-n camera 1-n recording 1-n segment 1-n (track, prediction)
camera 1-n bucket: one local hour of one camera, derived from tracks and rebuildable from them
camera 1-n sealed bucket: what remains of an hour whose tracks were deleted
"""

from db.tables.administration import (
    AlertRule,
    ApiKey,
    ApiKeySite,
    ReportSchedule,
    Retention,
    ScoreDefinition,
)
from db.tables.base import Base, UtcDateTime
from db.tables.footage import Camera, Recording, RecordingState, Segment, SegmentState, Site
from db.tables.people import Bucket, BucketDay, Prediction, SealedBucket, Track

__all__ = [
    "AlertRule",
    "ApiKey",
    "ApiKeySite",
    "Base",
    "Bucket",
    "BucketDay",
    "Camera",
    "Prediction",
    "Recording",
    "RecordingState",
    "ReportSchedule",
    "Retention",
    "ScoreDefinition",
    "SealedBucket",
    "Segment",
    "SegmentState",
    "Site",
    "Track",
    "UtcDateTime",
]
