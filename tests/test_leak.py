"""Laws without a leak: what a posterior draws is never far out."""

import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import reference as ref

import bbans
from bbans import Message, SymbolError
from bbans._lib import lib
from bbans.distributions import (
    Family,
    Gaussian,
    Geometric,
    Laplace,
    LocationScale,
    Logistic,
    Mixture,
    Multivariate,
    StudentT,
    Weighted,
    fixed_scales,
)

CASES = json.loads((Path(__file__).parent / "vectors/leak_v1.json").read_text())
SLOW = Family(ref.SLOW, leak=False)
SHAPES = {
    "gaussian": Family.gaussian(leak=False),
    "logistic": Family.logistic(leak=False),
    "laplace": Family.laplace(leak=False),
    "slow": SLOW,
}
# Scales to where S(t) is less than 2^-32, or the table of the slow shape ends, and a
# bin of a 16th of that.
REACH = {"gaussian": 7, "logistic": 24, "laplace": 24, "slow": 70_000}
DEVIATIONS = [0.1, 2.0, 16.0, 256.0, 1e6, 2.0**45]
ISAS = [isa for isa in range(4) if lib.bbans_isa_use(isa) == isa]
lib.bbans_isa_use(lib.BBANS_ISA_BEST)


@pytest.fixture(params=ISAS)
def isa(request):
    lib.bbans_isa_use(request.param)
    yield request.param
    lib.bbans_isa_use(lib.BBANS_ISA_BEST)


def random_message(lanes, n_bytes, seed=0):
    return Message.seeded(np.random.default_rng(seed).bytes(n_bytes), lanes)


def one_slot(lanes, byte, n_bytes=4000):
    """Every pop from this message begins with slot 0, or with the last one."""
    return Message.seeded(bytes([byte]) * n_bytes, lanes)


def test_the_vectors_are_whole():
    assert CASES["format"] == 1
    assert [len(CASES[key]) for key in ("seed", "located", "mixture")] == [30, 32, 31]


def check_vector(case, codec):
    message, values = Message.seeded(bytes.fromhex(case["data"]), case["lanes"]), None
    start = message.copy()
    codec.push(message, case["values"])
    assert message.to_bytes().hex() == case["message"]
    values = codec.pop(message)
    assert values.tolist() == case["values"]
    assert message == start


@pytest.mark.parametrize("case", CASES["located"])
def test_arrays_give_the_stored_messages(isa, case):
    locations = np.array(case["locations"], np.int64)
    scales = np.array(case["scales"], np.int32)
    check_vector(case, LocationScale(SHAPES[case["shape"]], locations, scales))


@pytest.mark.parametrize("case", CASES["mixture"])
def test_mixtures_give_the_stored_messages(case):
    check_vector(
        case,
        Mixture(
            SHAPES[case["shape"]],
            case["weights"],
            np.array(case["locations"], np.int64),
            np.array(case["scales"], np.int32),
            case["low"],
            case["high"],
        ),
    )


def located(name, location, scale):
    return LocationScale(SHAPES[name], location, scale)


def mixture(name, location, scale):
    """Of two components alike; the shape of a value is that of the location."""
    at = np.stack([location, location], axis=-1)
    return Mixture(SHAPES[name], [3, 1], at, scale)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("make", [located, mixture])
def test_pops_stay_where_the_mass_is(isa, name, make):
    """With a leak one pop in 100,000 is beyond; here no pop may be, nor raise."""
    n = 20_000 if make is located else 2000
    for i, deviation in enumerate(DEVIATIONS):
        for lanes in (1, 64):
            message = random_message(lanes, 24 * n, seed=i)
            start = message.copy()
            codec = make(name, np.full(n, 0.25), deviation)
            values = codec.pop(message)
            assert np.abs(values.astype(float)).max() <= REACH[name] * deviation + 1
            codec.push(message, values)
            assert message == start


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("make", [located, mixture])
@pytest.mark.parametrize("byte", [0, 255])
def test_the_first_and_the_last_slot_too(isa, name, make, byte):
    """At the edges of locations, scales and 64 bits."""
    edge = 2.0**46 - 2.0**-6
    for deviation in [2.0**-12, *DEVIATIONS, 2.0**46.99]:
        for lanes in (1, 40):
            message = one_slot(lanes, byte)
            start = message.copy()
            location = np.array([-edge, edge, 0.5, -0.5] * 10)
            codec = make(name, location, deviation)
            values = codec.pop(message)
            off = np.abs(values.astype(float) - location)
            assert (off <= REACH[name] * deviation + 1).all()
            codec.push(message, values)
            assert message == start


