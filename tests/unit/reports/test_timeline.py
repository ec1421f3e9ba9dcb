"""The people of a recording over time."""

from datetime import UTC, datetime

import pandas as pd

from reports.timeline import timeline_figure

BEGIN = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
HALF_HOUR = 30 * 60_000


def people(*stretches: tuple[int, int]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "start_ms": [start for start, _ in stretches],
            "end_ms": [end for _, end in stretches],
            "expression": "happy",
            "faces": 3,
            "start_index": [70.4] + [float("nan")] * (len(stretches) - 1),
            "end_index": [81.5] * len(stretches),
        }
    )


def test_only_the_people_of_the_stretch_are_shown() -> None:
    seen = people((0, 1000), (HALF_HOUR - 1000, HALF_HOUR + 1000), (HALF_HOUR, HALF_HOUR + 500))
    figure = timeline_figure(seen, BEGIN, "UTC", (HALF_HOUR, 2 * HALF_HOUR))
    assert sum(len(bars.x) for bars in figure.data) == 2
    first, last = figure.layout.xaxis.range
    assert pd.Timestamp(first) == pd.Timestamp("2026-11-03 09:30")
    assert pd.Timestamp("2026-11-03 10:00") < pd.Timestamp(last) < pd.Timestamp("2026-11-03 10:01")


def test_a_stretch_without_anybody_is_said() -> None:
    figure = timeline_figure(people((0, 1000)), BEGIN, "UTC", (HALF_HOUR, 2 * HALF_HOUR))
    assert figure.layout.annotations[0].text == "Nobody was seen in this time"
    nobody = timeline_figure(people((0, 1000)).head(0), BEGIN, "UTC")
    assert nobody.layout.annotations[0].text == "Nobody was seen in this recording"


def test_the_index_at_both_ends_is_told_where_both_were_read() -> None:
    figure = timeline_figure(people((0, 1000), (5000, 6000)), BEGIN, "UTC")
    told, untold = figure.data[0].customdata
    assert told.endswith("<br>Index 70 at first, 82 at the end")
    assert "Index" not in untold


def test_marks_that_are_made_wider_to_be_seen_do_not_hide_each_other() -> None:
    figure = timeline_figure(people((0, 0), (1000, 1000), (HALF_HOUR, HALF_HOUR)), BEGIN, "UTC")
    lanes = list(figure.data[0].y)
    assert lanes == [0, 1, 0]
