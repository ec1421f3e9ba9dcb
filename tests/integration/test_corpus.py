"""Whatever a file is: predictions or one plain error, in bounded time and memory, nothing left.

All of it is read in a process of its own: a decoder that dies fails the test of its file alone.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_core.errors import FootageError
from tests.made_corpus import CORPUS
from tests.reading_apart import Readers

GROWS_BY_MB = 400
LONGEST_SENTENCE = 600


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    made = Readers()
    yield made
    made.close()


def test_the_corpus_is_large_enough() -> None:
    assert len(CORPUS) >= 80


@pytest.mark.parametrize("name", CORPUS)
def test_every_file_gives_predictions_or_one_plain_error(
    tmp_path: Path, readers: Readers, name: str
) -> None:
    case = CORPUS[name]
    outcome = readers.read(name, tmp_path)
    assert outcome.left == ()
    assert outcome.grown_mb < GROWS_BY_MB
    assert outcome.files or outcome.refused
    for error in outcome.refused:
        assert error.reason.endswith(".")
        assert len(error.reason) < LONGEST_SENTENCE
        assert error.name.startswith(case.name)
    for sentence in outcome.warnings:
        assert sentence.endswith(".")
    if case.faces:
        assert outcome.refused == ()
        assert outcome.faces > 0
    if case.refused is not None:
        assert [type(error) for error in outcome.refused] == [
            case.refused if case.refused is not FootageError else type(outcome.refused[0])
        ]
        assert isinstance(outcome.refused[0], case.refused)
        assert outcome.faces == 0
