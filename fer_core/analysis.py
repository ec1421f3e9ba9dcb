"""The pipeline: footage to faces, tracks and predictions, one segment at a time.

    for result in analyse(Path("till.mp4"), model=ExpressionReader()):
        ...

A segment is read with a lead-in: the seconds before it are followed again, so that a person who
was already there is known to be the same (``Track.lead_in``), but they give no predictions. Where
someone was not yet seen clearly as the segment ends, the second after it may tell whether that
was a person.

Decoding, detection and reading go on at the same time (``fer_core.stages``). Several frames may be
looked at, and several batches of faces read, at once, each in one thread: two cores get more done
that way than by sharing the arithmetic of one. In video, what was seen a moment ago is made use of:
only some frames are searched whole (``AnalysisOptions.search_ms``), and a face, which is read again
and again, is read as it is and mirrored in turns, where that of a picture is read both ways at
once.
"""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from fer_core import footage
from fer_core.aggregation import People, SeenFace, aggregated
from fer_core.detection import (
    FOUND_WELL_HEIGHT,
    GENEROUS_SIDE,
    FaceDetector,
    YuNetDetector,
    is_near,
)
from fer_core.errors import Cancelled
from fer_core.expression import ExpressionReader
from fer_core.limits import FootageLimits
from fer_core.preprocessing import align_crop
from fer_core.quality import QualityGate, assess
from fer_core.stages import Behind, ahead, side_by_side
from fer_core.tracking import CutDetector, Tracker, TrackerOptions
from fer_core.types import (
    Box,
    Face,
    FootageInfo,
    FootageKind,
    Frame,
    LeadIn,
    SegmentPlan,
    SegmentResult,
)
from fer_core.zones import Zone, outside_zones

_FRAMES_DECODED_AHEAD: Final = 2
_FRAMES_SEEN_AHEAD: Final = 2
_MOST_TOGETHER: Final = 4
"""Frames that wait for the last of them to be searched whole: they are held in memory."""
_BATCHES_WAITING: Final = 2

_WORTH_ENLARGING: Final = 1.5
"""Times. In frames of 768 and 854 pixels less than that found nobody more (docs/decisions)."""

_LEAST_RATE: Final = 2.0
"""Frames a second under which nobody can be expected to be seen at their best."""


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


