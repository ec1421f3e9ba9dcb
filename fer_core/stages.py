"""Stages of a pipeline, each in threads of its own, with a bounded queue between them.

FFmpeg, OpenCV and LiteRT work without Python's lock, so that decoding, detection and reading
overlap. Every thread ends before the generator or the context that started it does.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class _Channel(Generic[T]):
    """A queue for one who puts and one who gets, that either may close."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._ended = self._abandoned = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Waits for room. False: nobody wants any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._abandoned or len(self._items) < self._depth)
            self._items.append(item)
            self._changed.notify_all()
            return not self._abandoned

    def end(self, error: BaseException | None) -> None:
        """Nothing more comes; ``error`` is why, where that was not the plan."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def abandon(self) -> None:
        """Nothing more is wanted."""
        with self._changed:
            self._abandoned = True
            self._items.clear()
            self._changed.notify_all()

    def get(self) -> tuple[T] | None:
        """The next item; None at the end. Raises what ended the other side."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or bool(self._items))
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return (item,)
            if self._error is not None:
                raise self._error
            return None


def ahead(items: Generator[T], depth: int, name: str) -> Generator[T]:
    """The same items, made up to ``depth`` ahead by a thread called ``name``.

    What ``items`` raises is raised here, after the items before it. When this generator ends or
    is closed, ``items`` is closed, in its own thread, and the thread is waited for.
    """
    channel: _Channel[T] = _Channel(depth)

    def run() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not channel.put(item):
                    break
        except BaseException as raised:  # noqa: BLE001 - raised again in the thread that asked
            error = raised
        finally:
            try:
                items.close()
            except BaseException as raised:  # noqa: BLE001 - as above
                error = error or raised
            channel.end(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        while (got := channel.get()) is not None:
            yield got[0]
    finally:
        channel.abandon()
        thread.join()


def side_by_side(
    items: Iterable[T], call: Callable[[T], R], workers: int, name: str
) -> Generator[R]:
    """``call`` of each item, in the items' order; made by so many threads called ``name``, or
    right here where one is enough.

    Items are taken in the thread that asks, one more than there are threads. What ``call`` raises
    is raised here, after the results before it. Every call has ended when this generator has.
    """
    if workers == 1:
        yield from map(call, items)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
    try:
        waiting: deque[Future[R]] = deque()
        for item in items:
            waiting.append(pool.submit(call, item))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class Behind(Generic[T]):
    """Calls that are made by so many threads of its own, ``workers``, with at most ``depth``
    waiting.

    ``then`` gets what ``call`` gave, in the thread that submits and in the order of the calls.
    What ``call`` raises is raised by a later ``submit`` or by ``finish``.
    """

    def __init__(self, depth: int, name: str, workers: int = 1) -> None:
        self._depth = depth + workers - 1
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._waiting: deque[tuple[Future[T], Callable[[T], None]]] = deque()

    def submit(self, call: Callable[[], T], then: Callable[[T], None]) -> None:
        """Waits while too many calls are under way."""
        self._waiting.append((self._pool.submit(call), then))
        self._take(self._depth)

    def finish(self) -> None:
        """Waits for all calls."""
        self._take(0)

    def _take(self, leave: int) -> None:
        while len(self._waiting) > leave or (self._waiting and self._waiting[0][0].done()):
            future, then = self._waiting.popleft()
            then(future.result())

    def close(self) -> None:
        """Drops the calls that wait; returns when those under way have ended."""
        self._waiting.clear()
        self._pool.shutdown(cancel_futures=True)


class Pool(Generic[T]):
    """Things of one kind that serve one thread at a time each, lent to whoever asks; ``make``
    gives a new one where all are in use."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._idle: deque[T] = deque()

    @contextmanager
    def lent(self) -> Iterator[T]:
        """One that no other thread has, until the context ends."""
        try:
            thing = self._idle.pop()
        except IndexError:
            thing = self._make()
        try:
            yield thing
        finally:
            self._idle.append(thing)
