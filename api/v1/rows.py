"""Rows of faces, people and hours as JSON: the columns that reports.tables describes, with a
model for each table, so that the document says of a column what the files say."""

from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import pandas as pd
from pydantic import BaseModel, Field, create_model

from api.streams import Streamed
from reports.tables import BUCKET_COLUMNS, PREDICTION_COLUMNS, TRACK_COLUMNS

_TYPES: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("site", "camera", "recording", "time_zone", "expression", "score"), str),
    **dict.fromkeys(("unknown_reason", "model_version"), str | None),
    **dict.fromkeys(("site_id", "camera_id", "recording_id", "person_id"), int),
    **dict.fromkeys(("time_ms", "start_ms", "end_ms", "face"), int),
    **dict.fromkeys(("people", "unknown", "faces", "faces_unknown"), int),
    **dict.fromkeys(("x", "y", "width", "height", "detector_score"), float),
    **dict.fromkeys(("quality", "confidence", "weight"), float),
    **dict.fromkeys(("index", "start_index", "end_index"), float | None),
    **dict.fromkeys(("index_low", "index_high"), float | None),
    "withheld": bool,
}
_TYPES_BY_PREFIX: Final[Mapping[str, Any]] = {
    "p_": float | None,
    "sum_": float | None,
    "n_": int | None,
}
_TIMES: Final = ("_utc", "_local")


def _type_of(column: str) -> Any:
    """Raises KeyError for a column that nobody has thought of here."""
    if column.endswith(_TIMES):
        return datetime
    for prefix, kind in _TYPES_BY_PREFIX.items():
        if column.startswith(prefix):
            return kind
    return _TYPES[column]


def _model(title: str, columns: Mapping[str, str], about: str) -> type[BaseModel]:
    fields: dict[str, Any] = {
        name: (_type_of(name), Field(description=meaning)) for name, meaning in columns.items()
    }
    return create_model(title, __doc__=about, **fields)


def _page(name: str, row: type[BaseModel]) -> type[BaseModel]:
    fields: dict[str, Any] = {
        "rows": (list[row], ...),  # type: ignore[valid-type]  # a model made above
        "next": (
            str | None,
            Field(description="Give it as `cursor` for the rows after these; null at the end."),
        ),
    }
    return create_model(name, __doc__="Some rows.", **fields)


_PLACE_IDS: Final = {"site_id": "Number of the site", "camera_id": "Number of the camera"}

Prediction: Final = _model("Prediction", PREDICTION_COLUMNS, "One face in one frame.")
Track: Final = _model("Track", TRACK_COLUMNS, "One person's unbroken appearance.")
Bucket: Final = _model("Bucket", {**_PLACE_IDS, **BUCKET_COLUMNS}, "One local hour of one camera.")
PredictionPage: Final = _page("PredictionPage", Prediction)
TrackPage: Final = _page("TrackPage", Track)
BucketPage: Final = _page("BucketPage", Bucket)

CSV: Final = "text/csv; charset=utf-8"
_AS_CSV: Final = "UTF-8 with a byte order mark, one header, empty where there is no value."


def csv_documented() -> dict[int | str, dict[str, Any]]:
    """The other form of a good answer, for the OpenAPI document."""
    text = {"schema": {"type": "string"}, "example": "site,camera,..."}
    return {200: {"description": f"As asked. CSV: {_AS_CSV}", "content": {"text/csv": text}}}


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as the models take them: missing values are None, times on the site's clock tell how
    far it is from UTC."""
    columns: dict[str, list[Any]] = {}
    for name in frame.columns:
        column = frame[name]
        if str(name).endswith("_local"):
            continue
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            columns[name] = [instant.to_pydatetime() for instant in column]
            local = str(name).removesuffix("_utc") + "_local"
            if local in frame or local == "hour_local":
                zones = {zone: ZoneInfo(zone) for zone in frame["time_zone"].unique()}
                columns[local] = [
                    instant.astimezone(zones[zone])
                    for instant, zone in zip(columns[name], frame["time_zone"], strict=True)
                ]
        else:
            plain = column.astype(object)
            columns[name] = plain.where(column.notna(), None).tolist()
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def first_records(frames: Iterator[pd.DataFrame], number: int) -> list[dict[str, Any]]:
    """At most ``number`` rows. ``frames`` is closed then: a database keeps a query open for as
    long as somebody may go on with it."""
    found: list[dict[str, Any]] = []
    try:
        for frame in frames:
            found += records(frame.iloc[: number - len(found)])
            if len(found) >= number:
                break
    finally:
        close = getattr(frames, "close", None)
        if close is not None:
            close()
    return found


def streamed_csv(
    first: bytes, rest: Generator[bytes], file_name: str, done: Callable[[], None]
) -> Streamed:
    return Streamed(
        first,
        rest,
        done,
        headers={"Content-Disposition": f'attachment; filename="{file_name}"'},
        media_type=CSV,
    )
