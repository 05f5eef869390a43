"""Context mixers: what samples teach them, before they are frozen to code."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_integer
from bbans._float_file import Arrays
from bbans._lib import check, ffi, lib, pointer
from bbans.errors import ModelError, SymbolError
from bbans.frozen.alphabet import Alphabet, Symbols
from bbans.frozen.base import Kind
from bbans.frozen.context_mixer import (
    BITS_MAX,
    BITS_MIN,
    INPUTS,
    LENGTHS,
    MATCHES,
    SETS,
    SLOTS,
    FrozenContextMixer,
)
from bbans.models._data import (
    NO_DATA,
    NoDataError,
    encode_all,
    passes_of,
    training_alphabet,
)
from bbans.models._sample import Sample
from bbans.models._training import Iteration, progress_bar
from bbans.models.base import FloatModel

__all__ = ["ContextMixer"]

MAX_BYTES = 1 << 18
MAX_SYMBOLS = 1 << 20

# Rates by which weights, and what counts are worth, are learned, in 2^-10: at first,
# then divided by the number of the pass.
_WEIGHTS, _FACTORS = 10, 20

# Bytes of a long sample that are learned from as one, which others say something
# about: at least so many, and as a share of all.
_PIECE, _LEAST, _SHARE = 4096, 64, 32
_VISITS = 28  # of rows, for a byte
_TABLE_BITS = 22  # of rows that are counted, at most
_ROWS = 4  # room for so many per byte: of those visited one in eight is another
_UNIT = 128  # of bits in C
_PARTS = int(lib.BBANS_MIXER_TRAINING_PARTS)

# A prior has this many places for a row, at least; half as many at most.
_PLACES = 1.9
_FITTINGS, _FITS = 6, 0.97  # looks for what the file may hold

# Which byte stands before an end where several are as seldom.
_ENDS = b"\n\0\r"


class _Prior(NamedTuple):
    row: NDArray[np.uint16]
    weight: NDArray[np.int16]
    match: NDArray[np.uint16]


class _Memory(NamedTuple):
    """What coding remembers, by default."""

    row_bits: int
    match_bits: int
    history_bits: int

    @classmethod
    def of_records(cls, length: int) -> _Memory:
        """Enough for nearly all contexts of a record of this length: that memory is
        cleared for each."""
        bits = length.bit_length()
        return cls(
            min(max((_VISITS * length).bit_length(), 12), 18),
            min(max(bits + 3, 10), 18),
            min(max(bits + 3, 12), 22),
        )


_FILES = _Memory(18, 18, 22)


class ContextMixer(FloatModel):
    """What a mixer of contexts has learned from samples: `freeze` makes it code.

    Made by `fit`. It mixes what 14 contexts of a byte and two matches with earlier
    bytes say of each of its bits, and goes on learning while it codes.

    Examples
    --------
    >>> from bbans import ContextMixer
    >>> names = [f"user-{n % 7}@example.org" for n in range(100)]
    >>> frozen = ContextMixer.fit(names, progress=False).freeze()
    >>> len(frozen.encode("user-3@example.org")) <= 3
    True
    """

    __slots__ = ("_end", "_kind", "_match", "_memory", "_row", "_weight")

    def __init__(
        self, prior: _Prior, memory: _Memory, kind: Kind, end: int | None
    ) -> None:
        self._row, self._weight, self._match = prior
        self._memory, self._kind, self._end = memory, kind, end
        self._history: tuple[Iteration, ...] = ()

    @classmethod
    def fit(
        cls,
        samples: Symbols | Iterable[Symbols] | Callable[[], Iterable[Symbols]],
        *,
        max_bytes: int | None = MAX_BYTES,
        ends: bool = True,
        n_iter: int = 3,
        progress: bool | None = None,
        max_symbols: int = MAX_SYMBOLS,
    ) -> ContextMixer:
        """Train a model: contexts by their counts, and how they are mixed.

        Parameters
        ----------
        samples : str, bytes-like, an iterable of such, or a function
            As for `HMM.fit`. Text is coded as the bytes of its UTF-8.
        max_bytes : int, optional
            Maximum size of the packed file of the frozen model; None: there is no
            limit. The contexts stay that save most for the bytes that they take.
        ends : bool
            Whether the model codes the ends of what it codes, as records need it.
            False is for whole files.
        n_iter : int
            Passes over the samples, each of which learns weights; if contexts are left
            out, one more comes after that.
        progress : bool, optional
            As for `HMM.fit`.
        max_symbols : int
            Maximum number of bytes that are learned from. Of more data, a uniform
            sample is used.

        Returns
        -------
        model : ContextMixer
            Its `history` has what the samples took in each pass, each tenth of them
            coded under the others.

        Raises
        ------
        SymbolError
            If samples are integers, or some text and some bytes.
        ModelError
            If there is no data, an argument is out of range, or `max_bytes` is too
            small for any model.

        Notes
        -----
        Each tenth of the samples is coded under what the others say: its own counts are
        taken out, so that contexts are trusted as far as they hold elsewhere. The same
        samples give the same model. docs/maths.md, "Mixing: training".
        """
        n_iter = as_integer(n_iter, "n_iter", 1)
        if max_bytes is not None:
            max_bytes = as_integer(max_bytes, "max_bytes", 1)
        passes = passes_of(samples)
        alphabet = training_alphabet(passes, None, None, ends, utf8=True)
        if alphabet.kind == "integers":
            if not any(True for _ in passes()):
                raise NoDataError(NO_DATA)
            raise SymbolError(
                "a context mixer is of bytes or text: pass str or bytes, not integers"
            )
        sample = Sample(alphabet.size, max_symbols)
        sample.add(encode_all(passes(), alphabet))
        if sample.n_symbols == 0:
            raise NoDataError(NO_DATA)
        return cls._trained(sample, alphabet, max_bytes, n_iter, progress)

    @classmethod
    def _trained(
        cls,
        sample: Sample,
        alphabet: Alphabet,
        max_bytes: int | None,
        n_iter: int,
        progress: bool | None,
    ) -> ContextMixer:
        size = min(max(sample.n_symbols // _SHARE, _LEAST), _PIECE)
        pieces = [
            x[at : at + size]
            for x in sample.sequences()
            for at in range(0, x.size, size)
        ]
        symbols = np.concatenate(pieces)
        end, memory = None, _FILES
        if alphabet.ends:
            end = _rarest(symbols)
            records = max(int((symbols > 255).sum()), 1)
            memory = _Memory.of_records(symbols.size // records)
        data = np.where(symbols > 255, end or 0, symbols).astype(np.uint8)
        training = _Training(data, [piece.size for piece in pieces])

        def packed_bytes(prior: _Prior) -> int:
            frozen = cls(prior, memory, alphabet.kind, end).freeze()
            return len(frozen.to_bytes(packed=True))

        with progress_bar(n_iter, progress) as bar:
            history = [training.learn(n, bar) for n in range(1, n_iter + 1)]
            prior = training.finish(training.n_rows)
            if max_bytes is not None and packed_bytes(prior) > max_bytes:
                training.weigh()
                training.limit(max_bytes, packed_bytes)
                history.append(training.learn(1, None))
                prior = training.limit(max_bytes, packed_bytes)
        model = cls(prior, memory, alphabet.kind, end)
        model._history = tuple(history)
        return model

    @property
    def kind(self) -> Kind:
        """What the frozen model encodes: bytes, or text by its UTF-8."""
        return self._kind

    @property
    def end(self) -> int | None:
        """The byte behind which a record may end; None: the model has no end."""
        return self._end

    @property
    def n_contexts(self) -> int:
        """How many contexts the prior has."""
        return int(np.count_nonzero(self._row[:, 0]))

    def __repr__(self) -> str:
        ends = "" if self._end is None else ", with ends"
        return f"<ContextMixer of {self._kind}: {self.n_contexts} contexts{ends}>"

    def information_content(self, x: Symbols) -> float:
        """Compute what x takes in bits, in whole bytes of a message.

        Parameters
        ----------
        x : str or bytes-like

        Raises
        ------
        SymbolError
            If it is not what the model codes.
        """
        return 8.0 * len(self.freeze().encode(x))

    def freeze(
        self,
        *,
        row_bits: int | None = None,
        match_bits: int | None = None,
        history_bits: int | None = None,
        rate: int = 80,
    ) -> FrozenContextMixer:
        """Make the model that codes.

        Parameters
        ----------
        row_bits, match_bits, history_bits : int, optional
            What coding remembers, as for `FrozenContextMixer`. By default, with ends,
            12, 10 and 12 (168 KB), more if the samples are longer than 140 bytes in the
            mean; without, 18, 18 and 22 (14 MB).
        rate : int
            How fast weights learn while coding, 1 to 127.

        Raises
        ------
        ModelError
            If one is out of range.
        """
        given = {
            "row_bits": row_bits, "match_bits": match_bits,
            "history_bits": history_bits,
        }  # fmt: skip
        memory = self._memory._asdict() | {
            name: value for name, value in given.items() if value is not None
        }
        return FrozenContextMixer(
            self._row, self._weight, self._match,
            rate=rate, kind=self._kind, end=self._end, **memory,
        )  # fmt: skip

    def _arrays(self) -> Arrays:
        return {
            "row": self._row.astype(np.uint32),
            "weight": self._weight.astype(np.int64),
            "match": self._match.astype(np.uint32),
            "memory": np.array(self._memory, np.int64),
            "kind": np.array(self._kind.encode("ascii")),
            "end": np.array(-1 if self._end is None else self._end, np.int64),
        }

    @classmethod
    def _from_arrays(cls, arrays: Arrays) -> ContextMixer:
        end = int(arrays["end"])
        prior = _Prior(arrays["row"], arrays["weight"], arrays["match"])
        kind: Any = bytes(arrays["kind"]).decode("ascii")
        memory = _Memory(*map(int, arrays["memory"]))
        frozen = FrozenContextMixer(
            *prior, **memory._asdict(), kind=kind, end=None if end < 0 else end
        )
        prior = _Prior(frozen.row, frozen.weight, frozen.match)
        return cls(prior, memory, kind, frozen.end)


def _rarest(symbols: NDArray[np.int32]) -> int:
    """The byte that samples have least often."""
    counts = np.bincount(symbols, minlength=256)[:256]
    seldom = np.flatnonzero(counts == counts.min())
    return next((end for end in _ENDS if end in seldom), int(seldom[0]))


class _Training:
    """Samples and what they taught, in C."""

    def __init__(self, data: NDArray[np.uint8], sizes: list[int]) -> None:
        ends = np.cumsum(sizes, dtype=np.uintp)
        bits = min(max((_ROWS * data.size - 1).bit_length(), 10), _TABLE_BITS)
        size = int(lib.bbans_mixer_training_bytes(max(sizes), bits))
        memory = np.empty(size, np.uint8)
        self._held = data, ends, memory
        self._n_bytes = data.size
        self._budget: float | None = None
        self._c = ffi.new("bbans_mixer_training *")
        check(
            lib.bbans_mixer_training_start(
                self._c, pointer(data, "uint8_t[]"), pointer(ends, "size_t[]"),
                len(sizes), bits, pointer(memory, "uint8_t[]"), size,
            )
        )  # fmt: skip

    @property
    def n_rows(self) -> int:
        return int(self._c.rows)

    def learn(self, n: int, bar: Any) -> Iteration:
        """Pass n over the samples, from 1."""
        rates = ffi.new("bbans_mixer_rates *", [_WEIGHTS // n, _FACTORS // n])
        bits, total = ffi.new("uint64_t *"), 0
        for part in range(_PARTS):
            check(lib.bbans_mixer_training_learn(self._c, part, rates, bits))
            total += bits[0]
        rate = total / _UNIT / self._n_bytes
        if bar is not None:
            bar.set_postfix_str(f"{rate:.4f} bits/byte", False)
            bar.update()
        return Iteration(rate, rate)

    def weigh(self) -> None:
        """Find what each row saves."""
        for part in range(_PARTS):
            check(lib.bbans_mixer_training_weigh(self._c, part))

    def limit(self, max_bytes: int, packed_bytes: Callable[[_Prior], int]) -> _Prior:
        """Keep the rows that a file of `max_bytes` has room for.

        What a row takes is known only in the file, so the estimate is corrected.
        """
        low, high = 0.0, float("inf")
        budget = float(max_bytes) if self._budget is None else self._budget
        best, kept = None, ffi.new("size_t *")
        for _ in range(_FITTINGS):
            check(lib.bbans_mixer_training_keep(self._c, int(budget), kept))
            prior = self.finish(kept[0])
            size = packed_bytes(prior)
            if size <= max_bytes:
                best, low = (prior, budget), budget
                if size >= _FITS * max_bytes:
                    break
            else:
                high = budget
            budget *= 0.99 * max_bytes / size
            if not low < budget < high:
                budget = (low + min(high, 2 * low + 1)) / 2
        if best is None:
            raise ModelError(
                f"max_bytes must be more than {max_bytes}: even a context mixer of "
                f"{kept[0]} contexts takes {size} bytes"
            )
        self._budget = best[1]
        check(lib.bbans_mixer_training_keep(self._c, int(best[1]), kept))
        return best[0]

    def finish(self, rows: int) -> _Prior:
        """The prior of the rows that are kept, so many."""
        bits = max(int(np.ceil(np.log2(max(rows, 1) * _PLACES))), BITS_MIN)
        bits = min(bits, BITS_MAX)
        weight = np.empty((SETS, INPUTS), np.int16)
        match = np.empty((MATCHES, LENGTHS), np.uint16)
        found = ffi.new("size_t *")
        while True:
            row = np.empty((1 << bits, SLOTS), np.uint16)
            check(
                lib.bbans_mixer_training_finish(
                    self._c, bits, pointer(row, "uint16_t[]"),
                    pointer(weight, "int16_t[]"), pointer(match, "uint16_t[]"), found,
                )
            )  # fmt: skip
            if bits == BITS_MIN or 4 * found[0] >= row.shape[0]:
                return _Prior(row, weight, match)
            bits -= 1
