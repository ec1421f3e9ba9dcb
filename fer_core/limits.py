"""The bounds that one upload may not exceed; every one can be set."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FootageLimits:
    """What is refused before it costs anything.

    ``picture_pixels``: width x height of a picture (Pillow refuses above 179 million whatever is
    set here). ``video_pixels``: of one frame of a video, with square pixels. ``duration_ms``: of
    one video, which may be a minute (of short limits a hundredth) longer.
    ``archive_entries``, ``archive_bytes``: of one zip, unpacked. ``compression_ratio``: unpacked
    over packed bytes of one member, looked at from ``compression_floor_bytes`` on, since small
    and very even files are harmless.
    """

    picture_pixels: int = 100_000_000
    video_pixels: int = 8192 * 8192
    duration_ms: int = 24 * 3600 * 1000
    archive_entries: int = 10_000
    archive_bytes: int = 50_000_000_000
    compression_ratio: float = 200.0
    compression_floor_bytes: int = 16_000_000
