"""Distribution functions of the user's own, and ranges with ends of their own."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbans import Message, ModelError, SymbolError
from bbans.distributions import Custom, Gaussian, UniformRange
from bbans.message import RangeDecoder, RangeEncoder

LEAST, MOST = -(2**63), 2**63 - 1


def logistic(x, location=0.0, scale=1.0):
    return 1 / (1 + np.exp((location - x) / scale))


def masses_of(law, values):
    mantissa, exponent = law.masses(values)
    return mantissa * 2.0**exponent


# ---- distribution functions


def test_the_function_is_called_once_with_arrays():
    calls = []

    def cdf(x, location, scale):
        calls.append((x.shape, location.shape, scale.shape))
        return logistic(x, location, scale)

    law = Custom(cdf, -9, 9, np.zeros((3, 4)), [1.0, 2.0, 3.0, 4.0])
    assert calls == [((20,), (3, 4, 1), (4, 1))]
    assert law.shape == (3, 4)
    message, x = Message(lanes=64), np.arange(12).reshape(3, 4) - 6
    message.push(law, x)
    assert (message.pop(law) == x).all()
    assert len(calls) == 1


def test_edges_are_those_of_docs_maths():
    points, K = np.arange(-20, 22) - 0.5, 41
    for location, scale in [(0.0, 1.0), (7.5, 0.3), (-30.0, 9.0)]:
        law = Custom(logistic, -20, 20, location, scale, prec=16)
        F = logistic(points, location, scale)
        p = (F - F[0]) / (F[-1] - F[0])
        wanted = np.diff(np.arange(K + 1) + np.floor((2**16 - K) * p))
        found = masses_of(law, np.arange(-20, 21)) * 2**16
        assert (np.rint(found) == wanted).all()
        assert (found > (2**16 - K) * np.diff(p)).all()


def test_a_gaussian_is_nearly_the_one_of_the_library():
    erf = np.vectorize(math.erf)
    law = Custom(lambda x: (1 + erf((x - 2.5) / 4 / 2**0.5)) / 2, -100, 100)
    values = np.arange(-8, 14)
    assert masses_of(law, values) == pytest.approx(
        masses_of(Gaussian(2.5, 4.0), values), rel=2e-3
    )


def test_distributions_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    locations, scales = [2.5, -7.0, 40.0], [3.0, 0.5, 10.0]
    laws = [
        Custom(stats.cauchy.cdf, -100, 100, locations, scales),
        Custom(stats.cauchy(2.5, 3.0).cdf, -100, 100),
        Custom(stats.poisson.cdf, 0, 60, [0.5, 7.0, 40.0]),
        Custom(stats.gamma(3).cdf, 0, 30),
    ]
    for law in laws:
        message, encoder = Message(), RangeEncoder()
        x = np.full(law.shape, 5) if law.shape else 5
        law.push(message, x)
        encoder.encode(law, x)
        assert np.array_equal(law.pop(message), x)
        assert np.array_equal(RangeDecoder(encoder.finish()).decode(law), x)
    assert masses_of(laws[2], [5, 5, 5]) == pytest.approx(
        stats.poisson.pmf(5, [0.5, 7.0, 40.0]), abs=1e-5
    )


def test_masses_beyond_the_support_go_to_all():
    law = Custom(logistic, 0, 9)
    whole = logistic(9.5) - logistic(-0.5)
    assert masses_of(law, [0]) == pytest.approx(
        (logistic(0.5) - 0.377541) / whole, 1e-4
    )
    for outside in (-1, 10):
        with pytest.raises(SymbolError, match="holds 0 to 9"):
            law.push(Message(), outside)


def test_it_does_not_need_its_function_any_more():
    law = Custom(lambda x: logistic(x), -5, 5)
    again = pickle.loads(pickle.dumps(law))
    assert repr(again) == repr(law)
    assert "<lambda>" in repr(law)
    message = Message()
    message.push(law, [1, 2, 3])
    assert message.pop(again, 3).tolist() == [1, 2, 3]


def test_no_values():
    law = Custom(logistic, -5, 5, np.zeros(0))
    message = Message()
    message.push(law, [])
    assert message.pop(law).shape == (0,)
    assert message.is_empty


@pytest.mark.parametrize(("make", "error", "text"), [
    (lambda: Custom(3, 0, 9), ModelError, "cdf must be a function"),
    (lambda: Custom(logistic, 9, 0), ModelError, "high must be an integer, 9 to"),
    (lambda: Custom(logistic, 0, 16, prec=4), ModelError, "high .* 0 to 15, not 16"),
    (lambda: Custom(logistic, 0.5, 9), ModelError, "low must be an integer"),
    (lambda: Custom(logistic, 0, 9, prec=29), ModelError, "precision"),
    (lambda: Custom(logistic, 0, 9, "a"), ModelError, "parameter 0 must be real"),
    (lambda: Custom(logistic, 0, 9, [1, 2], [1, 2, 3]), SymbolError, "do not fit"),
    (lambda: Custom(lambda x: -x, 0, 9), ModelError, "must not fall: .* at -0.5"),
    (lambda: Custom(lambda x: x * np.nan, 0, 9), ModelError, "not fall: it is nan"),
    (lambda: Custom(lambda x: 0 * x, 0, 9), ModelError, "no mass from 0 to 9"),
    (lambda: Custom(lambda x: x[1:], 0, 9), ModelError, r"shape \(11,\).*not \(10,\)"),
    (lambda: Custom(lambda x, m: x * m, 0, 9, [1, -1]),
     ModelError, r"of value \(1,\) must not fall"),
])  # fmt: skip
def test_mistakes_are_named(make, error, text):
    with pytest.raises(error, match=text):
        make()


# ---- ranges


ENDS = st.tuples(st.integers(LEAST, MOST), st.integers(LEAST, MOST)).map(sorted)


@given(st.lists(ENDS, max_size=70), st.sampled_from([1, 3, 64]), st.data())
@settings(deadline=None, max_examples=60)
def test_each_value_has_a_range_of_its_own(ends, lanes, data):
    low, high = ([pair[k] for pair in ends] for k in range(2))
    values = [data.draw(st.integers(*pair)) for pair in ends]
    law = UniformRange(np.array(low, np.int64), np.array(high, np.int64))
    message, one_by_one = Message(lanes), Message(lanes)
    message.push(law, np.array(values, np.int64))
    if lanes == 1:  # the same as scalars
        for v, a, b in reversed(list(zip(values, low, high, strict=True))):
            one_by_one.push(UniformRange(a, b), v)
        assert message == one_by_one
    assert message.pop(law).tolist() == values
    assert message.is_empty


def test_ends_are_broadcast():
    law = UniformRange([[0], [-5]], [9, 99, 2**40])
    assert law.shape == (2, 3)
    assert law.mode().tolist() == [[0, 0, 0], [-5, -5, -5]]
    assert UniformRange(0, 9).broadcast(3).shape == UniformRange(0, [9] * 3).shape
    encoder, x = RangeEncoder(), [[9, 50, 2**40], [-5, 0, 7]]
    encoder.encode(law, x)
    assert RangeDecoder(encoder.finish()).decode(law).tolist() == x
    message = Message()
    message.push(UniformRange(np.int64(3), np.uint8(9)), 4)  # scalars of numpy
    message.push(UniformRange(np.array(3), 9), 4)
    assert message.pop(UniformRange(3, 9), 2).tolist() == [4, 4]


@pytest.mark.parametrize(("make", "text"), [
    (lambda: UniformRange([0, 5], [9, 4]), "low 5 at position 1 is above high 4"),
    (lambda: UniformRange([0, 5], [9, 9, 9]), "do not fit"),
    (lambda: UniformRange([0.5], 9), "low must be integers"),
    (lambda: UniformRange(0, [2**63]), "high 9223372036854775808 at position 0"),
    (lambda: UniformRange(0, [2**64]), "high must be integers"),
    (lambda: UniformRange(0, "9"), "high must be an integer"),
    (lambda: Message().push(UniformRange([0, 5], 9), [0, 4]),
     "value 4 at position 1 .* outside 5 .. 9"),
])  # fmt: skip
def test_ranges_that_cannot_be(make, text):
    with pytest.raises(SymbolError, match=text):
        make()
