"""The pipeline: footage to faces, tracks and predictions, one segment at a time.

    for result in analyse(Path("till.mp4"), model=ExpressionReader()):
        ...

A segment is read with a lead-in: the seconds before it are followed again, so that a person who
was already there is known to be the same (``Track.lead_in``), but they give no predictions.
"""

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from fer_core import footage
from fer_core.detection import FaceDetector, YuNetDetector, Zone, outside_zones
from fer_core.errors import Cancelled
from fer_core.limits import FootageLimits
from fer_core.preprocessing import align_crop
from fer_core.quality import Quality, QualityGate, assess
from fer_core.tracking import CutDetector, Tracker, TrackerOptions
from fer_core.types import (
    EXPRESSIONS,
    UNKNOWN,
    Face,
    FootageInfo,
    FootageKind,
    Frame,
    LeadIn,
    Prediction,
    SegmentPlan,
    SegmentResult,
    Track,
    UnknownReason,
)

_QUEUED_FRAMES: Final = 4
_WAIT_S: Final = 0.1


class _Card(Protocol):
    """What the pipeline needs to know of a model."""

    @property
    def unknown_below(self) -> float:
        """The confidence under which an expression is not named."""
        ...


class ExpressionModel(Protocol):
    """Anything that reads expressions; ``fer_core.expression.ExpressionReader`` is the one."""

    @property
    def card(self) -> _Card: ...

    def read(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, 48, 48) to calibrated probabilities, float32 (N, 7), rows summing to 1."""
        ...


@dataclass(frozen=True, slots=True)
class AnalysisOptions:
    """How footage is read; values only, so it can be sent to another process.

    ``rate``: samples a second. ``segment_ms``: length of a segment. ``lead_in_ms``: footage
    before a segment that is followed again; longer than a track may go unseen. ``min_face``:
    height in pixels of the smallest face that matters. ``zones``: staff zones, left out before
    anything is read. ``batch_size``: faces read by the model at once. Raises ValueError where the
    values do not go together.
    """

    rate: float = footage.DEFAULT_RATE
    segment_ms: int = footage.SEGMENT_MS
    lead_in_ms: int = 2000
    min_face: float = 24.0
    detector_threshold: float = 0.65
    gate: QualityGate = field(default_factory=QualityGate)
    tracker: TrackerOptions = field(default_factory=TrackerOptions)
    zones: tuple[Zone, ...] = ()
    limits: FootageLimits = field(default_factory=FootageLimits)
    batch_size: int = 32

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.segment_ms <= 0 or self.min_face <= 0 or self.batch_size <= 0:
            raise ValueError("rate, segment_ms, min_face and batch_size must be above 0")
        if self.lead_in_ms < self.tracker.max_missed_ms:
            raise ValueError("lead_in_ms must be at least as long as a track may go unseen")


def analyse(
    source: Path,
    model: ExpressionModel,
    options: AnalysisOptions | None = None,
    detector: FaceDetector | None = None,
    *,
    name: str | None = None,
) -> Iterator[SegmentResult]:
    """Every segment of a picture or video, in order. Raises a FootageError, or ModelError where
    the detector's weights are missing."""
    options = options or AnalysisOptions()
    detector = detector or YuNetDetector(options.detector_threshold, min_face=options.min_face)
    info = footage.probe(source, name, options.limits)
    for plan in footage.plan_segments(info, options.segment_ms):
        yield analyse_segment(source, info, plan, options, model, detector, name=name)