def test_a_leak_reaches_far_out():
    """What the tests above would see if `leak` did nothing."""
    for byte in (0, 255):
        with pytest.raises(SymbolError):
            Gaussian(np.zeros(40), 3.0).pop(one_slot(40, byte))
        values = Gaussian(np.zeros(40), 3.0, leak=False).pop(one_slot(40, byte))
        assert np.abs(values).max() < 21


@pytest.mark.parametrize("low", [-(2**63), -3])
@pytest.mark.parametrize("high", [2**63 - 1, 5])
def test_bounded_mixtures(low, high):
    """The ends take what lies beyond, and nothing else is added."""
    codec = Mixture(
        SHAPES["gaussian"], [1, 1], [[-4.0, 1e9]] * 3000, [0.5, 3.0], low, high
    )
    message = random_message(64, 60_000)
    start = message.copy()
    values = codec.pop(message)
    assert set(np.unique(values)) <= {*range(-8, 1), *range(10**9 - 21, 10**9 + 22), 5}
    assert values.min() == max(values.min(), low)
    assert values.max() == min(values.max(), high)
    codec.push(message, values)
    assert message == start


def test_a_light_component_far_out_is_kept_together():
    """A part that is left uniform begins and ends where there is mass."""
    law = ref.mixture(
        ref.SHAPES["gaussian"], [2**27, 8], [0, 10**6 << 16], [256, 256], leak=0
    )
    masses = [law.intervals(v) for v in range(10**6 - 40, 10**6 + 41)]
    inside = [v - 40 for v, parts in enumerate(masses) if all(f for _, f, _ in parts)]
    assert 8 <= len(inside) <= 20
    assert max(map(abs, inside)) <= 14  # 7 deviations
    at, by = np.array([[0.0, 1e6]]), np.array([[2.0, 2.0]])
    codec = Mixture(SHAPES["gaussian"], [2**27, 8], at, by)
    codec.push(Message(), [10**6 + inside[0]])
    with pytest.raises(SymbolError, match=f"value {10**6 + 40} at position 0"):
        codec.push(Message(), [10**6 + 40])


@pytest.mark.parametrize(
    "codec",
    [
        Gaussian([1.0, 2.0, 3.0], 2.0, leak=False),
        Logistic([1.0, 2.0, 3.0], 2.0, leak=False),
        Laplace([1.0, 2.0, 3.0], 2.0, leak=False),
        StudentT(30, [1.0, 2.0, 3.0], 2.0, leak=False),
        LocationScale(SHAPES["laplace"], [1.0, 2.0, 3.0], 2.0),
        Mixture(SHAPES["logistic"], None, [[1.0], [2.0], [3.0]], 2.0),
        Mixture(SHAPES["gaussian"], [1, 2], np.ones((3, 2)), 2.0, -9, 10**7),
        Multivariate.from_covariance(np.ones(3), np.eye(3), leak=False),
    ],
    ids=lambda codec: type(codec).__name__,
)
def test_a_value_without_mass_is_named(isa, codec):
    message = random_message(1, 1000)
    before = message.copy()
    with pytest.raises(SymbolError, match=r"1000000 at position 1 .*has no mass"):
        codec.push(message, [1, 10**6, 3])
    assert message == before
    codec.push(message, [1, 2, 3])
    assert [*codec.pop(message)] == [1, 2, 3]
    assert message == before


def test_other_refusals_keep_their_cause():
    message, shape = Message(), SHAPES["gaussian"]
    at, wide = np.zeros(1, np.int64), np.array([12032], np.int32)
    for push in (
        lambda: LocationScale(shape, at, wide),
        lambda: Mixture(shape, None, at, wide),
        lambda: message.push(LocationScale(shape, at, wide, copy=False), [0]),
        lambda: message.push(Mixture(shape, None, at, wide, copy=False), 0),
        lambda: message.pop(LocationScale(shape, at, wide, copy=False)),
    ):
        with pytest.raises(SymbolError, match="scale in fixed point 12032 at position"):
            push()
    with pytest.raises(SymbolError, match=r"value 9 .* it is outside 0 \.\. 5"):
        message.push(Mixture(shape, None, [[0.0]], 1.0, low=0, high=5), [9])
    for given in (([1 << 46], [0]), ([0], [12032])):
        with pytest.raises(bbans.ModelError, match=r"\[0\] is"):
            Multivariate(*given, family=Family.gaussian(leak=False))


