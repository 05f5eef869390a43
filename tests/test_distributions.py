"""What every distribution has besides a law: a name, copies, parameters of its own."""

import copy
import pickle

import numpy as np
import pytest
from test_coders import CASES

from bbans import Message, ModelError, SymbolError, codecs
from bbans.distributions import (
    Bernoulli,
    BetaBinomial,
    Binomial,
    Categorical,
    Custom,
    Distribution,
    Family,
    Gaussian,
    Geometric,
    Laplace,
    LocationScale,
    Logistic,
    Mixture,
    Multivariate,
    NegativeBinomial,
    Poisson,
    Ragged,
    RaggedTable,
    StudentT,
    Table,
    Uniform,
    UniformRange,
    Weighted,
    fixed_locations,
    fixed_probabilities,
    fixed_rates,
    fixed_scales,
)

TABLE = Table.from_masses([[1.0, 2.0, 5.0], [6.0, 1.0, 1.0]], prec=12)
FAMILY, LEAKY = Family.logistic(leak=False), Family.logistic()
RAGGED = RaggedTable([[0, 3, 9, 16], [0, 5, 16]], 4, offsets=[0, -2])


def uniform(x, width):
    return np.clip(x / width, 0, 1)


SHOWN = [
    (Categorical(TABLE), "Categorical(table=<Table of 2 x 3, 12 bits>)"),
    (Categorical(TABLE, 1), "rows=1"),
    (Categorical(TABLE, [1, 0]), "rows=[1, 0]"),
    (Categorical(TABLE, 0, 3), "shape=(3,)"),
    (Weighted([[1, 2], [0, 9]]), "Weighted(weights=[[1, 2], [0, 9]])"),
    (Weighted([0.25, 0.75]), "Weighted(weights=[0.25, 0.75])"),
    (Uniform(6), "Uniform(total=6)"),
    (Uniform(6, (2, 2)), "Uniform(total=6, shape=(2, 2))"),
    (UniformRange(-3, 9, 2), "UniformRange(low=-3, high=9, shape=(2,))"),
    (UniformRange([1, 2], 9), "UniformRange(low=[1, 2], high=9)"),
    (Ragged(RAGGED, [1]), "table=<RaggedTable of 2 x 2 to 3, 4 bits>, rows=[1])"),
    (Ragged(RAGGED, 0, 2), "shape=(2,))"),
    (Custom(uniform, 0, 9, 2.0), "Custom(cdf='uniform', low=0, high=9, p0=2.0)"),
    (Bernoulli([0.25, 0.5]), "Bernoulli(one=[0.25, 0.5])"),
    (Bernoulli(3, prec=4), "Bernoulli(one=3, prec=4)"),
    (Gaussian([2.5, -40.0], 1.0), "Gaussian(mean=[2.5, -40.0], deviation=1.0)"),
    (Gaussian(np.zeros(9), 1.0, leak=False), "<array of shape (9,)>, deviation=1.0, l"),
    (Logistic(0.5, 2.0), "Logistic(location=0.5, scale=2.0)"),
    (Laplace(0.5, 2.0), "Laplace(location=0.5, scale=2.0)"),
    (StudentT(3, 0.5, [2.0]), "StudentT(degrees=3, location=0.5, scale=[2.0])"),
    (LocationScale(FAMILY, 0.5, 2.0), "family=<Family to t = 32, no leak>, loc"),
    (Mixture(FAMILY, [1, 2], [0.5, 1.0], 1.0, 0, 9), "weights=[1, 2], location=[0.5"),
    (Mixture(FAMILY, None, [0.5, 1.0], 1.0, 0, 9), "weights=None, location=[0.5, 1.0]"),
    (Geometric(2.0), "Geometric(scale=2.0)"),
    (Poisson([0.5, 4.0]), "Poisson(mean=[0.5, 4.0])"),
    (Binomial(20, 0.25), "Binomial(trials=20, probability=0.25)"),
    (BetaBinomial([20, 3], 0.5, 2.0), "BetaBinomial(trials=[20, 3], alpha=0.5, beta=2"),
]
LAWS = {
    name: case.codec
    for name, case in CASES.items()
    if isinstance(case.codec, Distribution | Multivariate)
}
ALL = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)


