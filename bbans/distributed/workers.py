"""Who does the work: the workers of a Dask client, or this process.

Nothing is scattered. A value that many tasks need is the result of a task that has it
in its description, which the scheduler keeps: if the worker that holds it dies, another
makes it again, and workers copy it from each other. It leaves this process once.
"""

from __future__ import annotations

import pickle
import secrets
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from bbans.errors import BbansError, ModelError

__all__ = ["WorkerError", "Workers", "added", "workers_of"]

_Item = TypeVar("_Item")

# Results that are added by one task: sums of sums in groups of as many.
_GROUP = 8


class WorkerError(BbansError):
    """A task that ended the workers that it ran on."""


def added(items: Iterable[_Item], add: Callable[..., _Item]) -> _Item:
    """Add in a fixed order: groups of 8 neighbours, then groups of these sums.

    The order depends on the number of items alone. Each group is added as soon as it is
    there.
    """
    levels: list[list[_Item]] = []
    for item in items:
        _put(levels, 0, item, add)
    level = 0
    while True:
        rest = levels[level]
        if level == len(levels) - 1 and len(rest) == 1:
            return rest[0]
        if rest:
            levels[level] = []
            _put(levels, level + 1, add(*rest) if rest[1:] else rest[0], add)
        level += 1


def _put(
    levels: list[list[_Item]], level: int, item: _Item, add: Callable[..., _Item]
) -> None:
    """Let a sum wait on its level, and add those that make a group."""
    while True:
        if level == len(levels):
            levels.append([])
        levels[level].append(item)
        if len(levels[level]) < _GROUP:
            return
        item, levels[level] = add(*levels[level]), []
        level += 1


class Workers(Protocol):
    """Who does the work; after a `with` block no task of it is left."""

    def __enter__(self) -> Workers: ...

    def __exit__(self, *_: object) -> None: ...

    def share(self, value: Any) -> Any:
        """What stands for a value in the arguments of tasks, and travels once."""

    def each(
        self, work: Callable[..., Any], items: Iterable[tuple[Any, ...]]
    ) -> Iterator[tuple[int, Any]]:
        """Yield numbers and results of ``work(*item)``, or the error that it raised, as
        they are done."""

    def total(
        self,
        work: Callable[..., Any],
        items: Iterable[tuple[Any, ...]],
        add: Callable[..., Any],
        done: Callable[[int], object],
    ) -> Any:
        """The results of ``work(*item)`` of shards, `added`; `done` is called with the
        number of each that is done, in any order."""


class Here:
    """This process, one item after the other."""

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def share(self, value: Any) -> Any:
        return value

    def each(
        self, work: Callable[..., Any], items: Iterable[tuple[Any, ...]]
    ) -> Iterator[tuple[int, Any]]:
        for number, item in enumerate(items):
            try:
                result = work(*item)
            except Exception as error:
                result = error
            yield number, result

    def total(
        self,
        work: Callable[..., Any],
        items: Iterable[tuple[Any, ...]],
        add: Callable[..., Any],
        done: Callable[[int], object],
    ) -> Any:
        def results() -> Iterator[Any]:
            for number, item in enumerate(items):
                yield work(*item)
                done(number)

        return added(results(), add)


class DaskWorkers:
    """The workers of a Dask client."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._token = secrets.token_hex(4)
        self._n = 0
        self._shared = weakref.WeakSet[Any]()

    def __enter__(self) -> DaskWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.cancel([*self._shared], force=True)

    def share(self, value: Any) -> Any:
        import cloudpickle

        blob = cloudpickle.dumps(value)  # whose inside Dask does not search for tasks
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")
            future = self._submit(pickle.loads, blob, name="share")
        self._shared.add(future)
        return future

    def _submit(self, work: Callable[..., Any], *arguments: Any, name: str = "") -> Any:
        key = self._key(name or work.__name__)
        return self._client.submit(work, *arguments, key=key, pure=False)

    def _submit_all(
        self, work: Callable[..., Any], items: Iterable[tuple[Any, ...]]
    ) -> list[Any]:
        """A task for each item, all in one message."""
        arguments = [*zip(*items, strict=True)]
        keys = [self._key(work.__name__) for _ in arguments[0]] if arguments else []
        futures: list[Any] = []
        if keys:
            futures = self._client.map(work, *arguments, key=keys, pure=False)
        return futures

    def _key(self, name: str) -> str:
        self._n += 1
        return f"bbans_{name.strip('_')}-{self._token}-{self._n}"

    @contextmanager
    def _cancelled(self, futures: list[Any]) -> Iterator[None]:
        """Leave no task behind if the block does not end by itself."""
        try:
            yield
        except BaseException:
            self._client.cancel(futures, force=True)
            raise

    def each(
        self, work: Callable[..., Any], items: Iterable[tuple[Any, ...]]
    ) -> Iterator[tuple[int, Any]]:
        futures = self._submit_all(work, items)
        with self._cancelled(futures):
            for number in self._completed(futures):
                future = futures[number]
                error = _error_of(future, "the task")
                yield number, future.result() if error is None else error

    def total(
        self,
        work: Callable[..., Any],
        items: Iterable[tuple[Any, ...]],
        add: Callable[..., Any],
        done: Callable[[int], object],
    ) -> Any:
        futures = self._submit_all(work, items)
        with self._cancelled(futures):
            root = added(futures, lambda *group: self._submit(add, *group))
            futures.append(root)
            for number in self._completed(futures[:-1]):
                future = futures[number]
                error = _error_of(future, f"shard {number}")
                if error is not None:
                    raise error
                done(number)
                if future is not root:
                    future.release()  # the task that adds it keeps it while it must
            error = _error_of(root, "the sum")
            if error is not None:
                raise error
            return root.result()

    def _completed(self, futures: list[Any]) -> Iterator[int]:
        """Numbers of futures, as they are done."""
        from distributed import as_completed

        numbers = {future.key: number for number, future in enumerate(futures)}
        for future in as_completed(futures):
            yield numbers[future.key]


def _error_of(future: Any, name: str) -> Exception | None:
    """What a task raised; `WorkerError` where its workers died."""
    if future.status == "finished":
        return None  # which is known here
    error: Exception | None = future.exception()
    if type(error).__name__ == "KilledWorker":
        return WorkerError(
            f"{name}: all workers that took it died, as they do without enough memory: "
            f"make shards smaller, or give workers more ({error})"
        )
    return error


def workers_of(client: Any) -> Workers:
    """Those of a client; without one, this process.

    Raises
    ------
    ModelError
        If it is no client.
    """
    if client is None:
        return Here()
    if not (hasattr(client, "submit") and hasattr(client, "cancel")):
        raise ModelError(
            f"client must be a dask.distributed.Client, or None, not {client!r}"
        )
    if getattr(client, "asynchronous", False):
        raise ModelError("client is asynchronous: pass one that is not")
    return DaskWorkers(client)
