import threading
import time
from collections.abc import Generator
from contextlib import closing
from functools import partial

import pytest

from fer_core.stages import Behind, Pool, ahead, side_by_side


def counting(until: int, made: list[int], closed: threading.Event) -> Generator[int]:
    try:
        for n in range(until):
            made.append(n)
            yield n
    finally:
        closed.set()


def threads(name: str) -> int:
    return sum(thread.name.startswith(name) for thread in threading.enumerate())


def test_everything_comes_in_order_and_the_thread_ends() -> None:
    made: list[int] = []
    closed = threading.Event()
    assert list(ahead(counting(100, made, closed), 3, "ahead-all")) == list(range(100))
    assert closed.is_set()
    assert threads("ahead-all") == 0


def test_no_more_is_made_than_asked_for() -> None:
    """The depth waits in the queue, and one more in the hand of the thread."""
    made: list[int] = []
    with closing(ahead(counting(1000, made, threading.Event()), 3, "ahead-some")) as items:
        for _ in range(5):
            next(items)
    assert len(made) <= 5 + 3 + 1


def test_closing_early_closes_the_source_and_leaves_no_thread() -> None:
    closed = threading.Event()
    items = ahead(counting(1000, [], closed), 2, "ahead-early")
    next(items)
    assert threads("ahead-early") == 1
    items.close()
    assert closed.is_set()
    assert threads("ahead-early") == 0


def test_an_error_comes_after_the_items_before_it() -> None:
    def breaking() -> Generator[int]:
        yield 1
        yield 2
        raise ValueError("broken")

    items = ahead(breaking(), 5, "ahead-error")
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(items)
    assert threads("ahead-error") == 0


def test_stages_may_follow_each_other_and_all_end() -> None:
    closed = threading.Event()

    def doubled() -> Generator[int]:
        with closing(ahead(counting(1000, [], closed), 2, "stage-one")) as items:
            for n in items:
                yield 2 * n

    with closing(ahead(doubled(), 2, "stage-two")) as items:
        assert [next(items) for _ in range(3)] == [0, 2, 4]
    assert closed.is_set()
    assert threads("stage-") == 0


def test_calls_are_made_in_order_and_answered_where_they_were_asked() -> None:
    answers: list[tuple[int, str]] = []
    behind: Behind[int] = Behind(2, "behind")

    def then(n: int) -> None:
        answers.append((n, threading.current_thread().name))

    with closing(behind):
        for n in range(10):
            behind.submit(lambda n=n: n * n, then)  # type: ignore[misc]
        behind.finish()
    here = threading.current_thread().name
    assert answers == [(n * n, here) for n in range(10)]
    assert threads("behind") == 0


def test_only_so_many_calls_wait() -> None:
    go = threading.Event()
    begun: list[int] = []
    behind: Behind[None] = Behind(2, "behind-few")

    def call(n: int) -> None:
        begun.append(n)
        assert go.wait(240)

    def submit_all() -> None:
        for n in range(8):
            behind.submit(lambda n=n: call(n), lambda _: submitted.append(1))  # type: ignore[misc]

    submitted: list[int] = []
    thread = threading.Thread(target=submit_all)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()
    assert len(begun) == 1
    go.set()
    thread.join()
    behind.finish()
    behind.close()
    assert begun == list(range(8))
    assert len(submitted) == 8


def test_what_a_call_raises_reaches_who_asked_and_nothing_is_left() -> None:
    behind: Behind[int] = Behind(2, "behind-error")

    def broken() -> int:
        raise ValueError("broken")

    def ask() -> None:
        with closing(behind):
            behind.submit(broken, lambda _: None)
            behind.finish()

    with pytest.raises(ValueError, match="broken"):
        ask()
    assert threads("behind-error") == 0


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_side_by_side_the_answers_keep_the_order_of_the_items(workers: int) -> None:
    def call(n: int) -> int:
        time.sleep(0.001 * (n % 3))  # later items are often done before earlier ones
        return n * n

    name = f"side-order-{workers}"
    assert list(side_by_side(range(50), call, workers, name)) == [n * n for n in range(50)]
    assert threads(name) == 0


def test_as_many_calls_run_at_the_same_time_as_there_are_threads() -> None:
    both = threading.Barrier(2)
    met = side_by_side(range(6), lambda _: both.wait(240), 2, "side-both")
    assert sorted(met) == [0, 0, 0, 1, 1, 1]


def test_side_by_side_no_more_is_taken_than_the_threads_can_begin_soon() -> None:
    made: list[int] = []
    source = counting(1000, made, threading.Event())
    with closing(side_by_side(source, lambda n: n, 2, "side-few")) as answers:
        assert [next(answers) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(made) == 5 + 2
    assert threads("side-few") == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_side_by_side_an_error_comes_after_the_answers_before_it(workers: int) -> None:
    def call(n: int) -> int:
        if n == 3:
            raise ValueError("broken")
        return n

    name = f"side-error-{workers}"
    answers = side_by_side(range(100), call, workers, name)
    assert [next(answers) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(answers)
    assert threads(name) == 0


def test_behind_by_several_threads_answers_come_in_the_order_of_the_calls() -> None:
    behind: Behind[int] = Behind(2, "behind-two", workers=2)
    both = threading.Barrier(2)
    got: list[int] = []

    def call(n: int) -> int:
        both.wait(240)
        time.sleep(0.01 * (n % 2 == 0))  # the second of two is done first
        return n

    with closing(behind):
        for n in range(8):
            behind.submit(partial(call, n), got.append)
        behind.finish()
    assert got == list(range(8))
    assert threads("behind-two") == 0


def test_of_a_pool_nobody_is_lent_what_another_has_and_what_is_back_is_lent_again() -> None:
    made = iter("abc")
    pool = Pool(lambda: next(made))
    with pool.lent() as one, pool.lent() as other:
        assert (one, other) == ("a", "b")
    with pool.lent() as again:
        assert again in {"a", "b"}
    assert next(made) == "c"


def test_what_was_lent_comes_back_after_an_error() -> None:
    made = iter("ab")
    pool = Pool(lambda: next(made))
    with pytest.raises(ValueError, match="broken"), pool.lent():
        raise ValueError("broken")
    with pool.lent() as again:
        assert again == "a"
