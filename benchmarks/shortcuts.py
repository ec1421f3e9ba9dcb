"""What the shortcuts in reading video cost and spare, clip by clip.

    python -m benchmarks.shortcuts CLIP ... --out docs/benchmarks/<date>-shortcuts.md

In video only some frames are searched, most of those only where something changed
(``AnalysisOptions.search_ms`` and ``whole_ms``), and a face is shown to the recogniser once a
sample, as it is and mirrored in turns. Each clip is read so, and the long way: every frame searched
whole, every face read both ways. The two take turns. Where both found the same face (boxes that
overlap by more than .4 in the same frame) and read it, their answers are compared, face by face,
and as the mean of each person's faces (people of five of them and more).

How much is to be expected of any change in how faces are found: the long way once more, with every
frame shrunk by a twentieth before faces are looked for. (Frames that are scaled to a fixed size for
the detector, as small and very large ones are, come out of that nearly as they were.)
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.footage import CORES, RATE
from benchmarks.machine import this_machine
from fer_core import AnalysisOptions, ExpressionReader, YuNetDetector, analyse
from fer_core.analysis import detector_for, reader_for
from fer_core.detection import FaceDetector
from fer_core.tracking import iou
from fer_core.types import Box, Face, Prediction, SegmentResult

_SHRUNK = 0.95
_SAME_FACE = 0.4
_PERSON = 5


class EveryView:
    """The recogniser as pictures are read with it, whatever is asked for."""

    def __init__(self, reader: ExpressionReader) -> None:
        self.card, self.at_once, self._reader = reader.card, reader.at_once, reader

    def read(self, crops: NDArray[np.uint8], views: int | None = None) -> NDArray[np.float32]:
        return self._reader.read(crops)


class Shrunk:
    """The detector on frames made a twentieth smaller."""

    def __init__(self, detector: YuNetDetector) -> None:
        self.at_once, self._detector = detector.at_once, detector

    def detect(
        self,
        pixels: NDArray[np.uint8],
        smallest: float | None = None,
        around: Sequence[Box] | None = None,
        parts: Sequence[Box] = (),
    ) -> list[Face]:
        small = np.asarray(cv2.resize(pixels, None, fx=_SHRUNK, fy=_SHRUNK), np.uint8)
        smaller = None if smallest is None else smallest * _SHRUNK
        return [
            replace(
                face,
                box=Box(*(side / _SHRUNK for side in (box.x, box.y, box.width, box.height))),
                landmarks=face.landmarks / np.float32(_SHRUNK),
            )
            for face in self._detector.detect(small, smaller)
            for box in [face.box]
        ]


@dataclass(frozen=True, slots=True)
class Alike:
    """Of faces read both ways: ``faces``; the share given the same expression; the mean total
    variation distance of their probabilities (0 to 1); ``people`` and the same two of them."""

    faces: int
    same: float
    distance: float
    people: int
    people_same: float
    people_distance: float


def compared(one: list[Prediction], other: list[Prediction]) -> Alike | None:
    """None where no face was read both ways."""
    of_frame = defaultdict(list)
    for prediction in other:
        of_frame[prediction.time_ms].append(prediction)
    of_person: dict[int, list[tuple[NDArray[np.float32], NDArray[np.float32]]]] = defaultdict(list)
    for prediction in one:
        beside = max(
            of_frame[prediction.time_ms], key=lambda p: iou(p.box, prediction.box), default=None
        )
        if beside is None or iou(beside.box, prediction.box) <= _SAME_FACE:
            continue
        if prediction.probabilities is not None and beside.probabilities is not None:
            of_person[prediction.track].append((prediction.probabilities, beside.probabilities))
    pairs = [pair for pairs in of_person.values() for pair in pairs]
    if not pairs:
        return None
    means = [np.mean(pairs, axis=0) for pairs in of_person.values() if len(pairs) >= _PERSON]
    return Alike(len(pairs), *_agreement(pairs), len(means), *_agreement(means))


def _agreement(pairs: Sequence[Sequence[NDArray[np.float32]]]) -> tuple[float, float]:
    if not pairs:
        return float("nan"), float("nan")
    same = np.mean([one.argmax() == other.argmax() for one, other in pairs])
    distance = np.mean([np.abs(one - other).sum() / 2 for one, other in pairs])
    return float(same), float(distance)


@dataclass(frozen=True, slots=True)
class Way:
    predictions: list[Prediction]
    people: int
    seconds: float

    @property
    def read(self) -> int:
        return sum(p.probabilities is not None for p in self.predictions)


def ways(clip: Path, runs: int) -> tuple[Way, Way, Way]:
    """As it ships, the long way, and the long way on shrunk frames; the first two in turns."""
    ships, long = AnalysisOptions(rate=RATE), AnalysisOptions(rate=RATE, search_ms=0)
    reader, detector = reader_for(ships, CORES), detector_for(ships, CORES)

    def ship() -> list[SegmentResult]:
        return list(analyse(clip, reader, ships, detector))

    def go_the_long_way(with_detector: FaceDetector = detector) -> list[SegmentResult]:
        return list(analyse(clip, EveryView(reader), long, with_detector))

    ship()  # lays the networks out
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        for seconds, action in zip(spent, (ship, go_the_long_way), strict=True):
            began = time.perf_counter()
            action()
            seconds.append(time.perf_counter() - began)
    shipped, unhurried = _way(ship(), median(spent[0])), _way(go_the_long_way(), median(spent[1]))
    return shipped, unhurried, _way(go_the_long_way(Shrunk(detector)), float("nan"))


def _way(results: list[SegmentResult], seconds: float) -> Way:
    predictions = [p for result in results for p in result.predictions]
    people = sum(track.lead_in is None for result in results for track in result.tracks)
    return Way(predictions, people, seconds)


def row(clip: Path, runs: int) -> tuple[str, ...]:
    """Of the table of the page."""
    shipped, long, shrunk = ways(clip, runs)
    alike = compared(long.predictions, shipped.predictions)
    control = compared(long.predictions, shrunk.predictions)
    return (
        clip.stem,
        f"{long.people}, {shipped.people}",
        f"{long.read}, {shipped.read}",
        f"{long.seconds / shipped.seconds:.2f}",
        *(
            f"{one.same:.2f} ({one.distance:.3f})" if one else "none read"
            for one in (alike, control)
        ),
        *(
            f"{one.people_same:.2f} of {one.people} ({one.people_distance:.3f})"
            if one and one.people
            else "nobody"
            for one in (alike, control)
        ),
    )


def page_of(rows: list[tuple[str, ...]], now: datetime) -> str:
    """The report as Markdown."""
    head = (
        "clip",
        "people: long way, ships",
        "faces read: long way, ships",
        "its time over what ships",
        "faces: same expression (distance)",
        "shrunk frames",
        "people: same expression (distance)",
        "shrunk frames",
    )
    lines = [head, tuple("---" for _ in head), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"""# Shortcuts in video, {now:%Y-%m-%d}

Command: `python -m benchmarks.shortcuts CLIP ...`. Machine: {this_machine()},
of which {CORES} cores are used.

{table}

{(__doc__ or "").partition("shortcuts.md")[2].strip()}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, help="where to write the page; printed otherwise")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    text = page_of([row(clip, arguments.runs) for clip in arguments.clips], datetime.now(UTC))
    if arguments.out:
        arguments.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
