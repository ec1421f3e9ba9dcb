"""Our recogniser and its peers on the same faces in one run: how many right, and how fast.

    python -m benchmarks.recogniser --data FOLDER --out docs/benchmarks/<date>-recogniser.md

Every recogniser runs in a process of its own, peers in environments that are installed on first
use (some gigabytes, under --cache, from PyPI and npm alone). All read the same FER2013 faces, as
48x48 grey pixels in memory; the time from those pixels to probabilities counts, each peer's own
preparation with it. Speed is measured in rounds in which they take turns, so that whatever else
the machine does hits all alike; the ratio to ours is that of the same round. Whole pictures are
each peer's face detector and recogniser together, on pictures made of the same faces.

PublicTest is the default. On PrivateTest only peers are measured: a released model of ours is
looked at there once, by training.evaluate.
"""

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import platformdirs
from numpy.typing import NDArray

from benchmarks.recogniser_page import (
    BATCH,
    FACE_IN_PICTURE,
    PICTURE_SIDE,
    PICTURES,
    Row,
    WholePictures,
    accuracy_of,
    page_of,
    speeds,
    whole_pictures_of,
)
from benchmarks.recogniser_peers.catalogue import NOT_HAD, PEERS, Peer, in_our_order
from benchmarks.recogniser_peers.environments import PeerMissing
from benchmarks.recogniser_peers.worker import Worker, start_ours, start_peer
from fer_core.errors import SatisfaceError
from fer_core.model_card import default_model_dir, read_card
from training.data import Split, data_path, load
from training.evaluate import check_data

TIMED_FACES: Final = 1024
SPLITS: Final = ("PublicTest", "PrivateTest")


@dataclass(frozen=True, slots=True)
class Entrant:
    """A recogniser that takes part. ``threads``: how many it uses; ``pictures``: whether it also
    finds faces; ``remark``: what the reader of its figures must know."""

    worker: Worker
    threads: int
    pictures: bool
    remark: str


