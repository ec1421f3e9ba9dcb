import io
import re
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from pypdf import PdfReader

import reports.pdf
from analytics.intervals import Estimate
from analytics.scores import DEFAULT_SCORE
from analytics.sources import Sources
from analytics.summary import by_camera, by_day, by_weekday_hour, summarise
from reports import words
from reports.charts_compared import camera_labels, cameras_svg
from reports.content import SECTIONS, ReportContent
from reports.pdf import satisfaction_pdf, satisfaction_png
from tests.unit.analytics.people import bucket_frame, crowd

MINIMUM = 10


def buckets() -> pd.DataFrame:
    entrance = pd.concat(
        [crowd(f"2026-11-0{day} 09:00", 100 + 10 * day, seed=day) for day in (2, 3, 5)]
        + [crowd("2026-11-04 09:00", 6, unknown_share=0)]
    )
    till = crowd("2026-11-02 10:00", 80, camera_id=2, seed=9)
    return pd.concat(
        [bucket_frame(entrance), bucket_frame(till, camera="Till #1")], ignore_index=True
    )


def content(**changes: Any) -> ReportContent:
    values: dict[str, Any] = {
        "sites": ["Berlin Mitte"],
        "first_day": date(2026, 11, 2),
        "last_day": date(2026, 11, 5),
        "buckets": buckets(),
        "score": DEFAULT_SCORE,
        "minimum_people": MINIMUM,
        "generated_at": datetime(2026, 11, 6, 8, 5, tzinfo=ZoneInfo("Europe/Berlin")),
        "sources": Sources(models=frozenset({"2026.11"})),
    }
    return ReportContent(**{**values, **changes})


def opened(report: ReportContent) -> PdfReader:
    return PdfReader(io.BytesIO(satisfaction_pdf(report)))


def text_of(report: ReportContent) -> str:
    text = " ".join(page.extract_text() for page in opened(report).pages)
    return re.sub(r"\s+", " ", text)


def test_the_report_prints_the_figures_of_the_pages() -> None:
    text = text_of(content())
    summary = summarise(buckets(), DEFAULT_SCORE, MINIMUM)
    assert summary.index is not None
    assert summary.happy is not None
    assert summary.negative is not None
    assert summary.unknown_share is not None
    for figure in (
        words.index_words(summary.index.value),
        words.index_interval_words(summary.index),
        words.share_words(summary.happy.value),
        words.share_interval_words(summary.happy),
        words.share_interval_words(summary.negative),
        words.share_interval_words(summary.unknown_share),
        f"{summary.people} people were seen",
        f"{summary.read} of them could be read",
    ):
        assert figure in text
    for what, rows in (
        ("day", by_day(buckets(), DEFAULT_SCORE, MINIMUM)),
        ("camera", by_camera(buckets(), DEFAULT_SCORE, MINIMUM)),
    ):
        for row in rows[~rows["withheld"]].to_dict("records"):
            name = words.day_words(row[what]) if what == "day" else row[what]
            happy, negative = (
                words.share_and_interval_words(
                    Estimate(row[share], row[f"{share}_low"], row[f"{share}_high"])
                )
                for share in ("happy", "negative")
            )
            line = (
                f"{name} {row['people']} {row['unknown']} {row['index']:.1f} "
                f"{row['index_low']:.1f} to {row['index_high']:.1f} {happy} {negative}"
            )
            assert line in text


def test_the_report_says_what_it_is_made_of() -> None:
    text = text_of(content(cameras=["Entrance", "Till #1"]))
    for part in (
        "Berlin Mitte",
        "2 Nov 2026 to 5 Nov 2026",
        "cameras Entrance, Till #1",
        "6 Nov 2026, 08:05 CET",
        "score: Satisfaction, version 1",
        "model: 2026.11",
        "happy +1; surprise, neutral 0; angry, disgust, fear, sad −1",
        "Wednesday 4 Nov 6 0 withheld, 6 people read (fewer than 10)",
        "1 of ",
    ):
        assert part in text
    assert "Demonstration" not in text
    assert "Demonstration data." in text_of(content(demonstration=True))


