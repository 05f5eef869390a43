"""Shards: parts of data that a worker reads by itself."""

from __future__ import annotations

import hashlib
import os
import reprlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bbans._arguments import as_integer
from bbans.distributed.workers import Workers, workers_of
from bbans.errors import BbansError, ModelError, SymbolError
from bbans.frozen.alphabet import Alphabet, as_integers
from bbans.models._checkpoint import data_fact
from bbans.models._data import as_sequences

__all__ = ["Facts", "Reader", "Shards", "sample"]

Read = Callable[[Any], Any]

_BYTES = (bytes, bytearray, memoryview)
_PIECE, _PIECES = 1 << 12, 64  # symbols that are drawn together; of a sample, at least
_WAIT = 0.1  # seconds before the first try again


class Facts(NamedTuple):
    """What a shard says of itself."""

    symbols: Any  # a sequence with all its characters, or its least and greatest symbol
    low: int | None
    high: int | None
    n_symbols: int
    n_sequences: int
    digest: str


class Reader:
    """How a worker reads a shard.

    Parameters
    ----------
    read : callable, optional
        Gives the sequences of a shard. By default a path is that of a file, whose bytes
        are one sequence; all else are sequences themselves.
    retries : int
        Times to try again after an `OSError`.
    """

    def __init__(self, read: Read | None, retries: int) -> None:
        if read is not None and not callable(read):
            raise ModelError(f"read must be a function of a shard, not {read!r}")
        self._read = read
        self._retries = as_integer(retries, "retries", 0)

    def __call__(self, work: Callable[[Any], Any], number: int, shard: Any) -> Any:
        """``work(sequences)`` of a shard; errors name it."""
        with self._naming(number, shard):
            for n in range(self._retries):
                try:
                    return work(self._sequences(shard))
                except OSError:
                    time.sleep(_WAIT * 2**n)
            return work(self._sequences(shard))

    def _sequences(self, shard: Any) -> Any:
        if self._read is not None:
            return self._read(shard)
        if isinstance(shard, str | os.PathLike):
            return [Path(shard).read_bytes()]
        return shard

    @contextmanager
    def _naming(self, number: int, shard: Any) -> Iterator[None]:
        name = f"shard {number}"
        if isinstance(shard, str | os.PathLike):
            name += f" ({os.fspath(shard)!s})"
        elif self._read is not None:
            name += f" ({reprlib.repr(shard)})"
        try:
            yield
        except BbansError as error:
            raise type(error)(f"{name}: {error}") from None
        except OSError as error:
            text = f"{name}: {error.strerror or error}"
            raise OSError(error.errno, text, error.filename) from error
        except MemoryError:
            raise
        except Exception as error:
            raise ModelError(f"{name}: {type(error).__name__}: {error}") from error


