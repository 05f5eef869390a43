"""Integers under a shape, a location and a scale: exact, unlosable, at the rate."""

import math
import pickle

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared import ISAS, random_message

import bbans
from bbans._lib import lib
from bbans.distributions import (
    Family,
    Gaussian,
    Laplace,
    LocationScale,
    Logistic,
    StudentT,
    fixed_locations,
    fixed_scales,
)

SHAPES = {
    "gaussian": Family.gaussian(),
    "logistic": Family.logistic(),
    "laplace": Family.laplace(),
    "student-t": Family.student_t(2.5),
    "cauchy": Family.student_t(1),
}
SURVIVAL = {
    "gaussian": lambda t: mpmath.erfc(t / mpmath.sqrt(2)) / 2,
    "logistic": lambda t: 1 / (1 + mpmath.exp(t)),
    "laplace": lambda t: mpmath.exp(-t) / 2 if t > 0 else 1 - mpmath.exp(t) / 2,
    "cauchy": lambda t: mpmath.acot(t) / mpmath.pi if t > 0 else
    1 + mpmath.acot(t) / mpmath.pi if t < 0 else mpmath.mpf(1) / 2,
}  # fmt: skip


def parameters(n, seed, low=-12.0, high=46.9):
    rng = np.random.default_rng(seed)
    location = rng.normal(size=n) * 2.0 ** rng.uniform(-10, 43, n)
    scale = 2.0 ** rng.uniform(low, high, n)
    return np.clip(location, -(2.0**45), 2.0**45), scale


SCALES = st.floats(-12, 46.99)
LOCATIONS = st.integers(-(2**62) + 1, 2**62 - 1)
VALUES = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(LOCATIONS, SCALES, VALUES), min_size=1, max_size=40),
       st.sampled_from(sorted(SHAPES)), st.sampled_from([1, 2, 7, 64]),
       st.integers(0, 99))  # fmt: skip
def test_any_value_comes_back(rows, name, lanes, seed):
    """Far from the location, at any scale: nothing is uncodable."""
    location, log_scale, values = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    scale = np.rint(256 * log_scale).astype(np.int32).clip(-3072, 12031)
    message = random_message(lanes, seed)
    before = message.state()
    message.push(LocationScale(SHAPES[name], location, scale), values)
    popped = message.pop(LocationScale(SHAPES[name], location, scale))
    assert (popped == values).all()
    assert message.state() == before


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("lanes", [1, 3, 64, 300])
def test_pop_then_push_restores_any_message(name, lanes):
    location, scale = parameters(500, lanes, high=30)
    message = random_message(lanes, 5)
    before = message.state()
    values = message.pop(LocationScale(SHAPES[name], location, scale))
    message.push(LocationScale(SHAPES[name], location, scale), values)
    assert message.state() == before


@pytest.mark.parametrize("lanes", [1, 5, 64])
@pytest.mark.parametrize("name", SHAPES)
def test_every_isa_gives_the_same_words(name, lanes, best_isa_afterwards):
    """Ordinary values, which kernels code, and odd ones among them."""
    rng = np.random.default_rng(7)
    location, scale = parameters(3000, 3, -6, 11)
    location[:2000] = rng.normal(size=2000) * 50
    scale[:2000] = 2.0 ** rng.uniform(-2, 9.99, 2000)
    values = np.floor(location + scale * rng.standard_cauchy(3000)).astype(np.int64)
    states = []
    for isa in ISAS.values():
        lib.bbans_isa_use(isa)
        message = random_message(lanes, 1)
        message.push(LocationScale(SHAPES[name], location, scale), values)
        pushed = message.state()
        drawn = message.pop(LocationScale(SHAPES[name], location + 1, scale))
        states.append((pushed, message.state(), drawn.tolist()))
    assert all(state == states[0] for state in states)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i1", "i2", "i4", "i8"])
def test_every_type_of_integer(dtype):
    info = np.iinfo(dtype)
    values = np.linspace(max(info.min, -(2**62)), min(info.max, 2**62), 700)
    values = values.astype(dtype)
    location = values.astype(np.float64) + 3
    for shape in (values.shape, (7, 100)):
        v, at = values.reshape(shape), location.reshape(shape)
        at = at.clip(-(2.0**45), 2.0**45)
        message = bbans.Message(64)
        message.push(LocationScale(SHAPES["laplace"], at, 5.0), v)
        popped = message.pop(
            LocationScale(SHAPES["laplace"], at, np.full(shape, 5.0), dtype=dtype)
        )
        assert popped.dtype == dtype
        assert (popped == v).all()
        assert message.is_empty


