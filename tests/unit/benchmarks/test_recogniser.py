import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.recogniser import chosen_peers, evenly, made_pictures, shown_command
from benchmarks.recogniser_page import (
    Row,
    Speed,
    accuracy_of,
    disputed,
    page_of,
    paired_lead,
    picture_table,
    speed_table,
    speeds,
    whole_pictures_of,
)
from benchmarks.recogniser_peers import environments
from benchmarks.recogniser_peers.catalogue import PEERS, Environment, Peer, in_our_order
from benchmarks.recogniser_peers.environments import PeerMissing, last_error, prepared
from benchmarks.recogniser_peers.serving import MARK
from benchmarks.recogniser_peers.worker import Worker
from fer_core.types import EXPRESSIONS
from training.data import VOTE_NAMES, Split

NOW = datetime(2026, 11, 22, tzinfo=UTC)
LABELS = np.tile(np.arange(7, dtype=np.int8), 20)
STEADY = Speed(100.0, (1.0, 1.0, 1.0))


def sure_of(labels: NDArray[np.int8], confidence: float = 0.94) -> NDArray[np.float32]:
    rest = (1 - confidence) / 6
    return np.where(np.eye(7)[labels] == 1, confidence, rest).astype(np.float32)


def faces_with(labels: NDArray[np.int8], votes: NDArray[np.uint8] | None = None) -> Split:
    return Split(np.zeros((len(labels), 48, 48), np.uint8), labels, votes)


def row(name: str, labels: NDArray[np.int8], first: NDArray[np.float32] | None) -> Row:
    figures = accuracy_of(sure_of(labels), faces_with(LABELS), first)
    return Row(name, figures, STEADY, STEADY, None, 2)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.key)
def test_each_output_of_a_peer_lands_on_the_expression_that_it_means(peer: Peer) -> None:
    meant = {"fearful": "fear", "disgusted": "disgust", "surprised": "surprise"}
    for position, word in enumerate(peer.labels):
        one = np.eye(7, dtype=np.float32)[[position]]
        there = in_our_order(one, peer.labels).argmax()
        assert EXPRESSIONS[there] == meant.get(word, word)


def test_face_api_starts_with_neutral_and_we_end_with_it() -> None:
    peer = next(peer for peer in PEERS if peer.key == "face-api")
    shuffled = in_our_order(np.arange(7, dtype=np.float32)[None], peer.labels)
    assert shuffled.tolist() == [[3, 5, 4, 1, 2, 6, 0]]


@pytest.mark.parametrize(
    ("labels", "columns"),
    [
        (("contempt", *EXPRESSIONS[1:]), 7),
        (EXPRESSIONS[:6], 6),
        (("happy", *EXPRESSIONS[1:]), 7),
        (EXPRESSIONS, 8),
    ],
)
def test_labels_that_are_not_the_seven_are_refused(labels: tuple[str, ...], columns: int) -> None:
    with pytest.raises(ValueError, match="seven"):
        in_our_order(np.zeros((1, columns), np.float32), labels)


def test_the_lead_is_the_difference_of_the_two_accuracies_and_certain_where_all_agree() -> None:
    half = LABELS.copy()
    half[::2] = (half[::2] + 1) % 7
    lead = paired_lead(sure_of(LABELS), sure_of(half), LABELS)
    assert lead.value == pytest.approx(0.5)
    assert lead.low < 0.5 < lead.high
    assert paired_lead(sure_of(half), sure_of(half), LABELS).high == 0


def test_disputed_are_faces_that_most_taggers_call_another_expression() -> None:
    votes = np.zeros((4, 10), np.uint8)
    votes[0, VOTE_NAMES.index("happiness")] = 10  # the label itself
    votes[1, VOTE_NAMES.index("sadness")] = 10
    votes[2, VOTE_NAMES.index("sadness")] = 5  # not most of them
    votes[2, VOTE_NAMES.index("neutral")] = 5
    votes[3, VOTE_NAMES.index("NF")] = 10
    labels = np.full(4, EXPRESSIONS.index("happy"), np.int8)
    assert disputed(faces_with(labels, votes)).tolist() == [False, True, False, False]
    assert not disputed(faces_with(labels)).any()


def test_a_ratio_is_taken_within_a_round_so_that_a_slow_round_cancels_out() -> None:
    first, second = speeds([[100.0, 50.0], [10.0, 5.0], [100.0, 25.0]])
    assert first == Speed(100.0, (1.0, 1.0, 1.0))
    assert second == Speed(25.0, (2.0, 2.0, 4.0))


def test_a_face_that_is_not_found_is_not_read_right() -> None:
    probabilities = sure_of(np.array([0, 1, 2, 3], np.int8))
    probabilities[0] = np.nan
    whole = whole_pictures_of(probabilities, np.array([0, 1, 2, 0], np.int8), STEADY)
    assert (whole.found, whole.right) == (0.75, 0.5)
    assert whole.right_of_found == pytest.approx(2 / 3)


