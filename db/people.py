"""Tracks to people: the parts of one appearance that stand in several segments are joined."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, aliased

from db.tables import Track
from fer_core.types import EXPRESSIONS, UNKNOWN

PROBABILITIES: Final = tuple(f"p_{expression}" for expression in EXPRESSIONS)

PEOPLE_COLUMNS: Final = (
    "person_id",
    "recording_id",
    "start_ms",
    "end_ms",
    "faces",
    "faces_unknown",
    "weight",
    "expression",
    *PROBABILITIES,
)

_TRACK_COLUMNS: Final = (
    "person_id",
    "recording_id",
    "segment_index",
    "number",
    "start_ms",
    "end_ms",
    "faces",
    "faces_unknown",
    "weight",
    *PROBABILITIES,
)

_TYPES: Final = {
    column: "float64" if column in {"weight", *PROBABILITIES} else "int64"
    for column in _TRACK_COLUMNS
}


def read_people(session: Session, *conditions: ColumnElement[bool]) -> pd.DataFrame:
    """One row a person whose first track fulfils all ``conditions`` on table tracks.

    Columns: PEOPLE_COLUMNS. ``person_id``: id of the person's first track. Times are
    milliseconds of the recording. ``p_*``: the quality-weighted mean over all segments, NaN for
    a person who could not be read (``expression`` is then "unknown").
    Sorted by recording, start and place in the segment, so that sums over the rows come out the
    same whatever the order in which the rows were written.
    """
    rows = list(_tracks(session, *conditions))
    return join_chains(pd.DataFrame(rows, columns=list(_TRACK_COLUMNS)).astype(_TYPES))


def _tracks(
    session: Session, *conditions: ColumnElement[bool]
) -> Iterator[tuple[int | float | None, ...]]:
    root = aliased(Track, name="root")
    first = select(Track.id, *(getattr(Track, column) for column in _TRACK_COLUMNS[1:])).where(
        Track.root_id.is_(None), *conditions
    )
    yield from (tuple(row) for row in session.execute(first))
    # Two plain queries: one over coalesce(root_id, id) could not use an index.
    chosen = select(Track.id).where(Track.root_id.is_(None), *conditions)
    later = select(root.root_id, *(getattr(root, column) for column in _TRACK_COLUMNS[1:])).where(
        root.root_id.in_(chosen)
    )
    yield from (tuple(row) for row in session.execute(later))


def join_chains(tracks: pd.DataFrame) -> pd.DataFrame:
    """The tracks of each ``person_id`` as one row (see read_people).

    ``tracks``: _TRACK_COLUMNS; NaN probabilities and weight 0 where nothing could be read.
    """
    tracks = tracks.sort_values(["recording_id", "segment_index", "number"], kind="stable")
    weight = tracks["weight"].to_numpy(dtype=np.float64)
    p = tracks[list(PROBABILITIES)].to_numpy(dtype=np.float64)
    weighted = np.where(weight[:, np.newaxis] > 0, p * weight[:, np.newaxis], 0.0)
    sums = pd.DataFrame(weighted, columns=list(PROBABILITIES), index=tracks.index)
    joined = pd.concat([tracks.drop(columns=list(PROBABILITIES)), sums], axis="columns")
    people = (
        joined.groupby("person_id", sort=False)
        .agg(
            {
                "recording_id": "first",
                "segment_index": "first",
                "number": "first",
                "start_ms": "min",
                "end_ms": "max",
                "faces": "sum",
                "faces_unknown": "sum",
                "weight": "sum",
                **dict.fromkeys(PROBABILITIES, "sum"),
            }
        )
        .reset_index()
        .sort_values(["recording_id", "start_ms", "segment_index", "number"])
        .reset_index(drop=True)
    )
    total = people["weight"].to_numpy(dtype=np.float64)[:, np.newaxis]
    sums_of_people = people[list(PROBABILITIES)].to_numpy(dtype=np.float64)
    mean = np.divide(
        sums_of_people, total, out=np.full_like(sums_of_people, np.nan), where=total > 0
    )
    people[list(PROBABILITIES)] = mean
    names = np.array(EXPRESSIONS, dtype=object)
    best = np.argmax(np.nan_to_num(mean, nan=-1.0), axis=1)
    people["expression"] = np.where(total[:, 0] > 0, names[best], UNKNOWN)
    return people[list(PEOPLE_COLUMNS)]