def test_charts_are_vectors_with_text_and_a_description() -> None:
    reader = opened(content())
    text = " ".join(page.extract_text() for page in reader.pages)
    assert "Index (0 to 100)" in text
    assert not [image for page in reader.pages for image in page.images]
    assert "/StructTreeRoot" in reader.root_object
    assert reader.metadata is not None
    assert reader.metadata.title == "Berlin Mitte"


def test_only_the_shipped_font_is_used() -> None:
    names = {
        name.partition("+")[2]
        for name in re.findall(
            r"/FontName ?/([^ /]+)", satisfaction_pdf(content()).decode("latin-1")
        )
    }
    assert names
    assert all(name.startswith("SourceSans3-") for name in names)


def test_the_same_content_gives_the_same_bytes() -> None:
    assert satisfaction_pdf(content()) == satisfaction_pdf(content())


def test_a_withheld_period_shows_no_figure() -> None:
    few = bucket_frame(crowd("2026-11-02 09:00", 7, hours=1, unknown_share=0))
    text = text_of(content(buckets=few))
    assert "7 people were seen, 7 of them could be read: figures from fewer than 10" in text
    assert "Satisfaction index" not in text
    assert "%" not in text.partition("How this was measured")[0].replace("95% interval", "")
    assert "Open circles" not in text


def test_an_empty_period_says_so() -> None:
    text = text_of(content(buckets=buckets().iloc[:0]))
    assert "Nobody was seen in this period." in text
    assert "By day" not in text
    assert "How this was measured" in text


@pytest.mark.parametrize(
    "name",
    [
        '#$*@ [x](y) _z_ <b> \\ "q" //',
        "#panic() $x$ `code` ~ --",
        "= Heading",
        "Москва Ελλάς Łódź",
        "x" * 100,
    ],
)
def test_a_name_is_printed_as_it_is(name: str) -> None:
    frame = buckets().assign(site=name, camera=name)
    text = text_of(content(sites=[name], cameras=[name], buckets=frame))
    # A long name is broken into lines.
    assert text.replace(" ", "").count(name.replace(" ", "")) >= 3


def test_letters_that_no_font_has_do_not_stop_the_report() -> None:
    text = text_of(content(sites=["東京 Shibuya"]))
    assert "Shibuya" in text


def test_long_periods_are_told_by_week_and_by_month() -> None:
    frame = buckets()
    quarter = text_of(content(buckets=frame, last_day=date(2027, 1, 31)))
    assert "By week" in quarter
    assert "Week of 2 Nov 2026" in quarter
    year = text_of(content(buckets=frame, last_day=date(2027, 10, 31)))
    assert "By month" in year
    assert f"Nov 2026 {frame['people'].sum()} " in year


def test_a_single_day_needs_no_trend() -> None:
    day = bucket_frame(crowd("2026-11-02 09:00", 200))
    text = text_of(content(buckets=day, last_day=date(2026, 11, 2)))
    assert "Index by day" not in text
    assert "How people looked" in text
    assert "Hour of the day (local time)" in text


def test_open_circles_are_explained_beside_the_trend_that_has_them() -> None:
    note = "Open circles: withheld, fewer than 10 people read."
    assert note in text_of(content())
    assert "Open circles" not in text_of(content(sections=["expressions", "days"]))
    whole = bucket_frame(pd.concat([crowd(f"2026-11-0{day} 09:00", 100) for day in (2, 3)]))
    assert "Index by day" in text_of(content(buckets=whole))
    one = bucket_frame(
        pd.concat([crowd("2026-11-02 09:00", 100), crowd("2026-11-03 09:00", 6, unknown_share=0)])
    )
    assert "Open circles" not in text_of(content(buckets=one))
    assert "Open circles" not in text_of(content(buckets=whole))


