"""Times, sizes and states in words, where reports.words does not have them already."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from reports.words import date_words
from settings import Settings

STATES: Final = {
    "queued": "Waiting",
    "reading": "Being read",
    "done": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
"""A recording's state as the screens say it."""

CAPTURED_FROM: Final = {
    "given": "entered by hand",
    "exif": "from the photo's own data (EXIF)",
    "metadata": "from the video's own data",
    "file name": "from the file's name",
    "upload": "not known, so the time of upload",
}
"""Where a capture time came from, as the screens say it."""

_MARKUP: Final = frozenset("\\`*_{}[]()<>#+-.!|~$:^&=")


def fate_of_footage(settings: Settings) -> str:
    """What becomes of it, as the end of a sentence."""
    return "kept after it was read" if settings.keep_footage else "deleted once it was read"


def footage_left(which: str) -> str:
    """That footage is left to a sweep. ``which``: the word before it."""
    return (
        f"{which} footage could not be deleted yet, as the footage store cannot be reached. Nobody "
        "can see it any more, and the worker deletes it once the store is back."
    )


def counted(number: int, one: str, many: str | None = None) -> str:
    """1200, "recording" -> "1,200 recordings"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def moment(value: datetime, time_zone: str) -> str:
    """An instant on a site's clock: "3 Nov 2026, 14:05"."""
    local = value.astimezone(ZoneInfo(time_zone))
    return f"{date_words(local)}, {local:%H:%M}"


def moment_exact(value: datetime, time_zone: str) -> str:
    """The same with seconds and the zone's short name."""
    local = value.astimezone(ZoneInfo(time_zone))
    return f"{date_words(local)}, {local:%H:%M:%S} {local:%Z}"


def duration(milliseconds: float) -> str:
    """90500 -> "1 min 30 s"; under ten seconds with one decimal."""
    if 0 < milliseconds < 9_950:
        return f"{milliseconds / 1000:.1f} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def time_left(seconds: float) -> str:
    """Rounded as far as an estimate deserves."""
    if seconds < 10:
        return "a few seconds left"
    if seconds < 90:
        return f"about {round(seconds / 10) * 10} s left"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min left"
    return f"about {seconds / 3600:.1f} h left"


def size(number: int) -> str:
    """Bytes in decimal units, as file managers show them."""
    if number < 1000:
        return counted(number, "byte")
    value, unit = number / 1000, "kB"
    for larger in ("MB", "GB"):
        if value >= 999.5:
            value, unit = value / 1000, larger
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"


def ago(when: datetime, now: datetime) -> str:
    """How long since, in one unit: "5 min ago"."""
    passed = now - when
    if passed < timedelta(minutes=1):
        return "just now"
    if passed < timedelta(hours=1):
        return f"{passed // timedelta(minutes=1)} min ago"
    if passed < timedelta(days=1):
        return f"{passed // timedelta(hours=1)} h ago"
    return f"{counted(passed.days, 'day')} ago"


def listed(words: Iterable[str]) -> str:
    """["a", "b", "c"] -> "a, b and c"."""
    *first, last = list(words) or [""]
    return f"{', '.join(first)} and {last}" if first else last


def escaped(text: str) -> str:
    """A name that somebody typed, inside Markdown: shown as it is, never as markup."""
    return "".join(f"\\{letter}" if letter in _MARKUP else letter for letter in text)