def analyse_segment(
    path: Path,
    info: FootageInfo,
    plan: SegmentPlan,
    options: AnalysisOptions,
    model: ExpressionModel,
    detector: FaceDetector,
    on_progress: Callable[[int], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
    *,
    name: str | None = None,
) -> SegmentResult:
    """All that one segment holds.

    ``on_progress`` is told the milliseconds of the segment's footage read so far, up to its
    length, about as often as frames are read. ``should_stop`` is asked as often; where it says
    yes, Cancelled is raised. What cannot be decoded becomes a warning; a segment of a video in
    which nothing can be decoded is an empty result with a warning. Raises a FootageError where
    the file cannot be opened at all.
    """
    warnings: list[str] = []
    segment = _Segment(plan, options, model)
    tracker = Tracker(options.tracker)
    cuts = CutDetector(options.tracker.cut_difference)
    frames = footage.sample(
        path,
        max(plan.start_ms - options.lead_in_ms, 0),
        plan.end_ms,
        rate=options.rate,
        name=name,
        limits=options.limits,
        on_warning=warnings.append,
    )
    is_video = info.kind is FootageKind.VIDEO
    with closing(_ahead(frames)) as ready:
        for frame in ready:
            if should_stop():
                raise Cancelled("The analysis was stopped.")
            height, width = frame.pixels.shape[:2]
            faces = outside_zones(detector.detect(frame.pixels), options.zones, width, height)
            if is_video and cuts.is_cut(frame.pixels):
                tracker.cut()
            segment.add(frame, faces, tracker.update(frame.time_ms, faces))
            on_progress(max(frame.time_ms - plan.start_ms, 0))
    result = segment.result(warnings)
    on_progress(plan.end_ms - plan.start_ms)
    return result


@dataclass(slots=True)
class _Seen:
    """A face that was assessed; ``probabilities`` come later, a batch at a time."""

    time_ms: int
    number: int
    track: int
    face: Face
    quality: Quality
    probabilities: NDArray[np.float32] | None = None


class _Segment:
    """Gathers one segment. Holds no frame: a face is cut out, and its frame can go."""

    def __init__(self, plan: SegmentPlan, options: AnalysisOptions, model: ExpressionModel) -> None:
        self._plan, self._options, self._model = plan, options, model
        self._frames = 0
        self._seen: list[_Seen] = []
        self._waiting: list[tuple[_Seen, NDArray[np.uint8]]] = []
        self._lead_ins: dict[int, LeadIn] = {}

    def add(self, frame: Frame, faces: Sequence[Face], tracks: Sequence[int]) -> None:
        if frame.time_ms < self._plan.start_ms:
            for number, track in enumerate(tracks):
                self._lead_ins[track] = LeadIn(frame.time_ms, number)
            return
        self._frames += 1
        for number, (face, track) in enumerate(zip(faces, tracks, strict=True)):
            quality = assess(frame, face, self._options.gate)
            seen = _Seen(frame.time_ms, number, track, face, quality)
            self._seen.append(seen)
            if quality.reason is None:
                self._waiting.append((seen, align_crop(frame.pixels, face)))
        if len(self._waiting) >= self._options.batch_size:
            self._read()

    def _read(self) -> None:
        if not self._waiting:
            return
        rows = self._model.read(np.stack([crop for _, crop in self._waiting]))
        for (seen, _), row in zip(self._waiting, rows, strict=True):
            seen.probabilities = row.copy()
        self._waiting.clear()

    def result(self, warnings: Sequence[str]) -> SegmentResult:
        self._read()
        # Tracks that were only seen in the lead-in belong to the segment before.
        order = {track: n for n, track in enumerate(dict.fromkeys(s.track for s in self._seen))}
        below = self._model.card.unknown_below
        predictions = tuple(_prediction(seen, order[seen.track], below) for seen in self._seen)
        by_track: list[list[Prediction]] = [[] for _ in order]
        for prediction in predictions:
            by_track[prediction.track].append(prediction)
        tracks = tuple(
            _track(number, of_track, self._lead_ins.get(key))
            for (key, number), of_track in zip(order.items(), by_track, strict=True)
        )
        return SegmentResult(self._plan, self._frames, predictions, tracks, tuple(warnings))


def _prediction(seen: _Seen, track: int, unknown_below: float) -> Prediction:
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


def _track(number: int, predictions: Sequence[Prediction], lead_in: LeadIn | None) -> Track:
    """The person's appearance; the mean over the faces that could be read, by quality."""
    total = np.zeros(len(EXPRESSIONS), np.float64)
    weight, unknown = 0.0, 0
    for prediction in predictions:
        if prediction.expression == UNKNOWN or prediction.probabilities is None:
            unknown += 1
            continue
        total += prediction.quality * prediction.probabilities
        weight += prediction.quality
    mean = (total / weight).astype(np.float32) if weight > 0 else None
    return Track(
        number=number,
        start_ms=predictions[0].time_ms,
        end_ms=predictions[-1].time_ms,
        faces=len(predictions),
        faces_unknown=unknown,
        mean_probabilities=mean,
        weight=weight,
        expression=UNKNOWN if mean is None else EXPRESSIONS[int(mean.argmax())],
        lead_in=lead_in,
    )


@dataclass(frozen=True, slots=True)
class _End:
    """The last thing in the queue; ``error`` is what ended the decoding thread, if anything."""

    error: Exception | None


def _ahead(frames: Iterator[Frame]) -> Generator[Frame, None, None]:
    """The same frames, decoded a few ahead by a thread of their own: FFmpeg and OpenCV both work
    without Python's lock, so decoding and detection overlap."""
    queue: Queue[Frame | _End] = Queue(_QUEUED_FRAMES)
    closed = threading.Event()

    def put(item: Frame | _End) -> None:
        while not closed.is_set():
            try:
                queue.put(item, timeout=_WAIT_S)
            except Full:
                continue
            return

    def decode() -> None:
        try:
            for frame in frames:
                put(frame)
                if closed.is_set():
                    return
        except Exception as error:  # noqa: BLE001 - raised again in the thread that asked
            put(_End(error))
        else:
            put(_End(None))

    thread = threading.Thread(target=decode, name="decode", daemon=True)
    thread.start()
    try:
        while True:
            try:
                item = queue.get(timeout=_WAIT_S)
            except Empty:
                continue
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        closed.set()
        thread.join()
