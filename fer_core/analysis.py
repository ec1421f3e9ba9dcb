"""The pipeline: footage to faces, tracks and predictions, one segment at a time.

    for result in analyse(Path("till.mp4"), model=ExpressionReader()):
        ...

A segment is read with a lead-in: the seconds before it are followed again, so that a person who
was already there is known to be the same (``Track.lead_in``), but they give no predictions. Where
someone was not yet seen clearly as the segment ends, the second after it may tell whether that
was a person. In a lead-in unsure faces begin tracks: the segment before may follow somebody who
was surely seen only earlier. Both find the same faces in the same frames (``fer_core.search``), and
so give them the same numbers. Where samples are seldom, tracks and lead-ins are longer.

Decoding, detection and reading go on at the same time (``fer_core.stages``). Several frames may be
looked at, and several batches of faces read, at once, each in one thread: two cores get more done
that way than by sharing the arithmetic of one. In video, what was seen a moment ago is made use of:
only some frames are searched whole (``fer_core.search``), and a face, which is read again
and again, is read as it is and mirrored in turns, where that of a picture is read both ways at
once.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from fer_core import footage
from fer_core.aggregation import People, SeenFace, aggregated
from fer_core.detection import FaceDetector, YuNetDetector
from fer_core.errors import Cancelled
from fer_core.expression import ExpressionReader
from fer_core.options import AnalysisOptions
from fer_core.preprocessing import align_crop
from fer_core.quality import assess
from fer_core.search import Seen, search
from fer_core.stages import Behind, ahead
from fer_core.tracking import Tracker, is_followed
from fer_core.types import FootageInfo, FootageKind, LeadIn, SegmentPlan, SegmentResult

_FRAMES_SEEN_AHEAD: Final = 2
_BATCHES_WAITING: Final = 2

_LEAST_RATE: Final = 2.0
"""Frames a second from which every other view of a face is mirrored."""

_NOT_FOLLOWED: Final = (
    "The frames read are so far apart that people may be counted anew in each of them."
)


def threads_each(cores: int) -> int:
    """Threads of the detector, and of the model, for a pipeline that may use so many cores:
    decoding, detection and reading share them. On two cores, where each has one thread, two in
    one or both of them only cost more (docs/benchmarks)."""
    return max(cores // 3, 1)


def workers_each(cores: int) -> int:
    """Frames that the detector looks at at once, and batches that the model reads at once, in a
    pipeline that may use so many cores: with one alone, the second core waits where decoding is
    cheap (docs/benchmarks)."""
    return min(cores, 2)


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

    @property
    def at_once(self) -> int:
        """How many batches may be given to it at the same time, each by a thread of its own."""
        ...

    def read(self, crops: NDArray[np.uint8], views: int | None = None) -> NDArray[np.float32]:
        """uint8 (N, 48, 48) to calibrated probabilities, float32 (N, 7), rows summing to 1.
        ``views``: 1 where each face is to be shown to the network once only."""
        ...


def detector_for(options: AnalysisOptions, cores: int) -> YuNetDetector:
    """The detector of a pipeline that may use so many cores. Raises ModelError."""
    return YuNetDetector(
        options.detector_threshold,
        min_face=options.least_face,
        threads=threads_each(cores),
        at_once=workers_each(cores),
    )


def reader_for(
    options: AnalysisOptions, cores: int, folder: Path | None = None
) -> ExpressionReader:
    """The same of the model, in ``folder`` (the shipped one)."""
    return ExpressionReader(
        folder,
        threads=threads_each(cores),
        batch=options.batch_size,
        at_once=workers_each(cores),
    )


def analyse(
    source: footage.Source,
    model: ExpressionModel,
    options: AnalysisOptions | None = None,
    detector: FaceDetector | None = None,
    *,
    name: str | None = None,
) -> Iterator[SegmentResult]:
    """Every segment of a picture, a video or a camera's time, in order. Raises a FootageError, or
    ModelError where the detector's weights are missing."""
    options = options or AnalysisOptions()
    detector = detector or detector_for(options, os.cpu_count() or 1)
    info = footage.probe(source, name, options.limits)
    for plan in footage.plan_segments(info, options.segment_ms):
        yield analyse_segment(source, info, plan, options, model, detector, name=name)