class Shards:
    """Shards, and who reads them.

    Parameters
    ----------
    shards : sequence
    read, retries
        As for `Reader`.
    workers : Workers
    """

    def __init__(
        self, shards: Iterable[Any], read: Read | None, retries: int, workers: Workers
    ) -> None:
        if isinstance(shards, str | bytes | os.PathLike | np.ndarray):
            raise ModelError(
                "shards must be a list, of paths or of sequences, not "
                f"{reprlib.repr(shards)}: pass [shard] for one"
            )
        try:
            items = list(shards)
        except TypeError:
            raise ModelError(
                f"shards must be a list, not {type(shards).__name__}"
            ) from None
        if not items:
            raise ModelError("no data to train on: there is no shard")
        self._workers = workers
        self._reader = workers.share(Reader(read, retries))
        # What is here travels once.
        self._items = [
            item if isinstance(item, str | os.PathLike) else workers.share(item)
            for item in items
        ]

    def __len__(self) -> int:
        return len(self._items)

    def survey(self, done: Callable[[int], object]) -> list[Facts]:
        """What the shards say of themselves."""
        found: list[Facts] = self._workers.total(
            _facts, self._arguments(), _joined, done
        )
        if not any(facts.n_symbols for facts in found):
            raise ModelError("no data to train on: every shard is empty")
        return found

    def sample(
        self,
        facts: list[Facts],
        most: int,
        seed: int,
        alphabet: Alphabet | None = None,
    ) -> list[Any]:
        """About so many symbols of all shards, in their order: all, if they are no
        more. With an alphabet, others in any shard are refused."""
        total = sum(one.n_symbols for one in facts)
        share = 1.0 if most >= total else most / total
        piece = max(1, min(_PIECE, most // _PIECES))
        arguments = self._arguments(share, piece, seed, alphabet)
        found: list[Any] = self._workers.total(
            _drawn, arguments, _joined, lambda number: None
        )
        if not found:
            raise ModelError(f"max_symbols {most} is too few for a sample")
        return found

    def expect(
        self, model: Any, first: bool, done: Callable[[int], object], **how: Any
    ) -> tuple[Any, SymbolError | None]:
        """The statistics of all shards under a model, or what is impossible under it.

        Raises
        ------
        SymbolError
            If it is the `first` model.
        """
        shared = self._workers.share((model, first, how))
        found: tuple[Any, SymbolError | None] = self._workers.total(
            _expected, self._arguments(shared), _sum, done
        )
        return found

    def _arguments(self, *more: Any) -> Iterator[tuple[Any, ...]]:
        for number, item in enumerate(self._items):
            yield (self._reader, number, item, *more)


def sample(
    shards: Sequence[Any],
    client: Any = None,
    *,
    max_symbols: int = 1 << 22,
    read: Read | None = None,
    seed: int = 0,
    retries: int = 2,
) -> list[Any]:
    """Draw a sample of data on many machines: what other models are trained on.

    Parameters
    ----------
    shards, client, read, retries
        As for `fit`.
    max_symbols : int
        About so many are drawn; data that have no more are returned whole.
    seed : int

    Returns
    -------
    list
        Sequences in the order of the shards, as these have them: text, bytes or arrays.
        Of long ones pieces are drawn. The same for the same shards, whoever reads them.

    Raises
    ------
    ModelError, OSError, WorkerError
        As `fit`.

    Examples
    --------
    >>> sample([[b"one", b"two"], [b"three"]])
    [b'one', b'two', b'three']
    """
    most = as_integer(max_symbols, "max_symbols", 1)
    seed = as_integer(seed, "seed", 0)
    with workers_of(client) as workers:
        held = Shards(shards, read, retries, workers)
        return held.sample(held.survey(lambda number: None), most, seed)


# ---- what runs on workers


def _facts(reader: Reader, number: int, shard: Any) -> list[Facts]:
    return reader(lambda found: [_facts_of(found)], number, shard)  # type: ignore[no-any-return]


def _drawn(
    reader: Reader,
    number: int,
    shard: Any,
    share: float,
    piece: int,
    seed: int,
    alphabet: Alphabet | None,
) -> list[Any]:
    def draw(found: Any) -> list[Any]:
        rng = np.random.default_rng([seed, number])
        parts = []
        for n, item in enumerate(_listed(found)):
            if alphabet is not None:
                try:
                    alphabet.encode(item)
                except SymbolError as error:
                    raise SymbolError(f"sequence {n}: {error}") from None
            parts += _parts(item, share, piece, rng)
        return parts

    return reader(draw, number, shard)  # type: ignore[no-any-return]


def _expected(
    reader: Reader, number: int, shard: Any, shared: tuple[Any, bool, dict[str, Any]]
) -> tuple[Any, SymbolError | None]:
    model, first, how = shared
    try:
        return reader(lambda found: model.expect(found, **how), number, shard), None
    except SymbolError as error:
        if first:
            raise
        return None, error


def _joined(*parts: list[Any]) -> list[Any]:
    return [item for part in parts for item in part]


def _sum(
    *parts: tuple[Any, SymbolError | None],
) -> tuple[Any, SymbolError | None]:
    """Statistics added from left to right, or the first fault."""
    total, fault = parts[0]
    for statistics, other in parts[1:]:
        fault = fault or other
        total = None if fault else total + statistics
    return total, fault


def _listed(found: Any) -> Iterable[Any]:
    """The sequences of what was read, which may be one, also of rows."""
    if isinstance(found, np.ndarray) and found.ndim > 1 and found.dtype.kind in "iuf":
        return [found]
    return as_sequences(found)


def _facts_of(found: Any) -> Facts:
    characters: set[str] = set()
    kinds: set[str] = set()
    lows, highs = [], []
    digests, n_symbols, n_sequences = hashlib.sha256(), 0, 0
    for item in _listed(found):
        n_sequences += 1
        n_symbols += _size(item)
        if isinstance(item, str):
            characters.update(item)
            array = np.frombuffer(item.encode("utf-8", "surrogatepass"), np.uint8)
        else:
            array = item if _is_real(item) else as_integers(item)
            kinds.add("bytes" if isinstance(item, _BYTES) else array.dtype.name)
            if array.size and array.dtype.kind in "iu":
                lows.append(int(array.min()))
                highs.append(int(array.max()))
        digests.update(data_fact([array]).encode())
    low, high = min(lows, default=None), max(highs, default=None)
    if characters:
        symbols: Any = "".join(sorted(characters))
    elif "bytes" in kinds:
        symbols = b""
    else:  # arrays of bytes go with bytes, others do not
        dtype = np.uint8 if kinds <= {"uint8"} else np.int64
        symbols = np.array([] if low is None else [low, high], dtype)
    return Facts(symbols, low, high, n_symbols, n_sequences, digests.hexdigest())


def _is_real(item: Any) -> bool:
    return isinstance(item, np.ndarray) and item.dtype.kind == "f"


def _size(item: Any) -> int:
    return int(item.size) if isinstance(item, np.ndarray) else len(item)


def _parts(item: Any, share: float, piece: int, rng: np.random.Generator) -> list[Any]:
    """Pieces of a sequence, each with this chance; neighbours stay together."""
    if share == 1:
        return [item]
    rows = len(item)
    step = max(1, piece * rows // max(_size(item), 1))  # symbols of a row go together
    parts, begin = [], None
    for start in range(0, rows, step):
        if rng.random() < share:
            begin = start if begin is None else begin
        elif begin is not None:
            parts.append(item[begin:start])
            begin = None
    if begin is not None:
        parts.append(item[begin:])
    return parts
