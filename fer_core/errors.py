"""One tree of errors. Catch the family or the kind; every message is a sentence for a manager.

SatisfaceError
    FootageError                 something about one file; nothing else stops
        UnreadableFootage        damaged, empty, or not what its name says
        UnsupportedFootage       a format that is not read
        NoVideoStream            sound or data only
        FootageTooLarge          over a bound: pixels, duration, bytes, entries
        UnsafeArchive            a zip that climbs out, nests, or unpacks to too much
    ModelError                   the shipped model or its card is missing or altered
    Cancelled                    the caller asked to stop
"""


class SatisfaceError(Exception):
    """Base of every error raised on purpose. ``str(error)`` is a sentence for the user."""


class FootageError(SatisfaceError):
    """One file cannot be used. ``name`` is the file as the user knows it."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason

    def __reduce__(self) -> tuple[type["FootageError"], tuple[str, str]]:
        return type(self), (self.name, self.reason)


class UnreadableFootage(FootageError):
    """The file is damaged, empty, or not what its name says."""


class UnsupportedFootage(FootageError):
    """The file is of a kind that is not read."""


class NoVideoStream(FootageError):
    """The file has sound or data but no pictures."""


class FootageTooLarge(FootageError):
    """The file exceeds a bound of ``FootageLimits``."""


class UnsafeArchive(FootageError):
    """The zip holds paths that climb out, another zip, or unpacks to more than allowed."""


class ModelError(SatisfaceError):
    """The shipped model or its card is missing, altered, or does not fit the code."""


class Cancelled(SatisfaceError):
    """The caller asked the analysis to stop."""
