import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.changes import changes_by_camera, changes_by_expression, changes_by_hour
from analytics.comparison import compare
from analytics.scores import DEFAULT_SCORE, ScoreDefinition
from analytics.summary import by_camera
from fer_core.types import EXPRESSIONS
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
    for changes in (changes_by_camera, changes_by_hour, changes_by_expression):
        rows = changes(sides[0], sides[1], score, MINIMUM)
        assert rows["total"].sum() == pytest.approx(whole, abs=1e-6)
        if "mix" in rows:
            assert (rows["mix"] + rows["within"]).tolist() == pytest.approx(rows["total"].tolist())
            assert rows["people_now"].sum() == comparison.now.read
            assert rows["people_before"].sum() == comparison.before.read
            people = rows.loc[~rows["rest"], ["people_now", "people_before"]]
            assert not people.isin(range(1, MINIMUM)).any(axis=None)
            assert rows["rest"].sum() <= 1


def test_more_people_of_a_glad_camera_are_mix_and_a_gladder_camera_is_within() -> None:
    before = period("2026-11-03", {1: 400, 2: 100}, 0, camera_2=GLAD)
    busier = period("2026-11-10", {1: 100, 2: 400}, 0, camera_2=GLAD)
    rows = changes_by_camera(busier, before, DEFAULT_SCORE, MINIMUM).set_index("camera_id")
    assert rows["mix"].sum() > 4
    assert rows["within"].abs().sum() < rows["mix"].sum() / 3
    assert not rows["told_apart"].any()

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
    assert not row["told_apart"]


def test_too_few_people_show_no_index_but_count_in_the_sum() -> None:
    before = period("2026-11-03", {1: 200, 2: 4, 3: 50}, 0)
    now = period("2026-11-10", {1: 200, 2: 60, 3: 5}, 3)
    rows = changes_by_camera(now, before, DEFAULT_SCORE, MINIMUM)
    rest = rows[rows["rest"]]
    assert len(rest) == 1
    assert rest[["site", "camera", "camera_id", "index_now", "change"]].isna().all(axis=None)
    assert rows.loc[~rows["rest"], "camera_id"].tolist() == [1]


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


@pytest.mark.parametrize("changes", [changes_by_camera, changes_by_hour, changes_by_expression])
def test_a_withheld_period_has_no_parts(changes: object) -> None:
    assert callable(changes)
    now = period("2026-11-10", {1: 200}, 0)
    few = bucket_frame(crowd("2026-11-03 09:00", 9, unknown_share=0))
    whole = changes(now, period("2026-11-03", {1: 200}, 1), DEFAULT_SCORE, MINIMUM)
    for sides in ((now, few), (few, now), (now, now.iloc[:0])):
        rows = changes(*sides, DEFAULT_SCORE, MINIMUM)
        assert rows.empty
        assert rows.dtypes.to_dict() == whole.dtypes.to_dict()
