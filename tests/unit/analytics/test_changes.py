from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics import changes
from analytics.buckets import merge
from analytics.changes import changes_by_camera, changes_by_expression, changes_by_hour
from analytics.comparison import compare
from analytics.intervals import Moments, beyond_chance, mean_difference_p
from analytics.scores import DEFAULT_SCORE, ScoreDefinition
from analytics.summary import by_camera, index_moments
from fer_core.types import EXPRESSIONS
from tests.unit.analytics.crowds import CROWDS, crowd_values
from tests.unit.analytics.people import HAPPY_THIRD, bucket_frame, crowd

GLAD = (0.05, 0.0, 0.02, 0.63, 0.05, 0.05, 0.2)
MINIMUM = 10


def period(day: str, people: dict[int, int], seed: int, **shares: object) -> pd.DataFrame:
    """Buckets of some cameras, by how many people came; of eight hours."""
    frames = [
        bucket_frame(
            crowd(
                f"{day} 09:00",
                count,
                camera_id=camera,
                seed=seed + camera,
                shares=shares.get(f"camera_{camera}", HAPPY_THIRD),  # type: ignore[arg-type]
            ),
            camera=f"camera {camera}",
        )
        for camera, count in people.items()
        if count
    ]
    return pd.concat(frames, ignore_index=True)


@given(
    st.lists(st.integers(0, 60), min_size=3, max_size=3),
    st.lists(st.integers(0, 60), min_size=3, max_size=3),
    st.lists(st.floats(-1, 1), min_size=7, max_size=7),
    st.integers(0, 99),
)
@settings(max_examples=6)
def test_the_parts_add_up_to_the_change(
    now: list[int], before: list[int], weights: list[float], seed: int
) -> None:
    score = ScoreDefinition("any", 1, tuple(weights))
    sides = [
        period(day, {1: 30, **{2 + place: count for place, count in enumerate(counts)}}, seed + k)
        for k, (day, counts) in enumerate([("2026-11-10", now), ("2026-11-03", before)])
    ]
    comparison = compare(sides[0], sides[1], score, MINIMUM)
    assert comparison.index is not None
    whole = comparison.index.value
    for parts in (changes_by_camera, changes_by_hour, changes_by_expression):
        rows = parts(sides[0], sides[1], score, MINIMUM)
        assert rows["total"].sum() == pytest.approx(whole, abs=1e-6)
        if "mix" in rows:
            assert (rows["mix"] + rows["within"]).tolist() == pytest.approx(rows["total"].tolist())
            assert rows["people_now"].sum() == comparison.now.read
            assert rows["people_before"].sum() == comparison.before.read
            people = rows.loc[~rows["rest"], ["people_now", "people_before"]]
            assert not people.isin(range(1, MINIMUM)).any(axis=None)
            assert rows["rest"].sum() <= 1
            together = rows.loc[rows["rest"], ["people_now", "people_before"]]
            assert not together.isin(range(1, MINIMUM)).any(axis=None)


def test_more_people_of_a_glad_camera_are_mix_and_a_gladder_camera_is_within() -> None:
    before = period("2026-11-03", {1: 400, 2: 100}, 0, camera_2=GLAD)
    busier = period("2026-11-10", {1: 100, 2: 400}, 0, camera_2=GLAD)
    rows = changes_by_camera(busier, before, DEFAULT_SCORE, MINIMUM).set_index("camera_id")
    assert rows["mix"].sum() > 4
    assert rows["within"].abs().sum() < rows["mix"].sum() / 3
    # The index of neither camera moved, but what each added is no chance: that is what is tested.
    assert rows["told_apart"].all()
    assert not ((rows["change_low"] > 0) | (rows["change_high"] < 0)).any()

    gladder = period("2026-11-10", {1: 400, 2: 100}, 5, camera_1=GLAD, camera_2=GLAD)
    rows = changes_by_camera(gladder, before, DEFAULT_SCORE, MINIMUM).set_index("camera_id")
    assert rows.index[0] == 1
    assert float(rows["within"].iloc[0]) > 4
    assert rows["told_apart"].to_dict() == {1: True, 2: False}
    own = by_camera(gladder, DEFAULT_SCORE, MINIMUM).set_index("camera_id")["index"]
    assert rows["index_now"].to_dict() == pytest.approx(own.to_dict())


