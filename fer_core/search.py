"""A stretch of footage to frames with their faces: which frames of a video are searched whole,
which only where something changed, and which only around the faces beside them in time
(docs/decisions/0014 and 0016).
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from fer_core import footage
from fer_core.detection import FaceDetector, input_scale, is_near
from fer_core.movement import Cells, cells, changed_parts
from fer_core.options import AnalysisOptions
from fer_core.stages import ahead, side_by_side
from fer_core.tracking import CutDetector, iou
from fer_core.types import Box, Face, Frame
from fer_core.zones import outside_zones

_FRAMES_DECODED_AHEAD: Final = 2
_MOST_TOGETHER: Final = 4
"""Frames that wait for the last of them to be searched: they are held in memory."""

_SAME_FACE: Final = 0.3
"""Overlap of two boxes."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame and the faces in it, without those in staff zones. ``is_cut``: it shows another
    scene than the one before it."""

    frame: Frame
    faces: list[Face]
    is_cut: bool


def search(
    path: footage.Source,
    options: AnalysisOptions,
    detector: FaceDetector,
    start_ms: int,
    end_ms: int,
    on_warning: Callable[[str], None],
    *,
    lead_in_ms: int,
    is_video: bool,
    name: str | None,
) -> Generator[Seen]:
    """The frames of a stretch with their faces; decoding runs ahead. ``lead_in_ms`` before the end
    of each segment the search begins anew, as the next segment's does: both find the same."""
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

    faces = _Faces(options, detector, is_video=is_video)
    with closing(ahead(decoded(), _FRAMES_DECODED_AHEAD, "decode")) as frames:
        stretches = _stretches(frames, options, lead_in_ms, faces.sight)
        for found in side_by_side(stretches, faces.through, detector.at_once, "look"):
            yield from found


