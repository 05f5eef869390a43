"""Mixtures, counts and ranges: the definition in plain integers gives the same words,
the true distribution nearly the same masses, and every value comes back."""

import itertools
import math

import mpmath
import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import random_message

import bbans
from bbans.distributions import (
    Bernoulli,
    BetaBinomial,
    Binomial,
    Family,
    Geometric,
    LocationScale,
    Mixture,
    NegativeBinomial,
    Poisson,
    UniformRange,
    fixed_locations,
    fixed_probabilities,
    fixed_rates,
    fixed_scales,
)

SHAPES = {
    "gaussian": Family.gaussian(),
    "logistic": Family.logistic(),
    "laplace": Family.laplace(),
    "cauchy": Family.student_t(1),
}
TABLES = {name: shape.survival.tolist() for name, shape in SHAPES.items()}
LEAST, MOST = ref.ALL


def twin(message):
    """The same message as the reference has it."""
    copy = ref.Message(message.lanes)
    copy.heads, copy.tail = message.state()
    return copy


def cost(intervals):
    """Bits."""
    return sum(math.log2(total / freq) for _, freq, total in intervals)


def mass(intervals):
    return math.prod(mpmath.mpf(freq) / total for _, freq, total in intervals)


# ---- one call of the library, and the same by the reference


def spread(rng, n, bits):
    """Integers of all sizes, of either sign."""
    size = rng.integers(0, bits + 1, n)
    wide = [int(b) for b in rng.integers(0, 1 << 63, n, np.uint64)]
    return [
        (w >> (63 - int(s))) * int(sign)
        for w, s, sign in zip(wide, size, rng.choice([-1, 1], n), strict=True)
    ]


FIXED = {
    "range": (None, None),
    "mixture": (None, None, np.int64, np.int32),
    "geometric": (np.int32,),
    "binomial": (None, np.uint32),
    "beta_binomial": (None, np.uint32, np.uint32),
    "poisson": (np.uint32,),
    "negative_binomial": (np.uint32, np.uint32),
}


def fixed_point(method, given):
    """Plain integers, as the reference takes them, in the types of fixed point."""
    return [
        values if dtype is None else np.asarray(values, dtype)
        for values, dtype in zip(given, FIXED[method], strict=True)
    ]


def range_case(rng, n):
    low, high = sorted(spread(rng, 2, 63))
    if rng.random() < 0.3:
        low, high = LEAST, MOST
    values = [low + abs(u) % (high - low + 1) for u in spread(rng, n, 63)]
    values[:2] = [low, high][:n]
    laws = [ref.uniform(v - low, high - low) for v in values]
    return values, laws, "range", (low, high), {}


def mixture_case(rng, n):
    name = rng.choice(list(SHAPES))
    K = int(rng.integers(1, 6))
    weights = rng.integers(0, 1 << int(rng.integers(1, 26)), (n, K))
    weights[:, 0] += 1
    at = np.array(spread(rng, n * K, 61)).reshape(n, K)
    by = rng.integers(-3072, 12032, (n, K))
    if rng.random() < 0.7:  # of one size
        at = at % (1 << 27)
        by = by % 2560 - 512
    low, high = LEAST, MOST
    ends = rng.random()
    if ends < 0.3:
        low, high = 0, 255
    elif ends < 0.6:
        low, high = sorted(spread(rng, 2, 63))
    near = [int(rng.choice(row)) >> 16 for row in at]
    values = [
        near[i] + v % 100 - 50 if i % 2 else v for i, v in enumerate(spread(rng, n, 63))
    ]
    values = [min(max(v, low), high) for v in values]
    laws = [
        ref.mixture(TABLES[name], *rows, low, high).intervals(v)
        for *rows, v in zip(
            weights.tolist(), at.tolist(), by.tolist(), values, strict=True
        )
    ]
    given = (SHAPES[name], weights, at, by)
    return values, laws, "mixture", given, {"low": low, "high": high}


def geometric_case(rng, n):
    by = rng.integers(-3072, 12032, n)
    values = [abs(v) for v in spread(rng, n, 63)]
    laws = [
        ref.geometric(TABLES["laplace"], s).intervals(v)
        for s, v in zip(by.tolist(), values, strict=True)
    ]
    return values, laws, "geometric", (by,), {}


def rates(rng, n):
    return [1 + abs(v) % (2**32 - 1) for v in spread(rng, n, 32)]


def binomial_case(rng, n):
    trials = [abs(v) for v in spread(rng, n, 18)]
    trials = [min(t, 2**18 - 1) for t in trials]
    p = rates(rng, n)
    values = [abs(v) % (t + 1) for v, t in zip(spread(rng, n, 30), trials, strict=True)]
    laws = [
        ref.binomial(*row).intervals(v)
        for *row, v in zip(trials, p, values, strict=True)
    ]
    return values, laws, "binomial", (trials, p), {}


