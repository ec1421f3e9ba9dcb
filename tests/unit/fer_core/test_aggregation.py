import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fer_core.aggregation import People, SeenFace, aggregated
from fer_core.quality import Quality
from fer_core.types import EXPRESSIONS, UNKNOWN, Box, Face, LeadIn, Track, UnknownReason

HAPPY, SAD = EXPRESSIONS.index("happy"), EXPRESSIONS.index("sad")


def probabilities(best: int, share: float = 0.7) -> NDArray[np.float32]:
    row = np.full(len(EXPRESSIONS), (1 - share) / 6, np.float32)
    row[best] = share
    return row


def seen(time_ms: int, best: int | None = HAPPY, quality: float = 1.0, track: int = 0) -> SeenFace:
    face = Face(Box(0, 0, 50, 50), np.zeros((5, 2), np.float32), 0.9)
    if best is None:
        return SeenFace(time_ms, 0, track, face, Quality(0.0, UnknownReason.BLURRED))
    return SeenFace(time_ms, 0, track, face, Quality(quality, None), probabilities(best))


def only(*faces: SeenFace) -> Track:
    (track,) = aggregated(faces, lambda _: True, {}, 0.3)[1]
    return track


def test_a_good_face_weighs_more_than_a_poor_one() -> None:
    track = only(seen(0, HAPPY, 0.9), seen(200, SAD, 0.1))
    assert track.expression == "happy"
    assert track.mean_probabilities is not None
    expected = 0.9 * probabilities(HAPPY) + 0.1 * probabilities(SAD)
    assert track.mean_probabilities == pytest.approx(expected, abs=1e-6)
    assert track.weight == pytest.approx(1.0)


def test_the_start_and_the_end_of_an_appearance_are_told_apart() -> None:
    """Two seconds each: who comes sad and leaves happy does so whatever happens between."""
    faces = [seen(t, SAD if t < 4000 else HAPPY) for t in range(0, 10_001, 200)]
    track = only(*faces)
    assert track.start_probabilities == pytest.approx(probabilities(SAD), abs=1e-6)
    assert track.end_probabilities == pytest.approx(probabilities(HAPPY), abs=1e-6)


def test_of_a_short_appearance_start_and_end_are_a_half_each() -> None:
    track = only(seen(0, SAD), seen(200, SAD), seen(600, HAPPY), seen(800, HAPPY))
    assert track.start_probabilities == pytest.approx(probabilities(SAD), abs=1e-6)
    assert track.end_probabilities == pytest.approx(probabilities(HAPPY), abs=1e-6)


def test_an_end_that_could_not_be_read_is_none() -> None:
    faces = [seen(t, HAPPY if t < 5000 else None) for t in range(0, 10_001, 200)]
    track = only(*faces)
    assert track.end_ms == 10_000
    assert track.start_probabilities is not None
    assert track.end_probabilities is None


def test_one_who_could_not_be_read_has_no_mean() -> None:
    track = only(seen(0, None), seen(200, None))
    assert (track.expression, track.faces, track.faces_unknown) == (UNKNOWN, 2, 2)
    assert track.mean_probabilities is track.start_probabilities is track.end_probabilities is None
    assert track.weight == 0


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.floats(0.05, 1.0), st.integers(0, 3)),
        min_size=1,
        max_size=40,
    )
)
def test_means_are_probabilities_and_every_face_is_in_its_track(
    faces: list[tuple[int, float, int]],
) -> None:
    given_faces = [seen(200 * n, *face) for n, face in enumerate(faces)]
    predictions, tracks = aggregated(given_faces, lambda _: True, {}, 0.3)
    assert len(predictions) == sum(track.faces for track in tracks) == len(faces)
    assert [track.number for track in tracks] == list(range(len(tracks)))
    for track in tracks:
        for mean in (track.mean_probabilities, track.start_probabilities, track.end_probabilities):
            assert mean is not None
            assert mean.sum() == pytest.approx(1, abs=1e-4)
            assert mean.min() >= 0


def test_nobodies_are_left_out_and_the_others_numbered_as_they_appear() -> None:
    faces = [seen(0, track=7), seen(200, track=3), seen(400, track=9)]
    predictions, tracks = aggregated(faces, lambda t: t != 3, {9: LeadIn(-200, 1)}, 0.3)
    assert [(p.time_ms, p.track) for p in predictions] == [(0, 0), (400, 1)]
    assert [(t.number, t.lead_in) for t in tracks] == [(0, None), (1, LeadIn(-200, 1))]


def test_one_who_is_never_seen_clearly_is_nobody() -> None:
    people = People()
    people.saw(0, {0: False, 1: True, 2: False})
    people.saw(200, {0: False, 2: True})
    people.saw(400, {0: False, 2: False})
    for time_ms in range(600, 2000, 200):
        people.saw(time_ms, {0: False})
    assert [people.is_one(track) for track in (0, 1, 2)] == [False, True, True]
    assert people.undecided(since_ms=1800)
    assert not people.undecided(since_ms=1801)


def test_where_frames_are_seldom_any_sight_will_do_until_they_are_not() -> None:
    people = People()
    people.saw(0, {0: False})
    people.saw(1000, {0: False, 1: False})
    assert [people.is_one(track) for track in (0, 1)] == [True, True]
    assert people.undecided(since_ms=1000)
    people.saw(1200, {1: False})
    assert [people.is_one(track) for track in (0, 1)] == [False, False]
    people.saw(2200, {0: True})
    assert [people.is_one(track) for track in (0, 1)] == [True, False]


def test_the_first_frame_after_a_gap_is_as_close_as_the_one_that_follows_it() -> None:
    people = People()
    people.saw(0, {})
    people.saw(5000, {0: False})
    people.saw(5200, {})
    people.saw(9000, {1: False})
    people.saw(12_000, {})
    assert [people.is_one(track) for track in (0, 1)] == [False, True]