def test_a_made_picture_holds_its_face_in_the_middle() -> None:
    faces = np.full((2, 48, 48), 100, np.uint8)
    faces[1, 12:36, 12:36] = 200
    plain, framed = made_pictures(faces)
    assert (plain == 100).all()
    assert framed[192, 192] == 200
    assert framed[0, 0] == int(faces[1].mean())


def test_faces_are_chosen_evenly_and_never_twice() -> None:
    assert evenly(10, 4).tolist() == [0, 3, 6, 9]
    assert evenly(3, 10).tolist() == [0, 1, 2]


def test_the_page_holds_command_machine_figures_and_what_is_missing() -> None:
    ours = row("Ours", LABELS, None)
    peer = replace(
        row("Peer", np.zeros_like(LABELS), sure_of(LABELS)),
        batched=Speed(40.0, (2.5, 2.0, 3.0)),
        threads=1,
    )
    page = page_of(
        [ours, peer],
        [("deepface", "no weights")],
        [("Peer", "remark")],
        command="python -m benchmarks.recogniser",
        split="PublicTest",
        faces=len(LABELS),
        rounds=5,
        seconds=1,
        now=NOW,
    )
    assert page.startswith("# The recogniser and its peers, 2026-11-22\n")
    assert "`python -m benchmarks.recogniser`" in page
    assert "| Ours | 1.000 (1.000 to 1.000) |" in page
    assert "| +0.857 (" in page
    assert "| Peer | 1 | 40 | 2.50 (2.00 to 3.00) | 100 |" in page
    assert "- **deepface**: no weights" in page
    assert "Whole pictures" not in page


def test_tables_have_as_many_cells_in_every_line() -> None:
    whole = whole_pictures_of(sure_of(LABELS), LABELS, STEADY)
    rows = [row("Ours", LABELS, None), replace(row("B", LABELS, None), pictures=whole)]
    for table in (speed_table(rows), picture_table(rows)):
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert "Ours" not in picture_table(rows)


def test_the_shown_command_names_no_place_of_this_machine() -> None:
    given = ["--data", "/home/me/faces", "--cache=/tmp/x", "--only", "fer,human"]
    assert shown_command(given) == (
        "python -m benchmarks.recogniser --data DATA --cache=CACHE --only fer,human"
    )


def test_peers_are_chosen_by_name_all_by_default() -> None:
    assert [peer.key for peer in chosen_peers("human,fer")] == ["human", "fer"]
    assert chosen_peers(None) == list(PEERS)
    with pytest.raises(KeyError):
        chosen_peers("nobody")


def test_an_error_is_the_last_line_that_names_one() -> None:
    assert last_error("a\nERROR: no such package\nnotice: new pip\n") == "ERROR: no such package"
    assert last_error("") == "it said nothing"


def test_a_package_that_cannot_be_had_is_said_and_leaves_nothing_that_looks_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "ERROR: no route to host")

    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(PeerMissing, match="no route to host"):
        prepared(Environment("absent", "pip", ("absent",)), tmp_path)
    assert not list(tmp_path.rglob(environments.STAMP))


def test_what_is_installed_stays_until_other_versions_are_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[tuple[str, ...]] = []
    monkeypatch.setattr(
        environments, "_install_pip", lambda wanted, _folder: installed.append(wanted.packages)
    )
    for version in ("a==1", "a==1", "a==2"):
        prepared(Environment("peer", "pip", (version,)), tmp_path)
    assert installed == [("a==1",), ("a==2",)]


SERVED = """
import numpy as np
from benchmarks.recogniser_peers.serving import serve

print("a library's greeting")
mean = lambda faces: np.repeat(faces.mean(axis=(1, 2))[:, None], 7, axis=1)
serve(
    lambda faces, batch: mean(faces),
    lambda picture: None if picture.max() == 0 else mean(picture[None, ..., 0])[0],
)
"""


def test_a_worker_reads_faces_and_pictures_in_another_process(tmp_path: Path) -> None:
    faces = np.repeat(np.arange(5, dtype=np.uint8), 48 * 48).reshape(5, 48, 48)
    faces.tofile(tmp_path / "faces")
    with Worker("peer", [sys.executable, "-c", SERVED], EXPRESSIONS) as worker:
        read = worker.read_faces(tmp_path / "faces", batch=2)
        assert read[:, 0].tolist() == [0, 1, 2, 3, 4]
        assert worker.speed(tmp_path / "faces", batch=2, seconds=0.01) > 0
        seen, speed = worker.read_pictures(tmp_path / "faces", side=48)
        assert np.isnan(seen[0]).all()
        assert seen[1:, 6].tolist() == [1, 2, 3, 4]
        assert speed > 0


def test_a_process_that_ends_says_why(tmp_path: Path) -> None:
    with pytest.raises(PeerMissing, match="ended early: ImportError: gone"):
        Worker("peer", [sys.executable, "-c", "raise ImportError('gone')"], EXPRESSIONS)
    dying = f"print('{MARK}' + '{json.dumps({'ready': 1})}', flush=True); input(); 1 / 0"
    with (
        Worker("peer", [sys.executable, "-c", dying], EXPRESSIONS) as worker,
        pytest.raises(PeerMissing, match="ZeroDivisionError"),
    ):
        worker.read_faces(tmp_path / "none", batch=1)
