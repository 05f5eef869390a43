"""Values whose order is free, and orders: docs/maths.md, "Sets"."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array, as_integer, as_message, not_integers
from bbans._lib import as_uint32, ffi, lib, pointer
from bbans.codecs.base import as_function
from bbans.codecs.start import DIFFER, Pops, Pushes, observations
from bbans.distributions.base import Distribution
from bbans.distributions.categorical import Uniform
from bbans.errors import CorruptError, ModelError, SymbolError
from bbans.message.codec import Codec, as_codec
from bbans.message.message import Message

__all__ = ["Multiset", "Permutation"]

V = TypeVar("V")


class Multiset(Generic[V]):
    """`n` values of one codec whose order is free: a set, with repetitions.

    It takes log2(n! / (m_1! m_2! ..)) bits less than the values in an order, where m_i
    are the multiplicities of the distinct ones: what the order itself would take.

    Parameters
    ----------
    codec : Codec
        Of each value. Under a `Distribution` of a single value all are coded in C,
        a million a second; under others, of text or rows say, one by one, to the same
        bytes.
    n : int
        Number of values, up to 2**28. The message does not hold it.
    key : callable, optional
        ``key(value)`` sorts the values, where they have no order themselves. Values of
        the same key keep their order, which is then paid for.

    Raises
    ------
    ModelError
        If an argument is none of these.

    Notes
    -----
    Bits back with the order as the latent: which value comes next is popped from what
    was pushed before. The first find few bits to be chosen by, so that a message that
    starts empty costs about log2(n) bits more, once. Only the first of several lanes is
    used.

    References
    ----------
    Severo, Townsend, Khisti, Makhzani and Ullrich, "Compressing Multisets with Large
    Alphabets using Bits-Back Coding", 2022.

    Examples
    --------
    >>> from bbans import Message
    >>> from bbans.distributions import UniformRange
    >>> ids, message = [911, 4, 17, 4], Message()
    >>> codec = Multiset(UniformRange(0, 999), len(ids))
    >>> codec.push(message, ids)
    >>> codec.pop(message)
    array([  4,   4,  17, 911])
    """

    def __init__(
        self, codec: Codec[V], n: int, *, key: Callable[[V], Any] | None = None
    ) -> None:
        self._codec = as_codec(codec, "codec")
        self._n = as_integer(n, "n", 0, lib.BBANS_TOTAL_MAX)
        self._key = None if key is None else as_function(key, "key")
        self._integers: _Integers | None = None
        if isinstance(codec, Distribution) and codec.shape == () and key is None:
            self._integers = _Integers(codec, self._n)

    def push(self, message: Any, value: Iterable[V]) -> None:
        """Push n values, in any order.

        Raises
        ------
        SymbolError
            If they are not as many, cannot be coded, or have no order.
        MessageError
            If several lanes run dry; then, as after errors of the codec's own, the
            message is spent.
        """
        if self._integers is not None and isinstance(message, Message):
            self._integers.push(message, value)
            return
        as_message(message)
        items = self._listed(value)
        keys = [self._sorted_by(item) for item in items]
        for k in range(self._n, 0, -1):
            drawn = not isinstance(message, Pushes)  # else the mode: they are sorted
            key = keys[int(message.peek(k)[0]) if drawn else 0]
            first, end = bisect_left(keys, key), bisect_right(keys, key)
            if drawn:
                message.advance(first, end - first, k)
            del keys[end - 1]
            self._codec.push(message, items.pop(end - 1))

    def pop(self, message: Any) -> Any:
        """Pop the values, sorted: an array of integers, of any but a distribution of a
        single value a list. `push`, read bottom to top."""
        if self._integers is not None and isinstance(message, Message):
            return self._integers.pop(message)
        items: list[V] = []
        keys: list[Any] = []
        for k in range(1, self._n + 1):
            item = self._codec.pop(message)
            key = self._sorted_by(item)
            first, end = bisect_left(keys, key), bisect_right(keys, key)
            keys.insert(end, key)
            items.insert(end, item)
            if not isinstance(message, Pops):
                message.push_interval(first, end + 1 - first, k)
            elif first > 0:
                raise CorruptError(f"a set is not sorted: {DIFFER}")
        return items if self._integers is None else self._integers.array(items)

    def _sorted_by(self, item: V) -> Any:
        return item if self._key is None else self._key(item)

    def _listed(self, value: Iterable[V]) -> list[V]:
        """The values, sorted."""
        try:
            items = sorted(value, key=self._sorted_by)
        except (TypeError, ValueError) as error:
            raise SymbolError(
                f"value must be a collection of {self._n} values that can be sorted, "
                f"such as tuples, or by a key=: {error}"
            ) from None
        if len(items) != self._n:
            raise SymbolError(f"expected {self._n} values, not {len(items)}")
        return items

    def __repr__(self) -> str:
        return f"Multiset({self._codec!r}, {self._n})"


class _Integers:
    """`n` integers under one distribution, in C."""

    def __init__(self, law: Distribution, n: int) -> None:
        self._law, self._n = law, n

    def push(self, message: Message, value: Any) -> None:
        values = _as_int64(value, self._n)
        words = self._n * (int(self._law._c.words) + 1)
        try:
            self._call(message, "multiset_push", values, words)
        except (SymbolError, ModelError):
            self._refuse(values)
            raise

    def pop(self, message: Message) -> NDArray[Any]:
        values = np.empty(self._n, np.int64)
        try:
            self._call(message, "multiset_pop", values, self._n + 2)
        except SymbolError as error:
            self._law._refuse_pop(False, error.status)
        return self.array(values)

    def array(self, values: Any) -> NDArray[Any]:
        """The values as they are popped."""
        return np.asarray(values, self._law.dtype)

    def _call(
        self, message: Message, function: str, values: NDArray[np.int64], words: int
    ) -> None:
        work = np.empty(lib.bbans_multiset_work_bytes(self._n) // 8, np.uint64)
        message.call(
            function, ..., self._law._c, pointer(values, "int64_t[]"), lib.BBANS_I64,
            self._n, pointer(work, "uint64_t[]"), work.nbytes, words=words,
        )  # fmt: skip

    def _refuse(self, values: NDArray[np.int64]) -> None:
        """Raise, and name the first value that cannot be coded, if one cannot."""
        law = self._law.broadcast(values.shape)
        counted, at = ffi.new("size_t *"), ffi.new("size_t *")
        status = lib.bbans_distribution_list(
            law._c, pointer(values, "int64_t[]"), lib.BBANS_I64, self._n, ffi.NULL, 0,
            counted, at,
        )  # fmt: skip
        if status != lib.BBANS_OK:
            law._refuse_push(values[at[0]], at[0], status)


class Permutation:
    """Orders of n things, all equally likely: log2(n!) bits each.

    Parameters
    ----------
    n : int
        Up to 2**28.

    Raises
    ------
    ModelError
        If `n` is no such number.

    Notes
    -----
    The value is an array of the integers below n, each once. What a `Multiset` forgets,
    this codes: the order in which ``sorted_values[permutation]`` are the values again.

    Examples
    --------
    >>> from bbans import Message
    >>> message = Message()
    >>> Permutation(5).push(message, [3, 0, 4, 1, 2])
    >>> Permutation(5).pop(message)
    array([3, 0, 4, 1, 2], dtype=uint32)
    """

    def __init__(self, n: int) -> None:
        self._n = as_integer(n, "n", 0, lib.BBANS_TOTAL_MAX)

    def push(self, message: Any, value: ArrayLike) -> None:
        """Push a permutation; a refused push changes nothing.

        Raises
        ------
        SymbolError
            If it is none of `n` integers.
        """
        order = as_uint32(value, "element")
        if order.shape != (self._n,):
            raise SymbolError(
                f"expected a permutation of shape ({self._n},), not {order.shape}"
            )
        if not isinstance(message, Message):
            self._push_slots(message, order)
            return
        work = np.empty(lib.bbans_permutation_work_bytes(self._n) // 4, np.uint32)
        try:
            message.call(
                "permutation_push", ..., pointer(order), self._n, pointer(work),
                work.nbytes, words=self._n,
            )  # fmt: skip
        except SymbolError as error:
            raise _no_permutation(order, error.status) from None

    def pop(self, message: Any) -> NDArray[np.uint32]:
        """Pop a permutation, shape (n,): of random bits any, with equal probability.

        Raises
        ------
        MessageError
            If several lanes run dry; then the message is spent.
        """
        order = np.zeros(self._n, np.uint32)
        if isinstance(message, Message):
            message.call("permutation_pop", ..., pointer(order), self._n, words=1)
            return order
        as_message(message)
        for i in range(self._n):
            j = message.pop(Uniform(i + 1))
            order[i] = order[j]
            order[j] = i
        return order

    def _push_slots(self, message: Any, order: NDArray[np.uint32]) -> None:
        """The same bytes one by one, for coders other than a message."""
        if (np.sort(order) != np.arange(self._n)).any():
            raise _no_permutation(order)
        as_message(message)
        left = order.tolist()
        where = np.argsort(order).tolist()
        for i in range(self._n - 1, -1, -1):
            j = where[i]
            message.push(Uniform(i + 1), j)
            left[j] = left[i]
            where[left[i]] = j

    def __repr__(self) -> str:
        return f"Permutation({self._n})"


def _as_int64(value: Any, n: int) -> NDArray[np.int64]:
    """Values as integers of 64 bits, shape (n,).

    Raises
    ------
    SymbolError
        If they are none.
    """
    given = as_array(
        value
        if isinstance(value, np.ndarray | Sequence)
        else observations(value, "values"),
        "values",
    )
    if given.shape != (n,):
        raise SymbolError(f"expected values of shape ({n},), not {given.shape}")
    if given.size and given.dtype.kind not in "iu":
        raise not_integers("values", given)
    if given.dtype == np.uint64 and (given >> np.uint64(63)).any():
        at = int(np.flatnonzero(given >> np.uint64(63))[0])
        raise SymbolError(f"value {given[at]} at position {at} is not below 2**63")
    return np.ascontiguousarray(given, np.int64)


def _no_permutation(order: NDArray[np.uint32], status: Any = None) -> SymbolError:
    """The error for what is none: what is wrong with it."""
    beyond = np.flatnonzero(order >= order.size)
    if beyond.size:
        at = int(beyond[0])
        text = f"element {order[at]} at position {at} is not below {order.size}"
    else:
        twice = int(np.argmax(np.bincount(order)))
        text = f"element {twice} occurs more than once"
    return SymbolError(f"this is no permutation: {text}", status)
