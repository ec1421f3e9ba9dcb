import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from jobs.row_files import UnknownFormat, write_rows


def frames() -> Iterator[pd.DataFrame]:
    """As exports give them: equal columns and types; a word may be missing at first."""
    types = {"file": "str", "reason": "str", "n": "int64", "p": "float64"}
    columns = list(types)
    yield pd.DataFrame([], columns=columns).astype(types)
    yield pd.DataFrame([("ä.jpg", None, 1, 0.5)], columns=columns).astype(types)
    yield pd.DataFrame([("b, c.jpg", "small", 2, None)], columns=columns).astype(types)


def test_csv(tmp_path: Path) -> None:
    assert write_rows(frames(), tmp_path / "x.csv") == 2
    read = pd.read_csv(tmp_path / "x.csv", encoding="utf-8-sig")
    assert list(read.columns) == ["file", "reason", "n", "p"]
    assert read["file"].tolist() == ["ä.jpg", "b, c.jpg"]
    assert read["n"].tolist() == [1, 2]


def test_parquet(tmp_path: Path) -> None:
    assert write_rows(frames(), tmp_path / "x.PARQUET") == 2
    read = pd.read_parquet(tmp_path / "x.PARQUET")
    assert read["file"].tolist() == ["ä.jpg", "b, c.jpg"]
    assert read["reason"].tolist()[1] == "small"
    assert read["n"].dtype == "int64"


def test_json_lines(tmp_path: Path) -> None:
    assert write_rows(frames(), tmp_path / "deep" / "x.jsonl") == 2
    lines = [json.loads(line) for line in (tmp_path / "deep" / "x.jsonl").read_text().splitlines()]
    assert [line["n"] for line in lines] == [1, 2]
    assert lines[0] == {"file": "ä.jpg", "reason": None, "n": 1, "p": 0.5}
    assert lines[1]["p"] is None


def test_workbook(tmp_path: Path) -> None:
    assert write_rows(frames(), tmp_path / "x.xlsx") == 2
    with zipfile.ZipFile(tmp_path / "x.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row ") == 3
    assert "ä.jpg" in sheet


def test_csv_to_the_terminal(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert write_rows(frames(), Path("-")) == 2
    out = capfdbinary.readouterr().out.decode("utf-8-sig").splitlines()
    assert out[0] == "file,reason,n,p"
    assert len(out) == 3


def test_an_ending_that_is_not_written_is_refused_before_any_work(tmp_path: Path) -> None:
    asked = []

    def lazy() -> Iterator[pd.DataFrame]:
        asked.append(1)
        yield from frames()

    with pytest.raises(UnknownFormat, match=r"\.csv, \.parquet, \.xlsx, \.jsonl"):
        write_rows(lazy(), tmp_path / "x.xls")
    assert asked == []


@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.xlsx", "x.jsonl"])
def test_half_a_file_is_never_left(tmp_path: Path, name: str) -> None:
    def breaking() -> Iterator[pd.DataFrame]:
        yield from frames()
        raise RuntimeError("out of luck")

    (tmp_path / name).write_text("the one of yesterday")
    with pytest.raises(RuntimeError, match="out of luck"):
        write_rows(breaking(), tmp_path / name)
    assert (tmp_path / name).read_text() == "the one of yesterday"
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