def beta_binomial_case(rng, n):
    trials = [min(abs(t), 4095) for t in spread(rng, n, 10)]
    alpha, beta = rates(rng, n), rates(rng, n)
    values = [abs(v) % (t + 1) for v, t in zip(spread(rng, n, 30), trials, strict=True)]
    laws = [
        ref.beta_binomial(*row).intervals(v)
        for *row, v in zip(trials, alpha, beta, values, strict=True)
    ]
    return values, laws, "beta_binomial", (trials, alpha, beta), {}


def poisson_case(rng, n):
    means = rates(rng, n)
    near = [m >> 16 for m in means]
    values = [
        near[i] + v % 9 if i % 2 else abs(v) for i, v in enumerate(spread(rng, n, 63))
    ]
    laws = [ref.poisson(m).intervals(v) for m, v in zip(means, values, strict=True)]
    return values, laws, "poisson", (means,), {}


def negative_binomial_case(rng, n):
    """Windows of all widths, up to the widest that there are."""
    r = [1 + v % 2**28 for v in rates(rng, n)]
    p = [2**32 - 1 - v % 2**31 if v % 5 else v for v in rates(rng, n)]
    if rng.random() < 0.5:  # mostly near normal
        r = [v % 2**22 + 2**18 for v in r]
        p = [2**29 + v % 2**30 for v in p]
    wide = [ref.negative_binomial(*row) is None for row in zip(r, p, strict=True)]
    p = [2**32 - 1 if w else v for v, w in zip(p, wide, strict=True)]
    laws = [ref.negative_binomial(*row) for row in zip(r, p, strict=True)]
    values = [
        (law.first + law.last) // 3 + v % 9 if i % 2 else abs(v)
        for i, (law, v) in enumerate(zip(laws, spread(rng, n, 63), strict=True))
    ]
    listed = [law.intervals(v) for law, v in zip(laws, values, strict=True)]
    return values, listed, "negative_binomial", (r, p), {}


CASES = {
    "range": range_case,
    "mixture": mixture_case,
    "geometric": geometric_case,
    "binomial": binomial_case,
    "beta_binomial": beta_binomial_case,
    "poisson": poisson_case,
    "negative_binomial": negative_binomial_case,
}


LAWS = {
    "range": UniformRange,
    "mixture": Mixture,
    "geometric": Geometric,
    "binomial": Binomial,
    "beta_binomial": BetaBinomial,
    "poisson": Poisson,
    "negative_binomial": NegativeBinomial,
}


def pop(message, name, given, ends, n):
    return message.pop(LAWS[name](*given, **ends), n)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("lanes", [1, 3])
def test_the_reference_gives_the_same_words(name, lanes):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(1, 9))
        values, laws, method, given, ends = CASES[name](rng, n)
        given = fixed_point(method, given)
        message = random_message(lanes, seed)
        before, copy = message.state(), twin(message)
        ref.push_each(copy, laws)
        message.push(LAWS[method](*given, **ends), values)
        assert message.state() == (copy.heads, copy.tail)
        assert pop(message, method, given, ends, n).tolist() == values
        assert message.state() == before


