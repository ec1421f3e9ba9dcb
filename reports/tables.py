"""The rows that analysts take away: what each column means, and a CSV that streams.

Format: UTF-8 with a byte order mark (Excel takes the file for an old code page without one),
commas, quoted text, one header, an empty field where there is no value, times in ISO 8601 with
milliseconds: ``*_utc`` ends in Z, ``*_local`` is the same instant on the site's clock with its
offset.
Hours of fewer people than a figure may be made of keep their counts of people and faces, and
nothing of how these looked. Predictions and tracks are single people, not figures of a group.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from analytics.scores import INDEXED
from fer_core.types import EXPRESSIONS

_PLACE: Final = {
    "site": "Name of the store",
    "camera": "Name of the camera",
}
_RECORDING: Final = {
    "recording_id": "Number of the recording",
    "recording": "File name of the recording",
}
_ZONE: Final = {"time_zone": "IANA name of the site's time zone"}
_PROBABILITIES: Final = {
    f"p_{expression}": f"Calibrated probability of {expression}, 0 to 1; empty when not read"
    for expression in EXPRESSIONS
}
_MODEL: Final = {"model_version": "Version of the recogniser that read the recording"}

PREDICTION_COLUMNS: Final[Mapping[str, str]] = {
    **_PLACE,
    **_RECORDING,
    "time_utc": "When the frame was taken, UTC",
    "time_local": "The same on the site's clock",
    **_ZONE,
    "time_ms": "Milliseconds since the recording's beginning",
    "face": "Number of the face in its frame, from 0, left to right",
    "person_id": "The person (one unbroken appearance) the face belongs to; see tracks",
    "x": "Left edge of the face's box, pixels of the upright frame",
    "y": "Upper edge of the face's box, pixels",
    "width": "Width of the face's box, pixels",
    "height": "Height of the face's box, pixels",
    "detector_score": "How sure the detector is that this is a face, 0 to 1",
    "quality": "How well the face can be read, 0 to 1",
    "expression": "The most probable expression, or unknown",
    "confidence": "Probability of the most probable expression, 0 to 1",
    "unknown_reason": "Why the face was not read; empty when it was",
    **_PROBABILITIES,
    **_MODEL,
}
"""One row a face in a frame."""

TRACK_COLUMNS: Final[Mapping[str, str]] = {
    **_PLACE,
    **_RECORDING,
    "person_id": "Number of the person: one unbroken appearance before one camera",
    "start_utc": "First seen, UTC",
    "start_local": "First seen, on the site's clock",
    "end_utc": "Last seen, UTC",
    "end_local": "Last seen, on the site's clock",
    **_ZONE,
    "start_ms": "First seen, milliseconds since the recording's beginning",
    "end_ms": "Last seen, milliseconds since the recording's beginning",
    "faces": "Frames the person's face was found in",
    "faces_unknown": "How many of these could not be read",
    "weight": "Sum of qualities behind the mean probabilities; 0 when not read",
    "expression": "The person's most probable expression, or unknown",
    **_PROBABILITIES,
    "index": "Satisfaction index of the person, 0 to 100; empty when not read",
    "start_index": "The same over the first two seconds of the appearance",
    "end_index": "The same over the last two seconds of the appearance",
    "score": "The score definition that the index was made with",
    **_MODEL,
}
"""One row a person. The p_ columns are quality-weighted means over the person's read faces."""

BUCKET_COLUMNS: Final[Mapping[str, str]] = {
    **_PLACE,
    "hour_utc": "When the site's local hour began, UTC",
    "hour_local": "The same on the site's clock",
    **_ZONE,
    "people": "People first seen in the hour",
    "unknown": "How many of these could not be read",
    "faces": "Faces of these people, over all frames",
    "faces_unknown": "How many of these faces could not be read",
    **{f"n_{e}": f"People whose expression was {e}" for e in EXPRESSIONS},
    **{f"sum_{e}": f"Sum over read people of their probability of {e}" for e in EXPRESSIONS},
    "index": "Satisfaction index of the read people, 0 to 100: the mean of theirs",
    "index_low": "Lower bound of its 95 % interval",
    "index_high": "Upper bound of its 95 % interval",
    "score": "The score definition that the index was made with",
    "withheld": "True where too few people were read: how they looked is then left out",
}
"""One row for each camera and local hour with people."""


def explained(columns: Sequence[str]) -> Mapping[str, str]:
    """What the columns of one of our tables mean; nothing for those of another."""
    for known in (PREDICTION_COLUMNS, TRACK_COLUMNS, BUCKET_COLUMNS):
        if tuple(columns) == tuple(known):
            return known
    return {}


