"""When footage was taken, as far as the file tells: EXIF, container metadata, or its name."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from PIL import Image

from fer_core.types import CaptureSource, CaptureTime

_EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
"""Before it only unset clocks count: QuickTime's epoch is 1904, Unix's is 1970."""

_EXIF_IFD: Final = 0x8769
# (when, its offset from UTC): original, digitised, last changed. EXIF 2.32, table 8.
_EXIF_TAGS: Final = ((0x9003, 0x9011), (0x9004, 0x9012), (0x0132, 0x9010))

# 20261122_183000, 2026-11-22 18-30-00, IMG_20261122_183000123, ch01_20261122183000,
# "WhatsApp Video 2026-11-22 at 18.30.00", "Screen Recording 2026-11-22 at 6.30.00 PM": a date and
# a time to the second, not part of a longer number (milliseconds may follow).
_NAMED: Final = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<s1>[-_.]?)(?P<month>\d\d)(?P=s1)(?P<day>\d\d)"
    r"(?:[-_. T]|\s?at\s|--)?"
    r"(?P<hour>\d\d|(?<!\d)\d(?=[-_.:h]))"
    r"(?P<s2>[-_.:h]?)(?P<minute>\d\d)(?:(?P=s2)|m)(?P<second>\d\d)(?!\d{4})"
    r"(?:(?:[-_.]?\d{1,3})?[\s_(-]{0,2}(?P<half>[AaPp])\.?[Mm]\.?(?![A-Za-z]))?"
)


def from_exif(exif: Image.Exif, now: datetime) -> CaptureTime | None:
    """The time of the picture; aware only where EXIF holds the offset too.

    ``now``: aware; a time more than a day after it is a wrong clock and is not believed.
    """
    details = exif.get_ifd(_EXIF_IFD)
    for tag, offset_tag in _EXIF_TAGS:
        written = details.get(tag) or exif.get(tag)
        if not isinstance(written, str):
            continue
        offset = details.get(offset_tag)
        zone = offset.strip("\0 ") if isinstance(offset, str) else ""
        for text in (written.strip("\0 ") + zone, written.strip("\0 ")):
            for form in ("%Y:%m:%d %H:%M:%S%z", "%Y:%m:%d %H:%M:%S"):
                at = _parsed(text, form)
                if at is not None and _is_believable(at, now):
                    return CaptureTime(_in_utc(at), CaptureSource.EXIF)
    return None


def from_metadata(metadata: Mapping[str, str], now: datetime) -> CaptureTime | None:
    """The time a container gives: QuickTime's creation date (it has a zone), else the creation
    time (UTC in MP4, MOV and Matroska). ``now`` as in ``from_exif``."""
    lowered = {key.lower(): value for key, value in metadata.items()}
    for key in ("com.apple.quicktime.creationdate", "creation_time", "date"):
        written = lowered.get(key, "").strip()
        if ":" not in written:  # a year or a day alone is no capture time
            continue
        try:
            at = datetime.fromisoformat(written)
        except ValueError:
            continue
        if _is_believable(at, now):
            return CaptureTime(_in_utc(at), CaptureSource.METADATA)
    return None


def from_name(name: str, now: datetime) -> CaptureTime | None:
    """The time in a file's name, naive: the camera's local time. ``now`` as in ``from_exif``."""
    for match in _NAMED.finditer(name.replace("\\", "/").rpartition("/")[2]):
        year, month, day, hour, minute, second = (
            int(match[part]) for part in ("year", "month", "day", "hour", "minute", "second")
        )
        if match["half"] and hour <= 12:  # after noon some write 18.30 PM
            hour = hour % 12 + 12 * (match["half"] in "Pp")
        try:
            at = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001
        except ValueError:
            continue
        if _is_believable(at, now):
            return CaptureTime(at, CaptureSource.FILE_NAME)
    return None


def _parsed(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)  # noqa: DTZ007 - naive means the site's local time
    except ValueError:
        return None


def _in_utc(at: datetime) -> datetime:
    return at.astimezone(UTC) if at.tzinfo else at


def _is_believable(at: datetime, now: datetime) -> bool:
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return _EARLIEST <= aware <= now + timedelta(days=1)
