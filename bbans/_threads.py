"""Several threads at one task, for work that releases the GIL."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from bbans._arguments import as_integer

__all__ = ["as_threads", "in_order", "usable"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def usable() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def as_threads(threads: int | None) -> int:
    """A number of threads; None: as many as the process may use processors.

    Raises
    ------
    ModelError
        If it is below 1.
    """
    return usable() if threads is None else as_integer(threads, "threads", 1)


def in_order(
    work: Callable[[_Item], _Result], items: Iterable[_Item], threads: int | None
) -> Iterator[_Result]:
    """Yield ``work(item)`` for each item, in the order of the items.

    Parameters
    ----------
    work : callable
        Runs in several threads at a time.
    items : iterable
        Read as the work goes on: at most ``threads + 1`` are out at a time.
    threads : int, optional
        With 1 the work is done here; by default one for each core.

    Raises
    ------
    ModelError
        If `threads` is below 1.
    """
    threads = as_threads(threads)
    if threads == 1:
        return map(work, items)
    return _pooled(work, items, threads)


def _pooled(
    work: Callable[[_Item], _Result], items: Iterable[_Item], threads: int
) -> Iterator[_Result]:
    waiting: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # after an error, or if the caller wants no more
            for future in waiting:
                future.cancel()