@dataclass(frozen=True, slots=True)
class AnalysisOptions:
    """How footage is read; values only, so it can be sent to another process.

    ``rate``: samples a second. ``segment_ms``: length of a segment. ``lead_in_ms``: footage
    before a segment that is followed again; longer than a track may go unseen. ``min_face``:
    height in pixels of the smallest face that matters. ``min_face_video``: the smallest that must
    be found in each frame of a large video; smaller ones are found less often, which is enough
    for someone who is there for a while. ``detector_threshold``: score from which the tracker is
    told of a face (and see ``TrackerOptions.sure_score``). ``clear_score``: score that someone in
    a video must reach once to be a person. ``zones``: staff zones, left out before anything is
    read. ``min_face_far``: height of the smallest face that is looked for in a small video, whose
    frames are enlarged, since that is cheap; ``clear_score_far``: score that a face under
    ``min_face`` must reach to be seen clearly (docs/decisions/0012). ``batch_size``: faces read by
    the model at once. ``keyframes``: the fast mode of ``footage.sample``; frames may then be
    seconds apart, so that somebody who stays may be a person anew in each. ``search_ms``: the
    longest that a video goes without a frame that is searched whole. Where two such frames show the
    same people in the same places, those between are looked at only there; where not, every other
    one of them is searched, too. Raises ValueError where the values do not go together.
    """

    rate: float = footage.DEFAULT_RATE
    segment_ms: int = footage.SEGMENT_MS
    lead_in_ms: int = 2000
    min_face: float = 24.0
    min_face_video: float = 48.0
    min_face_far: float = 12.0
    detector_threshold: float = 0.45
    clear_score: float = 0.78
    clear_score_far: float = 0.85
    gate: QualityGate = field(default_factory=QualityGate)
    tracker: TrackerOptions = field(default_factory=TrackerOptions)
    zones: tuple[Zone, ...] = ()
    limits: FootageLimits = field(default_factory=FootageLimits)
    batch_size: int = 16
    keyframes: bool = False
    search_ms: int = 800

    def __post_init__(self) -> None:
        sizes = (self.min_face, self.min_face_video, self.min_face_far, self.batch_size)
        if min(self.rate, self.segment_ms, *sizes) <= 0:
            raise ValueError("rates, lengths, sizes of faces and of batches must be above 0")
        if self.lead_in_ms < self.tracker.max_missed_ms:
            raise ValueError("lead_in_ms must be at least as long as a track may go unseen")

    @property
    def least_face(self) -> float:
        """Height in pixels under which no face of any footage is of interest."""
        return min(self.min_face, self.min_face_video, self.min_face_far)

    def sizes_in_video(self, width: int, height: int) -> tuple[float, float]:
        """(the smallest face that must be found, the height under which faces are dropped) in a
        frame of a video, pixels.

        A frame that can be enlarged by half and more within ``detection.GENEROUS_SIDE`` is: that
        costs no more than a large one does, and what was too small to be found no longer is.
        """
        least = min(self.min_face, self.min_face_video)
        enlarged = min(GENEROUS_SIDE / max(width, height), least / self.min_face_far)
        if enlarged < _WORTH_ENLARGING:
            return self.min_face_video, least
        return min(self.min_face_video, FOUND_WELL_HEIGHT / enlarged), least / enlarged

    def is_clear(self, face: Face) -> bool:
        """Whether a sight of a face tells that it is one."""
        small = face.box.height < min(self.min_face, self.min_face_video)
        return face.score >= (self.clear_score_far if small else self.clear_score)


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
    which nothing can be decoded is an empty result with a warning. Raises a FootageError where
    the file cannot be opened at all.
    """
    warnings: list[str] = []
    is_video = info.kind is FootageKind.VIDEO
    rate = min(options.rate, info.frame_rate or options.rate)
    often = is_video and rate >= _LEAST_RATE and not options.keyframes
    people = People(needs_clear=often)
    tracker = Tracker(options.tracker)
    segment = _Segment(options, model, in_turns=often)
    look = partial(_seen, path, options, detector, is_video=is_video, name=name)

    def follow(seen: _Seen) -> list[int | None]:
        if seen.is_cut:
            tracker.cut()
        tracks = tracker.update(seen.frame.time_ms, seen.faces)
        for face, track in zip(seen.faces, tracks, strict=True):
            if track is not None:
                people.saw(track, seen.frame.time_ms, clearly=options.is_clear(face))
        return tracks

    start_ms = max(plan.start_ms - options.lead_in_ms, 0)
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
    missed_ms = options.tracker.max_missed_ms
    if is_video and plan.end_ms < info.duration_ms:
        # Warnings of that stretch belong to the segment that it is in.
        with closing(look(plan.end_ms, plan.end_ms + missed_ms, lambda _: None)) as later:
            while people.undecided(plan.end_ms - missed_ms):
                following = next(later, None)
                if following is None:
                    break
                follow(following)
    predictions, of_track = aggregated(
        segment.faces, people.is_one, segment.lead_ins, model.card.unknown_below
    )
    on_progress(plan.end_ms - plan.start_ms)
    return SegmentResult(plan, segment.frames, predictions, of_track, tuple(warnings))


@dataclass(frozen=True, slots=True)
class _Seen:
    """A frame and the faces in it, without those in staff zones. ``is_cut``: it shows another
    scene than the one before it."""

    frame: Frame
    faces: list[Face]
    is_cut: bool


def _seen(
    path: footage.Source,
    options: AnalysisOptions,
    detector: FaceDetector,
    start_ms: int,
    end_ms: int,
    on_warning: Callable[[str], None],
    *,
    is_video: bool,
    name: str | None,
) -> Generator[_Seen]:
    """The frames of a stretch with their faces; decoding runs ahead."""
    cuts = CutDetector(options.tracker.cut_difference)

    def decoded() -> Generator[tuple[Frame, bool]]:
        for frame in footage.sample(
            path,
            start_ms,
            end_ms,
            rate=options.rate,
            name=name,
            limits=options.limits,
            on_warning=on_warning,
            keyframes=options.keyframes,
        ):
            # Here, and not beside the detector, which is the one that the others wait for.
            yield frame, is_video and cuts.is_cut(frame.pixels)

    def faces_in(frame: Frame, around: Sequence[Box] | None) -> list[Face]:
        height, width = frame.pixels.shape[:2]
        smallest, least = (
            options.sizes_in_video(width, height)
            if is_video
            else (options.min_face, options.min_face)
        )
        found = detector.detect(frame.pixels, smallest, around)
        faces = [face for face in found if face.box.height >= least]
        return outside_zones(faces, options.zones, width, height)

    def look(stretch: _Stretch) -> list[_Seen]:
        *between, last = stretch.frames
        try:
            after = faces_in(last, None)
        except BaseException as error:
            stretch.found.set_exception(error)  # or who waits for it would wait for ever
            raise
        stretch.found.set_result(after)
        before = stretch.before.result() if between and stretch.before else []
        found = [*faces_between(between, before, after), after]
        return [
            _Seen(frame, faces, stretch.is_cut)
            for frame, faces in zip(stretch.frames, found, strict=True)
        ]

    def faces_between(
        frames: Sequence[Frame], before: list[Face], after: list[Face]
    ) -> list[list[Face]]:
        if len(frames) < 2 or _nobody_moved(before, after):
            around = [face.box for face in (*before, *after)]
            return [faces_in(frame, around) for frame in frames]
        half = len(frames) // 2
        middle = faces_in(frames[half], None)
        return [
            *faces_between(frames[:half], before, middle),
            middle,
            *faces_between(frames[half + 1 :], middle, after),
        ]

    with closing(ahead(decoded(), _FRAMES_DECODED_AHEAD, "decode")) as frames:
        stretches = _stretches(frames, options)
        for found in side_by_side(stretches, look, detector.at_once, "look"):
            yield from found


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Frames of which the last is searched whole. Where it shows who was found ``before`` them, in
    the same places, the others are looked at only around those; where not, the one in the middle is
    searched as well, and so on, but never two in a row. The first frame of a scene stands alone;
    ``is_cut``: it shows another scene than the frame before it."""

    frames: list[Frame]
    is_cut: bool = False
    before: "Future[list[Face]] | None" = None
    found: "Future[list[Face]]" = field(default_factory=Future)


