"""Runs are told apart by what differs, and seeds of one recipe are put together."""

import dataclasses
import json
from pathlib import Path

import pytest

from training import history
from training.augmentation import Augmentation
from training.compare import main, read_run, table
from training.data import DataError, FaceData
from training.recipe import Recipe


def write_run(folder: Path, recipe: Recipe, epochs: list[tuple[float, float]]) -> None:
    """``epochs``: accuracy and negative log-likelihood of each."""
    folder.mkdir()
    described = {"config": dataclasses.asdict(recipe), "parameters": 1000}
    (folder / "run.json").write_text(json.dumps(described))
    history.write(
        folder,
        [
            dict.fromkeys(history.FIELDS, 0.0)
            | {"epoch": epoch, "val_accuracy": accuracy, "val_nll": nll}
            for epoch, (accuracy, nll) in enumerate(epochs, start=1)
        ],
    )


def test_runs_are_compared_with_the_first(tmp_path: Path) -> None:
    plain = Recipe(name="plain")
    write_run(tmp_path / "a", plain, [(0.5, 1.2), (0.7, 0.9), (0.71, 1.0)])
    write_run(tmp_path / "b", dataclasses.replace(plain, seed=2), [(0.72, 0.9)])
    sharp = dataclasses.replace(plain, name="blurred", augmentation=Augmentation(blur=0.2))
    write_run(tmp_path / "c", sharp, [(0.74, 0.8)])
    lines = table([read_run(tmp_path / name) for name in "abc"]).splitlines()[2:]
    assert lines == [
        "| plain |  | 1,000 | 2 | 3 | 0.7100 | 0.0141 |",
        "| blurred | augmentation.blur 0.2 | 1,000 | 1 | 1 | 0.7400 |  |",
    ]
    assert read_run(tmp_path / "a").at == 2


def test_what_was_measured_stands_beside(tmp_path: Path) -> None:
    write_run(tmp_path / "a", Recipe(name="plain"), [(0.7, 0.9)])
    run = read_run(tmp_path / "a")
    runs = [dataclasses.replace(run, measured=(0.9, share, 0.5, 0.25)) for share in (0.6, 0.7)]
    head, _, row = table(runs).splitlines()
    assert head.endswith("| spread | NLL | macro-F1 | at 24 px | FER+ majority |")
    assert row.endswith("| 0.0000 | 0.9000 | 0.6500 | 0.5000 | 0.2500 |")


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=tmp_path.name):
        read_run(tmp_path)
    write_run(tmp_path / "begun", Recipe(name="begun"), [])
    with pytest.raises(DataError, match="begun holds no run that has ended an epoch"):
        read_run(tmp_path / "begun")


def test_a_run_of_an_older_training_is_named(tmp_path: Path) -> None:
    write_run(tmp_path / "a", Recipe(name="plain"), [(0.7, 0.9)])
    (tmp_path / "a" / "history.csv").write_text("epoch,val_accuracy\n1,0.7\n")
    with pytest.raises(DataError, match=r"history\.csv; train again with --fresh"):
        read_run(tmp_path / "a")


def test_data_that_are_divided_otherwise_are_refused(tmp_path: Path, made_data: FaceData) -> None:
    write_run(tmp_path / "a", Recipe(name="plain"), [(0.7, 0.9)])
    described = json.loads((tmp_path / "a" / "run.json").read_text())
    described["data"] = {
        "layout": "folders",
        "validation": made_data.validation.counts(),
        "test": made_data.test.counts(),
    }
    (tmp_path / "a" / "run.json").write_text(json.dumps(described))
    with pytest.raises(DataError, match=f"{tmp_path / 'a'} has learnt most"):
        read_run(tmp_path / "a", made_data)


def test_what_is_no_run_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "a", Recipe(name="plain"), [(0.7, 0.9)])
    (tmp_path / "low.keras").write_bytes(b"a network")
    (tmp_path / "screening").mkdir()
    monkeypatch.setattr("sys.argv", ["compare", *map(str, sorted(tmp_path.iterdir()))])
    main()
    shown = capsys.readouterr()
    assert "| plain |" in shown.out
    assert "low.keras is no run" in shown.err
    assert "screening is no run" in shown.err
    monkeypatch.setattr("sys.argv", ["compare", str(tmp_path / "low.keras")])
    with pytest.raises(SystemExit):
        main()
