from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fer_core import capture_time
from fer_core.types import CaptureSource

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
EVENING = datetime(2026, 11, 22, 18, 30, 0)  # noqa: DTZ001 - file names tell local time


@pytest.mark.parametrize(
    "name",
    [
        "20261122_183000.mp4",
        "2026-11-22 18-30-00.mkv",
        "2026-11-22_18.30.00.mov",
        "IMG_20261122_183000.jpg",
        "IMG_20261122_183000123.jpg",
        "VID-20261122-183000.mp4",
        "ch01_20261122183000.dav",
        "NVR_ch3_main_20261122183000_20261122190000.mp4",
        "WhatsApp Video 2026-11-22 at 18.30.00.mp4",
        "2026-11-22T18:30:00.mp4",
        "till/3/20261122_183000.mp4",
        "C:\\export\\20261122_183000.avi",
    ],
)
def test_a_file_name_tells_local_time(name: str) -> None:
    found = capture_time.from_name(name, NOW)
    assert found is not None
    assert found.at == EVENING
    assert found.source is CaptureSource.FILE_NAME


@pytest.mark.parametrize(
    ("name", "hour", "minute"),
    [
        ("WhatsApp Video 2026-11-21 at 10.30.00 PM.mp4", 22, 30),
        ("WhatsApp Image 2026-11-21 at 10.30.00 AM.jpeg", 10, 30),
        ("WhatsApp Image 2026-11-21 at 12.30.00 AM.jpeg", 0, 30),
        ("WhatsApp Image 2026-11-21 at 12.30.00 PM.jpeg", 12, 30),
        ("WhatsApp Image 2026-11-21 at 6.30.00 PM.jpeg", 18, 30),
        ("WhatsApp Image 2026-11-21 at 6.30.00 PM (1).jpeg", 18, 30),
        ("Screen Recording 2026-11-21 at 6.30.00 PM.mov", 18, 30),
        ("Screen Recording 2026-11-21 at 6.30.00\u202fPM.mov", 18, 30),
        ("2026-11-21 at 6.30.00 p.m..mov", 18, 30),
        ("2026-11-21 6-30-00.mkv", 6, 30),
        ("2026-11-21 at 18.30.00 PM.mp4", 18, 30),
        ("2026-11-21 at 10.30.00 Pmax.mp4", 10, 30),
        ("2026-11-21 6-30-00_PM.mp4", 18, 30),
        ("2026-11-21 6.30.00.123 PM.mp4", 18, 30),
        ("2026-11-21 6.30.00 (PM).mp4", 18, 30),
    ],
)
def test_a_twelve_hour_clock_is_told_by_its_half_of_the_day(
    name: str, hour: int, minute: int
) -> None:
    found = capture_time.from_name(name, NOW)
    assert found is not None
    assert found.at == datetime(2026, 11, 21, hour, minute)  # noqa: DTZ001


@pytest.mark.parametrize(
    "name",
    [
        "till.mp4",
        "20261122_63000.mp4",
        "202611226.30.00.mp4",
        "20261122.mp4",
        "IMG-20261122-WA0007.jpg",
        "20261322_183000.mp4",
        "20261122_256000.mp4",
        "19700101_000000.mp4",
        "20991122_183000.mp4",
        "120261122183000.mp4",
        "2026112218300012345678.mp4",
    ],
)
def test_a_name_without_a_believable_date_and_time_tells_nothing(name: str) -> None:
    assert capture_time.from_name(name, NOW) is None


@given(st.datetimes(datetime(1990, 1, 2), datetime(2026, 11, 22)))  # noqa: DTZ001
def test_every_time_written_into_a_name_is_read_back(at: datetime) -> None:
    found = capture_time.from_name(f"ch07_{at:%Y%m%d%H%M%S}.mp4", NOW)
    assert found is not None
    assert found.at == at.replace(microsecond=0)


@given(st.text(max_size=60))
def test_no_name_is_an_error(name: str) -> None:
    capture_time.from_name(name, NOW)


def test_a_container_tells_utc() -> None:
    found = capture_time.from_metadata({"creation_time": "2026-11-22T17:30:00.000000Z"}, NOW)
    assert found is not None
    assert found.at == datetime(2026, 11, 22, 17, 30, tzinfo=UTC)
    assert found.source is CaptureSource.METADATA


def test_quicktimes_own_date_comes_first_and_keeps_its_zone() -> None:
    metadata = {
        "creation_time": "2026-11-22T09:00:00.000000Z",
        "com.apple.quicktime.creationdate": "2026-11-22T18:30:00+0100",
    }
    found = capture_time.from_metadata(metadata, NOW)
    assert found is not None
    assert found.at == datetime(2026, 11, 22, 17, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    ["1904-01-01T00:00:00.000000Z", "1970-01-01T00:00:00.000000Z", "2026", "soon: maybe", ""],
)
def test_an_unset_or_broken_clock_is_not_believed(written: str) -> None:
    assert capture_time.from_metadata({"creation_time": written, "date": written}, NOW) is None


def test_a_time_in_the_future_is_not_believed() -> None:
    later = (NOW + timedelta(days=2)).isoformat()
    assert capture_time.from_metadata({"creation_time": later}, NOW) is None


def _exif(original: str, offset: str | None = None) -> Image.Exif:
    exif = Image.Exif()
    details = exif.get_ifd(0x8769)
    details[0x9003] = original
    if offset:
        details[0x9011] = offset
    return exif


def test_exif_without_an_offset_is_local_time() -> None:
    found = capture_time.from_exif(_exif("2026:11:22 18:30:00"), NOW)
    assert found is not None
    assert found.at == EVENING
    assert found.source is CaptureSource.EXIF


def test_exif_with_an_offset_is_utc() -> None:
    found = capture_time.from_exif(_exif("2026:11:22 18:30:00", "+01:00"), NOW)
    assert found is not None
    assert found.at == datetime(2026, 11, 22, 17, 30, tzinfo=UTC)


@pytest.mark.parametrize("written", ["0000:00:00 00:00:00", "    :  :     :  :  ", "yesterday"])
def test_an_exif_field_left_blank_tells_nothing(written: str) -> None:
    assert capture_time.from_exif(_exif(written), NOW) is None