def _stretches(
    frames: Iterable[tuple[Frame, bool]], options: AnalysisOptions
) -> Generator[_Stretch]:
    """The frames by times of ``search_ms``, which begin anew with each segment, so that a frame
    is in the same company wherever reading began; and by scenes."""
    in_segment = max(-(-options.segment_ms // max(options.search_ms, 1)), 1)
    waiting: list[Frame] = []
    of, before = -1, None
    for frame, is_cut in frames:
        number = frame.time_ms * in_segment // options.segment_ms
        if waiting and (is_cut or number != of or len(waiting) == _MOST_TOGETHER):
            stretch = _Stretch(waiting, before=before)
            yield stretch
            waiting, before = [], stretch.found
        if before is None or is_cut:
            first = _Stretch([frame], is_cut)
            yield first
            before = first.found
        else:
            waiting.append(frame)
        of = number
    if waiting:
        yield _Stretch(waiting, before=before)


def _nobody_moved(before: Sequence[Face], after: Sequence[Face]) -> bool:
    """Whether everybody found in one of two frames was about there in the other; or nobody was in
    either."""

    def is_in(face: Face, others: Sequence[Face]) -> bool:
        return any(is_near(face.box, other.box) for other in others)

    return all(is_in(face, after) for face in before) and all(is_in(face, before) for face in after)


class _Segment:
    """Gathers the faces of one segment and has them read, in full batches, by threads of their
    own. Holds no frame: a face is cut out, and its frame can go. ``in_turns``: one view of a face
    in a sample, every other one mirrored."""

    def __init__(self, options: AnalysisOptions, model: ExpressionModel, *, in_turns: bool) -> None:
        self._options, self._model, self._in_turns = options, model, in_turns
        self.frames = 0
        self.faces: list[SeenFace] = []
        self.lead_ins: dict[int, LeadIn] = {}
        self._waiting: list[tuple[SeenFace, NDArray[np.uint8]]] = []
        self._reading: Behind[NDArray[np.float32]] = Behind(_BATCHES_WAITING, "read", model.at_once)

    def add_lead_in(self, seen: _Seen, tracks: Sequence[int | None]) -> None:
        for number, track in enumerate(tracks):
            if track is not None:
                self.lead_ins[track] = LeadIn(seen.frame.time_ms, number)

    def add(self, seen: _Seen, tracks: Sequence[int | None]) -> None:
        self.frames += 1
        frame = seen.frame
        sample = int(frame.time_ms * self._options.rate / 1000)
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
