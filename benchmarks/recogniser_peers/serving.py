"""The end of the conversation inside a peer's process: reads faces when it is asked to.

Runs in the peer's own environment, so it imports only the standard library and numpy. One JSON
object a line on standard input, one answer a line on standard output, marked with ``MARK``
because libraries print there too. ``in_node.cjs`` speaks the same words.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

MARK: Final = "@satisface "
SIDE: Final = 48
CLASSES: Final = 7

ReadFaces = Callable[[NDArray[np.uint8], int], NDArray[np.float32]]
"""uint8 (n, 48, 48) with n up to the batch, and the batch, to float32 (n, 7)."""

ReadPicture = Callable[[NDArray[np.uint8]], NDArray[np.float32] | None]
"""uint8 (height, width, 3), BGR, to float32 (7,) of its largest face, or None."""


def serve(read_faces: ReadFaces, read_picture: ReadPicture | None = None) -> None:
    """Answer until standard input closes.

    ``{"do": "faces", "in", "out", "batch"}`` reads a file of raw uint8 faces and writes raw
    float32 probabilities. ``{"do": "time", "in", "batch", "seconds"}`` reads the same faces over
    and over for so long, after one batch that is not timed, and answers how many and how long.
    ``{"do": "pictures", "in", "out", "side"}`` reads raw grey pictures one at a time, faces to be
    found first; rows of NaN where none was.
    """
    _answer({"ready": 1})
    for line in sys.stdin:
        wish = json.loads(line)
        if wish["do"] == "pictures":
            side = int(wish["side"])
            pictures = np.fromfile(wish["in"], np.uint8).reshape(-1, side, side)
            if read_picture is None:
                raise ValueError("this peer reads no pictures")
            _answer(_pictures(pictures, read_picture, wish["out"]))
            continue
        faces = np.fromfile(wish["in"], np.uint8).reshape(-1, SIDE, SIDE)
        batch = int(wish["batch"])
        if wish["do"] == "faces":
            parts = [
                read_faces(faces[start : start + batch], batch)
                for start in range(0, len(faces), batch)
            ]
            np.concatenate(parts).astype(np.float32).tofile(wish["out"])
            _answer({"faces": len(faces)})
        else:
            _answer(_timed(faces, batch, float(wish["seconds"]), read_faces))


def _timed(
    faces: NDArray[np.uint8], batch: int, seconds: float, read_faces: ReadFaces
) -> dict[str, float]:
    starts = range(0, len(faces) - batch + 1, batch)
    read_faces(faces[:batch], batch)
    done, spent, began = 0, 0.0, time.perf_counter()
    while spent < seconds:
        start = starts[done // batch % len(starts)]
        read_faces(faces[start : start + batch], batch)
        done += batch
        spent = time.perf_counter() - began
    return {"faces": done, "seconds": spent}


def _pictures(pictures: NDArray[np.uint8], read_picture: ReadPicture, out: str) -> dict[str, float]:
    rows = np.full((len(pictures), CLASSES), np.nan, np.float32)
    coloured = [np.repeat(picture[..., None], 3, axis=2) for picture in pictures]
    read_picture(coloured[0])
    began = time.perf_counter()
    for row, picture in zip(rows, coloured, strict=True):
        found = read_picture(picture)
        if found is not None:
            row[:] = found
    spent = time.perf_counter() - began
    rows.tofile(out)
    return {"faces": len(pictures), "seconds": spent}


def _answer(answer: Mapping[str, float]) -> None:
    print(MARK + json.dumps(answer), flush=True)