def test_hours_that_are_shown_only_over_all_days_are_drawn() -> None:
    days = [crowd(f"2026-11-0{day} 09:00", 6, hours=1, unknown_share=0) for day in (2, 3)]
    report = content(buckets=bucket_frame(pd.concat(days)), last_day=date(2026, 11, 3))
    assert by_weekday_hour(report.buckets, DEFAULT_SCORE, MINIMUM)["withheld"].all()
    assert "Index by hour of the day" in text_of(report)


def test_many_sites_and_cameras_are_counted_above_and_named_below() -> None:
    sites = [f"Branch number {number} in a town" for number in range(1, 61)]
    cameras = [f"{site} / Entrance" for site in sites]
    first = opened(content(sites=sites, cameras=cameras)).pages[0].extract_text()
    assert "60 sites" in first
    assert "60 cameras" in first
    assert "Satisfaction index" in first
    text = text_of(content(sites=sites, cameras=cameras))
    assert f"Sites: {' · '.join(sites)}" in text
    assert f"Cameras: {' · '.join(cameras[:3])}" in text
    assert f" · {cameras[-1]} " in text
    assert text.index("Sites: Branch") > text.index("By day")


def test_a_few_names_stand_under_the_title_that_counts_them() -> None:
    text = text_of(content(sites=["Altona", "Bergedorf", "Harburg", "Wandsbek"]))
    names = "Sites: Altona · Bergedorf · Harburg · Wandsbek"
    assert text.index("4 sites") < text.index(names) < text.index("Satisfaction index")


@pytest.mark.parametrize(("sites", "drawn"), [(["A", "A"], 61.5), (["A", "B"], None)])
def test_a_target_of_several_sites_is_no_line_through_their_cameras(
    monkeypatch: pytest.MonkeyPatch, sites: list[str], drawn: float | None
) -> None:
    targets: list[float | None] = []

    def chart(cameras: pd.DataFrame, *, width: int, target: float | None) -> str:
        targets.append(target)
        return cameras_svg(cameras, width=width, target=target)

    monkeypatch.setattr(reports.pdf, "cameras_svg", chart)
    frame = pd.concat(
        [
            bucket_frame(
                crowd("2026-11-02 09:00", 100, camera_id=number), site=site, camera=f"Door {number}"
            )
            for number, site in enumerate(sites, start=1)
        ],
        ignore_index=True,
    )
    text_of(content(buckets=frame, target=61.5))
    assert targets == [drawn]


def cameras_named(*names: str) -> ReportContent:
    frames = [
        bucket_frame(crowd("2026-11-02 09:00", 100, camera_id=number), camera=name)
        for number, name in enumerate(names, start=1)
    ]
    return content(buckets=pd.concat(frames, ignore_index=True), sections=["cameras"])


@pytest.mark.parametrize("letter", ["e", "W", "Ж"])
def test_cameras_that_share_most_of_a_long_name_are_told_apart_in_their_chart(letter: str) -> None:
    both = f"The {60 * letter} entrance"
    text = text_of(cameras_named(f"{both}, left", f"{both}, right"))
    chart = text.partition("Index by camera, with its 95% interval")[2].partition("By camera")[0]
    for side in ("left", "right"):
        assert re.search(rf"The {letter}+…{letter}* entrance, {side} ", chart)


@pytest.mark.parametrize(
    "name",
    [
        "The {many} {side}",
        "{side} of the {many}",
        "The {many} {side} of the old elevator",
        "The way in on the {side} of the {many}",
    ],
)
def test_a_name_is_cropped_where_it_tells_least(name: str) -> None:
    names = [name.format(many=60 * "e", side=side) for side in ("left", "right")]
    labels = camera_labels(["Till", *names])
    assert labels is not None
    assert labels[0] == "Till"
    assert len(set(labels)) == 3
    for label, whole in zip(labels[1:], names, strict=True):
        begin, _, end = label.partition("…")
        assert len(label) <= 36
        assert whole.startswith(begin)
        assert whole.endswith(end)


