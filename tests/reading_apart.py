"""Reading in a process of its own, so that what a file does to a decoder is seen and survived."""

import os
import tempfile
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import psutil

from fer_core.analysis import analyse
from fer_core.archive import is_archive, unpack
from fer_core.detection import YuNetDetector
from fer_core.errors import FootageError
from fer_core.expression import ExpressionReader
from tests.made_corpus import CORPUS

ENDS_WITHIN_S = 60.0
"""A hang; on a busy machine the slowest file takes a few seconds."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``refused``: the errors, one a file or member. ``left``: files that lie about afterwards."""

    files: int
    faces: int
    refused: tuple[FootageError, ...]
    warnings: tuple[str, ...]
    left: tuple[str, ...]
    grown_mb: float


def warm_up() -> None:
    """What every reading needs, so that it is not counted as any file's."""
    with tempfile.TemporaryDirectory() as folder:
        read("palette.png", folder)
    tempfile.tempdir = None


def read(name: str, folder: str) -> Outcome:
    """Runs in the other process: what ``cli.py analyse`` does with a file, errors as they are."""
    path = CORPUS[name].write(Path(folder))
    scratch = Path(folder) / "scratch"
    scratch.mkdir()
    tempfile.tempdir = os.fspath(scratch)
    process = psutil.Process()
    before = process.memory_info().rss
    refused: list[FootageError] = []
    warnings: list[str] = []
    files = faces = 0

    def look(file: Path, name: str) -> None:
        nonlocal files, faces
        files += 1
        try:
            for result in analyse(file, model(), detector=detector(), name=name):
                faces += len(result.predictions)
                warnings.extend(result.warnings)
        except FootageError as error:
            refused.append(error)

    if is_archive(path):
        try:
            for member in unpack(path, scratch):
                if member.path is None:
                    assert member.error is not None
                    refused.append(member.error)
                else:
                    look(member.path, member.name)
                    member.path.unlink()
        except FootageError as error:
            refused.append(error)
    else:
        look(path, path.name)
    left = [os.fspath(p.relative_to(folder)) for p in Path(folder).rglob("*") if p.is_file()]
    left.remove(path.name)
    grown = (process.memory_info().rss - before) / 2**20
    return Outcome(files, faces, tuple(refused), tuple(warnings), tuple(left), grown)


@cache
def model() -> ExpressionReader:
    return ExpressionReader()


@cache
def detector() -> YuNetDetector:
    return YuNetDetector()


class Readers:
    """One process at a time; another one where it died or hung."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def read(self, name: str, folder: Path) -> Outcome:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1, mp_context=get_context("spawn"), initializer=warm_up
            )
            self._pool.submit(os.getpid).result()
        future: Future[Outcome] = self._pool.submit(read, name, os.fspath(folder))
        try:
            return future.result(ENDS_WITHIN_S)
        except (FootageError, AssertionError):
            raise
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._pool is not None:
            for process in list((self._pool._processes or {}).values()):
                process.kill()
            self._pool.shutdown()
            self._pool = None