@dataclass(frozen=True, slots=True)
class _Sight:
    """A frame that is to be searched. ``cells``: None where it is not asked what changed."""

    frame: Frame
    cells: Cells | None


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Frames of which the ``last`` is searched: whole, or where it shows something else than
    ``shown``, the last one of the stretch before, and around the faces ``before`` of that. Where it
    has those faces in the same places, the frames ``between`` are looked at only around them; where
    not, the one in the middle is searched as well, and so on, but never two in a row. The first
    frame of a scene or a lead-in stands alone; ``is_cut``: it shows another scene than the frame
    before it."""

    between: list[Frame]
    last: _Sight
    is_cut: bool = False
    shown: Cells | None = None
    before: "Future[list[Face]] | None" = None
    found: "Future[list[Face]]" = field(default_factory=Future)


def _stretches(
    frames: Iterable[tuple[Frame, bool]],
    options: AnalysisOptions,
    lead_in_ms: int,
    sight: Callable[[Frame], _Sight],
) -> Generator[_Stretch]:
    """The frames by times of ``search_ms``, which begin anew with each segment, so that a frame
    is in the same company wherever reading began; by scenes; and, where a lead-in begins, as if
    reading did. By times of ``whole_ms``, as well, the first stretch is searched whole."""
    searched, wholly = (
        max(-(-options.segment_ms // max(every, 1)), 1)
        for every in (options.search_ms, options.whole_ms)
    )
    waiting: list[Frame] = []
    shown: Cells | None = None
    before: Future[list[Face]] | None = None
    of = whole_of = led_in = -1

    def stretch(*, is_cut: bool = False) -> _Stretch:
        nonlocal shown, before, whole_of, waiting
        *between, frame = waiting
        last, time = sight(frame), frame.time_ms * wholly // options.segment_ms
        made = _Stretch(between, last, is_cut, shown if time == whole_of else None, before)
        waiting, shown, before, whole_of = [], last.cells, made.found, time
        return made

    for frame, is_cut in frames:
        number = frame.time_ms * searched // options.segment_ms
        lead_in = (frame.time_ms + lead_in_ms) // options.segment_ms
        is_new = is_cut or lead_in != led_in
        if waiting and (is_new or number != of or len(waiting) == _MOST_TOGETHER):
            yield stretch()
        if is_new:
            shown = before = None
        waiting.append(frame)
        if is_new:
            yield stretch(is_cut=is_cut)
        of, led_in = number, lead_in
    if waiting:
        yield stretch()


class _Faces:
    """Finds the faces of stretches, of several at once."""

    def __init__(self, options: AnalysisOptions, detector: FaceDetector, *, is_video: bool) -> None:
        self._options, self._detector, self._is_video = options, detector, is_video
        self._asks_what_changed: Final = (
            is_video and options.search_ms > 0 and options.whole_ms > options.search_ms
        )

    def sight(self, frame: Frame) -> _Sight:
        if not self._asks_what_changed:
            return _Sight(frame, None)
        height, width = frame.pixels.shape[:2]
        smallest, _ = self._sizes(width, height)
        return _Sight(frame, cells(frame.pixels, input_scale(width, height, smallest)))

    def through(self, stretch: _Stretch) -> list[Seen]:
        try:
            known = stretch.before.result if stretch.before else list
            after = self._searched(stretch.last, stretch.shown, known)
        except BaseException as error:
            stretch.found.set_exception(error)  # or who waits for it would wait for ever
            raise
        stretch.found.set_result(after)
        before = stretch.before.result() if stretch.between and stretch.before else []
        found = [*self._between(stretch.between, before, stretch.last, after), after]
        return [
            Seen(frame, faces, stretch.is_cut)
            for frame, faces in zip([*stretch.between, stretch.last.frame], found, strict=True)
        ]

    def _between(
        self, frames: Sequence[Frame], before: list[Face], last: _Sight, after: list[Face]
    ) -> list[list[Face]]:
        """The faces in each of the frames after one with the faces ``before`` and ahead of the
        ``last``, with the faces ``after``."""
        boxes = [face.box for face in (*before, *after)]
        if len(frames) < 2 or _nobody_moved(before, after):
            return [self._in(frame, boxes) for frame in frames]
        half = len(frames) // 2
        middle = self.sight(frames[half])
        found = self._searched(middle, last.cells, lambda: [*before, *after])
        return [
            *self._between(frames[:half], before, middle, found),
            found,
            *self._between(frames[half + 1 :], found, last, after),
        ]

    def _searched(
        self, sight: _Sight, shown: Cells | None, known: Callable[[], list[Face]]
    ) -> list[Face]:
        """The faces of a frame: searched where it shows something else than ``shown``, a frame
        beside it in time with the faces ``known`` (which is asked late, since they may still be
        looked for); or whole."""
        frame, parts = sight.frame, None
        height, width = frame.pixels.shape[:2]
        if shown is not None and sight.cells is not None:
            parts = changed_parts(shown, sight.cells, width, height)
        if parts is None:
            return self._in(frame, None)
        found = self._in(frame, [], parts)
        elsewhere = [face.box for face in known() if not any(_holds(p, face.box) for p in parts)]
        found += [
            face
            for face in self._in(frame, elsewhere)
            if all(iou(face.box, other.box) <= _SAME_FACE for other in found)
        ]
        return sorted(found, key=lambda face: (face.box.x, face.box.y))

    def _in(
        self, frame: Frame, around: Sequence[Box] | None, parts: Sequence[Box] = ()
    ) -> list[Face]:
        height, width = frame.pixels.shape[:2]
        smallest, least = self._sizes(width, height)
        found = self._detector.detect(frame.pixels, smallest, around, parts)
        faces = [face for face in found if face.box.height >= least]
        return outside_zones(faces, self._options.zones, width, height)

    def _sizes(self, width: int, height: int) -> tuple[float, float]:
        """(the smallest face that must be found, the height under which faces are dropped)"""
        if self._is_video:
            return self._options.sizes_in_video(width, height)
        return self._options.min_face, self._options.min_face


def _nobody_moved(before: Sequence[Face], after: Sequence[Face]) -> bool:
    """Whether everybody found in one of two frames was about there in the other; or nobody was in
    either."""

    def is_in(face: Face, others: Sequence[Face]) -> bool:
        return any(is_near(face.box, other.box) for other in others)

    return all(is_in(face, after) for face in before) and all(is_in(face, before) for face in after)


def _holds(part: Box, box: Box) -> bool:
    """Whether all of ``box`` lies in ``part``."""
    return (
        part.x <= box.x
        and part.y <= box.y
        and box.x + box.width <= part.x + part.width
        and box.y + box.height <= part.y + part.height
    )
