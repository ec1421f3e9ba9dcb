"""How a route says no: whoever answers the request makes a response of it."""

from collections.abc import Mapping


class Refused(Exception):
    """A request that is answered with a status, a sentence, and perhaps headers."""

    def __init__(
        self, status: int, sentence: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = dict(headers or {})