def made_pictures(faces: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each face four times as large in the middle of a plain picture of its own mean tone: uint8
    (N, 48, 48) to uint8 (N, 384, 384)."""
    tones = faces.mean(axis=(1, 2)).astype(np.uint8)
    pictures = np.repeat(tones, PICTURE_SIDE**2).reshape(-1, PICTURE_SIDE, PICTURE_SIDE)
    start = (PICTURE_SIDE - FACE_IN_PICTURE) // 2
    middle = slice(start, start + FACE_IN_PICTURE)
    for picture, face in zip(pictures, faces, strict=True):
        picture[middle, middle] = cv2.resize(
            face, (FACE_IN_PICTURE, FACE_IN_PICTURE), interpolation=cv2.INTER_CUBIC
        )
    return pictures


def evenly(count: int, wanted: int) -> NDArray[np.intp]:
    """``wanted`` indices (or all) spread over ``count``."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).astype(np.intp))


def measure(entrants: Sequence[Entrant], faces: Split, *, rounds: int, seconds: float) -> list[Row]:
    """Ask them in turns; a row each, in the same order."""
    with tempfile.TemporaryDirectory() as folder:
        every, some, pictures = (Path(folder) / name for name in ("all", "some", "pictures"))
        faces.images.tofile(every)
        faces.images[evenly(len(faces), TIMED_FACES)].tofile(some)
        read = []
        for entrant in entrants:
            said(f"{entrant.worker.name}: reading {len(faces)} faces")
            probabilities = entrant.worker.read_faces(every, BATCH)
            read.append(in_our_order(probabilities, entrant.worker.labels))
        batched, single = [], []
        for number in range(rounds):
            said(f"round {number + 1} of {rounds}")
            batched.append([entrant.worker.speed(some, BATCH, seconds) for entrant in entrants])
            single.append([entrant.worker.speed(some, 1, seconds) for entrant in entrants])
        chosen = evenly(len(faces), PICTURES)
        made_pictures(faces.images[chosen]).tofile(pictures)
        seeing = [entrant.worker for entrant in entrants if entrant.pictures]
        whole = _whole_pictures(seeing, pictures, faces.labels[chosen])
    return [
        Row(
            entrant.worker.name,
            accuracy_of(probabilities, faces, read[0] if number else None),
            fast,
            alone,
            whole.get(entrant.worker),
            entrant.threads,
        )
        for number, (entrant, probabilities, fast, alone) in enumerate(
            zip(entrants, read, speeds(batched), speeds(single), strict=True)
        )
    ]


def _whole_pictures(
    workers: Sequence[Worker], pictures: Path, labels: NDArray[np.int8]
) -> dict[Worker, WholePictures]:
    if not workers:
        return {}
    rounds, read = [], {}
    for _ in range(3):
        turn = []
        for worker in workers:
            said(f"{worker.name}: whole pictures")
            rows, speed = worker.read_pictures(pictures, PICTURE_SIDE)
            read[worker] = in_our_order(rows, worker.labels)
            turn.append(speed)
        rounds.append(turn)
    return {
        worker: whole_pictures_of(read[worker], labels, speed)
        for worker, speed in zip(workers, speeds(rounds), strict=True)
    }


def said(line: str) -> None:
    """Progress goes to standard error, so that the page alone is on standard output."""
    print(line, file=sys.stderr, flush=True)


def shown_command(arguments: Sequence[str]) -> str:
    """The command as the page shows it, without the place of this machine's data and cache."""
    kept: list[str] = []
    waiting = ""
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if waiting:
            kept.append(waiting)
            waiting = ""
        elif name in {"--data", "--cache"}:
            place = name.removeprefix("--").upper()
            kept.append(f"{name}={place}" if equals else name)
            waiting = "" if equals else place
        else:
            kept.append(shlex.quote(argument))
    return " ".join(["python -m benchmarks.recogniser", *kept])


def chosen_peers(only: str | None) -> list[Peer]:
    """The peers named in ``only`` ("fer,human"), all where it is None. Raises KeyError."""
    if only is None:
        return list(PEERS)
    known = {peer.key: peer for peer in PEERS}
    return [known[key] for key in only.split(",") if key]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="as for training; or SATISFACE_TRAINING_DATA")
    parser.add_argument("--split", choices=SPLITS, default=SPLITS[0])
    parser.add_argument(
        "--model", type=Path, action="append", default=[], help="a further exported model of ours"
    )
    parser.add_argument("--only", help=f"peers, of {','.join(peer.key for peer in PEERS)}")
    parser.add_argument("--out", type=Path, help="where to write the page; printed otherwise")
    parser.add_argument(
        "--cache",
        type=Path,
        default=platformdirs.user_cache_path("satisface") / "benchmarks",
        help="where peers are installed (%(default)s)",
    )
    parser.add_argument("--threads", type=int, default=2, help="and cores, where Linux allows")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one turn in a round")
    arguments = parser.parse_args()
    try:
        peers = chosen_peers(arguments.only)
    except KeyError as error:
        parser.error(f"there is no peer {error}")
    try:
        data = load(data_path(arguments.data), clean=False)
        if arguments.split == SPLITS[0]:
            for folder in (default_model_dir(), *arguments.model):
                check_data(folder, data)
    except SatisfaceError as error:
        sys.exit(str(error))
    split = data.validation if arguments.split == SPLITS[0] else data.test
    if sys.platform == "linux":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.threads])
    missing = [(peer.name, "left out by --only") for peer in PEERS if peer not in peers]
    with ExitStack() as stack:
        entrants: list[Entrant] = []
        if arguments.split == SPLITS[0]:
            entrants += [
                _our_entrant(folder, arguments.threads, stack)
                for folder in (default_model_dir(), *arguments.model)
            ]
        else:
            missing.append(("Satisface", "training.evaluate looks at PrivateTest, once a release"))
        cache = arguments.cache.resolve()
        entrants += _peer_entrants(peers, cache, arguments.threads, stack, missing)
        if not entrants:
            sys.exit("There is nothing to compare: " + "; ".join(why for _, why in missing))
        rows = measure(entrants, split, rounds=arguments.rounds, seconds=arguments.seconds)
    text = page_of(
        rows,
        [*missing, *NOT_HAD],
        [(entrant.worker.name, entrant.remark) for entrant in entrants],
        command=shown_command(sys.argv[1:]),
        split=arguments.split,
        faces=len(split),
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        now=datetime.now(UTC),
    )
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")
    print(text)


def _our_entrant(folder: Path, threads: int, stack: ExitStack) -> Entrant:
    try:
        card = read_card(folder)
        worker = start_ours(f"Satisface {card.version}", folder, threads)
    except (SatisfaceError, PeerMissing) as error:
        sys.exit(str(error))
    remark = (
        f"{card.parameters / 1e6:.2f} M parameters, "
        f"{card.views * card.multiply_adds / 1e6:.0f} M multiply-adds a face, all views of it "
        "included. It was chosen on PublicTest."
    )
    return Entrant(stack.enter_context(worker), threads, True, remark)


def _peer_entrants(
    peers: Sequence[Peer],
    cache: Path,
    threads: int,
    stack: ExitStack,
    missing: list[tuple[str, str]],
) -> Iterator[Entrant]:
    """Those that can be had; why not goes into ``missing`` for the others."""
    for peer in peers:
        said(f"starting {peer.name}")
        try:
            worker = stack.enter_context(start_peer(peer, cache, threads))
        except PeerMissing as error:
            said(str(error))
            missing.append((peer.name, str(error)))
        else:
            yield Entrant(worker, peer.threads or threads, peer.pictures, peer.remark)


if __name__ == "__main__":
    main()
