"""The engine of many machines: segments are read by the workers of a Dask scheduler.

What is durable stays in our database. Dask only carries a task to a worker: a task that it loses,
repeats or forgets is handed out again when its lease has run out, and written once all the same.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    InvalidStateError,
)
from concurrent.futures import wait as wait_for_all
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from jobs.pool import ProcessDied

if TYPE_CHECKING:
    from distributed import Future as DaskFuture

log = logging.getLogger(__name__)

_PATIENCE_S: Final = 10
"""How long the scheduler may take to answer."""
_COUNTED_FOR_S: Final = 2.0

P = ParamSpec("P")
T = TypeVar("T")


class Cluster(Executor):
    """Tasks for the workers of the scheduler at ``address`` (``tcp://host:8786``).

    A future fails with ProcessDied when the worker that ran its task died, and with
    BrokenExecutor when the scheduler is gone, or was when the result was to be fetched, and when
    the cluster is left: whoever waits for a future waits for an end that comes. Dask's own
    executor forgets a future whose result it could not fetch.

    Raises BrokenExecutor where no scheduler answers.
    """

    def __init__(self, address: str) -> None:
        # Costly to load, and only wanted where there is a cluster.
        from distributed import Client
        from distributed.client import ClosedClientError
        from distributed.comm.core import CommClosedError
        from distributed.scheduler import KilledWorker

        self._lost: Final = (
            asyncio.CancelledError,
            CancelledError,
            ClosedClientError,
            CommClosedError,
            TimeoutError,
        )
        self._killed: Final = KilledWorker
        try:
            self._client: Final = Client(
                address, timeout=_PATIENCE_S, set_as_default=False, name="satisface"
            )
        except (OSError, ValueError) as error:
            raise BrokenExecutor(f"no scheduler answers at {address}: {error}") from error
        self._running: Final[set[Future[Any]]] = set()
        self._capacity = 0
        self._counted = float("-inf")

    @property
    def capacity(self) -> int:
        """How many tasks the workers of now run at a time; a count that is two seconds old at
        the most. 0 while there are none. Raises BrokenExecutor where the scheduler is gone."""
        if time.monotonic() - self._counted > _COUNTED_FOR_S:
            # A client that has tried for long to find its scheduler again closes itself.
            if self._client.scheduler is None:
                raise BrokenExecutor("the scheduler is gone")
            try:
                threads = self._client.nthreads(callback_timeout=_PATIENCE_S)
            except (*self._lost, OSError, RuntimeError) as error:
                raise BrokenExecutor(f"the scheduler is gone: {error}") from error
            self._capacity = sum(threads.values())
            self._counted = time.monotonic()
        return self._capacity

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Raises BrokenExecutor where the scheduler is gone."""
        future: Future[T] = Future()
        loop = self._client.loop
        if loop is None:
            raise BrokenExecutor("the cluster was left")
        try:
            # Two equal tasks are two tasks: "pure" ones would be run once and remembered.
            carried = self._client.submit(fn, *args, **kwargs, pure=False)
            self._running.add(future)
            loop.add_callback(self._conclude, carried, future)
        except (*self._lost, OSError, RuntimeError) as error:
            self._running.discard(future)
            raise BrokenExecutor(f"the scheduler is gone: {error}") from error
        return future

    async def _conclude(self, carried: "DaskFuture[T]", future: Future[T]) -> None:
        """In the client's own thread."""
        try:
            result = await carried
        except self._killed as error:
            self._end(future, ProcessDied(str(error)))
        except self._lost as error:
            self._end(future, BrokenExecutor(f"the scheduler is gone: {error}"))
        except Exception as error:  # noqa: BLE001  the task's own, whatever it is
            self._end(future, error)
        else:
            with contextlib.suppress(InvalidStateError):  # the cluster was left meanwhile
                future.set_result(result)
            self._running.discard(future)

    def _end(self, future: Future[Any], error: Exception) -> None:
        with contextlib.suppress(InvalidStateError):
            future.set_exception(error)
        self._running.discard(future)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Forget what is running: its lease is handed back, so that it ends by itself."""
        if wait and not cancel_futures:
            wait_for_all(self._running)
        try:
            self._client.close(timeout=_PATIENCE_S)
        except (*self._lost, OSError, RuntimeError) as error:
            log.warning("the scheduler was gone before it was left: %s", error)
        for future in list(self._running):
            self._end(future, BrokenExecutor("the cluster was left"))
