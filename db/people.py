"""Tracks to people: the parts of one appearance that stand in several segments are joined."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, func, select
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
_later = aliased(Track, name="later")
_FIRST: Final = [Track.id, *(getattr(Track, column) for column in _TRACK_COLUMNS[1:])]
_LATER: Final = [_later.root_id, *(getattr(_later, column) for column in _TRACK_COLUMNS[1:])]
_REAL: Final = frozenset(("weight", *PROBABILITIES))


def read_people(session: Session, *conditions: ColumnElement[bool]) -> pd.DataFrame:
    """One row a person whose first track fulfils all ``conditions`` on table tracks.

    Columns: PEOPLE_COLUMNS. ``person_id``: id of the person's first track. Times are
    milliseconds of the recording. ``p_*``: the quality-weighted mean over all segments, NaN for
    a person who could not be read (``expression`` is then "unknown").
    Sorted by recording, start and place in the segment, so that sums over the rows come out the
    same whatever the order in which the rows were written.
    """
    rows = list(_tracks(session, *conditions))
    columns = zip(*rows, strict=True) if rows else ((),) * len(_TRACK_COLUMNS)
    return join_chains(
        {
            name: np.array(values, dtype=np.float64 if name in _REAL else np.int64)
            for name, values in zip(_TRACK_COLUMNS, columns, strict=True)
        }
    )


def _tracks(
    session: Session, *conditions: ColumnElement[bool]
) -> Iterator[tuple[int | float | None, ...]]:
    # Not "root_id IS NULL": without statistics SQLite takes its index for the best one, though
    # it holds most of the table, and leaves that of the conditions alone.
    begins = (func.coalesce(Track.root_id, Track.id) == Track.id, *conditions)
    yield from (tuple(row) for row in session.execute(select(*_FIRST).where(*begins)))
    # Two plain queries: one over coalesce(root_id, id) could not use an index.
    chosen = select(Track.id).where(*begins)
    later = select(*_LATER).where(_later.root_id.in_(chosen))
    yield from (tuple(row) for row in session.execute(later))


def join_chains(tracks: Mapping[str, NDArray[Any]]) -> pd.DataFrame:
    """The tracks of each ``person_id`` as one row (see read_people).

    ``tracks``: _TRACK_COLUMNS, equally long; NaN probabilities and weight 0 where nothing could
    be read. Plain numpy: this runs for every segment that is written, mostly on a few rows.
    """
    chain = np.lexsort([tracks["number"], tracks["segment_index"], tracks["person_id"]])
    ordered = {name: values[chain] for name, values in tracks.items()}
    person = ordered["person_id"]
    begins = np.flatnonzero(np.diff(person, prepend=person[:1] - 1))
    if not len(begins):
        return pd.DataFrame({name: tracks.get(name, ()) for name in PEOPLE_COLUMNS})
    weight = ordered["weight"]
    p = np.column_stack([ordered[name] for name in PROBABILITIES])
    sums = np.add.reduceat(
        np.where(weight[:, np.newaxis] > 0, p * weight[:, np.newaxis], 0.0), begins
    )
    total = np.add.reduceat(weight, begins)
    read = total > 0
    mean = np.divide(
        sums, total[:, np.newaxis], out=np.full_like(sums, np.nan), where=read[:, np.newaxis]
    )
    names = np.array(EXPRESSIONS, dtype=object)
    people = {
        "person_id": person[begins],
        "recording_id": ordered["recording_id"][begins],
        "start_ms": np.minimum.reduceat(ordered["start_ms"], begins),
        "end_ms": np.maximum.reduceat(ordered["end_ms"], begins),
        "faces": np.add.reduceat(ordered["faces"], begins),
        "faces_unknown": np.add.reduceat(ordered["faces_unknown"], begins),
        "weight": total,
        "expression": np.where(read, names[np.nan_to_num(mean).argmax(axis=1)], UNKNOWN),
        **dict(zip(PROBABILITIES, mean.T, strict=True)),
    }
    order = np.lexsort(
        [
            ordered["number"][begins],
            ordered["segment_index"][begins],
            people["start_ms"],
            people["recording_id"],
        ]
    )
    return pd.DataFrame({name: people[name][order] for name in PEOPLE_COLUMNS})