def analyse_segment(
    path: footage.Source,
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
    which nothing can be decoded is an empty result with a warning, and too few samples a second to
    follow people are a warning as well. Raises a FootageError where the file cannot be opened at
    all.
    """
    warnings: list[str] = []
    is_video = info.kind is FootageKind.VIDEO
    rate = min(options.rate, info.frame_rate or options.rate)
    in_turns = is_video and rate >= _LEAST_RATE and not options.keyframes
    people = People()
    unseen_ms, lead_in_ms = options.tracked_ms(rate)
    tracker = Tracker(options.tracker, unseen_ms)
    times: list[int] = []
    segment = _Segment(options, model, rate, in_turns=in_turns)
    look = partial(
        search, path, options, detector, lead_in_ms=lead_in_ms, is_video=is_video, name=name
    )

    def follow(seen: Seen) -> list[int | None]:
        if seen.is_cut:
            tracker.cut()
        time_ms = seen.frame.time_ms
        times.append(time_ms)
        # Not where frames are seldom, and nobody has to be seen clearly: each would be a person.
        unsure_begin = time_ms < plan.start_ms and people.is_close(time_ms)
        tracks = tracker.update(time_ms, seen.faces, unsure_begin=unsure_begin)
        clearly = map(options.is_clear, seen.faces)
        people.saw(time_ms, {t: c for t, c in zip(tracks, clearly, strict=True) if t is not None})
        return tracks

    start_ms = max(plan.start_ms - lead_in_ms, 0)
    frames = look(start_ms, plan.end_ms, warnings.append)
    with closing(segment), closing(ahead(frames, _FRAMES_SEEN_AHEAD, "detect")) as found:
        for seen in found:
            if should_stop():
                raise Cancelled("The analysis was stopped.")
            tracks = follow(seen)
            if seen.frame.time_ms < plan.start_ms:
                segment.add_lead_in(seen, tracks)
            else:
                segment.add(seen, tracks)
            on_progress(max(seen.frame.time_ms - plan.start_ms, 0))
        segment.finish()
    # The mean rate of a file that was taken only while something moved says little.
    seen_rate = 1000 / float(np.median(np.diff(times))) if len(times) > 1 else rate
    if is_video and not options.keyframes and not is_followed(seen_rate):
        warnings.append(_NOT_FOLLOWED)
    if is_video and plan.end_ms < info.duration_ms:
        # Warnings of that stretch belong to the segment that it is in.
        with closing(look(plan.end_ms, plan.end_ms + unseen_ms, lambda _: None)) as later:
            while people.undecided(plan.end_ms - unseen_ms):
                following = next(later, None)
                if following is None:
                    break
                follow(following)
    predictions, of_track = aggregated(
        segment.faces, people.is_one, segment.lead_ins, model.card.unknown_below
    )
    on_progress(plan.end_ms - plan.start_ms)
    return SegmentResult(plan, segment.frames, predictions, of_track, tuple(warnings))


class _Segment:
    """Gathers the faces of one segment and has them read, in full batches, by threads of their
    own. Holds no frame: a face is cut out, and its frame can go. ``rate``: samples a second that
    the video can give. ``in_turns``: one view of a face in a sample, every other one mirrored."""

    def __init__(
        self, options: AnalysisOptions, model: ExpressionModel, rate: float, *, in_turns: bool
    ) -> None:
        self._options, self._model = options, model
        self._rate, self._in_turns = rate, in_turns
        self.frames = 0
        self.faces: list[SeenFace] = []
        self.lead_ins: dict[int, LeadIn] = {}
        self._waiting: list[tuple[SeenFace, NDArray[np.uint8]]] = []
        self._reading: Behind[NDArray[np.float32]] = Behind(_BATCHES_WAITING, "read", model.at_once)

    def add_lead_in(self, seen: Seen, tracks: Sequence[int | None]) -> None:
        for number, track in enumerate(tracks):
            if track is not None:
                self.lead_ins[track] = LeadIn(seen.frame.time_ms, number)

    def add(self, seen: Seen, tracks: Sequence[int | None]) -> None:
        self.frames += 1
        frame = seen.frame
        # Counted from the video's start, so that all segments agree. Times are rounded.
        sample = int((frame.time_ms + 1) * self._rate / 1000)
        is_mirrored = self._in_turns and sample % 2 == 1
        for number, (face, track) in enumerate(zip(seen.faces, tracks, strict=True)):
            if track is None:
                continue
            quality = assess(frame, face, self._options.gate)
            one = SeenFace(frame.time_ms, number, track, face, quality)
            self.faces.append(one)
            if quality.reason is None:
                crop = align_crop(frame.pixels, face)
                self._waiting.append((one, crop[:, ::-1] if is_mirrored else crop))
        size = self._options.batch_size
        while len(self._waiting) >= size:
            self._read(self._waiting[:size])
            del self._waiting[:size]

    def finish(self) -> None:
        """Have the rest read, in equal parts, and wait for all of it."""
        size = max(-(-len(self._waiting) // self._model.at_once), 1)
        for start in range(0, len(self._waiting), size):
            self._read(self._waiting[start : start + size])
        self._waiting = []
        self._reading.finish()

    def _read(self, batch: Sequence[tuple[SeenFace, NDArray[np.uint8]]]) -> None:
        faces = [face for face, _ in batch]

        def keep(rows: NDArray[np.float32]) -> None:
            for face, row in zip(faces, rows, strict=True):
                face.probabilities = row.copy()

        crops = np.stack([crop for _, crop in batch])
        views = 1 if self._in_turns else None
        self._reading.submit(partial(self._model.read, crops, views), keep)

    def close(self) -> None:
        self._reading.close()
