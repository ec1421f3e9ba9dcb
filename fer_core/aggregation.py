"""Faces to predictions, and predictions to tracks: what one segment holds."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fer_core.quality import Quality
from fer_core.types import (
    EXPRESSIONS,
    UNKNOWN,
    Face,
    LeadIn,
    Prediction,
    Track,
    UnknownReason,
)

_SELDOM_MS: Final = 600
"""Between frames that are further apart nobody can be expected to be seen at their best."""

ENDS_MS: Final = 2000
"""How much of an appearance its start and its end are, at most: never more than half of it."""


@dataclass(slots=True)
class SeenFace:
    """A face that was assessed. ``track``: the tracker's number. ``probabilities``: float32 (7,),
    come later, a batch at a time."""

    time_ms: int
    number: int
    track: int
    face: Face
    quality: Quality
    probabilities: NDArray[np.float32] | None = None


@dataclass(slots=True)
class _Sights:
    """Of one track, beyond the segment too: when last, whether clearly once, and whether once in a
    frame that had another close to it."""

    last_ms: int = 0
    clear: bool = False
    often: bool = False


class People:
    """Who is a person: one whose face was seen clearly at least once.

    A detector takes a bag, a painting or a back of a head for a face now and then, for a moment
    or for as long as it is there, but is never as sure of it as it is of a face at its best. Who
    was only seen where frames are seldom, or in a picture, cannot be expected to have been seen at
    their best, and is a person.
    """

    def __init__(self) -> None:
        self._sights: dict[int, _Sights] = {}
        self._last_ms: int | None = None
        self._last_tracks: Collection[int] = ()

    def is_close(self, time_ms: int) -> bool:
        """Whether a frame at that time is close to the last one."""
        return self._last_ms is not None and time_ms - self._last_ms <= _SELDOM_MS

    def saw(self, time_ms: int, tracks: Mapping[int, bool]) -> None:
        """A frame, in order of time: the tracks that are in it, and whether clearly."""
        often = self.is_close(time_ms)
        if often:
            for track in self._last_tracks:
                self._sights[track].often = True
        for track, clearly in tracks.items():
            sights = self._sights.setdefault(track, _Sights())
            sights.last_ms = time_ms
            sights.clear |= clearly
            sights.often |= often
        self._last_ms, self._last_tracks = time_ms, tracks.keys()

    def is_one(self, track: int) -> bool:
        sights = self._sights[track]
        return sights.clear or not sights.often

    def undecided(self, since_ms: int) -> bool:
        """Whether of someone seen since then what comes may yet tell whether that is a person."""
        return any(
            sights.last_ms >= since_ms and not sights.clear for sights in self._sights.values()
        )


def aggregated(
    seen: Sequence[SeenFace],
    is_person: Callable[[int], bool],
    lead_ins: Mapping[int, LeadIn],
    unknown_below: float,
) -> tuple[tuple[Prediction, ...], tuple[Track, ...]]:
    """The predictions and tracks of a segment, tracks numbered from 0 as they appear."""
    seen = [one for one in seen if is_person(one.track)]
    order = {track: n for n, track in enumerate(dict.fromkeys(one.track for one in seen))}
    predictions = tuple(_prediction(one, order[one.track], unknown_below) for one in seen)
    by_track: list[list[Prediction]] = [[] for _ in order]
    for prediction in predictions:
        by_track[prediction.track].append(prediction)
    tracks = tuple(
        track_of(number, of_track, lead_ins.get(key))
        for (key, number), of_track in zip(order.items(), by_track, strict=True)
    )
    return predictions, tracks


def _prediction(seen: SeenFace, track: int, unknown_below: float) -> Prediction:
    expression, confidence, reason = UNKNOWN, 0.0, seen.quality.reason
    if seen.probabilities is not None:
        best = int(seen.probabilities.argmax())
        confidence = float(seen.probabilities[best])
        if confidence < unknown_below:
            reason = UnknownReason.UNSURE
        else:
            expression = EXPRESSIONS[best]
    return Prediction(
        time_ms=seen.time_ms,
        face=seen.number,
        track=track,
        box=seen.face.box,
        detector_score=seen.face.score,
        quality=seen.quality.score,
        expression=expression,
        confidence=confidence,
        probabilities=seen.probabilities,
        unknown_reason=reason,
    )


def track_of(number: int, predictions: Sequence[Prediction], lead_in: LeadIn | None) -> Track:
    """The person's appearance, from its predictions in order of time (at least one)."""
    start_ms, end_ms = predictions[0].time_ms, predictions[-1].time_ms
    read = [p for p in predictions if p.expression != UNKNOWN]
    mean = _mean(read)
    ends_ms = min(ENDS_MS, (end_ms - start_ms) / 2)
    return Track(
        number=number,
        start_ms=start_ms,
        end_ms=end_ms,
        faces=len(predictions),
        faces_unknown=len(predictions) - len(read),
        mean_probabilities=mean,
        weight=sum(p.quality for p in read) if mean is not None else 0.0,
        expression=UNKNOWN if mean is None else EXPRESSIONS[int(mean.argmax())],
        lead_in=lead_in,
        start_probabilities=_mean([p for p in read if p.time_ms <= start_ms + ends_ms]),
        end_probabilities=_mean([p for p in read if p.time_ms >= end_ms - ends_ms]),
    )


def _mean(predictions: Sequence[Prediction]) -> NDArray[np.float32] | None:
    """float32 (7,), weighted by quality; None where there is nothing to weigh."""
    total, weight = np.zeros(len(EXPRESSIONS), np.float64), 0.0
    for prediction in predictions:
        if prediction.probabilities is not None:
            total += prediction.quality * prediction.probabilities
            weight += prediction.quality
    return (total / weight).astype(np.float32) if weight > 0 else None