def test_a_camera_that_is_new_moves_the_index_by_its_mix_alone() -> None:
    before = period("2026-11-03", {1: 200}, 0)
    now = period("2026-11-10", {1: 200, 2: 100}, 3, camera_2=GLAD)
    row = changes_by_camera(now, before, DEFAULT_SCORE, MINIMUM).set_index("camera_id").loc[2]
    assert row["within"] == 0
    assert row["mix"] > 0
    assert np.isnan(row["index_before"])
    assert np.isnan(row["change"])
    assert row["told_apart"]
    alike = period("2026-11-10", {1: 200, 2: 100}, 3)
    assert not changes_by_camera(alike, before, DEFAULT_SCORE, MINIMUM)["told_apart"].any()


def test_too_few_people_show_no_index_but_count_in_the_sum() -> None:
    before = period("2026-11-03", {1: 200, 2: 4, 3: 50}, 0)
    now = period("2026-11-10", {1: 200, 2: 60, 3: 5}, 3)
    rows = changes_by_camera(now, before, DEFAULT_SCORE, MINIMUM)
    rest = rows[rows["rest"]]
    assert len(rest) == 1
    assert rest[["site", "camera", "camera_id", "index_now", "change"]].isna().all(axis=None)
    assert rows.loc[~rows["rest"], "camera_id"].tolist() == [1]


def test_few_people_are_not_told_by_what_is_left_of_the_others() -> None:
    before = period("2026-11-03", {1: 200, 2: 60, 3: 90}, 0)
    now = period("2026-11-10", {1: 200, 2: 60, 3: 90, 4: 1}, 3)
    rows = changes_by_camera(now, before, DEFAULT_SCORE, MINIMUM)
    # The one person before camera 4 stands with the people of the smallest other camera.
    assert sorted(rows["camera_id"].dropna()) == [1, 3]
    rest = rows[rows["rest"]].iloc[0]
    own = by_camera(now, DEFAULT_SCORE, 1).set_index("camera_id")
    assert rest["people_now"] == (own["people"] - own["unknown"])[[2, 4]].sum()
    assert rest["people_before"] > MINIMUM


def test_the_smallest_camera_that_joins_few_people_was_there_in_their_period() -> None:
    before = period("2026-11-03", {1: 200, 2: 90, 3: 20}, 0)
    now = period("2026-11-10", {1: 200, 2: 90, 4: 3}, 3)
    rows = changes_by_camera(now, before, DEFAULT_SCORE, MINIMUM)
    # Camera 3 is the smallest, but saw nobody now.
    assert sorted(rows["camera_id"].dropna()) == [1, 3]


def test_of_two_hours_one_with_few_people_there_is_nothing_to_tell() -> None:
    before = bucket_frame(crowd("2026-11-03 09:00", 40, hours=1, unknown_share=0))
    people = [
        crowd("2026-11-10 09:00", 40, hours=1, unknown_share=0, seed=4),
        crowd("2026-11-10 10:00", 1, hours=1, unknown_share=0, seed=5),
    ]
    now = bucket_frame(pd.concat(people, ignore_index=True))
    (row,) = changes_by_hour(now, before, DEFAULT_SCORE, MINIMUM).to_dict("records")
    assert row["rest"]
    assert (row["people_now"], row["people_before"]) == (41, 40)
    whole = compare(now, before, DEFAULT_SCORE, MINIMUM).index
    assert whole is not None
    assert row["total"] == pytest.approx(whole.value)


def test_a_camera_alone_is_tested_as_the_whole_is() -> None:
    now, before = (
        index_moments(merge(period(day, {1: 80}, seed), ["camera_id"]), DEFAULT_SCORE)
        for seed, day in enumerate(("2026-11-10", "2026-11-03"))
    )
    tested = changes._total_p(now, before)
    assert tested.tolist() == pytest.approx(mean_difference_p(now, before).tolist())


