"""The engine of many machines: segments are read by the workers of a Dask scheduler.

What is durable stays in our database. Dask only carries a task to a worker: a task that it loses,
repeats or forgets is handed out again when its lease has run out, and written once all the same.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from typing import Final, ParamSpec, TypeVar

from jobs.pool import ProcessDied

log = logging.getLogger(__name__)

_CONNECT_S: Final = 10
_COUNTED_FOR_S: Final = 2.0

P = ParamSpec("P")
T = TypeVar("T")


class Cluster(Executor):
    """Tasks for the workers of the scheduler at ``address`` (``tcp://host:8786``).

    A future fails with ProcessDied when the worker that ran its task died, and with
    BrokenExecutor when the scheduler is gone: this executor is then of no more use.

    Raises BrokenExecutor where no scheduler answers.
    """

    def __init__(self, address: str) -> None:
        # Costly to load, and only wanted where there is a cluster.
        from distributed import Client
        from distributed.client import ClosedClientError
        from distributed.comm.core import CommClosedError
        from distributed.scheduler import KilledWorker

        self._lost: Final = (CancelledError, CommClosedError, ClosedClientError, TimeoutError)
        self._killed: Final = KilledWorker
        try:
            self._client: Final = Client(
                address, timeout=_CONNECT_S, set_as_default=False, name="satisface"
            )
        except (OSError, ValueError) as error:
            raise BrokenExecutor(f"no scheduler answers at {address}: {error}") from error
        # Two equal tasks are two tasks: "pure" ones would be run once and remembered.
        self._executor: Final = self._client.get_executor(pure=False)
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
                self._capacity = sum(self._client.nthreads().values())
            except (*self._lost, OSError, RuntimeError) as error:
                raise BrokenExecutor(f"the scheduler is gone: {error}") from error
            self._counted = time.monotonic()
        return self._capacity

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Raises BrokenExecutor where the scheduler is gone."""
        try:
            carried: Future[T] = self._executor.submit(fn, *args, **kwargs)
        except (*self._lost, OSError, RuntimeError) as error:
            raise BrokenExecutor(f"the scheduler is gone: {error}") from error
        future: Future[T] = Future()
        carried.add_done_callback(lambda _: self._conclude(carried, future))
        return future

    def _conclude(self, carried: Future[T], future: Future[T]) -> None:
        try:
            future.set_result(carried.result())
        except self._killed as error:
            future.set_exception(ProcessDied(str(error)))
        except self._lost as error:
            future.set_exception(BrokenExecutor(f"the scheduler is gone: {error}"))
        except Exception as error:  # noqa: BLE001  the task's own, whatever it is
            future.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Forget what is running: its lease is handed back, so that it ends by itself."""
        try:
            self._executor.shutdown(wait=wait and not cancel_futures)
            self._client.close(timeout=_CONNECT_S)
        except (*self._lost, OSError, RuntimeError) as error:
            log.warning("the scheduler was gone before it was left: %s", error)
