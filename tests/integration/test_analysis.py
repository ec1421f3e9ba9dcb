"""The pipeline on footage whose people, places and times are known."""

import pickle
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core import footage
from fer_core.analysis import analyse, analyse_segment, threads_each, workers_each
from fer_core.detection import YuNetDetector
from fer_core.errors import Cancelled, UnreadableFootage
from fer_core.options import AnalysisOptions
from fer_core.search import Seen
from fer_core.tracking import iou
from fer_core.types import (
    EXPRESSIONS,
    UNKNOWN,
    Box,
    Face,
    FootageInfo,
    FootageKind,
    Frame,
    LeadIn,
    Prediction,
    SegmentResult,
    Track,
    UnknownReason,
)
from tests.fixed_reading import FixedModel, people_of, read_by_rote
from tests.made_footage import Appearance, MadeVideo, scene, write_picture, write_video
from tests.sample_footage import sample_file

PEOPLE = (
    Appearance(150, 180, 0.0, 5.0, to=(420, 150), face_height=80),
    Appearance(520, 260, 2.0, 9.0, face_height=60, look="mirrored"),
    Appearance(120, 120, 6.0, 10.0, to=(330, 120), face_height=70, look="warm"),
)


@pytest.fixture(scope="module")
def detector() -> YuNetDetector:
    # All made faces are larger than this; frames are then not enlarged, which halves the time.
    return YuNetDetector(min_face=36)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> MadeVideo:
    path = tmp_path_factory.mktemp("shop") / "till.mp4"
    return write_video(path, PEOPLE, fps=10, seconds=10)


@pytest.fixture(scope="module")
def whole(shop: MadeVideo, detector: YuNetDetector) -> SegmentResult:
    """The shop's video, analysed in one go."""
    (result,) = read_by_rote(shop.path, detector)
    return result


def predictions(results: Sequence[SegmentResult]) -> list[Prediction]:
    return [prediction for result in results for prediction in result.predictions]


def owner(shop: MadeVideo, prediction: Prediction) -> int:
    """Which person of the truth a prediction is of."""
    truth = shop.boxes(prediction.time_ms)
    return max(truth, key=lambda person: iou(truth[person], prediction.box))


def test_each_face_is_found_in_each_sampled_frame(shop: MadeVideo, whole: SegmentResult) -> None:
    assert whole.frames == 50
    assert whole.warnings == ()
    by_time = Counter(prediction.time_ms for prediction in whole.predictions)
    for time_ms in range(0, 10_000, 200):
        assert by_time[time_ms] == len(shop.boxes(time_ms)), time_ms
    for prediction in whole.predictions:
        truth = shop.boxes(prediction.time_ms)[owner(shop, prediction)]
        assert iou(truth, prediction.box) > 0.6


def test_each_person_is_one_track_from_first_to_last_sight(
    shop: MadeVideo, whole: SegmentResult
) -> None:
    assert len(whole.tracks) == 3
    for track, person in zip(whole.tracks, PEOPLE, strict=True):
        own = [p for p in whole.predictions if p.track == track.number]
        assert {owner(shop, p) for p in own} == {PEOPLE.index(person)}
        assert track.start_ms == person.start_s * 1000
        assert track.end_ms == person.end_s * 1000 - 200
        assert track.faces == len(own) == (person.end_s - person.start_s) * 5
        assert track.lead_in is None


def test_a_prediction_holds_what_the_types_promise(whole: SegmentResult) -> None:
    keys = [(p.time_ms, p.face) for p in whole.predictions]
    assert keys == sorted(set(keys))
    for p in whole.predictions:
        assert p.probabilities is not None
        assert p.probabilities.shape == (7,)
        assert p.probabilities.sum() == pytest.approx(1, abs=1e-5)
        assert p.expression == EXPRESSIONS[int(p.probabilities.argmax())]
        assert p.confidence == pytest.approx(float(p.probabilities.max()))
        assert p.unknown_reason is None
        assert 0 < p.quality <= 1


def test_a_tracks_mean_is_weighted_by_quality(whole: SegmentResult) -> None:
    for track in whole.tracks:
        own = [p for p in whole.predictions if p.track == track.number]
        weights = np.array([p.quality for p in own])
        rows = np.array([p.probabilities for p in own])
        assert track.mean_probabilities is not None
        assert track.mean_probabilities == pytest.approx(
            (weights[:, None] * rows).sum(0) / weights.sum(), abs=1e-5
        )
        assert track.weight == pytest.approx(weights.sum())
        assert track.expression == EXPRESSIONS[int(track.mean_probabilities.argmax())]