@pytest.mark.parametrize("name", SURVIVAL)
@pytest.mark.parametrize("deviation", [0.05, 0.4, 1, 3.7, 100, 700, 1e4])
def test_cost_over_the_distribution(name, deviation):
    """Within 1e-4 bits of -log2 of the true mass, in the mean over its own samples."""
    rng = np.random.default_rng(1)
    n = 3000
    location = rng.uniform(-1000, 1000, n)
    u = rng.uniform(1e-7, 1 - 1e-7, n)
    t = {
        "gaussian": lambda: rng.normal(size=n),
        "logistic": lambda: np.log(u / (1 - u)),
        "laplace": lambda: rng.laplace(size=n),
        "cauchy": lambda: rng.standard_cauchy(n),
    }[name]()
    # The scale as the coder rounds it: that is a parameter, not an error.
    fixed = fixed_scales(np.full(n, deviation))
    exact = mpmath.mpf(2) ** (mpmath.mpf(int(fixed[0])) / 256)
    at = fixed_locations(location)
    values = np.floor(location + deviation * t + 0.5).astype(np.int64)
    information = mpmath.mpf(0)
    for m, v in zip(at.tolist(), values.tolist(), strict=True):
        low = (mpmath.mpf(v) - 0.5 - mpmath.mpf(m) / 65536) / exact
        high = low + 1 / exact
        if low < 0:  # differences of small numbers
            low, high = -high, -low
        information -= mpmath.log(SURVIVAL[name](low) - SURVIVAL[name](high), 2)
    message = random_message(1, 0)
    before = message.bits
    message.push(LocationScale(SHAPES[name], at, fixed), values)
    # A push changes log2 of the head by what it should in the mean only, 0.0075 bits
    # off as a rule. Of 16 bins an octave, one far out is flat where the mass is not.
    noise = 4 * 0.0075 * math.sqrt(n) + (3 if name == "cauchy" else 0)
    assert message.bits - before - float(information) <= 1e-4 * n + noise


def test_rounding_of_scales():
    rng = np.random.default_rng(0)
    scale = 2.0 ** rng.uniform(-12, 46.9, 20_000)
    fixed = fixed_scales(scale)
    assert (np.abs(256 * np.log2(scale) - fixed) <= 0.5 + 1e-9).all()
    assert fixed_scales([1.0, 2.0, 0.5, 1024]).tolist() == [
        0,
        256,
        -256,
        2560,
    ]
    single = scale.astype(np.float32)
    assert (fixed_scales(single) == fixed_scales(single.astype("f8"))).all()


def test_rounding_of_locations(isa):
    exact = [0, 1, -1, 0.5, 2.0**-17, -(2.0**-17), 2.0**-18, 3.0 * 2**-17, 2.0**45,
             -0.0, 5e-324, 1e-40, 2.0**-16, 1 / 3, 1e13 + 0.25]  # fmt: skip
    values = np.array(exact * 3)
    want = [int(math.copysign(math.floor(abs(v) * 65536 + 0.5), v)) for v in values]
    assert fixed_locations(values).tolist() == want
    single = values.astype(np.float32)
    single = single[np.abs(single) < 2.0**46]
    assert (fixed_locations(single) == fixed_locations(single.astype("f8"))).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2.0**46, -(2.0**46)])
def test_refused_locations_change_nothing(bad, isa):
    for at in (0, 299, 600, 999):
        location = np.zeros(1000)
        location[at] = bad
        message = random_message(64, 2)
        before = message.state()
        law = LocationScale(SHAPES["gaussian"], location, 1e5, copy=False)
        named = f"location .* at position {at} is not"
        with pytest.raises(bbans.SymbolError, match=named):
            message.push(law, np.arange(1000))
        with pytest.raises(bbans.SymbolError, match=named):
            message.pop(law)
        assert message.state() == before
        with pytest.raises(bbans.SymbolError, match=named):
            LocationScale(SHAPES["gaussian"], location, 1e5)
        with pytest.raises(bbans.SymbolError, match=named):
            fixed_locations(location)