@pytest.mark.parametrize("letter", ["店", "𝐖"])
def test_wide_letters_count_twice(letter: str) -> None:
    names = [f"{40 * letter}{side}" for side in "左右"]
    labels = camera_labels([*names, 18 * letter])
    assert labels is not None
    assert labels[2] == 18 * letter
    for label, side in zip(labels, "左右", strict=False):
        assert label == f"{9 * letter}…{7 * letter}{side}"


def test_wide_names_leave_room_for_the_chart() -> None:
    names = [f"{60 * 'ก'}{number}" for number in (1, 2)]
    labels = camera_labels(names)
    assert labels is not None
    cameras = pd.DataFrame({"name": labels, "withheld": False, "index": 50.0})
    svg = cameras_svg(cameras.assign(index_low=40.0, index_high=60.0), width=660)
    begins = max(float(x) for x in re.findall(r"translate\(([\d.]+),", svg))
    assert begins < 500


@pytest.mark.parametrize("name", [60 * "😀", f"{60 * 'ก'}😀😀😀"])
def test_cameras_with_emoji_in_a_wide_name_have_their_chart(name: str) -> None:
    assert "Index by camera" in text_of(cameras_named(f"{name} left", f"{name} right"))


def test_cameras_that_cropped_names_do_not_tell_apart_are_a_table_only() -> None:
    names = [f"{8 * 'long '}{middle}{8 * ' long'}" for middle in ("left", "right")]
    text = text_of(cameras_named(*names))
    assert "Index by camera" not in text
    assert all(name in text for name in names)


def test_the_week_is_a_grid_of_hours_and_says_what_is_withheld() -> None:
    report = content()
    text = text_of(report)
    assert "Index by hour and day of the week" in text
    hours = by_weekday_hour(report.buckets, DEFAULT_SCORE, MINIMUM)
    shown = hours[~hours["withheld"]]
    assert 0 < len(shown) < len(hours)
    reach = (shown["index_high"] - shown["index"]).clip(lower=shown["index"] - shown["index_low"])
    assert f"reaches {reach.min():.1f} to {reach.max():.1f} points to either side" in text
    grid = text.partition("people by hour")[2].partition("Darker green")[0]
    for index in shown["index"]:
        assert f" {index:.0f} " in grid
    assert grid.count("–") == len(hours) - len(shown)


def test_nobody_is_nought_where_hours_have_thousands() -> None:
    days = [crowd(f"2026-11-0{day} 09:00", 1500, hours=1, seed=day) for day in range(2, 7)]
    text = text_of(content(buckets=bucket_frame(pd.concat(days)), sections=["hours"]))
    assert " 5k " in text
    assert "0k" not in text


def test_the_period_before_and_the_target_are_set_beside_the_index() -> None:
    before = bucket_frame(crowd("2026-10-29 09:00", 150, seed=4))
    text = text_of(content(before=before, target=61.5))
    was = summarise(before, DEFAULT_SCORE, MINIMUM)
    assert was.index is not None
    assert f"4 days before: {words.index_words(was.index.value)}" in text
    assert "against the 4 days before (interval" in text
    assert "the target of 61.5" in text
    assert "Target 61.5" in text
    alone = text_of(content())
    assert "days before" not in alone
    assert "arget" not in alone


def test_only_the_chosen_sections_are_printed() -> None:
    titles = {
        "trend": "Index by day",
        "expressions": "How people looked",
        "hours": "Index by hour",
        "cameras": "By camera",
        "days": "By day",
    }
    assert set(titles) == set(SECTIONS)
    for section, title in titles.items():
        text = text_of(content(sections=[section]))
        assert title in text
        assert not [other for other in titles.values() if other != title and other in text]
        assert "Satisfaction index" in text
        assert "How this was measured" in text


def test_pages_can_be_looked_at_as_pictures() -> None:
    pages = satisfaction_png(content(), dots_per_inch=20)
    assert len(pages) == len(opened(content()).pages)
    assert all(page.startswith(b"\x89PNG") for page in pages)
