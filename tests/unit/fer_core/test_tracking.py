from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_core.tracking import CutDetector, Tracker, TrackerOptions, iou, is_followed, missed_ms
from fer_core.types import Box, Face
from tests.made_footage import Appearance, scene

boxes = st.builds(
    Box, st.floats(-500, 2000), st.floats(-500, 2000), st.floats(1, 400), st.floats(1, 400)
)


def face(x: float, y: float, size: float = 50, score: float = 0.9) -> Face:
    return Face(Box(x - size / 2, y - size / 2, size, size), np.zeros((5, 2), np.float32), score)


def follow(frames: Sequence[Sequence[Face]], step_ms: int = 200) -> list[list[int | None]]:
    tracker = Tracker()
    return [tracker.update(n * step_ms, faces) for n, faces in enumerate(frames)]


@given(boxes, boxes)
def test_iou_is_a_share_and_symmetric(a: Box, b: Box) -> None:
    assert 0 <= iou(a, b) <= 1 + 1e-9
    assert iou(a, b) == pytest.approx(iou(b, a))
    assert iou(a, a) == pytest.approx(1)


def test_one_who_stands_is_one() -> None:
    assert follow([[face(100, 100)]] * 20) == [[0]] * 20


@pytest.mark.parametrize("rate", [2, 5, 10])
def test_one_who_walks_across_is_one(rate: int) -> None:
    # About three face heights a second, both ways.
    xs = [100 + 150 * n / rate for n in range(4 * rate)]
    assert follow([[face(x, 100)] for x in xs], 1000 // rate) == [[0]] * len(xs)
    assert follow([[face(x, 100)] for x in reversed(xs)], 1000 // rate) == [[0]] * len(xs)


def test_two_who_pass_each_other_keep_their_numbers() -> None:
    frames = [[face(100 + 20 * n, 100), face(500 - 20 * n, 130)] for n in range(21)]
    assert follow(frames) == [[0, 1]] * 21


def test_a_second_without_detections_does_not_end_a_track() -> None:
    frames = [[face(100 + 10 * n, 100)] if not 5 <= n < 9 else [] for n in range(15)]
    assert {n for numbers in follow(frames) for n in numbers} == {0}


def test_after_longer_it_is_someone_new() -> None:
    frames = [[face(100, 100)], *[[] for _ in range(9)], [face(100, 100)]]
    assert follow(frames)[-1] == [1]


def test_someone_far_away_or_of_another_size_is_someone_else() -> None:
    assert follow([[face(100, 100)], [face(300, 100)]]) == [[0], [1]]
    assert follow([[face(100, 100, 40)], [face(100, 100, 90)]]) == [[0], [1]]


def test_nobody_takes_the_number_of_someone_who_left() -> None:
    frames = [[face(100, 100), face(400, 100)]] * 3 + [[face(400, 100)]] * 20
    assert follow(frames)[-1] == [1]
    assert follow([*frames, [face(100, 100), face(400, 100)]])[-1] == [2, 1]


def test_an_unsure_face_keeps_a_track_alive_and_begins_none() -> None:
    unsure = face(100, 100, score=0.5)
    assert follow([[unsure]] * 3) == [[None]] * 3
    frames = [[face(100, 100)], *[[unsure]] * 9, [face(100, 100), unsure]]
    assert follow(frames) == [*[[0]] * 10, [0, None]]


def test_an_unsure_face_begins_a_track_where_that_is_asked_for() -> None:
    tracker, unsure = Tracker(), face(100, 100, score=0.5)
    assert tracker.update(0, [unsure], unsure_begin=True) == [0]
    assert tracker.update(200, [face(100, 100), face(300, 100, score=0.5)]) == [0, None]


def test_a_track_outlives_one_missing_sight_at_few_samples_a_second() -> None:
    assert [missed_ms(rate) for rate in (5, 1, 0.5, 0.44, 0.1)] == [440, 2200, 4400, 5000, 5000]
    assert [is_followed(rate) for rate in (5, 0.5, 0.44, 0.43)] == [True, True, True, False]


def test_a_sure_face_is_chosen_before_an_unsure_one() -> None:
    frames = [[face(100, 100)], [face(100, 100, score=0.5), face(108, 100)]]
    assert follow(frames) == [[0], [None, 0]]


def test_one_who_walks_by_close_to_the_camera_is_one() -> None:
    """Measured in a street: 190 pixels in a fifth of a second, by a face of 95 x 130."""
    xs = [100 + 190 * n for n in range(7)]
    assert follow([[face(x, 100, 112)] for x in xs]) == [[0]] * 7


def test_the_long_step_is_only_for_a_face_of_the_same_size_that_nobody_claims() -> None:
    assert follow([[face(100, 100, 100)], [face(290, 100, 140)]]) == [[0], [1]]
    standing = face(290, 100, 100)
    frames = [[standing], [standing], [face(100, 100, 100), standing], [standing]]
    assert follow(frames) == [[0], [0], [1, 0], [0]]


def test_a_scene_cut_ends_all_tracks() -> None:
    tracker = Tracker()
    assert tracker.update(0, [face(100, 100)]) == [0]
    tracker.cut()
    assert tracker.update(200, [face(100, 100)]) == [1]


@given(
    st.lists(
        st.lists(st.tuples(st.floats(0, 1900), st.floats(0, 1000), st.floats(20, 200)), max_size=8),
        max_size=12,
    )
)
def test_numbers_are_unique_in_a_frame_rise_and_repeat_with_the_input(
    scenes: list[list[tuple[float, float, float]]],
) -> None:
    frames = [[face(*place) for place in places] for places in scenes]
    numbers = follow(frames)
    assert numbers == follow(frames)
    highest = -1
    for faces, given_numbers in zip(frames, numbers, strict=True):
        assert len(given_numbers) == len(faces) == len(set(given_numbers))
        for number in given_numbers:
            assert number is not None
            assert number <= highest + 1
            highest = max(highest, number)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=6, unique=True),
    st.floats(-3, 3),
    st.floats(-2, 2),
    st.randoms(use_true_random=False),
)
def test_people_apart_from_each_other_never_swap(
    places: list[tuple[int, int]], vx: float, vy: float, random: object
) -> None:
    """All move as one, faces jitter by two pixels and come in any order."""
    assert hasattr(random, "shuffle")
    rng = np.random.default_rng(5)
    tracker = Tracker()
    owner: dict[int, int] = {}
    for n in range(12):
        seen = [
            (p, face(200 * x + vx * n * 4 + rng.normal(), 200 * y + vy * n * 4 + rng.normal(), 60))
            for p, (x, y) in enumerate(places)
        ]
        random.shuffle(seen)
        numbers = tracker.update(n * 200, [one for _, one in seen])
        for (person, _), number in zip(seen, numbers, strict=True):
            assert number is not None
            assert owner.setdefault(number, person) == person
    assert len(owner) == len(places)


