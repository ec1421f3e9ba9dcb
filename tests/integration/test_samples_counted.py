"""Real photos and clips against what the eye counted in them (tests/data)."""

import json
from functools import cache
from pathlib import Path

import pytest

from fer_core.analysis import analyse
from fer_core.detection import YuNetDetector
from fer_core.expression import ExpressionReader
from fer_core.options import AnalysisOptions
from fer_core.types import Box
from tests.sample_footage import sample_file

DATA = Path(__file__).parents[1] / "data"
FACES: dict[str, dict[str, list[list[float]]]] = json.loads(
    (DATA / "sample_faces.json").read_text()
)["photos"]
PEOPLE: dict[str, int] = json.loads((DATA / "sample_people.json").read_text())["clips"]

SAME = 0.5
RECALL = 0.95
PART_OFF = 0.25


@cache
def model() -> ExpressionReader:
    return ExpressionReader()


@cache
def detector() -> YuNetDetector:
    return YuNetDetector()


def iou(a: Box, b: Box) -> float:
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    shared = max(width, 0) * max(height, 0)
    return shared / (a.width * a.height + b.width * b.height - shared)


def missed_and_wrong(name: str) -> tuple[list[Box], list[Box]]:
    """(faces that were not found, boxes found where there is no face)"""
    marked = FACES[name]
    left = [Box(*values) for values in marked["faces"]]
    disputable = [Box(*values) for values in marked["disputable"]]
    wrong = []
    for result in analyse(sample_file(name), model(), detector=detector()):
        for prediction in result.predictions:
            box = prediction.box
            best = max(left, key=lambda face: iou(face, box), default=None)
            if best is not None and iou(best, box) >= SAME:
                left.remove(best)
            elif box.height >= 24 and all(iou(other, box) < 0.2 for other in disputable):
                wrong.append(box)
    return left, wrong


def test_faces_in_real_photos_are_found() -> None:
    outcomes = {name: missed_and_wrong(name) for name in FACES}
    marked = sum(len(photo["faces"]) for photo in FACES.values())
    missed = sum(len(left) for left, _ in outcomes.values())
    wrong = sum(len(found) for _, found in outcomes.values())
    assert marked == 23
    assert 1 - missed / marked >= RECALL, outcomes
    assert wrong <= marked * (1 - RECALL), outcomes


@pytest.mark.parametrize("name", PEOPLE)
def test_people_in_real_clips_are_counted(name: str) -> None:
    people = counted(name, AnalysisOptions())
    assert abs(people - PEOPLE[name]) <= PART_OFF * PEOPLE[name], people


def test_people_far_away_are_found_because_small_frames_are_enlarged() -> None:
    """The two at the back of the class have faces of 16 pixels."""
    name = "intel_classroom.mp4"
    assert counted(name, AnalysisOptions()) == PEOPLE[name]
    assert counted(name, AnalysisOptions(min_face_far=24)) < PEOPLE[name]


def counted(name: str, options: AnalysisOptions) -> int:
    results = analyse(sample_file(name), model(), options)
    return sum(track.lead_in is None for result in results for track in result.tracks)