_COUNTED: Final = [f"n_{expression}" for expression in EXPRESSIONS]
_REAL: Final = [*(f"sum_{expression}" for expression in EXPRESSIONS), *INDEXED]
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_DECIMALS: Final = 6


def without_withheld(frames: Iterable[pd.DataFrame], minimum_people: int) -> Iterator[pd.DataFrame]:
    """Rows of hours (db.exports.iterate_buckets) as they may be handed on: BUCKET_COLUMNS.

    Where fewer than ``minimum_people`` were read, expressions, sums and indices are missing.
    """
    for frame in frames:
        withheld = (frame["people"] - frame["unknown"]) < minimum_people
        kept = frame.copy()
        # One type for every frame, whether or not something is missing in it.
        for column in _COUNTED:
            kept[column] = frame[column].astype("Int64").mask(withheld)
        for column in _REAL:
            kept[column] = frame[column].mask(withheld)
        kept["withheld"] = withheld
        yield kept


def csv_chunks(frames: Iterator[pd.DataFrame]) -> Iterator[bytes]:
    """CSV in pieces, one for each frame: never more than one frame in memory.

    All frames have the same columns; the first gives the header, also when it has no rows.
    Numbers are rounded to six decimals. Text that a spreadsheet would take for a formula (a
    site's or a file's name is free text) is preceded by an apostrophe:
    https://owasp.org/www-community/attacks/CSV_Injection
    """
    options = csv.WriteOptions(include_header=False)
    for place, frame in enumerate(frames):
        piece = BytesIO()
        if place == 0:
            piece.write(_BYTE_ORDER_MARK + ",".join(frame.columns).encode() + b"\n")
        # Seven times as fast as pandas' own writer.
        csv.write_csv(pa.Table.from_pandas(_written(frame), preserve_index=False), piece, options)
        yield piece.getvalue()


def parquet_chunks(frames: Iterator[pd.DataFrame]) -> Iterator[bytes]:
    """Parquet in pieces, as csv_chunks: each frame is a row group, the footer comes last.

    Types and names are those of the frames; text stands as it is.
    """
    import pyarrow.parquet as pq

    sink = _Sink()
    writer: pq.ParquetWriter | None = None
    for frame in frames:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        if writer is None:
            # A column that is empty so far tells no type; ours are then words.
            schema = pa.schema(
                field.with_type(pa.string()) if pa.types.is_null(field.type) else field
                for field in table.schema
            )
            writer = pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema)
        writer.write_table(table.cast(writer.schema))
        yield sink.taken()
    if writer is not None:
        writer.close()
        yield sink.taken()


class _Sink:
    """A file that is only written to, and emptied in between."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def taken(self) -> bytes:
        """What was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _written(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with every time and text as it stands in the file."""
    columns: dict[str, pd.Series[str] | pd.Series[float]] = {}
    for name in frame.columns:
        column = frame[name]
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            columns[name] = _iso(column.dt.tz_convert("UTC").dt.tz_localize(None)) + "Z"
        elif pd.api.types.is_datetime64_dtype(column.dtype):
            instant = f"{str(name).removesuffix('_local')}_utc"
            offset = _offset(column, frame[instant]) if instant in frame else ""
            columns[name] = _iso(column) + offset
        elif pd.api.types.is_float_dtype(column.dtype):
            columns[name] = column.round(_DECIMALS)
        elif pd.api.types.is_numeric_dtype(column.dtype):
            columns[name] = column
        else:
            text = column.astype("str")
            columns[name] = text.mask(text.str.startswith(_FORMULA, na=False), "'" + text)
    return pd.DataFrame(columns, index=frame.index)


def _iso(times: "pd.Series[pd.Timestamp]") -> "pd.Series[str]":
    texts = np.datetime_as_string(times.to_numpy(dtype="datetime64[ms]"), unit="ms")
    return pd.Series(texts, index=times.index, dtype="str").where(times.notna())


def _offset(
    local: "pd.Series[pd.Timestamp]", instant: "pd.Series[pd.Timestamp]"
) -> "pd.Series[str]":
    """``+01:00`` for each row: how far the site's clock was ahead of UTC."""
    ahead = local - instant.dt.tz_convert("UTC").dt.tz_localize(None)
    minutes = (ahead.dt.total_seconds() / 60).round()
    words = {m: _offset_words(int(m)) for m in minutes.dropna().unique()}
    return minutes.map(words).astype("str")


def _offset_words(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"
