"""Several threads at one task, for work that releases the GIL."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["as_threads", "fitting", "in_order", "usable"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def usable() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def fitting(n_bytes: int) -> int:
    """As many threads as there are processors, and memory for, of which each takes so
    many bytes, in a quarter of what this process may have."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not known
        return usable()
    try:
        with open("/sys/fs/cgroup/memory.max") as file:  # of a container
            memory = min(memory, int(file.read()))
    except (OSError, ValueError):  # there is none, or it is "max"
        pass
    return max(min(usable(), memory // 4 // n_bytes), 1)


def as_threads(threads: int | None) -> int:
    """A number of threads; None: as many as the process may use processors.

    Raises
    ------
    ModelError
        If it is below 1.
    """
    if threads is None:
        return usable()
    from bbans._arguments import as_integer

    return as_integer(threads, "threads", 1)


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
    ahead = iter(items)
    first = [*islice(ahead, 2)]
    if len(first) < 2:
        return map(work, first)
    return _pooled(work, chain(first, ahead), threads)


def _pooled(
    work: Callable[[_Item], _Result], items: Iterable[_Item], threads: int
) -> Iterator[_Result]:
    from concurrent.futures import ThreadPoolExecutor  # which most work does without

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
