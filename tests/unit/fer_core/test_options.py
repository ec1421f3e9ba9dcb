import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_core.detection import input_scale
from fer_core.options import AnalysisOptions
from fer_core.types import Box, Face


def face(height: float, score: float) -> Face:
    return Face(Box(0, 0, height * 0.8, height), np.zeros((5, 2), np.float32), score)


def test_a_small_video_is_enlarged_and_smaller_faces_count_in_it() -> None:
    options = AnalysisOptions()
    for size, scale, least in (
        ((480, 270), 2.0, 12.0),
        ((360, 640), 1.5, 16.0),
        ((320, 180), 2.0, 12.0),
        ((768, 576), 1.0, 24.0),
        ((960, 540), 1.0, 24.0),
        ((1920, 1080), 0.5, 24.0),
    ):
        smallest, dropped_under = options.sizes_in_video(*size)
        if max(size) * scale <= 960:
            assert input_scale(*size, smallest) == pytest.approx(scale), size
        assert dropped_under == pytest.approx(least), size


@given(st.integers(1, 8192), st.integers(1, 8192), st.floats(8, 100), st.floats(8, 100))
def test_a_video_costs_no_more_for_being_small(
    width: int, height: int, wanted: float, wanted_in_video: float
) -> None:
    options = AnalysisOptions(min_face=wanted, min_face_video=wanted_in_video)
    smallest, least = options.sizes_in_video(width, height)
    asked = input_scale(width, height, wanted_in_video)
    scale = input_scale(width, height, smallest)
    assert scale == pytest.approx(asked) or max(width, height) * scale <= 960.001
    assert least <= min(wanted, wanted_in_video)


def test_whoever_wants_no_small_faces_gets_none() -> None:
    options = AnalysisOptions(min_face=40, min_face_video=40, min_face_far=40)
    assert options.sizes_in_video(480, 270) == (40, 40)
    assert options.least_face == 40


def test_at_few_samples_a_second_tracks_and_lead_ins_are_longer() -> None:
    options = AnalysisOptions()
    assert [options.tracked_ms(rate) for rate in (5, 1, 0.5, 0.1)] == [
        (1200, 2000),
        (2200, 4400),
        (4400, 8800),
        (5000, 10_000),
    ]


def test_of_a_small_face_the_detector_must_be_surer() -> None:
    options = AnalysisOptions()
    seen = [options.is_clear(face(*one)) for one in ((30, 0.8), (20, 0.8), (20, 0.86), (30, 0.7))]
    assert seen == [True, False, True, False]
