"""Values that nobody should pass, and some that are right: arguments of the fuzz tests.

Each is made by a function, since some are used up by a call."""

import io
from pathlib import Path

import numpy as np

import bbans


class Index:
    """An object that is an integer, as NumPy's scalars are."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


class Array:
    """An object with an array, of any shape and type."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype)


class Sub(np.ndarray):
    """A subclass of arrays."""


class Str(str):
    """A subclass of texts."""


class Int(int):
    """A subclass of integers."""


class _Liar(list):
    """A list that says that it is longer than it is."""

    def __len__(self):
        return 1 << 62


def read_only(array):
    array.flags.writeable = False
    return array


SIX = np.arange(6)
NUMBERS = [
    None, True, False, NotImplemented, Ellipsis, -1, 0, 1, 2, 3, 4, 7, 63, 64, 255, 256,
    65536, 1 << 24, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, 1 << 64,
    -(1 << 31), -(1 << 63), -(1 << 63) - 1, 10**30, -(10**30), 10**400, 0.5, 1.0, 1.5,
    -0.0, -1.5, 5e-324, 1e-300, 1e18, 1e308, float("nan"), float("inf"), float("-inf"),
    1j, Int(2), Index(1), Index(1 << 70), np.int8(-1), np.uint8(3), np.uint64(1 << 63),
    np.float16(1), np.float32("nan"), np.longdouble(1), np.bool_(True), np.complex64(1),
    np.datetime64("2000-01-01"), np.timedelta64(1, "s"), np.datetime64("NaT"),
]  # fmt: skip
TEXTS = [
    "", "a", "abc", "\ud800", "a\0b", "\N{GRINNING FACE}", Str("abc"), "x" * 300, b"",
    b"a", b"abc", b"\xff" * 40, bytearray(b"abc"), memoryview(b"abc"),
    memoryview(SIX), np.str_("abc"), np.bytes_(b"abc"), Path("no", "such.bbm"),
]  # fmt: skip
LISTS = [
    (), [], [[]], [[], []], [0], [1, 2, 3], [0, 1, 0], (0, 1), [[0, 1], [1, 0]],
    [[0.5, 0.5]], [0.5, 0.5], [0.25] * 4, [[1], [2, 3]], [None], ["a"], ["a", "b"],
    [b"a", b"bc"], [[b"a"], 3], [1 << 70], [-1], [float("nan")], [1e308, 1e308],
    [object()], {}, {1: 2}, {"a": 1}, {1, 2}, range(3),
    [[[[[[1]]]]]], [np.zeros(2), np.zeros(3)], [SIX, SIX], [(0, 1), (1, 0)],
]  # fmt: skip
ARRAYS = [
    *(SIX.astype(f"{order}{kind}") for kind in (
        "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
      for order in "<>"),
    SIX.astype(bool), SIX.astype(object), SIX.astype(np.longdouble), SIX.astype("U3"),
    SIX.astype("S3"), SIX.astype("M8[s]"), SIX.astype("m8"), SIX.astype("V8"),
    np.zeros(3, [("a", "i4"), ("b", "f8")]), np.array([None, "a", 1]),
    np.zeros(0), np.zeros((0, 3)), np.zeros((3, 0), int), np.array(3), np.array(0.5),
    SIX.reshape(2, 3), SIX.reshape(2, 3).T, SIX[::2], SIX[::-1], SIX.reshape(1, 2, 3),
    np.broadcast_to(np.int64(1), (3, 3)),
    np.broadcast_to(np.float64(1), (9, 1 << 50, 0)), np.zeros((1,) * 32, int),
    read_only(np.arange(6)), SIX.view(Sub), np.ma.masked_array(SIX, SIX == 2),
    np.frombuffer(b"\0" * 9, np.uint8)[1:].view(np.int64),
    np.array([np.nan, 1.0]), np.array([np.inf, -np.inf]), np.full(4, 0.25),
    np.full((2, 2), 0.5), np.eye(2), -np.eye(2), np.array([[0.0, 0.0]]),
    np.array([-(1 << 63), (1 << 63) - 1]), np.array([1 << 63], np.uint64),
    np.array([[1e308, 1e308]]), np.array([1e-320, 1.0]), Array(SIX), Array(np.zeros(0)),
    np.recarray(2, [("a", "i4")]), np.array([], object),
    np.asfortranarray(np.ones((2, 3))),
]  # fmt: skip
TYPES = [
    int, np.uint8, np.float32, np.dtype("V8"), np.dtype(("i4", 2)), object, len, type,
    np, bbans, Exception("a"), object(), slice(1, 2), iter, np.random.default_rng(0),
    print, "int16", "f8", ">u2", "bytes", "text", "O", "V0", "M8[as]",
]  # fmt: skip

_HMM = bbans.HMM([0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]], [[0.5, 0.5], [1, 0]])
OBJECTS = [
    lambda: iter([0, 1]), lambda: (x for x in "ab"), lambda: io.BytesIO(b"abc"),
    lambda: io.BytesIO(), lambda: io.StringIO("abc"), lambda: bbans.Message(),
    lambda: bbans.Message.seeded(bytes(400), 3), lambda: _HMM, lambda: _HMM.freeze(),
    lambda: bbans.Alphabet("ab"), lambda: bbans.distributions.Uniform(3),
    lambda: bbans.distributions.Gaussian(0.0, 1.0),
    lambda: bbans.distributions.Table.from_masses([1.0, 2.0]),
    lambda: bbans.formats.ByteCoder(), lambda: bbans.models.Contexts.empty(),
]  # fmt: skip

HOSTILE = [
    *(
        lambda value=value: value
        for value in (*NUMBERS, *TEXTS, *LISTS, *ARRAYS, *TYPES)
    ),
    *OBJECTS,
]
