import csv
import io
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from db import exports
from fer_core.types import EXPRESSIONS
from reports.tables import (
    BUCKET_COLUMNS,
    PREDICTION_COLUMNS,
    TRACK_COLUMNS,
    csv_chunks,
    without_withheld,
)


def rows_of(*frames: pd.DataFrame) -> list[list[str]]:
    data = b"".join(csv_chunks(iter(frames)))
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))


def frame(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(values) for name, values in columns.items()})


def test_the_header_stands_once_and_rows_in_order() -> None:
    one = frame(site=["A", "B"], people=[1, 2])
    two = frame(site=["C"], people=[3])
    assert rows_of(one, two) == [["site", "people"], ["A", "1"], ["B", "2"], ["C", "3"]]


def test_a_frame_without_rows_still_gives_the_header() -> None:
    instants = pd.DatetimeIndex([], tz="UTC")
    empty = pd.DataFrame(
        {
            "site": pd.Series([], dtype="str"),
            "hour_utc": instants,
            "hour_local": instants.tz_localize(None),
            "people": pd.Series([], dtype="int64"),
        }
    )
    assert rows_of(empty) == [["site", "hour_utc", "hour_local", "people"]]


@pytest.mark.parametrize(
    "name", ["=1+1", "+49 30", "-5", "@here", "\tx", "\r=x", '=HYPERLINK("http://x","y")', "＝1"]
)
def test_a_name_never_becomes_a_formula(name: str) -> None:
    assert rows_of(frame(site=[name]))[1] == ["'" + name]


@pytest.mark.parametrize("name", ["Berlin, Mitte", 'the "big" one', "Köln\nDom", "東京", "a=b"])
def test_other_names_come_back_as_they_are(name: str) -> None:
    assert rows_of(frame(site=[name]))[1] == [name]


def test_negative_numbers_are_not_taken_for_formulas() -> None:
    assert rows_of(frame(x=[-12.5]))[1] == ["-12.5"]


def test_missing_values_are_empty() -> None:
    rows = rows_of(
        frame(
            unknown_reason=[None, "small"],
            p_happy=[np.nan, 0.123456789],
            n_happy=pd.array([None, 3], dtype="Int64"),
        )
    )
    assert rows[1:] == [["", "", ""], ["small", "0.123457", "3"]]


def test_times_are_iso_in_utc_and_on_the_sites_clock() -> None:
    # The two half past two of the night in which clocks go back.
    utc = pd.Series(
        pd.to_datetime(["2026-10-25T00:30:00.250Z", "2026-10-25T01:30Z"], format="ISO8601")
    )
    local = utc.dt.tz_convert("Europe/Berlin").dt.tz_localize(None)
    rows = rows_of(pd.DataFrame({"time_utc": utc, "time_local": local}))
    assert rows[1:] == [
        ["2026-10-25T00:30:00.250Z", "2026-10-25T02:30:00.250+02:00"],
        ["2026-10-25T01:30:00.000Z", "2026-10-25T02:30:00.000+01:00"],
    ]


@pytest.mark.parametrize(
    ("zone", "offset"), [("Asia/Kolkata", "+05:30"), ("America/St_Johns", "-03:30")]
)
def test_offsets_of_half_hours(zone: str, offset: str) -> None:
    utc = pd.Series(pd.to_datetime(["2026-11-03T12:00Z"]))
    local = utc.dt.tz_convert(zone).dt.tz_localize(None)
    assert rows_of(pd.DataFrame({"hour_utc": utc, "hour_local": local}))[1][1].endswith(offset)


def test_frames_are_taken_one_at_a_time() -> None:
    taken = 0

    def frames() -> Iterator[pd.DataFrame]:
        nonlocal taken
        for number in range(3):
            taken += 1
            yield frame(people=[number])

    chunks = csv_chunks(frames())
    for expected in (1, 2, 3):
        next(chunks)
        assert taken == expected


@pytest.mark.parametrize(
    ("explained", "exported"),
    [
        (PREDICTION_COLUMNS, exports.PREDICTION_COLUMNS),
        (TRACK_COLUMNS, exports.TRACK_COLUMNS),
        (BUCKET_COLUMNS, (*exports.BUCKET_EXPORT_COLUMNS, "withheld")),
    ],
)
def test_every_exported_column_is_explained_in_its_order(
    explained: dict[str, str], exported: tuple[str, ...]
) -> None:
    assert tuple(explained) == tuple(exported)
    assert all(explained.values())


def test_hours_of_few_people_tell_how_many_and_not_how_they_looked() -> None:
    told = [f"{kind}_{e}" for kind in ("n", "sum") for e in EXPRESSIONS]
    looks = {name: [4, 5] for name in (*told, "index", "index_low", "index_high")}
    hours = pd.DataFrame({"people": [12, 11], "unknown": [3, 1], **looks})
    (kept,) = without_withheld([hours], 10)
    assert kept["withheld"].tolist() == [True, False]
    assert kept["people"].tolist() == [12, 11]
    assert kept[list(looks)].iloc[0].isna().all()
    assert kept[list(looks)].iloc[1].tolist() == [5] * 17
    assert rows_of(kept)[1] == ["12", "3", *[""] * 17, "true"]


def test_every_piece_of_hours_has_the_same_types() -> None:
    looks = {f"n_{e}": [4] for e in EXPRESSIONS} | {f"sum_{e}": [4.0] for e in EXPRESSIONS}
    looks |= {"index": [70.0], "index_low": [60.0], "index_high": [80.0]}
    pieces = [pd.DataFrame({"people": [n], "unknown": [0], **looks}) for n in (9, 20)]
    one, two = without_withheld([*pieces], 10)
    assert one.dtypes.equals(two.dtypes)
