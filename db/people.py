"""Tracks to people: the parts of one appearance that stand in several segments are joined."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased

from analytics.scores import ScoreDefinition as Score
from analytics.scores import satisfaction_index
from db.tables import Track
from fer_core.types import EXPRESSIONS, UNKNOWN

if TYPE_CHECKING:
    import pandas as pd

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

START_PROBABILITIES: Final = tuple(f"start_{name}" for name in PROBABILITIES)
END_PROBABILITIES: Final = tuple(f"end_{name}" for name in PROBABILITIES)
END_COLUMNS: Final = (*START_PROBABILITIES, *END_PROBABILITIES)
INDEX_COLUMNS: Final = ("index", "start_index", "end_index")

_ENDS: Final = ("start_probabilities", "end_probabilities")
_ENDS_MS: Final = 2000
"""Where the start and the end of an appearance are looked for: see fer_core.types.Track."""

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
_REAL: Final = frozenset(("weight", *PROBABILITIES))


def read_people(
    session: Session, *conditions: ColumnElement[bool], ends: bool = False
) -> "pd.DataFrame":
    """One row a person whose first track fulfils all ``conditions`` on table tracks.

    Columns: PEOPLE_COLUMNS. ``person_id``: id of the person's first track. Times are
    milliseconds of the recording. ``p_*``: the quality-weighted mean over all segments, NaN for
    a person who could not be read (``expression`` is then "unknown").
    ``ends``: also END_COLUMNS, the mean over the first and over the last seconds of the
    appearance, NaN where nothing could be read there.
    Sorted by recording, start and place in the segment, so that sums over the rows come out the
    same whatever the order in which the rows were written.
    """
    names = (*_TRACK_COLUMNS, *(_ENDS if ends else ()))
    rows = list(_tracks(session, names[1:], *conditions))
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return join_chains(
        {name: _array(name, values) for name, values in zip(names, columns, strict=True)}
    )


def with_indices(people: "pd.DataFrame", score: Score) -> "pd.DataFrame":
    """``people`` (with END_COLUMNS) and INDEX_COLUMNS: the satisfaction index of each over the
    whole appearance, over its first and over its last seconds; NaN where nothing was read."""
    parts = (PROBABILITIES, START_PROBABILITIES, END_PROBABILITIES)
    return people.assign(
        **{
            name: satisfaction_index(people[list(part)].to_numpy(dtype=np.float64), score)
            for name, part in zip(INDEX_COLUMNS, parts, strict=True)
        }
    )


def _array(name: str, values: tuple[Any, ...]) -> NDArray[Any]:
    if name in _ENDS:
        unread = (np.nan,) * len(PROBABILITIES)
        listed = [unread if value is None else value for value in values]
        return np.array(listed, dtype=np.float64).reshape(-1, len(PROBABILITIES))
    return np.array(values, dtype=np.float64 if name in _REAL else np.int64)


def _tracks(
    session: Session, names: Sequence[str], *conditions: ColumnElement[bool]
) -> Iterator[tuple[Any, ...]]:
    # Not "root_id IS NULL": without statistics SQLite takes its index for the best one, though
    # it holds most of the table, and leaves that of the conditions alone.
    begins = (func.coalesce(Track.root_id, Track.id) == Track.id, *conditions)
    first = select(Track.id, *(getattr(Track, name) for name in names)).where(*begins)
    yield from (tuple(row) for row in session.execute(first))
    # Two plain queries: one over coalesce(root_id, id) could not use an index.
    chosen = select(Track.id).where(*begins)
    later = select(_later.root_id, *(getattr(_later, name) for name in names))
    yield from (tuple(row) for row in session.execute(later.where(_later.root_id.in_(chosen))))


def join_chains(tracks: Mapping[str, NDArray[Any]]) -> "pd.DataFrame":
    """The tracks of each ``person_id`` as one row (see read_people).

    ``tracks``: _TRACK_COLUMNS, equally long; NaN probabilities and weight 0 where nothing could
    be read; perhaps _ENDS, (tracks, 7). Plain numpy: this runs for every segment that is
    written, mostly on a few rows.
    """
    import pandas as pd  # late: most who need this module's names start without it

    columns = (*PEOPLE_COLUMNS, *(END_COLUMNS if _ENDS[0] in tracks else ()))
    chain = np.lexsort([tracks["number"], tracks["segment_index"], tracks["person_id"]])
    ordered = {name: values[chain] for name, values in tracks.items()}
    person = ordered["person_id"]
    begins = np.flatnonzero(np.diff(person, prepend=person[:1] - 1))
    if not len(begins):
        none = np.zeros(0)
        return pd.DataFrame({name: tracks.get(name, none) for name in columns})
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
    if _ENDS[0] in tracks:
        people |= _ends(ordered, begins, people["start_ms"], people["end_ms"])
    order = np.lexsort(
        [
            ordered["number"][begins],
            ordered["segment_index"][begins],
            people["start_ms"],
            people["recording_id"],
        ]
    )
    return pd.DataFrame({name: people[name][order] for name in columns})


def _ends(
    tracks: Mapping[str, NDArray[Any]],
    begins: NDArray[np.int64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> dict[str, NDArray[np.float64]]:
    """END_COLUMNS of each person: of the first part that tells its start, and of the last that
    tells its end, where that part lies within the person's first or last seconds.

    ``tracks``: sorted by person and time; ``begins``: where each person begins in them.
    """
    person = np.repeat(np.arange(len(begins)), np.diff(begins, append=len(tracks["person_id"])))
    first = tracks["start_probabilities"]
    last = tracks["end_probabilities"]
    tells_start = ~np.isnan(first[:, 0]) & (tracks["start_ms"] <= starts[person] + _ENDS_MS)
    tells_end = ~np.isnan(last[:, 0]) & (tracks["end_ms"] >= ends[person] - _ENDS_MS)
    start, end = (np.full((len(begins), len(PROBABILITIES)), np.nan) for _ in range(2))
    # Of several for one person the one that is written last stays.
    early = np.flatnonzero(tells_start)[::-1]
    start[person[early]] = first[early]
    late = np.flatnonzero(tells_end)
    end[person[late]] = last[late]
    return dict(zip(END_COLUMNS, (*start.T, *end.T), strict=True))