def test_a_shape_says_whether_it_leaks():
    leaky, tight = Family.gaussian(), Family.gaussian(leak=False)
    assert leaky.leak
    assert not tight.leak
    assert leaky != tight
    assert len({leaky, tight, Family.gaussian(leak=False)}) == 2
    assert "no leak" in repr(tight)
    assert "leak" not in repr(leaky)
    for shape in (leaky, tight, Family.student_t(3, leak=False), SLOW):
        again = pickle.loads(pickle.dumps(shape))
        assert again == shape
        assert again.leak == shape.leak
    tabulated = Family.from_survival(lambda t: np.exp(-t) / 2, leak=False)
    assert not tabulated.leak
    assert Family(tight.survival) == leaky


@pytest.mark.parametrize("name", ["gaussian", "logistic", "laplace"])
def test_what_a_pop_takes_is_what_the_law_says(name):
    """The rate: bits taken by draws against the entropy of the continuous law."""
    n, sd = 20_000, 50.0
    message = random_message(64, 8 * n, seed=3)
    before = message.bits
    LocationScale(SHAPES[name], np.zeros(n), sd).pop(message)
    nats = {
        "gaussian": 0.5 * np.log(2 * np.pi * np.e),
        "logistic": 2.0,
        "laplace": 1 + np.log(2),
    }
    entropy = nats[name] / np.log(2) + np.log2(2.0 ** (int(fixed_scales(sd)) / 256))
    assert before - message.bits == pytest.approx(n * entropy, rel=4e-3)


# ---- check_model


class Walk:
    """z_t is a random walk, x_t is z_t with noise; the posterior knows x_t alone."""

    def __init__(self, posterior):
        self._posterior = posterior

    def prior(self, z):
        return Gaussian(0.0 if z is None else float(z), 20.0)

    def likelihood(self, z):
        return Gaussian(float(z), 5.0)

    def update(self, belief, x):
        return x

    def posterior(self, belief, z_next):
        return self._posterior(float(belief))


def tight(x):
    return Gaussian(x, 5.0, leak=False)


def one_of_many(x):
    return Weighted([1] * 5 + [10**6] + [1] * 60_000)


@pytest.mark.parametrize("posterior", [tight, one_of_many])
def test_good_posteriors_draw_nothing_far_out(posterior):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = bbans.check_model([3, -8, 20, 41], Walk(posterior), samples=2)
    assert report.far_out == ()
    assert "far out" not in str(report)


@pytest.mark.parametrize(
    "posterior",
    [
        lambda x: Gaussian(x, 5.0),
        lambda x: StudentT(3, x, 5.0),
        lambda x: Mixture(Family.logistic(), None, [x], 5.0),
        lambda x: Geometric(9.0),
    ],
)
def test_posteriors_with_a_leak_are_named(posterior):
    model = Walk(lambda x: tight(x) if x == -8 else posterior(x))
    with pytest.warns(UserWarning, match=r"posterior of z\[0\].*3 of 4.*leak=False"):
        report = bbans.check_model([3, -8, 20, 41], model, samples=2)
    assert report.far_out == (0, 2, 3)
    assert "3 posteriors" in str(report)


# ---- the range coder


@pytest.mark.parametrize(
    "codec",
    [
        Gaussian([1.0, 2.0], 2e3, leak=False),
        Mixture(SHAPES["laplace"], [1, 2], np.ones((2, 2)), 2.0),
    ],
)
def test_the_range_coder_has_the_same_laws(codec):
    encoder = bbans.message.RangeEncoder()
    with pytest.raises(SymbolError, match="value 1000000 at position 1"):
        encoder.encode(codec, [1, 10**6])
    encoder.encode(codec, [-3, 4])
    decoder = bbans.message.RangeDecoder(encoder.finish())
    assert decoder.decode(codec).tolist() == [-3, 4]
    decoder.check()