@pytest.mark.parametrize(
    ("suffix", "segment_ms", "search_ms"),
    [
        (".mp4", 1500, 500),
        (".mp4", 4000, 800),
        (".mkv", 2300, 0),
        (".avi", 4300, 0),
        (".ts", 2300, 0),
        (".ts", 2400, 800),
    ],
)
def test_segments_hold_the_people_that_one_go_holds(
    tmp_path: Path, detector: YuNetDetector, suffix: str, segment_ms: int, search_ms: int
) -> None:
    path = tmp_path / f"till{suffix}"
    write_video(path, PEOPLE, fps=10, seconds=10)
    options = AnalysisOptions(search_ms=search_ms, whole_ms=0)
    whole = read_by_rote(path, detector, options)
    parts = read_by_rote(path, detector, replace(options, segment_ms=segment_ms))
    assert len(parts) > 1
    assert people_of(parts) == people_of(whole)
    assert len(people_of(parts)) == 3
    leads_in = range(segment_ms - options.lead_in_ms, 10_000, segment_ms)
    anew = {start_ms // search_ms for start_ms in leads_in} if search_ms else set()
    for one, other in zip(predictions(whole), predictions(parts), strict=True):
        assert (one.time_ms, one.face, one.expression) == (
            other.time_ms,
            other.face,
            other.expression,
        )
        # Where a lead-in begins, up to the next frame that is searched, others are searched whole.
        within = 0.05 if search_ms and one.time_ms // search_ms in anew else 1e-3
        assert one.probabilities == pytest.approx(other.probabilities, abs=within)


@pytest.mark.parametrize("segment_ms", [1500, 2300, 4300])
def test_people_are_the_same_where_a_segment_ends_between_two_searches(
    shop: MadeVideo, whole: SegmentResult, detector: YuNetDetector, segment_ms: int
) -> None:
    parts = read_by_rote(shop.path, detector, AnalysisOptions(segment_ms=segment_ms))
    assert people_of(parts) == people_of([whole])


def test_the_seam_is_the_key_of_a_prediction_in_the_segment_before(
    shop: MadeVideo, detector: YuNetDetector
) -> None:
    first, second = read_by_rote(shop.path, detector, AnalysisOptions(segment_ms=5000))[:2]
    assert [track.lead_in for track in first.tracks] == [None, None]
    staying, coming = second.tracks
    assert staying.lead_in == LeadIn(4800, 1)
    assert coming.lead_in is None
    (before,) = [p for p in first.predictions if (p.time_ms, p.face) == (4800, 1)]
    assert owner(shop, before) == 1
    assert all(5000 <= p.time_ms < 10_000 for p in second.predictions)


def test_a_segment_read_again_is_the_same_to_the_last_bit(
    shop: MadeVideo, detector: YuNetDetector
) -> None:
    info, options = footage.probe(shop.path), AnalysisOptions(segment_ms=3000)
    plan = footage.plan_segments(info, options.segment_ms)[1]
    first, again = (
        analyse_segment(shop.path, info, plan, options, FixedModel(), detector) for _ in range(2)
    )
    assert pickle.dumps(first) == pickle.dumps(again)


def test_someone_hidden_for_a_moment_is_still_one(tmp_path: Path, detector: YuNetDetector) -> None:
    person = Appearance(150, 180, 0, 6, to=(450, 180), hidden_s=(2.5, 3.3))
    write_video(tmp_path / "a.mp4", [person], seconds=6)
    (result,) = read_by_rote(tmp_path / "a.mp4", detector)
    assert len(result.tracks) == 1
    assert result.tracks[0].faces == 26


class Dimmed:
    """A detector that is unsure of what it finds left of the middle."""

    at_once = 1

    def __init__(self, detector: YuNetDetector) -> None:
        self._detector = detector

    def detect(
        self,
        pixels: NDArray[np.uint8],
        smallest: float | None = None,
        around: Sequence[Box] | None = None,
        parts: Sequence[Box] = (),
    ) -> list[Face]:
        middle = pixels.shape[1] / 2
        return [
            replace(face, score=0.7) if face.box.x + face.box.width / 2 < middle else face
            for face in self._detector.detect(pixels, smallest, around, parts)
        ]


def test_what_is_never_seen_clearly_is_nobody(tmp_path: Path, detector: YuNetDetector) -> None:
    write_video(tmp_path / "a.mp4", [Appearance(150, 180), Appearance(480, 180)], seconds=4)
    (result,) = read_by_rote(tmp_path / "a.mp4", Dimmed(detector))
    assert [track.faces for track in result.tracks] == [20]
    assert all(p.box.x > 320 for p in result.predictions)


def test_who_is_seen_clearly_once_is_a_person_all_along(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    write_video(tmp_path / "a.mp4", [Appearance(120, 180, 0, 4, to=(420, 180))], seconds=4)
    (result,) = read_by_rote(tmp_path / "a.mp4", Dimmed(detector))
    assert [track.faces for track in result.tracks] == [20]
    assert result.predictions[0].box.x < 320


def test_who_comes_as_a_segment_ends_is_found_in_both(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    """Not seen clearly before the seam: the segment looks beyond its end before it calls that
    nobody."""
    person = Appearance(200, 180, 2.4, 6.0, to=(600, 180))  # at the middle after 3.4 s
    write_video(tmp_path / "a.mp4", [person], seconds=6)
    first, second = read_by_rote(
        tmp_path / "a.mp4", Dimmed(detector), AnalysisOptions(segment_ms=3000)
    )
    assert [p.time_ms for p in first.predictions] == [2400, 2600, 2800]
    assert [track.lead_in for track in second.tracks] == [LeadIn(2800, 0)]


def searched(detector: YuNetDetector, score: Callable[[int], float]) -> Callable[..., object]:
    """In the place of ``search``: one who stands still, found five times a second with a score
    by the time in milliseconds."""
    pixels = scene((640, 360), [Appearance(320, 180)])
    (face,) = detector.detect(pixels)

    def search(
        _p: object, _o: object, _d: object, start: int, end: int, *_: object, **__: object
    ) -> Iterator[Seen]:
        for time_ms in range(-(-start // 200) * 200, end, 200):
            yield Seen(Frame(time_ms, pixels), [replace(face, score=score(time_ms))], is_cut=False)

    return search


@pytest.mark.parametrize(
    ("unsure_ms", "people"),
    [
        ((7800, 10_400), 1),  # surely seen before the lead-in and after it
        ((0, 10_400), 1),  # surely seen by the second segment alone
        ((7800, 20_000), 1),
        ((0, 20_000), 0),
    ],
)
def test_one_seen_unsurely_for_all_of_a_lead_in_is_counted_as_in_one_go(
    detector: YuNetDetector,
    monkeypatch: pytest.MonkeyPatch,
    unsure_ms: tuple[int, int],
    people: int,
) -> None:
    monkeypatch.setattr(
        "fer_core.analysis.search",
        searched(detector, lambda ms: 0.55 if ms in range(*unsure_ms) else 0.9),
    )
    info = FootageInfo(FootageKind.VIDEO, 640, 360, 20_000, 10.0, "h264", 0, None)
    for segment_ms in (20_000, 10_000):
        results = [
            analyse_segment(Path("a.mp4"), info, plan, AnalysisOptions(), FixedModel(), detector)
            for plan in footage.plan_segments(info, segment_ms)
        ]
        assert len(people_of(results)) == people, segment_ms


@pytest.mark.parametrize(
    ("fps", "rate", "warned"), [(0.5, 5, False), (2, 0.5, False), (2, 0.8, False), (2, 0.3, True)]
)
def test_one_who_stays_is_one_at_few_samples_a_second(
    tmp_path: Path, detector: YuNetDetector, fps: float, rate: float, warned: bool
) -> None:
    write_video(tmp_path / "a.mp4", [Appearance(320, 180)], fps=fps, seconds=20)
    for segment_ms in (20_000, 10_000):
        options = AnalysisOptions(rate=rate, segment_ms=segment_ms)
        results = read_by_rote(tmp_path / "a.mp4", detector, options)
        assert len(people_of(results)) == 1
        assert [len(result.warnings) for result in results] == [int(warned)] * len(results)


def test_one_missed_in_a_sample_of_few_is_still_one(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    person = Appearance(320, 180, hidden_s=(7.5, 8.5))
    write_video(tmp_path / "a.mp4", [person], fps=2, seconds=20)
    for segment_ms in (20_000, 9000):
        options = AnalysisOptions(rate=0.5, segment_ms=segment_ms)
        results = read_by_rote(tmp_path / "a.mp4", detector, options)
        assert sum(track.faces for result in results for track in result.tracks) == 9
        assert len(people_of(results)) == 1


def test_at_few_frames_a_second_any_sight_is_a_person(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    write_video(tmp_path / "a.mp4", [Appearance(320, 180, 2.0, 2.15)], seconds=4)
    options = AnalysisOptions(rate=1, clear_score=1.0)
    (result,) = read_by_rote(tmp_path / "a.mp4", detector, options)
    assert [p.time_ms for p in result.predictions] == [2000]


def test_a_camera_that_sends_less_while_nothing_moves_knows_nobodies_where_it_sends_more(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    """Left of the middle nobody is seen clearly; its mean is under two frames a second."""
    still, busy, still_again = range(20), [20 + n / 5 for n in range(15)], range(23, 40)
    people = [
        Appearance(150, 180, 5, 8),
        Appearance(150, 180, 20, 23),
        Appearance(480, 180, 21, 22),
    ]
    path = tmp_path / "a.mkv"
    write_video(path, people, times_s=[*still, *busy, *still_again])
    (result,) = read_by_rote(path, Dimmed(detector), AnalysisOptions(segment_ms=60_000))
    assert [(track.start_ms, track.faces) for track in result.tracks] == [(5000, 3), (21_000, 5)]


def test_keyframes_alone_tell_when_somebody_was_there(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    people = [Appearance(160, 180, 1.5, 4.5), Appearance(480, 180, 3.5, 8)]
    write_video(tmp_path / "a.mp4", people, seconds=8, fps=10, gop=20)
    (result,) = read_by_rote(tmp_path / "a.mp4", detector, AnalysisOptions(keyframes=True))
    assert result.frames == 4
    assert [p.time_ms for p in result.predictions] == [2000, 4000, 4000, 6000]
    assert result.warnings == ()


def test_no_thread_is_left_after_an_error_or_a_stop(shop: MadeVideo) -> None:
    class Broken:
        at_once = 2

        def detect(self, pixels: NDArray[np.uint8], *rest: object) -> list[object]:
            raise RuntimeError

    before = threading.active_count()
    with pytest.raises(RuntimeError):
        list(analyse(shop.path, FixedModel(), None, Broken()))  # type: ignore[arg-type]
    assert threading.active_count() == before


def test_a_scene_cut_ends_tracks(tmp_path: Path, detector: YuNetDetector) -> None:
    person = Appearance(320, 180, 0, 4)
    write_video(tmp_path / "a.mp4", [person], seconds=4, cuts_s=[2.0])
    (result,) = read_by_rote(tmp_path / "a.mp4", detector)
    assert [(t.start_ms, t.end_ms) for t in result.tracks] == [(0, 1800), (2000, 3800)]


def test_a_variable_frame_rate_keeps_its_true_times(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    at = (0.0, 0.1, 0.15, 0.5, 0.95, 1.3, 1.35, 1.79, 2.01)
    write_video(tmp_path / "a.mkv", [Appearance(320, 180)], times_s=at)
    (result,) = read_by_rote(tmp_path / "a.mkv", detector)
    assert [p.time_ms for p in result.predictions] == [0, 500, 950, 1300, 1790, 2010]
    assert len(result.tracks) == 1


def test_a_picture_is_one_segment_with_a_track_a_face(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    truth = write_picture(
        tmp_path / "a.jpg", [Appearance(150, 120), Appearance(450, 200, look="mirrored")]
    )
    (result,) = read_by_rote(tmp_path / "a.jpg", detector)
    assert result.frames == 1
    assert [(p.time_ms, p.face, p.track) for p in result.predictions] == [(0, 0, 0), (0, 1, 1)]
    for prediction, box in zip(result.predictions, truth, strict=True):
        assert iou(prediction.box, box) > 0.6
    assert [(t.start_ms, t.end_ms, t.faces) for t in result.tracks] == [(0, 0, 1), (0, 0, 1)]


def test_staff_are_left_out_before_anything_is_read(
    shop: MadeVideo, detector: YuNetDetector
) -> None:
    till = ((0.6, 0.5), (1.0, 0.5), (1.0, 1.0), (0.6, 1.0))
    (result,) = read_by_rote(shop.path, detector, AnalysisOptions(zones=(till,)))
    assert len(result.tracks) == 2
    assert {owner(shop, p) for p in result.predictions} == {0, 2}


def test_an_unsure_face_is_unknown_and_keeps_its_probabilities(
    shop: MadeVideo, detector: YuNetDetector
) -> None:
    (result,) = analyse(shop.path, FixedModel(unknown_below=0.99), None, detector)
    for p in result.predictions:
        assert (p.expression, p.unknown_reason) == (UNKNOWN, UnknownReason.UNSURE)
        assert p.probabilities is not None
        assert p.confidence > 0
    for track in result.tracks:
        assert (track.expression, track.mean_probabilities, track.weight) == (UNKNOWN, None, 0)
        assert track.faces == track.faces_unknown


def test_a_face_that_cannot_be_read_is_counted_with_its_reason(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    write_video(tmp_path / "a.mp4", [Appearance(320, 180, face_height=60)], seconds=1)
    gate = replace(AnalysisOptions().gate, height=(70.0, 90.0))
    model = FixedModel()
    (result,) = analyse(tmp_path / "a.mp4", model, AnalysisOptions(gate=gate), detector)
    assert len(result.predictions) == 5
    for p in result.predictions:
        assert (p.expression, p.unknown_reason) == (UNKNOWN, UnknownReason.SMALL)
        assert (p.probabilities, p.confidence, p.quality) == (None, 0, 0)
    assert result.tracks == (Track(0, 0, 800, 5, 5, None, 0.0, UNKNOWN, None),)
    assert model.batches == []


def test_faces_are_read_in_batches_over_frames(shop: MadeVideo, detector: YuNetDetector) -> None:
    model = FixedModel()
    (result,) = analyse(shop.path, model, AnalysisOptions(batch_size=16), detector)
    assert sum(model.batches) == len(result.predictions) == 80
    assert len(model.batches) <= 80 / 16 + 1


def test_footage_without_faces_is_an_empty_result(tmp_path: Path, detector: YuNetDetector) -> None:
    write_video(tmp_path / "a.mp4", seconds=2, background="textured")
    (result,) = read_by_rote(tmp_path / "a.mp4", detector)
    assert (result.frames, result.predictions, result.tracks) == (10, (), ())


def test_progress_rises_to_the_segments_length(shop: MadeVideo, detector: YuNetDetector) -> None:
    info = footage.probe(shop.path)
    options = AnalysisOptions(segment_ms=4000)
    plan = footage.plan_segments(info, 4000)[1]
    told: list[int] = []
    analyse_segment(shop.path, info, plan, options, FixedModel(), detector, told.append)
    assert told == sorted(told)
    assert told[-1] == 4000
    assert len(told) > 20


def test_a_stop_is_heeded_in_the_middle(shop: MadeVideo, detector: YuNetDetector) -> None:
    info = footage.probe(shop.path)
    (plan,) = footage.plan_segments(info)
    told: list[int] = []
    with pytest.raises(Cancelled):
        analyse_segment(
            shop.path,
            info,
            plan,
            AnalysisOptions(),
            FixedModel(),
            detector,
            told.append,
            lambda: len(told) >= 5,
        )
    assert len(told) == 5


def test_an_error_of_the_detector_reaches_the_caller(shop: MadeVideo) -> None:
    class Broken:
        at_once = 1

        def detect(self, pixels: NDArray[np.uint8], *rest: object) -> list[object]:
            raise RuntimeError(f"no eyes for {pixels.shape} {rest}")

    with pytest.raises(RuntimeError, match="no eyes"):
        list(analyse(shop.path, FixedModel(), None, Broken()))  # type: ignore[arg-type]


def test_a_file_that_went_bad_after_the_probe_is_one_error(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, seconds=1)
    info = footage.probe(path)
    path.write_bytes(b"\0" * 5000)
    (plan,) = footage.plan_segments(info)
    with pytest.raises(UnreadableFootage, match=r"till 3\.mp4"):
        analyse_segment(
            path, info, plan, AnalysisOptions(), FixedModel(), detector, name="till 3.mp4"
        )


def test_a_stretch_with_nothing_to_decode_is_a_warning(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    path = tmp_path / "a.mkv"
    write_video(path, [Appearance(320, 180)], seconds=8, gop=10, background="textured")
    info = footage.probe(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3])
    options = AnalysisOptions(segment_ms=4000)
    first, second = (
        analyse_segment(path, info, plan, options, FixedModel(), detector)
        for plan in footage.plan_segments(info, 4000)
    )
    assert len(first.tracks) == 1
    assert first.warnings
    assert (second.frames, second.predictions) == (0, ())
    assert second.warnings


def test_detector_and_model_share_the_cores_with_decoding() -> None:
    assert [threads_each(cores) for cores in (1, 2, 4, 6, 16)] == [1, 1, 1, 2, 5]
    assert [workers_each(cores) for cores in (1, 2, 4, 16)] == [1, 2, 2, 2]


class Recorded(FixedModel):
    """Keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[NDArray[np.uint8]] = []
        self.views: set[int | None] = set()

    def read(self, crops: NDArray[np.uint8], views: int | None = None) -> NDArray[np.float32]:
        self.shown.extend(crops)
        self.views.add(views)
        return super().read(crops, views)


def apart(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Mean absolute difference of two crops."""
    return float(np.abs(one - other).mean())


class AtTheSameTime(FixedModel):
    """Two batches meet here, if they are given by two threads."""

    at_once = 2

    def __init__(self) -> None:
        super().__init__()
        self._both = threading.Barrier(2)
        self.met = 0

    def read(self, crops: NDArray[np.uint8], views: int | None = None) -> NDArray[np.float32]:
        self._both.wait(240)
        self.met += 1
        return super().read(crops, views)


def test_two_batches_are_read_at_the_same_time_and_the_rest_by_both(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    write_video(tmp_path / "a.mp4", [Appearance(320, 180)], seconds=4)
    options = AnalysisOptions(batch_size=7)
    model = AtTheSameTime()
    (read,) = analyse(tmp_path / "a.mp4", model, options, detector)
    (alone,) = analyse(tmp_path / "a.mp4", FixedModel(), options, detector)
    assert sorted(model.batches) == [3, 3, 7, 7]
    assert model.met == 4
    for one, other in zip(read.predictions, alone.predictions, strict=True):
        assert one.time_ms == other.time_ms
        np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_video_is_read_as_it_is_and_mirrored_in_turns(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    write_video(tmp_path / "a.mp4", [Appearance(320, 180)], seconds=2)
    model = Recorded()
    list(analyse(tmp_path / "a.mp4", model, AnalysisOptions(search_ms=0), detector))
    assert model.views == {1}
    first, second, third, *_ = (crop.astype(int) for crop in model.shown)
    assert apart(first, third) < apart(first, third[:, ::-1]) / 2
    assert apart(first, second[:, ::-1]) < apart(first, second) / 2


def test_pictures_and_single_frames_are_read_with_every_view(
    tmp_path: Path, detector: YuNetDetector
) -> None:
    write_video(tmp_path / "a.mp4", [Appearance(320, 180)], seconds=3)
    write_picture(tmp_path / "b.jpg", [Appearance(320, 180)])
    for name, options in (("a.mp4", AnalysisOptions(rate=1)), ("b.jpg", AnalysisOptions())):
        model = Recorded()
        list(analyse(tmp_path / name, model, options, detector))
        assert model.views == {None}
        first, *others = (crop.astype(int) for crop in model.shown)
        assert all(apart(first, other) < apart(first, other[:, ::-1]) / 2 for other in others)


@pytest.mark.parametrize("at_once", [2, 3])
def test_frames_looked_at_at_once_give_the_same_rows(
    shop: MadeVideo, whole: SegmentResult, at_once: int
) -> None:
    (result,) = read_by_rote(shop.path, YuNetDetector(min_face=36, at_once=at_once))
    assert result.tracks
    assert pickle.dumps(result) == pickle.dumps(whole)


def test_options_travel_to_another_process() -> None:
    options = AnalysisOptions(zones=(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)),))
    assert pickle.loads(pickle.dumps(options)) == options


@pytest.mark.parametrize(
    "wrong", [{"rate": 0}, {"segment_ms": 0}, {"batch_size": 0}, {"lead_in_ms": 1000}]
)
def test_options_that_cannot_work_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        replace(AnalysisOptions(), **wrong)  # type: ignore[arg-type]


# What real samples hold, counted by eye: (faces at once, people who show their face).
SAMPLES = {
    "two_people.jpg": (2, 2),
    "intel_face-demographics-walking-and-pause.mp4": (3, 3),
    "intel_head-pose-face-detection-female-and-male.mp4": (2, 2),
    "intel_head-pose-face-detection-male.mp4": (1, 1),
    "pexels_woman_expressions.mp4": (1, 1),
    "opencv_vtest_12s.mp4": (0, 0),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_people_in_real_footage_are_counted(name: str) -> None:
    at_once, seen = SAMPLES[name]
    results = read_by_rote(sample_file(name), YuNetDetector(), AnalysisOptions(rate=2.5))
    by_time = Counter(p.time_ms for p in predictions(results))
    assert max(by_time.values(), default=0) == at_once
    assert len(people_of(results)) == seen