def state(seed=0):
    rng = np.random.default_rng(seed)
    return Message.from_bytes(rng.bytes(2000) + b"\1")


@pytest.mark.parametrize(
    ("law", "text"), SHOWN, ids=[type(law).__name__ for law, _ in SHOWN]
)
def test_its_repr_has_its_parameters(law, text):
    assert text in repr(law)


@ALL
@pytest.mark.parametrize("way", [
    copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x)),
], ids=["copy", "deepcopy", "pickle"])  # fmt: skip
def test_a_copy_codes_alike(law, way):
    message, other = state(), state()
    assert type(law).__name__ in repr(law)
    for codec in (law, codecs.Serial([law]), codecs.Repeat(law, 2)):
        again = way(codec)
        assert type(again) is type(codec)
        value = codec.pop(message)
        assert np.array_equal(again.pop(other), value)
        again.push(other, value)
        codec.push(message, value)
        assert message == other == state()
    assert repr(way(law)) == repr(law)


@ALL
def test_broadcast_gives_the_shape_of_values(law):
    if isinstance(law, Multivariate):
        return  # whose values are tuples
    whole = law.broadcast((2, *law.shape))
    assert whole.shape == (2, *law.shape)
    message, other = state(), state()
    values = whole.pop(message)
    assert values.shape == whole.shape
    assert np.array_equal(other.pop(law, whole.shape), values)
    with pytest.raises(SymbolError, match="do not fit"):
        whole.broadcast(3)


def test_a_distribution_has_parameters_of_its_own():
    """Nothing that happens to an array later changes what was made of it."""
    given = {
        "rows": np.array([1, 0]),
        "weights": np.array([[1, 2, 3]] * 2, np.uint32),
        "probabilities": np.full((2, 3), 1 / 3),
        "masses": np.array([3, 4], np.uint32),
        "trials": np.array([9, 7], np.uint32),
        "locations": fixed_locations([2.0, 3.0]),
        "scales": fixed_scales([2.0, 3.0]),
        "rates": fixed_rates([2.0, 3.0]),
        "chances": fixed_probabilities([0.3, 0.4]),
    }
    g = given
    laws = [
        Categorical(TABLE, g["rows"]), Weighted(g["weights"]),
        Weighted(g["probabilities"]), Bernoulli(g["masses"], prec=4),
        Bernoulli(g["chances"]), Gaussian(g["locations"], g["scales"]),
        Mixture(FAMILY, g["weights"], g["locations"][:, None], g["scales"][:, None]),
        Poisson(g["rates"]), Geometric(g["scales"]),
        Binomial(g["trials"], g["chances"]),
        BetaBinomial(g["trials"], g["rates"], g["rates"]),
    ]  # fmt: skip
    before = [law.pop(state()).tolist() for law in laws]
    shown = list(map(repr, laws))
    for array in given.values():
        array[...] = array.ravel()[::-1][0] // 2
    assert [law.pop(state()).tolist() for law in laws] == before
    assert list(map(repr, laws)) == shown


def test_arrays_of_a_subclass_are_arrays(tmp_path):
    at = fixed_locations([3.0, 4.0])
    mapped = np.memmap(tmp_path / "at", np.int64, "w+", shape=2)
    mapped[:] = at
    scales = fixed_scales([1.0, 2.0])
    for copied in (True, False):
        law = Gaussian(mapped, scales, copy=copied)
        assert np.array_equal(law.pop(state()), Gaussian(at, scales).pop(state()))
    with pytest.raises(SymbolError, match="neither floats nor fixed point"):
        Gaussian(mapped.view(np.uint64), scales)


def test_without_a_copy_arrays_are_read_where_they_are():
    means = np.array([1e6, -1e6])
    law = Gaussian(means, 1.0, copy=False)
    assert (np.abs(law.pop(state()) - [10**6, -(10**6)]) < 10).all()
    means[:] = 0
    assert (np.abs(law.pop(state())) < 10).all()
    means[1] = np.nan
    with pytest.raises(SymbolError, match="mean nan at position 1 is not a number"):
        law.pop(state())
    with pytest.raises(SymbolError, match="mean nan at position 1 is not a number"):
        law.push(state(), [1, 2])


