"""Read files without a database: rows as they come, segment by segment."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from fer_core.analysis import analyse_segment, detector_for, reader_for
from fer_core.annotation import AnnotatedVideo, Missed
from fer_core.detection import YuNetDetector
from fer_core.errors import FootageError, ModelError, SatisfaceError
from fer_core.footage import Source, plan_segments, probe, sample
from fer_core.options import AnalysisOptions
from fer_core.tracking import LONGEST_MISSED_MS
from fer_core.types import EXPRESSIONS, UNKNOWN, LeadIn, Prediction, SegmentResult
from jobs.intake import unpacked_files
from jobs.memory import share_one_heap

log = logging.getLogger(__name__)

COLUMNS = (
    "file",
    "time_s",
    "person",
    "face",
    "x",
    "y",
    "width",
    "height",
    "detector_score",
    "quality",
    "expression",
    "confidence",
    "unknown_reason",
    *(f"p_{expression}" for expression in EXPRESSIONS),
)
"""``time_s``: seconds since the file's start. ``person``: number of the person in the file.
``face``: number of the face in its frame. Boxes are pixels of the upright frame. ``p_*``:
calibrated probabilities, empty where the face was not read."""

Progress = Callable[[str, float, float], None]
"""Told the file's name, the seconds of it that were read, and its length in seconds (0 for a
picture)."""

_WORDS = {"file", "expression", "unknown_reason"}
_COUNTS = {"person", "face"}
_TYPES = {
    column: "str" if column in _WORDS else "int64" if column in _COUNTS else "float64"
    for column in COLUMNS
}


class CannotAnnotate(SatisfaceError):
    """What was asked for cannot be shown in an annotated video."""


@dataclass(frozen=True, slots=True)
class FileSummary:
    """``problem``: the sentence why it could not be read, or not to its end."""

    name: str
    people: int
    faces: int
    faces_unknown: int
    warnings: tuple[str, ...]
    problem: str | None = None


class FileReader:
    """Reads files one after the other; ``summaries`` tells of those read so far.

    ``scratch``: where zips are unpacked, a member at a time. ``annotated``: shows the one file
    that is read; a camera's pictures are gone when they could be drawn on. Raises ModelError.
    """

    def __init__(
        self,
        scratch: Path,
        options: AnalysisOptions | None = None,
        annotated: AnnotatedVideo | None = None,
    ) -> None:
        self._scratch = scratch
        self._annotated = annotated
        self._options = options or AnalysisOptions()
        share_one_heap()
        cores = os.cpu_count() or 1
        self._model = reader_for(self._options, cores)
        self._detector = detector_for(self._options, cores)
        self.summaries: list[FileSummary] = []

    def rows(
        self,
        files: Iterable[tuple[Source, str]],
        on_progress: Progress = lambda _name, _read_s, _length_s: None,
    ) -> Iterator[pd.DataFrame]:
        """Frames of COLUMNS for files, and cameras, given with the names to call them by.

        A file that cannot be read gets a summary with its problem, and the others go on.
        """
        yield _frame("", [])  # the columns stand even where nothing is found
        for path, name in files:
            if not isinstance(path, Path):
                yield from self._read(path, name, on_progress)
                continue
            for file in unpacked_files(path, name, self._scratch, self._options.limits):
                if file.path is None:
                    self._add(file.name, _Count(), file.problem)
                else:
                    yield from self._read(file.path, file.name, on_progress)

    def _read(self, path: Source, name: str, on_progress: Progress) -> Iterator[pd.DataFrame]:
        count, problem = _Count(), None
        try:
            info = probe(path, name, self._options.limits)
            count.warnings.extend(info.warnings)
            length_s = info.duration_ms / 1000
            drawing = None
            if self._annotated is not None and isinstance(path, Path):
                drawing = _Drawing(self._annotated, path, name, self._options, self._detector)
            try:
                for plan in plan_segments(info, self._options.segment_ms):
                    start = plan.start_ms
                    result = analyse_segment(
                        path,
                        info,
                        plan,
                        self._options,
                        self._model,
                        self._detector,
                        lambda ms, start=start: on_progress(name, (start + ms) / 1000, length_s),  # type: ignore[misc]
                        name=name,
                    )
                    yield _frame(name, count.take(result))
                    if drawing is not None:
                        drawing.go_on(result)
            finally:
                # Also where a later segment cannot be read: whose rows are written is seen, too.
                if drawing is not None:
                    drawing.finish()
        except (FootageError, ModelError) as error:
            problem = str(error)
        except Exception:
            log.exception("reading %s", name)
            problem = f"{name}: an unexpected fault stopped the reading."
        self._add(name, count, problem)

    def _add(self, name: str, count: "_Count", problem: str | None) -> None:
        self.summaries.append(
            FileSummary(
                name,
                count.people,
                count.faces,
                count.unknown,
                tuple(dict.fromkeys(count.warnings)),  # a segment may say what another did
                problem,
            )
        )


class _Drawing:
    """Draws one file, whose frames are read a second time: what is hidden in one may be known from
    a later. That one may belong to the next segment, so drawing stays behind reading by as long as
    somebody may be missed."""

    def __init__(
        self,
        video: AnnotatedVideo,
        path: Path,
        name: str,
        options: AnalysisOptions,
        detector: YuNetDetector,
    ) -> None:
        self._video, self._path, self._name = video, path, name
        self._options, self._detector = options, detector
        self._results: list[SegmentResult] = []
        self._drawn_ms = 0

    def go_on(self, result: SegmentResult) -> None:
        """Draw as far as can be told now that this segment is read."""
        oldest_ms = self._drawn_ms - LONGEST_MISSED_MS
        self._results = [one for one in self._results if one.plan.end_ms > oldest_ms] + [result]
        self._draw_to(result.plan.end_ms - LONGEST_MISSED_MS)

    def finish(self) -> None:
        """Draw to the end of what was read."""
        if self._results:
            self._draw_to(self._results[-1].plan.end_ms)

    def _draw_to(self, end_ms: int) -> None:
        start_ms = self._drawn_ms
        if end_ms <= start_ms:
            return
        missed = Missed(self._results)
        by_time: dict[int, list[Prediction]] = {}
        for one in self._results:
            for prediction in one.predictions:
                by_time.setdefault(prediction.time_ms, []).append(prediction)
        options = self._options
        frames = sample(
            self._path,
            start_ms,
            end_ms,
            rate=options.rate,
            name=self._name,
            limits=options.limits,
            keyframes=options.keyframes,
        )
        for frame in frames:
            # Also those that were too unsure to be counted.
            hidden = [face.box for face in self._detector.detect(frame.pixels)]
            hidden += missed.at(frame.time_ms)
            self._video.add(frame, by_time.get(frame.time_ms, ()), hidden)
        self._drawn_ms = end_ms


@dataclass(slots=True)
class _Count:
    """What one file held so far. ``latest``: the faces of the segment before, to the person they
    belong to, so that a person is followed over its end."""

    people: int = 0
    faces: int = 0
    unknown: int = 0
    warnings: list[str] = field(default_factory=list)
    latest: dict[LeadIn, int] = field(default_factory=dict)

    def take(self, result: SegmentResult) -> list[tuple[object, ...]]:
        persons = {}
        for track in result.tracks:
            known = self.latest.get(track.lead_in) if track.lead_in else None
            if known is None:
                self.people += 1
            persons[track.number] = known or self.people
        self.faces += len(result.predictions)
        self.unknown += sum(p.expression == UNKNOWN for p in result.predictions)
        self.warnings.extend(result.warnings)
        self.latest = {LeadIn(p.time_ms, p.face): persons[p.track] for p in result.predictions}
        return [_row(prediction, persons[prediction.track]) for prediction in result.predictions]


def _row(prediction: Prediction, person: int) -> tuple[object, ...]:
    read = prediction.probabilities
    return (
        prediction.time_ms / 1000,
        person,
        prediction.face,
        prediction.box.x,
        prediction.box.y,
        prediction.box.width,
        prediction.box.height,
        prediction.detector_score,
        prediction.quality,
        prediction.expression,
        prediction.confidence,
        prediction.unknown_reason.value if prediction.unknown_reason else None,
        *((None,) * len(EXPRESSIONS) if read is None else map(float, read)),
    )


def _frame(name: str, rows: list[tuple[object, ...]]) -> pd.DataFrame:
    return pd.DataFrame([(name, *row) for row in rows], columns=list(COLUMNS)).astype(_TYPES)
