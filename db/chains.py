"""Chains of tracks: one person's appearance over the borders of segments.

A track that goes on from an earlier segment names the face in the segment before with which it
begins (its lead-in). That face's track, or the first track of that one's chain, is its root.
Segments may be written in any order and again; the links then follow from the lead-ins alone.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from db.months import in_months
from db.tables import Base, Prediction, Track

_LEADS_IN: Final[ColumnElement[bool]] = Track.lead_in_face.is_not(None)

# Made once: SQLAlchemy copies every column of the table for it.
_before: Final = aliased(Track, name="before")


# Put together once, of tables: every segment that is written asks it.
_track: Final = Base.metadata.tables[Track.__tablename__]
_first: Final = _track.alias("root")
_STARTS: Final = (
    select(_first.c.start_ms)
    .join_from(_first, _track, _first.c.id == func.coalesce(_track.c.root_id, _track.c.id))
    .where(
        _track.c.recording_id == bindparam("of"),
        # Said twice, so that the index is used.
        _track.c.segment_index.in_([bindparam("at"), bindparam("behind")]),
        or_(_track.c.segment_index == bindparam("at"), _track.c.lead_in_face.is_not(None)),
    )
    .distinct()
)


def first_seen(session: Session, recording_id: int, index: int) -> set[int]:
    """Milliseconds at which the people begin whose chains depend on segment ``index``: all that
    were seen in it, and all that the next segment joins to it or could."""
    place = {"of": recording_id, "at": index, "behind": index + 1}
    return set(session.connection().scalars(_STARTS, place))


def join_chains_at(session: Session, recording_id: int, index: int, months: Sequence[int]) -> None:
    """Set the roots of all tracks whose chains depend on segment ``index``, just written.

    ``months``: those that the recording touches.
    """
    _join(session, recording_id, index, months, behind=None)
    # All that leads into the next segment: where nothing stands for it any more, a person begins.
    behind = _join(session, recording_id, index + 1, months, behind=None)
    place = index + 2
    while behind:
        behind = _join(session, recording_id, place, months, behind=behind)
        place += 1


def _join(
    session: Session,
    recording_id: int,
    index: int,
    months: Sequence[int],
    *,
    behind: set[int] | None,
) -> set[int]:
    """Set the roots in one segment, given those in the segment before.

    ``behind``: only of tracks that go on from these (None: of all). Returns the tracks seen to.
    """
    links = (
        select(Track.id, Track.root_id, _before.id, _before.root_id)
        .select_from(Track)
        .outerjoin(
            Prediction,
            and_(
                Prediction.recording_id == Track.recording_id,
                Prediction.time_ms == Track.lead_in_time_ms,
                Prediction.face == Track.lead_in_face,
                Prediction.segment_index == index - 1,
                in_months(months),
            ),
        )
        .outerjoin(_before, _before.id == Prediction.track_id)
        .where(Track.recording_id == recording_id, Track.segment_index == index, _LEADS_IN)
    )
    seen: set[int] = set()
    changes: list[dict[str, Any]] = []
    for track_id, root_id, before_id, root_before in session.execute(links):
        if behind is not None and before_id not in behind:
            continue
        seen.add(track_id)
        root = before_id if root_before is None else root_before
        if root != root_id:
            changes.append({"id": track_id, "root_id": root})
    if changes:
        session.execute(update(Track), changes)
    return seen
