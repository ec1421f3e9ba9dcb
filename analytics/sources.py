"""What figures rest on: the recordings behind them, and what of those is missing."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Sources:
    """The recordings of some days and cameras.

    ``unread``: how many are still being read. ``failed``: how many could not be read, or only in
    part. ``models``: the versions of the recogniser that read any of them, also in part.
    """

    unread: int = 0
    failed: int = 0
    models: frozenset[str] = frozenset()

    def __add__(self, other: "Sources") -> "Sources":
        return Sources(
            self.unread + other.unread, self.failed + other.failed, self.models | other.models
        )


NO_RECORDINGS: Final = Sources()
