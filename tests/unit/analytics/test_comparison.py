import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.buckets import PRODUCTS, SUMS, merge
from analytics.comparison import combined_target, compare, direction, league, told_apart
from analytics.intervals import Estimate
from analytics.scores import DEFAULT_SCORE
from analytics.summary import summarise
from fer_core.types import EXPRESSIONS
from tests.unit.analytics.people import HAPPY_THIRD, bucket_frame, crowd

GLAD = (0.05, 0.0, 0.02, 0.63, 0.05, 0.05, 0.2)
MINIMUM = 10


def cameras(moods: dict[str, tuple[tuple[float, ...], int]]) -> pd.DataFrame:
    """Buckets of cameras of one site: the shares of expressions and how many people came."""
    frames = [
        bucket_frame(
            crowd("2026-11-03 09:00", people, camera_id=place, shares=shares, seed=7 * place),
            camera=name,
        )
        for place, (name, (shares, people)) in enumerate(moods.items(), start=1)
    ]
    return pd.concat(frames, ignore_index=True)


def test_a_comparison_is_the_difference_of_what_both_sides_show() -> None:
    now = bucket_frame(crowd("2026-11-10 09:00", 300, shares=GLAD, seed=1))
    before = bucket_frame(crowd("2026-11-03 09:00", 300, seed=2))
    comparison = compare(now, before, DEFAULT_SCORE, MINIMUM)
    one, other = (summarise(part, DEFAULT_SCORE, MINIMUM) for part in (now, before))
    assert (comparison.now, comparison.before) == (one, other)
    for name in ("index", "happy", "negative", "net", "unknown_share"):
        change = getattr(comparison, name)
        assert change.value == pytest.approx(getattr(one, name).value - getattr(other, name).value)
        assert change.low < change.value < change.high
        turned = getattr(compare(before, now, DEFAULT_SCORE, MINIMUM), name)
        assert (turned.low, turned.high) == (
            pytest.approx(-change.high),
            pytest.approx(-change.low),
        )
    assert comparison.index is not None
    assert told_apart(comparison.index)
    assert direction(comparison.index, 1) == "up"


def test_a_withheld_side_gives_no_difference() -> None:
    now = bucket_frame(crowd("2026-11-10 09:00", 300))
    few = bucket_frame(crowd("2026-11-03 09:00", 9, unknown_share=0))
    for sides in ((now, few), (few, now), (now, few.iloc[:0])):
        comparison = compare(*sides, DEFAULT_SCORE, MINIMUM)
        assert comparison.index is None
        assert comparison.happy is None
        assert comparison.unknown_share is None


def test_a_difference_too_small_to_show_has_no_direction() -> None:
    assert direction(Estimate(0.04, 0.01, 0.07), 1) == "level"
    assert direction(Estimate(-0.06, -1, 1), 1) == "down"
    assert not told_apart(Estimate(3, -0.1, 6))


def test_cameras_that_the_data_do_not_tell_apart_share_their_rank() -> None:
    table = league(
        cameras(
            {
                "A": (HAPPY_THIRD, 400),
                "B": (GLAD, 400),
                "C": (HAPPY_THIRD, 400),
                "few": (GLAD, 9),
            }
        ),
        "camera",
        DEFAULT_SCORE,
        MINIMUM,
    )
    ranks = table.set_index("camera")[["rank_low", "rank_high"]]
    assert ranks.T.to_dict("list") | {"few": []} == {
        "B": [1, 1],
        "A": [2, 3],
        "C": [2, 3],
        "few": [],
    }
    assert ranks.loc["few"].isna().all()
    assert table["camera"].tolist()[0] == "B"
    assert table["camera"].tolist()[-1] == "few"


def test_a_league_of_sites_counts_all_cameras_of_a_site() -> None:
    one = cameras({"A": (HAPPY_THIRD, 200), "B": (HAPPY_THIRD, 100)})
    two = cameras({"A": (GLAD, 200)}).assign(site="Other", site_id=2, camera_id=9)
    table = league(pd.concat([one, two]), "site", DEFAULT_SCORE, MINIMUM)
    assert table[["site", "people"]].to_numpy().tolist() == [["Other", 200], ["Berlin Mitte", 300]]
    assert table["rank_low"].tolist() == [1, 2]


@pytest.mark.parametrize("people", [0, 5])
def test_a_league_of_nobody_or_withheld_cameras_has_no_ranks(people: int) -> None:
    buckets = cameras({"A": (GLAD, 5), "B": (HAPPY_THIRD, 5)})
    table = league(buckets if people else buckets.iloc[:0], "camera", DEFAULT_SCORE, MINIMUM)
    assert len(table) == (2 if people else 0)
    assert table["rank_low"].isna().all()


def test_a_camera_alone_is_first() -> None:
    table = league(cameras({"A": (GLAD, 50)}), "camera", DEFAULT_SCORE, MINIMUM)
    assert table[["rank_low", "rank_high"]].to_numpy().tolist() == [[1, 1]]


def test_ranks_hold_the_truth_in_19_of_20_tables() -> None:
    """Eight cameras, of which four are alike: every rank has to lie in its range."""
    rng = np.random.default_rng(3)
    happy = np.array([0.2, 0.3, 0.3, 0.3, 0.3, 0.36, 0.45, 0.6])
    true_rank = 1 + (happy[:, np.newaxis] < happy).sum(axis=1)
    people = 120
    buckets = cameras({str(place): (GLAD, 20) for place in range(len(happy))})
    buckets = merge(buckets, ["site", "camera", "camera_id"]).sort_values("camera_id")
    smiling, still = np.eye(len(EXPRESSIONS))[[EXPRESSIONS.index("happy"), -1]]
    kinds = np.array([0.9 * smiling + 0.1 * still, 0.2 * smiling + 0.8 * still])
    products = np.array([np.outer(kind, kind)[np.triu_indices(len(kind))] for kind in kinds])
    wrong = []
    for _ in range(80):
        smiles = rng.binomial(people, happy)
        counts = np.stack([smiles, people - smiles], axis=1)
        drawn = buckets.assign(people=people, unknown=0)
        drawn[list(SUMS)] = counts @ kinds
        drawn[list(PRODUCTS)] = counts @ products
        table = league(drawn, "camera", DEFAULT_SCORE, MINIMUM).sort_values("camera_id")
        low, high = (table[name].to_numpy(dtype=int) for name in ("rank_low", "rank_high"))
        wrong.append(bool(((true_rank < low) | (true_rank > high)).any()))
    # By chance up to a tenth of 80 tables where 5 % are wrong.
    assert np.mean(wrong) <= 0.1


@given(
    st.dictionaries(st.sampled_from("abc"), st.none() | st.floats(0, 100)),
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 500)),
)
@settings(max_examples=50)
def test_targets_together_lie_between_them_or_are_unknown(
    targets: dict[str, float | None], people: dict[str, int]
) -> None:
    together = combined_target(targets, people)
    counted = [targets.get(site) for site, count in people.items() if count]
    if not counted or None in counted:
        assert together is None
    else:
        known = [target for target in counted if target is not None]
        assert together is not None
        assert min(known) - 1e-9 <= together <= max(known) + 1e-9


def test_a_busy_site_weighs_more_in_the_target() -> None:
    assert combined_target({"a": 50, "b": 60}, {"a": 300, "b": 100}) == pytest.approx(52.5)
