"""A video that lies elsewhere and is read in the pieces that are needed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Reader(Protocol):
    """What is read of an open file: ``seek`` and ``tell`` as those of Python's own files."""

    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class RemoteVideo:
    """``open``: a reader at the beginning of the file, closed by whoever opened it."""

    name: str
    open: Callable[[], Reader]