def groups_of(
    values: Sequence[NDArray[np.float64]], people: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """(groups, 3): how many people, the sum of their indices and that of their squares."""
    drawn = [rng.choice(one, count) for one, count in zip(values, people, strict=True)]
    return np.array([(len(x), x.sum(), (x**2).sum()) for x in drawn])


@pytest.mark.parametrize(("now", "before"), [(160, 160), (3_000, 100)])
@pytest.mark.parametrize("shares", [(1,) * 8, (60, 20, 10, 4, 3, 2, 1)])
def test_where_nothing_changed_a_part_is_seldom_told_apart(
    shares: tuple[int, ...], now: int, before: int
) -> None:
    crowds = {name: 50 * (1 + crowd_values(CROWDS[name], 1)) for name in CROWDS}
    odd, even = ("mostly happy", "unhappy few"), ("mostly neutral", "even")
    values = [crowds[(even, odd)[place % 2][place // 2 % 2]] for place in range(len(shares))]
    rng = np.random.default_rng(now)
    told = 0
    for _ in range(400):
        drawn = [
            rng.multinomial(people, np.array(shares) / sum(shares)) for people in (now, before)
        ]
        rest = changes._too_few(np.stack(drawn, axis=1).astype(np.float64), MINIMUM)
        sides = []
        for people in drawn:
            groups = groups_of(values, people, rng)
            rows = groups[~rest]
            if rest.any():
                rows = np.vstack([rows, groups[rest].sum(axis=0)])
            count, total, squares = rows.T
            sides.append(Moments(count, total, squares, lowest=0, highest=100))
        told += bool(beyond_chance(changes._total_p(sides[0], sides[1])).any())
    assert told / 400 <= 0.08


def test_small_parts_may_be_sure_together_where_none_is_alone() -> None:
    people = dict.fromkeys(range(1, 13), 40)
    before = period("2026-11-03", people, 0)
    now = period("2026-11-10", people, 50, **{f"camera_{camera}": GLAD for camera in people})
    rows = changes_by_camera(now, before, DEFAULT_SCORE, MINIMUM)
    small = rows.iloc[8:]
    assert not small["told_apart"].any()
    assert small["told_apart_on"].iloc[0]
    # The whole change is one of them, and the smallest is alone.
    whole = compare(now, before, DEFAULT_SCORE, MINIMUM).index
    assert whole is not None
    assert rows["told_apart_on"].iloc[0] == (whole.low > 0)
    assert not rows["told_apart_on"].iloc[-1]


def test_where_nothing_changed_small_parts_are_seldom_told_apart_together() -> None:
    values = [50 * (1 + crowd_values(CROWDS[name], 1)) for name in sorted(CROWDS)]
    rng = np.random.default_rng(1)
    told = 0
    for _ in range(400):
        sides = []
        for _side in range(2):
            people = rng.multinomial(600, np.full(12, 1 / 12))
            crowds = [values[place % len(values)] for place in range(12)]
            count, total, squares = groups_of(crowds, people, rng).T
            sides.append(Moments(count, total, squares, lowest=0, highest=100))
        share = [side.count / side.count.sum() for side in sides]
        middle = sum(side.total.sum() / side.count.sum() for side in sides) / 2
        size = share[0] * (sides[0].mean - middle) - share[1] * (sides[1].mean - middle)
        order = np.argsort(-np.abs(size))
        p = changes._total_p(sides[0], sides[1])
        told += bool(changes._told_apart_on(sides[0], sides[1], p, order)[8])
    assert told / 400 <= 0.05


def test_hours_are_those_of_the_sites_clock() -> None:
    before = bucket_frame(crowd("2026-11-03 09:00", 60, hours=2))
    now = bucket_frame(crowd("2026-11-10 09:00", 60, hours=2, seed=4))
    rows = changes_by_hour(now, before, DEFAULT_SCORE, MINIMUM)
    assert sorted(rows["hour"]) == [9, 10]


def test_expressions_that_do_not_count_move_nothing() -> None:
    before = bucket_frame(crowd("2026-11-03 09:00", 300))
    now = bucket_frame(crowd("2026-11-10 09:00", 300, shares=GLAD, seed=4))
    rows = changes_by_expression(now, before, DEFAULT_SCORE, MINIMUM).set_index("expression")
    assert list(rows.index) == list(EXPRESSIONS)
    neutral = rows.loc["neutral"]
    assert neutral["total"] == 0
    assert not neutral["told_apart"]
    happy = rows.loc["happy"]
    assert happy["total"] == pytest.approx(50 * (happy["share_now"] - happy["share_before"]))
    assert happy["total_low"] < happy["total"] < happy["total_high"]
    assert happy["told_apart"]
    # Fewer angry people raise the index.
    angry = rows.loc["angry"]
    assert angry["share_now"] < angry["share_before"]
    assert angry["total"] > 0


@pytest.mark.parametrize("parts", [changes_by_camera, changes_by_hour, changes_by_expression])
def test_a_withheld_period_has_no_parts(parts: object) -> None:
    assert callable(parts)
    now = period("2026-11-10", {1: 200}, 0)
    few = bucket_frame(crowd("2026-11-03 09:00", 9, unknown_share=0))
    whole = parts(now, period("2026-11-03", {1: 200}, 1), DEFAULT_SCORE, MINIMUM)
    for sides in ((now, few), (few, now), (now, now.iloc[:0])):
        rows = parts(*sides, DEFAULT_SCORE, MINIMUM)
        assert rows.empty
        assert rows.dtypes.to_dict() == whole.dtypes.to_dict()
