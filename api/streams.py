"""Files that are sent while they are read from the database. What one holds is given back at its
end, also where whoever asked for it is gone, or is there and reads no further."""

import logging
import math
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, Final

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

log = logging.getLogger(__name__)

TAKEN_WITHIN_S: Final = 120.0
"""How long a part may wait for the network. The system tells of room only once one or two megabytes
were read (measured on loopback), so a reader of less than some 15 kB/s is cut off, too."""
_PART: Final = 64 * 1024  # bytes; small, so that one is taken in time over a slow line


class Streamed(StreamingResponse):
    """``first``: read already, so that what goes wrong before it is told by the status. ``rest``:
    a thread makes each piece once the one before it was taken. ``done``: is called at the end, once
    or more."""

    def __init__(
        self,
        first: bytes,
        rest: Generator[bytes],
        done: Callable[[], None] = lambda: None,
        **options: Any,
    ) -> None:
        self._rest = rest
        self._done = done
        super().__init__(self._parts(first), **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with anyio.CancelScope() as patience:

            async def sent(message: Message) -> None:
                patience.deadline = anyio.current_time() + TAKEN_WITHIN_S
                try:
                    await send(message)
                finally:
                    patience.deadline = math.inf

            try:
                await super().__call__(scope, receive, sent)
            finally:
                self._end()  # a generator that was never begun runs no ``finally``
        if patience.cancelled_caught:
            log.warning("a file was cut off: for %g s nobody read on", TAKEN_WITHIN_S)

    async def _parts(self, first: bytes) -> AsyncIterator[bytes]:
        try:
            piece: bytes | None = first
            while piece is not None:
                for start in range(0, len(piece), _PART):
                    yield piece[start : start + _PART]
                piece = await run_in_threadpool(next, self._rest, None)
        finally:
            self._end()

    def _end(self) -> None:
        try:
            self._rest.close()
        finally:
            self._done()
