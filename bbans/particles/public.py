"""Public randomness: numbers that both sides of a code draw alike, and what weighs
particles by masses, in integers: docs/maths.md, "Public randomness"."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_integer
from bbans._lib import as_uint32, check, lib, pointer
from bbans.distributions.base import Distribution
from bbans.distributions.fixed_point import as_shape, c_array
from bbans.errors import ModelError
from bbans.message.message import Message

__all__ = [
    "Masses",
    "divide",
    "multiply",
    "number",
    "ones",
    "product",
    "public_message",
    "resample",
    "sample",
    "weights",
]

Masses = tuple[NDArray[np.uint32], NDArray[np.int32]]


def number(key: int, stream: int, j: int = 0) -> int:
    """Return number j of a stream of a key: 64 bits, the same on every machine.

    Raises
    ------
    ModelError
        If an argument is not in 0 .. 2**64 - 1.
    """
    return int(lib.bbans_public_number(as_key(key), as_key(stream), as_key(j)))


def as_key(value: int) -> int:
    """The 64 bits that were given.

    Raises
    ------
    ModelError
        If they are none.
    """
    return as_integer(value, "key", 0, (1 << 64) - 1)


def public_message(key: int, stream: int, law: Distribution) -> Message:
    """Return the message of a stream from which the values of a law are popped.

    Parameters
    ----------
    key, stream : int
    law : Distribution
        Value j is on lane j.

    Returns
    -------
    Message
        Heads of 62 bits, and as many words as popping may take.
    """
    n, words = int(np.prod(law.shape, dtype=int)), int(law._c.words)
    count = n * words
    numbers = [number(key, stream, j) for j in range(n + -(-count // 2))]
    heads = np.array(numbers[:n], np.uint64) >> np.uint64(2) | np.uint64(1 << 62)
    tail = np.array(numbers[n:], "<u8").view("<u4")[:count]
    return Message.from_state(heads, tail)


def sample(key: int, stream: int, law: Distribution, shape: Any = None) -> NDArray[Any]:
    """Draw the values of a law from a stream: those that `public_message` gives.

    Parameters
    ----------
    key, stream : int
    law : Distribution
    shape : int or tuple of int, optional
        Of the values; by default that of the law.

    Returns
    -------
    ndarray of int64

    Raises
    ------
    SymbolError, ModelError
        If the law's parameters do not fit, or are out of range; if a value has more
        than 64 bits, as laws with a leak may give.
    """
    whole = law if shape is None else law.broadcast(as_shape(shape))
    values = np.empty(whole.shape, np.int64)
    head = np.empty(values.size, np.uint64)
    tail = np.empty(values.size * int(whole._c.words) + 1, np.uint32)
    status = lib.bbans_public_draw(
        whole._c, as_key(key), as_key(stream), *c_array(values), values.size,
        pointer(head, "uint64_t[]"), pointer(tail),
    )  # fmt: skip
    if status != lib.BBANS_OK:
        whole._check()
    check(status)
    return values


def resample(weights: ArrayLike, r: int, points: int) -> NDArray[np.uint32]:
    """Draw points from weights, evenly: systematic resampling.

    Parameters
    ----------
    weights : array_like of int, shape (n,)
        With a sum from 1 to 2**32 - 1.
    r : int
        The only random number that it takes, of 64 bits.
    points : int

    Returns
    -------
    ndarray of uint32, shape (points,)
        Which weight each point has come from, rising.

    Raises
    ------
    ModelError
        If the weights have no such sum.
    """
    given = np.ascontiguousarray(as_uint32(weights, "weight")).ravel()
    points = as_integer(points, "points", 0, (1 << 32) - 1)
    ancestors = np.empty(points, np.uint32)
    status = lib.bbans_resample(
        pointer(given), given.size, as_key(r), points, pointer(ancestors)
    )
    if status == lib.BBANS_ERR_TOTAL:
        raise ModelError("weights must have a sum from 1 to 2**32 - 1", status)
    check(status)
    return ancestors


# ---- masses: mantissas of 32 bits, or 0, and exponents


def ones(n: int) -> Masses:
    """Return n masses of 1."""
    return np.full(n, 1 << 31, np.uint32), np.full(n, -31, np.int32)


def product(
    law: Distribution, values: NDArray[np.int64], masses: Masses | None = None
) -> Masses:
    """Return the masses of n columns of values, the product over the rows of each.

    Parameters
    ----------
    law : Distribution
        Of shape (rows, n).
    values : ndarray of int64, shape (rows, n) or (rows, 1)
    masses : Masses, optional
        What else to multiply with, first.
    """
    rows, n = law.shape
    mantissa, exponent = law.masses(np.broadcast_to(values, (rows, n)))
    total = ones(n) if masses is None else masses
    for k in range(rows):
        total = multiply(total, (mantissa[k], exponent[k]))
    return total


def multiply(a: Masses, b: Masses) -> Masses:
    """Return products of masses, rounded down."""
    product = a[0].astype(np.uint64) * b[0]
    shift = (31 + (product >> np.uint64(63))).astype(np.uint64)
    exponent = a[1].astype(np.int64) + b[1] + shift.astype(np.int64)
    return _masses(product >> shift, exponent)


def divide(a: Masses, b: Masses) -> Masses:
    """Return quotients of masses, rounded down; by 0 they are 0."""
    divisor = np.maximum(b[0], 1)
    quotient = np.where(b[0] > 0, (a[0].astype(np.uint64) << np.uint64(32)), 0)
    quotient = quotient.astype(np.uint64) // divisor
    shift = quotient >> np.uint64(32)
    exponent = a[1].astype(np.int64) - b[1] - 32 + shift.astype(np.int64)
    return _masses(quotient >> shift, exponent)


def weights(masses: Masses) -> NDArray[np.uint32]:
    """Return masses of n particles as weights of a sum of up to 2**28.

    Returns
    -------
    ndarray of uint32, shape (n,)
        Rounded down; all 1 if all masses are 0.
    """
    mantissa, exponent = masses
    if not mantissa.any():
        return np.ones(mantissa.shape, np.uint32)
    shift = 4 + (mantissa.size - 1).bit_length()
    top = int(exponent[mantissa > 0].max())
    down = np.clip(top - exponent.astype(np.int64) + shift, 0, 32).astype(np.uint64)
    return (mantissa.astype(np.uint64) >> down).astype(np.uint32)


def _masses(mantissa: NDArray[np.uint64], exponent: NDArray[np.int64]) -> Masses:
    return (
        mantissa.astype(np.uint32),
        np.where(mantissa > 0, exponent, 0).astype(np.int32),
    )