@pytest.mark.parametrize(
    "bad", [np.nan, np.inf, 0.0, -0.0, -1.0, 2.0**-13, 2.0**47, 5e-324]
)
def test_refused_scales_change_nothing(bad):
    scale = np.full(1000, 7.0)
    scale[700] = bad
    message = random_message(64, 2)
    before = message.state()
    law = LocationScale(SHAPES["gaussian"], 0.0, scale, copy=False)
    named = "scale .* at position 700 is not"
    with pytest.raises(bbans.SymbolError, match=named):
        message.push(law, np.arange(1000))
    with pytest.raises(bbans.SymbolError, match=named):
        message.pop(law)
    with pytest.raises(bbans.SymbolError, match=named):
        LocationScale(SHAPES["gaussian"], 0.0, scale)
    with pytest.raises(bbans.SymbolError, match=named):
        fixed_scales(scale)
    assert message.state() == before


@pytest.mark.parametrize("scale", [3.0, 1e6])
@pytest.mark.parametrize("lanes", [2, 64])
def test_a_message_that_runs_dry_is_unchanged(scale, lanes):
    for words in range(0, 400, 37):
        message = random_message(lanes, words, words)
        before = message.state()
        with pytest.raises(bbans.errors.MessageError):
            message.pop(LocationScale(SHAPES["gaussian"], np.zeros(5000), scale))
        assert message.state() == before


def test_a_value_beyond_the_type_is_refused():
    message = random_message(64, 0)
    before = message.state()
    with pytest.raises(bbans.SymbolError, match="data type"):
        message.pop(
            LocationScale(SHAPES["gaussian"], np.full(500, 100.0), 1e3, dtype=np.int8)
        )
    assert message.state() == before


@pytest.mark.parametrize(
    "values", [[0.5], ["a"], np.array([1 << 63], np.uint64), [1j], [None]]
)
def test_values_must_be_integers_of_64_bits(values):
    with pytest.raises(bbans.SymbolError):
        bbans.Message().push(LocationScale(SHAPES["gaussian"], 0.0, 1.0), values)


def test_parameters_must_be_numbers_that_fit():
    message = bbans.Message()
    for location, scale in [("x", 1.0), (0.0, 1j), ([1.0, 2.0], 1.0), (1 << 63, 1.0),
                            (0.0, 1 << 47), (True, 1.0),
                            (np.array(0), np.array(12032, np.int32)),
                            ([[1.0], [1.0, 2.0]], 1.0)]:  # fmt: skip
        with pytest.raises(bbans.SymbolError):
            message.push(LocationScale(SHAPES["gaussian"], location, scale), [1, 2, 3])
    assert message.is_empty


def test_out_may_not_overlap():
    location = np.zeros(100, np.int64)
    with pytest.raises(bbans.SymbolError, match="overlaps"):
        random_message(2, 0).pop(
            LocationScale(SHAPES["gaussian"], location, fixed_scales(1.0), copy=False),
            out=location,
        )


def test_shapes_are_checked():
    good = np.array(SHAPES["laplace"].survival)
    assert Family(good) == SHAPES["laplace"]
    assert pickle.loads(pickle.dumps(SHAPES["cauchy"])) == SHAPES["cauchy"]
    assert len({*SHAPES.values()}) == len(SHAPES)
    for at, value in [(0, 1 << 30), (-1, 1), (-2, 1), (50, 0), (51, (1 << 31) + 1)]:
        bad = good.copy()
        bad[at] = value
        with pytest.raises(bbans.ModelError):
            Family(bad)
    for bad in (good[:-1], good[:2050], np.zeros(0, np.uint32), good.reshape(2, -1)):
        with pytest.raises(bbans.ModelError):
            Family(bad)
    for degrees in (0, -1, math.nan, 1e9):
        with pytest.raises(bbans.ModelError):
            Family.student_t(degrees)
    for survival in (lambda t: t, lambda t: t * 0, lambda t: 1.0, lambda t: t * np.nan):
        with pytest.raises(bbans.ModelError):
            Family.from_survival(survival)