def test_a_cut_is_told_from_movement() -> None:
    cuts = CutDetector()
    for n in range(10):
        walk = [Appearance(100 + 40 * n, 180, face_height=150)]
        assert not cuts.is_cut(scene((640, 360), walk, "textured"))
    assert cuts.is_cut(scene((640, 360), background="dark"))
    assert not cuts.is_cut(scene((640, 360), background="dark"))
    assert cuts.is_cut(scene((640, 360), background="plain"))


@pytest.mark.parametrize(
    ("steps_ms", "is_one"), [([2000] * 4, True), ([200, 200, 200, 4000], False)]
)
def test_a_gap_is_bridged_only_where_frames_are_seldom(steps_ms: list[int], is_one: bool) -> None:
    """A camera that records only while something moves leaves gaps as long as slow frames."""
    tracker = Tracker(longest_missed_ms=5000)
    numbers = [tracker.update(at, [face(100, 100)]) for at in accumulate(steps_ms, initial=0)]
    assert numbers[:-1] == [[0]] * 4
    assert numbers[-1] == [0 if is_one else 1]


def test_a_track_lives_as_long_as_the_option_says() -> None:
    tracker = Tracker(TrackerOptions(max_missed_ms=3000))
    assert tracker.update(0, [face(100, 100)]) == [0]
    assert tracker.update(3000, [face(100, 100)]) == [0]
    assert tracker.update(6001, [face(100, 100)]) == [1]