def corners():
    """(method, parameters, support, value, intervals): all at their ends."""
    ends = [1, 65536, 2**31, 2**32 - 1]
    for n, p in itertools.product([0, 1, 2**18 - 1], ends):
        law = ref.binomial(n, p)
        for v in {0, n // 3, n}:
            yield "binomial", (n, p), {}, v, law.intervals(v)
    for n, a, b in itertools.product([0, 1, 4095], ends, ends):
        law = ref.beta_binomial(n, a, b)
        for v in {0, n // 3, n}:
            yield "beta_binomial", (n, a, b), {}, v, law.intervals(v)
    for mean in ends:
        law = ref.poisson(mean)
        for v in (0, mean >> 16, 10**6, MOST):
            yield "poisson", (mean,), {}, v, law.intervals(v)
    for r, p in itertools.product(ends, [2**24, 2**30, 2**32 - 2**18, 2**32 - 1]):
        law = ref.negative_binomial(r, p)
        for v in (0, r >> 16, 10**6, MOST) if law else ():
            yield "negative_binomial", (r, p), {}, v, law.intervals(v)
    for s in (-3072, 0, 12031):
        law = ref.geometric(TABLES["laplace"], s)
        for v in (0, 1, 2**40, MOST):
            yield "geometric", (s,), {}, v, law.intervals(v)
    supports = [(LEAST, MOST), (LEAST, LEAST), (MOST, MOST), (0, 1), (LEAST, 0),
                (MOST - 4095, MOST), (MOST - 4096, MOST)]  # fmt: skip
    for low, high in supports:
        for v in {low, high, low + (high - low) // 3}:
            yield "range", (low, high), {}, v, ref.uniform(v - low, high - low)
    far = 2**62 - 1
    components = [
        ([1], [far], [-3072]),
        ([2**28], [-far], [12031]),
        ([0, 1], [far, 0], [12031, -3072]),
        ([1, 2**28 - 1], [-far, far], [-3072, 12031]),
        ([2**22] * 64, list(range(-far, far, 2 * far // 63))[:64], [0] * 64),
    ]
    shapes = [("gaussian", 0), ("cauchy", 2), ("laplace", 3)]
    for (name, k), parts, (low, high) in itertools.product(
        shapes, components, supports
    ):
        law = ref.mixture(TABLES[name], *parts, low, high)
        near = parts[1][k % len(parts[1])] >> 16
        for v in {low, high, min(max(near, low), high)}:
            support = {"low": low, "high": high}
            yield "mixture", (SHAPES[name], *parts), support, v, law.intervals(v)


def test_parameters_at_their_ends():
    """The words of the reference, and the value and the message back."""
    for method, integers, support, value, intervals in corners():
        fixed = fixed_point(method, integers)
        message = random_message(2, 7, 40)
        before, copy = message.state(), twin(message)
        ref.push_each(copy, [intervals])
        law = LAWS[method](*fixed, **support)
        message.push(law, value)
        assert message.state() == (copy.heads, copy.tail), (method, fixed, value)
        assert message.pop(law) == value
        assert message.state() == before


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("lanes", [1, 5, 64])
def test_the_reference_gives_the_same_words_of_located_values(name, lanes):
    """Values of a family: the kernels and C against plain integers."""
    rng = np.random.default_rng(lanes)
    n = 600
    at, by = spread(rng, n, 61), rng.integers(-3072, 12032, n)
    at[: n // 2] = [v % (1 << 26) for v in at[: n // 2]]
    by[: n // 2] = by[: n // 2] % 2600 - 512
    values = spread(rng, n, 63)
    for i in range(0, n, 3):
        values[i] = (at[i] >> 16) + values[i] % 50 - 25
    message = random_message(lanes, lanes)
    before, copy = message.state(), twin(message)
    ref.push_located(copy, TABLES[name], at, by.tolist(), values)
    law = LocationScale(SHAPES[name], np.array(at), by.astype(np.int32))
    message.push(law, values)
    assert message.state() == (copy.heads, copy.tail)
    assert message.pop(law).tolist() == values
    assert message.state() == before


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(CASES)), st.integers(0, 10**6),
       st.sampled_from([1, 2, 7]))  # fmt: skip
def test_pop_then_push_restores_any_message(name, seed, lanes):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    _, _, method, given, ends = CASES[name](rng, n)
    given = fixed_point(method, given)
    message = random_message(lanes, seed)
    before = message.state()
    drawn = pop(message, method, given, ends, n)
    message.push(LAWS[method](*given, **ends), drawn)
    assert message.state() == before


# ---- monotone


@pytest.mark.parametrize("name", TABLES)
def test_intervals_tile_whatever_the_parameters(name):
    """Neighbouring values have neighbouring intervals, from 0 to the total."""
    rng = np.random.default_rng(0)
    for _ in range(6):
        K = int(rng.integers(1, 4))
        weights = (1 + rng.integers(0, 1 << 20, K)).tolist()
        at = [v % (1 << 26) for v in spread(rng, K, 61)]
        by = rng.integers(-3072, 12032, K).tolist()
        law = ref.mixture(TABLES[name], weights, at, by, 0, 300)
        ends = [law.intervals(v)[0] for v in range(301)]
        assert [start for start, _, _ in ends] == [
            0, *itertools.accumulate(freq for _, freq, _ in ends[:-1])
        ]  # fmt: skip
        assert min(freq for _, freq, _ in ends) >= 1
        assert ends[-1][0] + ends[-1][1] == 2**28
        wide = ref.mixture(TABLES[name], weights, at, by)
        first, last = wide.bin_of(LEAST), wide.bin_of(MOST)
        edges = [wide.edge(q) for q in range(first, last + 2)]
        assert edges[0] == 0
        assert edges[-1] == 2**28
        assert min(b - a for a, b in itertools.pairwise(edges)) >= 1


# ---- accuracy


SURVIVAL = {
    "gaussian": lambda t: mpmath.erfc(t / mpmath.sqrt(2)) / 2,
    "logistic": lambda t: 1 / (1 + mpmath.exp(t)),
    "laplace": lambda t: mpmath.exp(-t) / 2 if t > 0 else 1 - mpmath.exp(t) / 2,
}


def excess(pairs):
    """sum p log2(p / q), and the largest |p - q| - 4e-5 p, of (p, intervals)."""
    total, worst, below = mpmath.mpf(0), 0, mpmath.mpf(0)
    for p, intervals in pairs:
        q = mass(intervals)
        worst = max(worst, abs(p - q) - 4e-5 * p)
        below += p
        if p > 0:
            total += p * mpmath.log(p / q, 2)
    assert below > 1 - 1e-9
    return float(total), float(worst)


MIXTURES = [
    # weights, means, scales, low, high
    ([1], [0.3], [1.0], None, None),
    ([1], [100.2], [0.3], 0, 255),
    ([3, 5, 8], [20.5, 100.0, 180.7], [4.0, 9.0, 1.5], 0, 255),
    ([1, 2], [-3.0, 260.0], [30.0, 10.0], 0, 255),
    ([5, 2, 1], [0.0, 900.0, -2000.0], [30.0, 3.0, 1.0], None, None),
    ([1, 1], [-30000.0, 30000.0], [2.0, 5.0], None, None),
    ([5000, 1], [0.0, 40000.0], [2.0, 1.5], None, None),
    ([1, 1], [0.0, 50.0], [100.0, 3.0], None, None),
    ([1, 3], [90.0, 20000.0], [70.0, 30.0], 0, 65535),
]


def law_and_truth(name, weights, means, scales, low, high):
    """A mixture, and the true mass of a value."""
    at = fixed_locations(means).tolist()
    by = fixed_scales(scales).tolist()
    exact = [mpmath.mpf(2) ** (mpmath.mpf(s) / 256) for s in by]

    def true(v):
        out = mpmath.mpf(0)
        for w, m, s in zip(weights, at, exact, strict=True):
            a = (v - 0.5 - mpmath.mpf(m) / 65536) / s
            b = a + 1 / s
            if a < 0 and v != high:
                a, b = -b, -a
                lower, upper = v == high, v == low
            else:
                lower, upper = v == low, v == high
            S = SURVIVAL[name]
            out += w * ((1 if lower else S(a)) - (0 if upper else S(b)))
        return out / sum(weights)

    return ref.mixture(TABLES[name], weights, at, by, low, high), true


@pytest.mark.parametrize("name", SURVIVAL)
@pytest.mark.parametrize("case", range(len(MIXTURES)))
def test_mixtures_cost_what_they_should(name, case):
    """Within 1e-4 bits of the true mixture, each mass p within 2e-6 + 4e-5 p."""
    weights, means, scales, low, high = MIXTURES[case]
    ends = (LEAST if low is None else low, MOST if high is None else high)
    law, true = law_and_truth(name, weights, means, scales, *ends)
    values = set()
    reach = 21 if name == "gaussian" else 46
    for m, s in zip(means, scales, strict=True):
        half = int(reach / 2 * s) + 3
        values.update(range(int(m) - half, int(m) + half + 1))
    values = sorted(v for v in values if ends[0] <= v <= ends[1])
    bits, worst = excess((true(v), law.intervals(v)) for v in values)
    assert 0 <= bits + 1e-9 < 1e-4
    assert worst < 2e-6


@pytest.mark.parametrize("name", ["gaussian", "laplace"])
@pytest.mark.parametrize(
    ("means", "scales"),
    [
        ([0.0, 0.0], [2000.0, 2000.0]),
        ([0.0, 3e4], [1e4, 30.0]),
        ([1e5, -1e6], [1e5, 1e6]),
        ([0.0, 0.0], [1e9, 1e10]),
        ([3e12, 0.0], [1e12, 5.0]),
    ],
)
def test_wide_mixtures_cost_what_they_should(name, means, scales):
    """The same where values lie in wide bins, over samples.

    As sum q = 1, the mean of log(p / q) is that of log(p / q) + q / p - 1, which is
    never negative and of the second order, as is its deviation.
    """
    law, true = law_and_truth(name, [1, 1], means, scales, LEAST, MOST)
    rng = np.random.default_rng(0)
    n = 400
    draw = rng.normal if name == "gaussian" else rng.laplace
    pick = rng.integers(0, 2, n)
    values = np.rint(np.take(means, pick) + draw(size=n) * np.take(scales, pick))
    nats = []
    for v in values.astype(np.int64).tolist():
        ratio = mass(law.intervals(v)) / true(v)
        nats.append(float(ratio - 1 - mpmath.log(ratio)))
    bits, error = np.mean(nats) / math.log(2), np.std(nats) / math.sqrt(n)
    assert bits + 3 * error < 3e-5


@pytest.mark.parametrize("scale", [0.05, 0.5, 3.0, 40.0, 100.0])
def test_geometric_costs_what_it_should(scale):
    s = int(fixed_scales(scale))
    exact = mpmath.mpf(2) ** (mpmath.mpf(s) / 256)
    law = ref.geometric(TABLES["laplace"], s)

    def true(v):
        return mpmath.exp(-v / exact) - mpmath.exp(-(v + 1) / exact)

    n = int(25 * scale) + 3
    bits, worst = excess((true(v), law.intervals(v)) for v in range(n))
    assert 0 <= bits + 1e-9 < 1e-4
    assert worst < 4e-6


def test_counts_cost_what_they_should():
    """Rows within 3e-5 bits, each mass within 2**-27 and a part of 4096 / 2**28; what
    is near normal within 2e-5, each mass within 5e-4 of them all."""
    cases = []
    for n, p in [
        (1, 0.3),
        (10, 0.5),
        (255, 0.01),
        (8, 0.5),
        (255, 0.0158),
        (255, 0.9),
        (3000, 0.2),
        (1000, 0.004001),
        (100000, 0.00005),
    ]:
        fixed = int(fixed_probabilities(p))
        true = mpmath.mpf(fixed) / 2**32
        cases.append((ref.binomial(n, fixed), [
            mpmath.binomial(n, k) * true**k * (1 - true) ** (n - k)
            for k in range(n + 1)
        ]))  # fmt: skip
    for n, a, b in [(1, 0.5, 0.5), (255, 0.3, 0.2), (255, 8, 3), (255, 900, 40)]:
        A, B = (int(x) for x in fixed_rates([a, b]))
        a, b = mpmath.mpf(A) / 65536, mpmath.mpf(B) / 65536
        cases.append((ref.beta_binomial(n, A, B), [
            mpmath.binomial(n, k) * mpmath.beta(k + a, n - k + b) / mpmath.beta(a, b)
            for k in range(n + 1)
        ]))  # fmt: skip
    for mean in [0.001, 0.7, 3.9, 4, 5, 10, 16, 80, 255.9, 256, 1500]:
        fixed = int(fixed_rates(mean))
        m = mpmath.mpf(fixed) / 65536
        top = int(mean + 9 * mean**0.5 + 12)
        cases.append((ref.poisson(fixed), [
            mpmath.exp(-m + k * mpmath.log(m) - mpmath.loggamma(k + 1))
            for k in range(top)
        ]))  # fmt: skip
    for r, p in [
        (0.01, 0.01),
        (0.5, 0.1),
        (1, 0.0065),
        (7.5, 0.3),
        (900, 0.9),
        (4, 0.333),
        (4, 0.02),
        (16, 0.66),
        (100, 0.1),
    ]:
        R, P = int(fixed_rates(r)), int(fixed_probabilities(p))
        r, p = mpmath.mpf(R) / 65536, mpmath.mpf(P) / 2**32
        top = int(r / p + 20 * r**0.5 / p + 40 / p)
        cases.append((ref.negative_binomial(R, P), [
            mpmath.exp(mpmath.loggamma(k + r) - mpmath.loggamma(k + 1)
                       - mpmath.loggamma(r) + r * mpmath.log(p)
                       + k * mpmath.log(1 - p))
            for k in range(top)
        ]))  # fmt: skip
    for law, masses in cases:
        bits, worst = excess((p, law.intervals(v)) for v, p in enumerate(masses))
        near = isinstance(law, ref.NearNormal)
        assert 0 <= bits + 1e-9 < (2e-5 if near else 3e-5)
        assert worst < (5e-4 if near else 2**-27 + 2**-16 * float(max(masses)))


def test_ranges_cost_what_they_should():
    """Less than 2**-26 bits over the logarithm, and nothing for powers of two."""
    for n in [1, 2, 3, 255, 2**28 - 1, 2**28 + 1, 2**33 + 12345, 10**18, 2**64 - 1]:
        for u in (0, n // 3, n - 1):
            assert cost(ref.uniform(u, n - 1)) <= math.log2(n) + 2**-26
    for b in range(65):
        assert cost(ref.uniform(2**b // 3, 2**b - 1)) == b


# ---- types, refusals, codecs


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i1", "i2", "i4", "i8"])
def test_every_type_of_integer(dtype):
    values = np.arange(100).astype(dtype)
    for shape in ((100,), (4, 25)):
        v = values.reshape(shape)
        at = v[..., None] + np.array([0.5, 3.0])
        for lanes in (1, 8):
            message = bbans.Message(lanes)
            message.push(UniformRange(0, 99), v)
            message.push(Mixture(SHAPES["logistic"], [1, 2], at, 5.0), v)
            message.push(Geometric(9.0), v)
            message.push(Poisson(50.0), v)
            message.push(Binomial(120, 0.4), v)
            message.push(BetaBinomial(120, 2.0, 3.0), v)
            full = np.full(shape, 1.0)
            popped = [
                message.pop(BetaBinomial(120, 2.0, 3 * full, dtype=dtype)),
                message.pop(Binomial(120, 0.4 * full, dtype=dtype)),
                message.pop(Poisson(50 * full, dtype=dtype)),
                message.pop(Geometric(9 * full, dtype=dtype)),
                message.pop(Mixture(SHAPES["logistic"], [1, 2], at, 5.0, dtype=dtype)),
                message.pop(UniformRange(0, 99, dtype=dtype), shape),
            ]
            assert message.is_empty
            for got in popped:
                assert got.dtype == dtype
                assert (got == v).all()


BAD = [
    ("range", (0, 9), 10), ("range", (0, 9), -1), ("range", (5, 4), 5),
    ("range", (0, 1 << 63), 5), ("range", (0, 9), 0.5), ("range", (0, 9), "a"),
    ("mixture", (SHAPES["gaussian"], None, [math.nan], [1.0]), 0),
    ("mixture", (SHAPES["gaussian"], None, [math.inf], [1.0]), 0),
    ("mixture", (SHAPES["gaussian"], None, [0.0], [0.0]), 0),
    ("mixture", (SHAPES["gaussian"], None, [0.0], [math.nan]), 0),
    ("mixture", (SHAPES["gaussian"], None, 0.0, 1.0), 0),
    ("mixture", (SHAPES["gaussian"], None, [[0.0], [1.0]], [1.0, 2.0]), [0, 1, 2]),
    ("mixture", (SHAPES["gaussian"], None, [0.0] * 65, 1.0), 0),
    ("mixture", (SHAPES["gaussian"], None, [0.0] * 0, 1.0), 0),
    ("mixture", (SHAPES["gaussian"], [0, 0], [0.0, 1.0], 1.0), 0),
    ("mixture", (SHAPES["gaussian"], [-1, 2], [0.0, 1.0], 1.0), 0),
    ("mixture", (SHAPES["gaussian"], [1 << 28, 1], [0.0, 1.0], 1.0), 0),
    ("mixture", (SHAPES["gaussian"], [math.nan, 1.0], [0.0, 1.0], 1.0), 0),
    ("mixture", (SHAPES["gaussian"], [0.1, 0.2], [0.0, 1.0], 1.0), 0),
    ("mixture", (SHAPES["gaussian"], ["a"], [0.0], 1.0), 0),
    ("geometric", (1.0,), -1), ("geometric", (-1.0,), 1), ("geometric", (1j,), 1),
    ("geometric", (math.nan,), 1), ("geometric", (np.array(12032, np.int32),), 1),
    ("binomial", (9, 0.5), 10), ("binomial", (9, 0.5), -1), ("binomial", (9, 1.1), 1),
    ("binomial", (9, math.nan), 1), ("binomial", (9, np.array(0, np.uint32)), 1),
    ("binomial", (-1, 0.5), 0),
    ("binomial", (1 << 18, 0.5), 0), ("binomial", (9.5, 0.5), 0),
    ("beta_binomial", (9, 1.0, 1.0), 10), ("beta_binomial", (4096, 1.0, 1.0), 1),
    ("beta_binomial", (9, -1.0, 1.0), 1), ("beta_binomial", (9, 1.0, math.inf), 1),
    ("beta_binomial", (9, np.array(0, np.uint32), 1.0), 1),
    ("beta_binomial", (9, 1.0, 1 << 32), 1), ("poisson", (1.0,), -1),
    ("poisson", (65537.0,), 1), ("poisson", (np.array(0, np.uint32),), 1),
    ("poisson", (math.nan,), 1), ("poisson", (1.0,), 2.5),
    ("poisson", (1.0,), np.uint64(1 << 63)),
    ("negative_binomial", (1.0, 0.5), -1), ("negative_binomial", (-1.0, 0.5), 1),
    ("negative_binomial", (1.0, 1.5), 1), ("negative_binomial", (1.0, 0.006), 1),
    ("negative_binomial", (60000.0, 0.5), 1), ("negative_binomial", (1.0, 0.0), 1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "value"), BAD)
@pytest.mark.parametrize("lanes", [1, 4])
def test_refused_pushes_change_nothing(name, given, value, lanes):
    message = random_message(lanes, 1)
    before = message.state()
    with pytest.raises((bbans.SymbolError, bbans.ModelError)):
        message.push(LAWS[name](*given), value)
    if name != "range":  # parameters that are read where they are, checked in C
        with pytest.raises((bbans.SymbolError, bbans.ModelError)):
            message.push(LAWS[name](*given, copy=False), value)
    assert message.state() == before


def test_a_bad_value_in_the_middle_changes_nothing():
    for lanes in (1, 4):
        message = random_message(lanes, 2)
        before = message.state()
        values = np.arange(500)
        values[7] = -1
        for name, args in [
            ("range", (0, 10**12)), ("geometric", (1e7,)), ("poisson", (250.0,)),
            ("binomial", (900, 0.3)), ("beta_binomial", (900, 1.0, 1.0)),
        ]:  # fmt: skip
            with pytest.raises(bbans.SymbolError):
                message.push(LAWS[name](*args), values)
            assert message.state() == before
        scale = np.full(500, 1e6)
        scale[300] = math.nan
        with pytest.raises(bbans.SymbolError, match="scale"):
            message.pop(Geometric(scale, copy=False))
        with pytest.raises(bbans.SymbolError, match="data type"):
            message.pop(Poisson(np.full(500, 300.0), dtype=np.uint8))
        assert message.state() == before


def test_a_law_that_is_too_wide_is_named():
    """The widest of one success that there is, and what is next to it."""
    message = random_message(1, 3)
    before = message.state()
    widest = np.array([27058200], np.uint32)  # 0.0063
    while ref.negative_binomial(65536, int(widest[0]) - 1) is not None:
        widest -= 1
    while ref.negative_binomial(65536, int(widest[0])) is None:
        widest += 1
    law = NegativeBinomial(1.0, [0.5, *(widest / 2.0**32)])
    law.push(message, [3, 300])
    assert law.pop(message).tolist() == [3, 300]
    wide = NegativeBinomial([[1.0], [1.0]], [0.5, *((widest - 1) / 2.0**32)])
    text = r"1 successes of probability 0\.0063\d* at position 1 are too wide"
    with pytest.raises(bbans.SymbolError, match=text):
        message.push(wide, [[0, 1], [2, 3]])
    with pytest.raises(bbans.SymbolError, match=text):
        message.pop(wide)
    assert message.state() == before


def test_a_message_that_runs_dry_is_unchanged():
    for words in range(0, 60, 7):
        for name, args in [
            ("geometric", (np.full(900, 1e12),)), ("poisson", (np.full(900, 1e4),)),
            ("range", (LEAST, MOST, 900)), ("binomial", (np.full(900, 999), 0.5)),
            ("mixture", (SHAPES["cauchy"], None, np.zeros((900, 2)), 1e9)),
        ]:  # fmt: skip
            message = random_message(3, words, words)
            before = message.state()
            with pytest.raises(bbans.errors.MessageError):
                message.pop(LAWS[name](*args))
            assert message.state() == before


def test_out_is_written_in_place_and_may_not_overlap():
    message = random_message(2, 0)
    means = fixed_rates(np.full(50, 9.0))
    out = np.zeros(50, np.int16)
    assert message.pop(Poisson(means), out=out) is out
    assert out.any()
    for bad in (means.view(np.int32), np.zeros(49, np.int64), np.zeros(50), [0] * 50,
                np.zeros(50, np.uint64), np.zeros(100, np.int64)[::2]):  # fmt: skip
        with pytest.raises(bbans.SymbolError, match=r"^out|do not fit"):
            message.pop(Poisson(means, copy=False), out=bad)


def test_rounding():
    x = [0.0, 2.0**-18, 2.0**-17, 1.0, 1 / 3, 65535.99999, 65536.0]
    rates = [1, 1, 1, 65536, 21845, 2**32 - 1, 2**32 - 1]
    assert fixed_rates(x).tolist() == rates
    x = [0.0, 2.0**-33, 0.25, 1 / 3, 1 - 2.0**-33, 1.0]
    p = [1, 1, 2**30, 1431655765, 2**32 - 1, 2**32 - 1]
    assert fixed_probabilities(x).tolist() == p
    half = np.float32(0.1)
    assert fixed_probabilities(half) == round(float(half) * 2**32)
    for fix, bad in itertools.product(
        (fixed_rates, fixed_probabilities),
        (-1.0, math.nan, math.inf, 65537.0),
    ):
        with pytest.raises(bbans.SymbolError):
            fix([0.5, bad])


@pytest.mark.parametrize("codec", [
    UniformRange(-5, 10**15, (2, 3)),
    UniformRange(LEAST, MOST),
    Mixture(SHAPES["logistic"], [[0.2, 0.8], [0.5, 0.5]], [10.0, 99.5], 3.0,
                   0, 255, np.uint8),
    Mixture(SHAPES["gaussian"], None, [7.5], [1e6]),
    Geometric([0.5, 100.0, 1e9]),
    Bernoulli([[0.0, 0.5], [1.0, 1e-3]]),
    Bernoulli(0.3),
    Binomial([1, 20, 5000], 0.3, np.int32),
    BetaBinomial(255, [[1.0], [0.5]], [2.0, 1e-3]),
    Poisson([0.01, 3.0, 65000.0]),
    Poisson(4),
])  # fmt: skip
def test_codecs_pop_what_they_push(codec):
    message = random_message(1, 3)
    before = message.state()
    value = codec.pop(message)
    codec.push(message, value)
    assert message.state() == before
    with pytest.raises(bbans.SymbolError, match="shape"):
        codec.push(message, np.zeros((9, 9), np.int64))
    assert message.state() == before


@pytest.mark.parametrize(("make", "text"), [
    (lambda: Mixture(SHAPES["logistic"], [0.5, 0.5, 0.1], [[1.0, 2.0]],
                            [[1.0, 1.0]]), "shapes .* do not fit"),
    (lambda: Binomial([3, 4, 5], [0.1, 0.2]), "shapes .* do not fit"),
    (lambda: BetaBinomial([3, 4, 5], [0.1, 0.2], 1.0), "shapes .* do not fit"),
    (lambda: bbans.Message().pop(Binomial([3, 4, 5], [0.1, 0.2])), "do not fit"),
    (lambda: bbans.Message().push(Binomial(3, [0.1, 0.2]), [1, 1, 1]),
     r"parameters of shape \(2,\) do not fit values of \(3,\)"),
    (lambda: Mixture(SHAPES["logistic"], None, [0.0] * 65, 1.0),
     "1 to 64 components, not 65"),
    (lambda: bbans.Message().pop(Mixture(SHAPES["logistic"], None, [0.0] * 65, 1.0)),
     "1 to 64 components, not 65"),
    (lambda: Mixture(SHAPES["logistic"], None, 0.0, 1.0), "axis"),
    (lambda: Mixture("logistic", None, [1.0], [1.0]), "Family"),
    (lambda: Mixture(SHAPES["logistic"], [[1], [1, 2]], [1.0], [1.0]), "array"),
    (lambda: Poisson("a"), "real numbers"),
    (lambda: Poisson([[1.0], [1.0, 2.0]]), "array"),
    (lambda: Bernoulli(1j), "real numbers"),
    (lambda: Geometric(None), "real numbers"),
    (lambda: Binomial(2.5, 0.5), "trials must be integers"),
    (lambda: Binomial([-1], 0.5), "trials -1 at position 0"),
])  # fmt: skip
def test_codecs_refuse_parameters_that_do_not_fit(make, text):
    with pytest.raises(bbans.ModelError, match=text):
        make()


@pytest.mark.parametrize(("plain", "fixed"), [
    (Mixture(SHAPES["logistic"], [7, 3], [20, 90], [2, 8]),
     Mixture(SHAPES["logistic"], [7, 3], fixed_locations([20.0, 90.0]),
                    fixed_scales([2.0, 8.0]))),
    (Poisson(20), Poisson(fixed_rates(20.0))),
    (Geometric(3), Geometric(fixed_scales(3.0))),
    (Binomial(30, 1), Binomial(30, fixed_probabilities(1.0))),
    (BetaBinomial(255, 3, 4),
     BetaBinomial(np.int16(255), *map(fixed_rates, (3.0, 4.0)))),
    (Bernoulli(1), Bernoulli(fixed_probabilities(1.0))),
])  # fmt: skip
def test_codecs_of_plain_integers(plain, fixed):
    message = random_message(1, 3)
    value = plain.pop(message)
    other = random_message(1, 3)
    assert fixed.pop(other) == value
    assert other.state() == message.state()


@pytest.mark.parametrize("make", [
    lambda n: Mixture(SHAPES["logistic"], None, n, 1.0),
    lambda n: Mixture(SHAPES["logistic"], None, 0.0, n),
    Poisson, Geometric, Bernoulli,
    lambda n: Binomial(3, n), lambda n: BetaBinomial(3, 1.0, n),
])  # fmt: skip
def test_codecs_refuse_other_arrays_of_integers(make):
    for dtype in (np.uint8, np.int16, ">i4", np.uint64):
        with pytest.raises(bbans.SymbolError, match=r"astype\(float\), or .*fixed_"):
            make(np.ones(2, dtype))


def test_arrays_that_are_not_aligned():
    values = np.frombuffer(bytearray(41), np.int64, 5, offset=1)
    message = bbans.Message()
    message.push(UniformRange(0, 9), values)
    assert message.pop(UniformRange(0, 9), 5).tolist() == [0] * 5
    with pytest.raises(bbans.SymbolError, match="aligned"):
        message.pop(UniformRange(0, 9), out=values)
    with pytest.raises(bbans.SymbolError, match="low must be an integer"):
        message.push(UniformRange(1.9, 9.9), [1])