@pytest.mark.parametrize("degrees", [0.5, 1, 2, 4, 30, 1000])
def test_student_t_table(degrees):
    """To the nearest 2**-32, but for the cell in which it is made to end."""
    survival = Family.student_t(degrees).survival
    with mpmath.workdps(30):
        for i in [*range(0, 2048, 97)]:
            t = mpmath.mpf(i) / 256
            x = degrees / (degrees + t * t)
            exact = mpmath.betainc(degrees / 2, 0.5, 0, x, regularized=True) / 2
            assert abs(int(survival[i]) - exact * 2**32) <= 0.51


@pytest.mark.parametrize("codec", [
    Gaussian([1.5, -3e9, 7], [2, 1e6, 0.1]),
    Logistic(np.zeros((2, 2)), 3),
    Laplace(5, [[1.0], [2.0]], dtype=np.int32),
    StudentT(4, 0.25, 9),
    LocationScale(
        Family.laplace(), fixed_locations([3.0]), fixed_scales(4)
    ),
])  # fmt: skip
def test_codecs_pop_what_they_push(codec):
    message = random_message(1, 3)
    before = message.state()
    value = codec.pop(message)
    codec.push(message, value)
    assert message.state() == before
    with pytest.raises(bbans.SymbolError, match="shape"):
        codec.push(message, np.zeros((9, 9), np.int64))


def test_a_scalar_value_is_an_int():
    codec = Gaussian(10, 2)
    message = bbans.Message()
    codec.push(message, 12)
    assert codec.pop(message) == 12
    assert message.is_empty


@pytest.mark.parametrize("make", [
    lambda: Gaussian(np.zeros(3), np.ones(2)),
    lambda: Gaussian("a", 1.0),
    lambda: Gaussian([[1.0], [1.0, 2.0]], 1.0),
    lambda: Gaussian(1j, 1.0),
    lambda: Gaussian(math.nan, 1.0),
    lambda: Laplace(0.0, -1.0),
    lambda: LocationScale(Family.gaussian(), np.zeros(3), np.ones(2)),
    lambda: bbans.Message().pop(LocationScale(Family.gaussian(), [0.0] * 3, [1.0] * 2)),
])  # fmt: skip
def test_codecs_refuse_parameters_that_do_not_fit(make):
    with pytest.raises(bbans.SymbolError):
        make()


def test_codecs_refuse_what_is_no_shape():
    with pytest.raises(bbans.ModelError, match=r"Family\.gaussian"):
        LocationScale("gaussian", 0.0, 1.0)
    with pytest.raises(bbans.ModelError, match=r"Family\.gaussian"):
        bbans.Message().push(LocationScale("gaussian", 0.0, 1.0), 0)


def test_integers_are_plain_numbers_unless_numpy_of_the_fixed_point_type():
    """The README's rule, by the words that come of it."""
    shape, values = SHAPES["logistic"], [95, 102, 111]

    def words(location, scale):
        copied, read = bbans.Message(3), bbans.Message(3)
        LocationScale(shape, location, scale).push(copied, values)
        law = LocationScale(shape, location, scale, copy=False)
        read.push(law, values)
        assert read.state() == copied.state()
        copy = read.copy()
        assert read.pop(law).tolist() == values
        return copy.state()

    plain = words([100.0, 100.0, 100.0], 5.0)
    assert words([100, 100, 100], 5) == plain
    assert words(100, (5, 5, 5)) == plain
    assert words(np.full(3, 100.0), np.float32(5)) == plain
    fixed = fixed_locations(100), fixed_scales([5, 5, 5])
    assert fixed[0].dtype == np.int64
    assert fixed[1].dtype == np.int32
    assert words(*fixed) == plain
    assert words(np.int64(100), [5, 5, 5]) == plain
    assert words(np.uint8(100), [np.int32(5)] * 3) == plain
    for location, scale, name in [
        (np.int64(100), np.int32(5), "locations"),
        (np.zeros(3, np.uint8), 5.0, "locations"), (100.0, np.full(3, 5), "scales"),
        (np.zeros(3, ">i8"), 5.0, "locations"),
        (np.full(3, 100), 5.0, "locations"),
        (100, np.full(3, 5, np.int32), "locations"),
    ]:  # fmt: skip
        both = rf"\.astype\(float\), or (both|an array) through fixed_{name}"
        with pytest.raises(bbans.SymbolError, match=both):
            LocationScale(shape, location, scale)
        with pytest.raises(bbans.SymbolError, match=both):
            LocationScale(shape, location, scale, copy=False)
