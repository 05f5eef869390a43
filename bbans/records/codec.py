"""Records one by one, each coded as a self-contained message.

docs/maths.md, "Records".
"""

from __future__ import annotations

import os
import reprlib
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import numpy as np

from bbans._arguments import as_bytes
from bbans._threads import as_threads, in_order
from bbans.errors import ModelError, SymbolError
from bbans.frozen.alphabet import KINDS, Alphabet
from bbans.frozen.base import FrozenModel, as_model
from bbans.frozen.engine import one_of
from bbans.frozen.hmm import listed
from bbans.frozen.model_file import load_model
from bbans.records._calls import RecordCalls

__all__ = ["RecordCodec"]

MAX_BYTES = 1 << 20


class RecordCodec:
    """Code records, each as a message of its own, under one model.

    A record is bytes or text: a line of a log, a URL, a value of a key-value store. Its
    message is self-contained: with the model, its bytes determine the record and its
    length. Any record can be coded. One with symbols outside the model's alphabet, or
    that would not get shorter, is stored in one byte more than its length.

    Parameters
    ----------
    model : FrozenModel
        Of bytes or of text: a hidden Markov model, autoregressive or of several levels.
        Its mode makes no difference.

    Raises
    ------
    ModelError
        If `model` is not a model, or not one of bytes or text.

    Notes
    -----
    A message has no checksum: most messages that are damaged, or were made with another
    model, decode to some other record. Where that matters, keep a checksum and the
    model's fingerprint with the messages.

    Immutable; may be shared between threads. docs/maths.md, "Records".

    Examples
    --------
    >>> from bbans import RecordCodec, default_model
    >>> codec = RecordCodec(default_model())
    >>> message = codec.encode(b"The rain in Spain stays mainly in the plain.")
    >>> len(message)
    20
    >>> codec.decode(message)
    b'The rain in Spain stays mainly in the plain.'
    """

    __slots__ = ("_calls", "_model")

    def __init__(self, model: FrozenModel) -> None:
        self._model = as_model(model)
        alphabet = self._model.alphabet
        if not isinstance(alphabet, Alphabet) or alphabet.kind == "integers":
            raise ModelError(
                f"a record is bytes or text, and this model codes {self._model.kind}"
                + (
                    ": train one of bytes, or encode(data, model)"
                    if self._model.kind == "integers"
                    else " in rows: encode(data, model)"
                )
            )
        self._calls = RecordCalls(
            self._model,
            KINDS.index(alphabet.kind),
            alphabet.size,
            listed(alphabet) or None,
            alphabet.ends,
        )

    @property
    def model(self) -> FrozenModel:
        """The model, which the decoder needs too."""
        return self._model

    @property
    def kind(self) -> str:
        """What records are: "bytes" or "text", for which `decode` returns str."""
        return self._model.kind

    def __repr__(self) -> str:
        return f"RecordCodec({self._model!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RecordCodec):
            return NotImplemented
        return self._model == other._model

    def __hash__(self) -> int:
        return hash((RecordCodec, self._model))

    def __reduce__(self) -> tuple[Any, ...]:
        return RecordCodec, (self._model,)

    def __copy__(self) -> RecordCodec:
        return self  # it does not change

    def __deepcopy__(self, memo: Any) -> RecordCodec:
        return self

    # ---- one record

    def encode(self, record: bytes | str) -> bytes:
        """Code one record.

        Parameters
        ----------
        record : bytes-like or str
            A str, or for a model of bytes either: a str is then coded as its UTF-8,
            and `decode` returns bytes.

        Returns
        -------
        bytes
            At most one byte longer than the record (for text, than its UTF-8).

        Raises
        ------
        SymbolError
            If `record` is of another type.
        """
        message: bytes = self._calls.encode(record)
        return message

    def decode(self, message: bytes, *, max_bytes: int | None = MAX_BYTES) -> Any:
        """Decode one record.

        Parameters
        ----------
        message : bytes-like
        max_bytes : int or None
            The longest record to decode (for text, in bytes of UTF-8). A message of a
            few bytes may decode to a very long record, and take time and memory
            accordingly. None: no limit.

        Returns
        -------
        bytes or str
            As `kind` says.

        Raises
        ------
        LimitError
            If the record is longer than `max_bytes`.
        CorruptError
            If `message` is not what `encode` returns for any record.
        ModelError
            If `max_bytes` is no integer of 0 or more.
        """
        return self._calls.decode(message, max_bytes)

    # ---- many

    def encode_many(
        self, records: Iterable[bytes | str], *, threads: int | None = None
    ) -> list[bytes]:
        """Code many records, each as `encode` does.

        Parameters
        ----------
        records : iterable of bytes-like or str
        threads : int, optional
            By default as many as there are processors. The result does not depend on
            it.

        Returns
        -------
        list of bytes
            A message for each.

        Raises
        ------
        SymbolError
            If one of them is of another type; the text names it.
        ModelError
            If `threads` is below 1.
        """
        items = _items(records, "records")

        def encode(part: tuple[int, int]) -> list[bytes]:
            return self._calls.encode_part(items, *part)

        return self._all(encode, items, threads)

    def decode_many(
        self,
        messages: Iterable[bytes],
        *,
        max_bytes: int | None = MAX_BYTES,
        threads: int | None = None,
    ) -> list[Any]:
        """Decode many messages, each as `decode` does.

        Parameters
        ----------
        messages : iterable of bytes-like
        max_bytes : int or None
            The longest record to decode.
        threads : int, optional
            As for `encode_many`.

        Returns
        -------
        list of bytes or str

        Raises
        ------
        LimitError, CorruptError, ModelError
            As of `decode` and `encode_many`; the text names the record.
        """
        items = _items(messages, "messages")

        def decode(part: tuple[int, int]) -> list[Any]:
            return self._calls.decode_part(items, *part, max_bytes)

        return self._all(decode, items, threads)

    def _all(self, work: Any, items: list[Any], threads: int | None) -> list[Any]:
        parts = self._calls.parts(items)
        done: list[Any] = []
        for part in in_order(work, parts, min(as_threads(threads), max(len(parts), 1))):
            done += part
        return done

    # ---- its model

    @classmethod
    def train(
        cls,
        records: Iterable[bytes | str] | Callable[[], Iterable[bytes | str]],
        *,
        model: str = "arhmm",
        max_bytes: int | None = 256_000,
        n_states: int | None = None,
        order: int | str | None = None,
        seed: int | np.random.Generator | None = None,
        threads: int | None = None,
        progress: bool | None = None,
    ) -> RecordCodec:
        """Train a model on records, and make its codec.

        Parameters
        ----------
        records : iterable of bytes-like, or of str; or a function
            Thousands, as a rule, like those to be coded later. From str comes a model
            of text, coded as UTF-8; from bytes a model of bytes. For data larger than
            memory, a function that returns a fresh iterable at each call; the type of
            the first record then decides.
        model : {"arhmm", "mixing"}
            The kind of model: `ARHMM`, or `ContextMixer`, which takes fewer bytes for
            a record where its file may be large, a megabyte and more, and adapts to
            the record.
        max_bytes : int or None
            Maximum size of the model file, packed.
        n_states, order, seed, threads : optional
            As for `ARHMM.fit`, and only with "arhmm".
        progress : bool, optional
            As for `ARHMM.fit`.

        Returns
        -------
        RecordCodec

        Raises
        ------
        SymbolError
            If the records are not all str, or all bytes.
        ModelError
            If there are none, or an argument breaks a condition of `ARHMM.fit` or
            `ContextMixer.fit`.

        Notes
        -----
        The model is that of ``ARHMM.fit(records, n_states, ends=True, ...).freeze()``
        or ``ContextMixer.fit(records, ...).freeze()``: call these for other settings.
        It codes the end of a record as a symbol of its own, so messages need no
        lengths.
        """
        states: dict[str, Any] = {"n_states": n_states, "order": order, "seed": seed}
        given = {key: value for key, value in states.items() if value is not None}
        if one_of(model, ("arhmm", "mixing"), "model") == "mixing":
            if threads is not None:
                given["threads"] = threads
            if given:
                raise ModelError(f'{min(given)} does not go with model="mixing"')
            return cls._mixing(records, max_bytes, progress)
        from bbans.models.arhmm import ARHMM  # loads what only trains

        items = records if callable(records) else _items(records, "records")
        sample = list(islice(items(), 1)) if callable(items) else items
        if any(isinstance(item, str) for item in sample):
            alphabet = Alphabet.utf8(ends=True)  # which refuses bytes among them
        else:
            for item in sample[:1]:
                try:
                    as_bytes(item, "record 0")
                except TypeError as error:
                    raise SymbolError(str(error)) from None
            alphabet = Alphabet(256, kind="bytes", ends=True)
        trained = ARHMM.fit(
            items, max_bytes=max_bytes, alphabet=alphabet, threads=threads,
            progress=progress, **given,
        )  # fmt: skip
        return cls(trained.freeze())

    @classmethod
    def _mixing(
        cls, records: Any, max_bytes: int | None, progress: bool | None
    ) -> RecordCodec:
        from bbans.models.context_mixer import ContextMixer  # loads what only trains

        items = records if callable(records) else _items(records, "records")
        trained = ContextMixer.fit(items, max_bytes=max_bytes, progress=progress)
        return cls(trained.freeze())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file; an old one is replaced only by a complete one."""
        self._model.save(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RecordCodec:
        """Read a model file, and make its codec.

        Raises
        ------
        TruncatedError, CorruptError, VersionError, FormatError
            If it is not a model file, or damaged.
        ModelError
            If its model is not one of bytes or text.
        """
        return cls(load_model(path))


def _items(values: Iterable[Any], name: str) -> list[Any]:
    """The records or messages, if they are not one alone.

    Raises
    ------
    SymbolError
        If they are one, or none.
    """
    if not isinstance(values, str | bytes | bytearray | memoryview):
        try:
            return list(values)
        except TypeError:
            pass
    raise SymbolError(
        f"{name} must be a list of them, not {reprlib.repr(values)}: pass a single "
        "one as [x], or code it by encode(x) and decode(x)"
    )