@pytest.mark.parametrize("dtype", [np.float64, np.uint64, ">i4", bool])
def test_values_are_popped_as_integers(dtype):
    with pytest.raises(ModelError, match="dtype must be a type of integers"):
        Poisson(3.0, dtype)


@pytest.mark.parametrize("law", [3, Poisson, None, codecs.Serial([Uniform(3)])])
def test_messages_take_distributions(law):
    message = Message()
    for call in (lambda: message.push(law, 1), lambda: message.pop(law)):
        with pytest.raises(ModelError, match="must be a Distribution, such as Gauss"):
            call()


def bits_of(law, value):
    message = Message.from_state([2**62], [7] * 40)
    before = message.bits
    law.push(message, value)
    return message.bits - before


@pytest.mark.parametrize(
    ("law", "among"),
    [
        (Categorical(TABLE, 0), range(3)),
        (Categorical(TABLE, 1), range(3)),
        (Weighted([3, 0, 9, 4]), [0, 2, 3]),
        (Weighted([0.2, 0.5, 0.3], copy=False), range(3)),
        (Bernoulli(0.4), range(2)),
        (Bernoulli(0.6), range(2)),
        (Bernoulli(9, prec=4), range(2)),
        (Uniform(5), range(5)),
        (UniformRange(-3, 4), range(-3, 5)),
        (UniformRange(np.array(-3), 4), range(-3, 5)),
        (Ragged(RAGGED), range(3)),
        (Ragged(RAGGED, 1), range(-2, 0)),
        (Custom(uniform, -9, 9, 3.7), range(-9, 10)),
        (Gaussian(2.7, 3.0), range(-9, 9)),
        (Gaussian(-2.7, 0.3, leak=False, copy=False), range(-4, -1)),
        (Laplace(1e6 + 0.2, 40.0), range(10**6 - 9, 10**6 + 9)),
        (StudentT(3, -0.4, 9.0), range(-9, 9)),
        (Mixture(LEAKY, [2, 5], [20.5, 90.2], 8.0, 0, 255), range(256)),
        (Mixture(LEAKY, [2, 5], [20.5, 900.2], 8.0, 0, 255), range(256)),
        (Mixture(LEAKY, None, [20.5, 90.2], [8.0, 2.0], 0, 255), range(256)),
        (Geometric(7.0), range(9)),
        (Poisson(6.5), range(20)),
        (Poisson(0.4), range(20)),
        (Binomial(20, 0.33), range(21)),
        (Binomial(20, 1.0), range(21)),
        (NegativeBinomial(6.5, 0.2), range(80)),
        (NegativeBinomial(0.5, 0.2), range(80)),
    ],
)  # fmt: skip
def test_no_value_is_cheaper_than_the_mode(law, among):
    mode = law.mode()
    assert type(mode) is int
    assert bits_of(law, mode) <= min(bits_of(law, v) for v in among) + 1e-3


def test_the_mode_of_a_beta_binomial_is_its_mean():
    law = BetaBinomial(255, [0.5, 9.0, 1.0], [2.0, 9.0, 1.0])
    assert law.mode().tolist() == [51, 128, 128]


@pytest.mark.parametrize("name", CASES)
def test_modes_are_values(name):
    law = CASES[name].codec
    if isinstance(law, Distribution):
        mode = law.mode()
        assert np.shape(mode) == law.shape
        assert law.shape == () or mode.dtype == law.dtype
        law.push(Message(lanes=64), mode)


def test_modes_fit_their_type_and_their_shape():
    assert Gaussian(300.0, 1.0, np.uint8).mode() == 255
    law = Gaussian(3.5, 1.0).broadcast((2, 2))
    assert law.mode().tolist() == [[4, 4], [4, 4]]
    assert Uniform(9, 3).mode().tolist() == [0, 0, 0]
    assert Poisson(2.5).broadcast(0).mode().shape == (0,)


def test_modes_of_parameters_out_of_range_are_refused():
    means = np.array([0.0, 1.0])
    law = Gaussian(means, 1.0, copy=False)
    means[1] = np.nan
    with pytest.raises(SymbolError, match="position 1"):
        law.mode()
