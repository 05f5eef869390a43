"""Particle filters: the integers of the reference, the same bytes by C, step by step
and on every instruction set; laws of their own for every key, and unbiased."""

import json
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import ISAS, random_hmm, reference_of

import bbans
from bbans import CorruptError, Message, ModelError, SymbolError, check_model
from bbans._lib import lib
from bbans.codecs import decode_sequence, encode_sequence
from bbans.codecs.importance import _intervals
from bbans.distributions import (
    Binomial,
    Categorical,
    Family,
    Gaussian,
    Laplace,
    Mixture,
    Poisson,
    Table,
    Uniform,
    UniformRange,
    Weighted,
)
from bbans.frozen import FrozenHMM
from bbans.models import HMM
from bbans.particles import ParticleFilter
from bbans.particles.mean import Mean
from bbans.particles.public import (
    divide,
    multiply,
    number,
    public_message,
    resample,
    sample,
    weights,
)

EXACT = settings(derandomize=True, deadline=None, max_examples=60)
WORD = st.integers(0, 2**64 - 1)
MASS = st.tuples(st.integers(2**31, 2**32 - 1), st.integers(-200, 0))
MASSES = st.lists(MASS | st.just((0, 0)), min_size=1, max_size=40)


def arrays(masses):
    mantissas, exponents = zip(*masses, strict=True)
    return np.array(mantissas, np.uint32), np.array(exponents, np.int32)


def pairs(masses):
    return [*zip(masses[0].tolist(), masses[1].tolist(), strict=True)]


# ---- numbers, masses, weights


@EXACT
@given(WORD, WORD, WORD)
def test_public_numbers(key, stream, j):
    assert number(key, stream, j) == ref.public_number(key, stream, j)


@EXACT
@given(MASSES, st.data())
def test_arithmetic_of_masses(masses, data):
    some = st.lists(MASS, min_size=len(masses), max_size=len(masses))
    others = data.draw(some)
    a, b = arrays(masses), arrays(others)
    both = [*zip(masses, others, strict=True)]
    assert pairs(multiply(a, b)) == [ref.multiplied(*pair) for pair in both]
    assert pairs(divide(a, b)) == [ref.divided(*pair) for pair in both]
    assert weights(a).tolist() == ref.particle_weights(masses)
    assert weights(a).sum(dtype=np.uint64) <= 1 << 28


@EXACT
@given(
    st.lists(st.integers(0, 1 << 28), min_size=1, max_size=15).filter(any),
    WORD,
    st.integers(0, 40),
)
def test_resampling(given_weights, r, points):
    drawn = resample(given_weights, r, points).tolist()
    assert drawn == ref.resampled(given_weights, r, points)
    ideal = np.array(given_weights) * points / sum(given_weights)
    counts = np.bincount(drawn, minlength=len(given_weights))
    assert (np.abs(counts - ideal) < 1 + 1e-6).all()


def test_resampling_is_unbiased():
    given_weights = np.array([1, 0, 5, 2, 9])
    total = np.zeros(5)
    for key in range(4000):
        drawn = resample(given_weights, number(key, 0), 3)
        total += np.bincount(drawn, minlength=5)
    assert np.allclose(total / 4000, 3 * given_weights / 17, atol=0.03)


# Laws of one value, and values: some without a mass, some far out.
LAWS = [
    (Weighted([5, 0, 1 << 27]), [0, 1, 2, 3, -1]),
    (Categorical(Table.from_masses([[1.0, 3.0]]), 0), [0, 1]),
    (Gaussian(0.3, 1.5), [0, 3, -400, 2**40, -(2**63)]),
    (Gaussian(1e5, 3e6), [0, 10**7, -(10**12)]),
    (Laplace(0.0, 2.0, leak=False), [0, 7, 900]),
    (Mixture(Family.gaussian(), [1, 3], [0.0, 50.0], [1.0, 4.0]), [47, 0, 10**6]),
    (Poisson(9000.0), [9100, 0, 10**8]),
    (Binomial(40, 0.2), [9, 40, 41]),
    (UniformRange(0, 2**40), [0, 12345678901, 2**40]),
]


@pytest.mark.parametrize(("law", "values"), LAWS, ids=str)
def test_masses_are_those_of_the_intervals(law, values):
    found = law.masses(np.array(values))
    for value, *mass in zip(values, *found, strict=True):
        try:
            listed = _intervals(law, value)
        except ModelError:
            listed = [(0, 0, 1)]
        assert tuple(mass) == ref.mass(listed)


# ---- models by their laws, and as the reference has them


class Walk:
    """d and p numbers, all their own, in integers; also looks ahead."""

    def __init__(self, d, p, seed, leak=False):
        rng = np.random.default_rng(seed)
        self.latents, self.observed, self.leak = d, p, leak
        self.step = rng.integers(200, 900, (d, 1), dtype=np.int32)
        self.noise = rng.integers(200, 900, (p, 1), dtype=np.int32)
        self.mix = rng.integers(-3, 4, (p, d))

    def prior(self, z):
        if z is None:
            start = np.full((self.latents, 1), 1200, np.int32)
            return Gaussian(
                np.zeros((self.latents, 1), np.int64), start, leak=self.leak
            )
        return Gaussian(60000 * z, self.step, leak=self.leak)

    def likelihood(self, z):
        return Laplace((self.mix @ z) << 14, self.noise)

    def lookahead(self, z):
        if z is None:
            wide = np.full((self.observed, 1), 1500, np.int32)
            return Laplace(np.zeros((self.observed, 1), np.int64), wide)
        return Laplace(self.mix @ (60000 * z) >> 2, self.noise + 100)

    def proposal(self, z, x):
        centre = np.zeros((self.latents, 1), np.int64) if z is None else 60000 * z
        wide = self.step + (700 if z is None else 30)
        return Gaussian(centre + (int(x[0]) << 10), wide, leak=False)


class Rows:
    """States of 5 values, observations of up to 4, under weights."""

    latents, observed = 1, 2

    def __init__(self, seed, least=1):
        rng = np.random.default_rng(seed)
        self.move = rng.integers(least, 1000, (5, 5)).astype(np.uint32)
        self.show = rng.integers(least, 1 << 20, (2, 5, 4)).astype(np.uint32)

    def prior(self, z):
        return Weighted(self.move[0] if z is None else self.move[z])

    def likelihood(self, z):
        return Weighted(np.stack([self.show[0][z[0]], self.show[1][z[0]]]))


class Counted(Walk):
    """Counts, whose means follow the states: laws without a mean over particles."""

    def likelihood(self, z):
        return Poisson((abs(self.mix @ z) + 5).astype(float))


SHAPES = {"Gaussian": "gaussian", "Laplace": "laplace", "Logistic": "logistic"}


class Plainly:
    """A model as the reference takes it."""

    def __init__(self, model, adapted):
        self.model = model
        if adapted:
            self.lookahead = self._lookahead

    def _laws(self, law, rows, n):
        law = law.broadcast((rows, n))
        if isinstance(law, Weighted):
            return [[ref.Row(row) for row in part] for part in law._arrays[0].tolist()]
        if isinstance(law, Poisson):
            return [[ref.poisson(m) for m in row] for row in law._arrays[0].tolist()]
        shape, leak = SHAPES[type(law).__name__], int(law._family.leak)
        places = zip(*(part.tolist() for part in law._arrays), strict=True)
        return [
            [ref.Bell(*place, shape, leak) for place in zip(*row, strict=True)]
            for row in places
        ]

    def prior(self, t, z, n):
        law = self.model.prior(None if z is None else np.array(z))
        return self._laws(law, self.model.latents, n)

    def likelihood(self, t, z, n):
        return self._laws(self.model.likelihood(np.array(z)), self.model.observed, n)

    def _lookahead(self, t, z, n):
        law = self.model.lookahead(None if z is None else np.array(z))
        return self._laws(law, self.model.observed, n)

    def proposal(self, t, z, x, n):
        given = None if z is None else np.array(z)
        return self._laws(
            self.model.proposal(given, np.array(x)), self.model.latents, n
        )


def observations(model, T, seed):
    rng = np.random.default_rng(seed)
    if isinstance(model, Rows):
        return rng.integers(0, 4, (T, 2))
    if isinstance(model, Counted):
        return rng.poisson(9, (T, model.observed))
    return rng.normal(0, 30, (T, model.observed)).round().astype(np.int64)


MODELS = {
    "walk": Walk(1, 1, 0),
    "plane": Walk(2, 3, 1),
    "leaky": Walk(2, 1, 2, leak=True),
    "rows": Rows(3),
    "holes": Rows(4, least=0),
    "counts": Counted(1, 2, 5),
}


FILTERS = [(name, "bootstrap") for name in MODELS]
FILTERS += [(name, "adapted") for name in ("walk", "plane")]


@pytest.mark.parametrize("n", [1, 2, 9, 70])
@pytest.mark.parametrize(("name", "method"), FILTERS)
def test_laws_give_the_bytes_of_the_reference(name, method, n):
    model = MODELS[name]
    x = observations(model, 7, n)
    borrows = name == "counts"
    plain = ref.Particles(Plainly(model, method == "adapted"), n, 99, 3, borrows)
    for mode in ("predictive", "iconoclasm"):
        coder = ParticleFilter(model, n, 99, method=method, mode=mode, start_length=3)
        data = coder.encode(x)
        expected = ref.particles_encode(plain, x.tolist(), mode == "predictive")
        assert data == expected
        assert np.array_equal(coder.decode(data, len(x)).reshape(x.shape), x)


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("prec", [8, 16, 28])
@pytest.mark.parametrize("n", [1, 2, 5, 64, 300])
def test_states_of_an_hmm_give_the_bytes_of_the_reference(n, prec, adapted):
    frozen = random_hmm(5, 7, prec=prec, seed=n)
    plain = ref.FiniteParticles(reference_of(frozen), n, 12345, adapted)
    plain.tail_length = 8
    method = "adapted" if adapted else "bootstrap"
    rng = np.random.default_rng(n)
    for T in (0, 3, 9, 40):
        x = rng.integers(0, 7, T)
        for mode in ("predictive", "iconoclasm"):
            coder = ParticleFilter(
                frozen, n, 12345, method=method, mode=mode, start_length=8
            )
            data = coder.encode(x)
            expected = ref.particles_encode(plain, x.tolist(), mode == "predictive")
            assert data == expected
            assert np.array_equal(coder.decode(data, T), x)


@pytest.mark.parametrize("isa", ISAS)
def test_every_instruction_set_gives_the_same_bytes(isa):
    best = lib.bbans_isa_use(lib.BBANS_ISA_BEST)
    coders = [
        ParticleFilter(MODELS["plane"], 33, 5),
        ParticleFilter(MODELS["rows"], 33, 5),
        ParticleFilter(random_hmm(70, 40), 33, 5, method="adapted"),
    ]
    xs = [observations(MODELS["plane"], 40, 0), observations(MODELS["rows"], 40, 0)]
    xs.append(np.random.default_rng(0).integers(0, 40, 200))
    expected = [coder.encode(x) for coder, x in zip(coders, xs, strict=True)]
    try:
        assert lib.bbans_isa_use(ISAS[isa]) == ISAS[isa]
        found = [coder.encode(x) for coder, x in zip(coders, xs, strict=True)]
    finally:
        lib.bbans_isa_use(best)
    assert found == expected


@pytest.mark.parametrize(("name", "method"), FILTERS)
def test_step_by_step_the_bytes_are_the_same(name, method):
    model = MODELS[name]
    x = observations(model, 30, 1)
    coder = ParticleFilter(
        model, 20, 1, method=method, mode="iconoclasm", start_length=9
    )
    steps = coder.state_space()
    given = [tuple(row) if len(row) > 1 else int(row[0]) for row in x.tolist()]
    data = encode_sequence(given, steps).to_bytes()
    assert data == coder.encode(x)
    assert [*map(np.ravel, decode_sequence(Message.from_bytes(data), steps, 30))] == [
        *map(pytest.approx, x.tolist())
    ]


@pytest.mark.parametrize("method", ["bootstrap", "adapted"])
def test_step_by_step_an_hmm_gives_the_same_bytes(method):
    x = np.random.default_rng(0).integers(0, 7, 30)
    coder = ParticleFilter(
        random_hmm(5, 7), 20, 1, method=method, mode="iconoclasm", start_length=9
    )
    steps = coder.state_space()
    data = encode_sequence(x.tolist(), steps).to_bytes()
    assert data == coder.encode(x)
    assert decode_sequence(Message.from_bytes(data), steps, 30) == x.tolist()


@pytest.mark.parametrize("law", [Uniform(9), Gaussian([0.0, 1.0], 3.0)], ids=str)
def test_values_are_popped_from_the_public_message(law):
    message = public_message(3, 4, law)
    assert np.array_equal(law.pop(message), np.squeeze(sample(3, 4, law)))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n", [1, 20])
def test_models_pass_the_check(name, n):
    report = check_model(
        observations(MODELS[name], 25, 2), ParticleFilter(MODELS[name], n)
    )
    if name == "counts":
        assert (report.startup < 1e-3) == (n == 1)
        assert report.startup < 9  # log2 of 20 particles, and unlikely draws
    else:
        assert report.startup == 0


def test_an_adapted_filter_borrows_one_state_at_most():
    hmm = HMM.random(8, 8, concentration=0.2, seed=1)
    frozen, x = hmm.freeze(), hmm.sample(300, seed=0)[0]
    for n in (1, 64):
        coder = ParticleFilter(frozen, n, method="adapted")
        report = check_model(x, coder)
        assert report.startup < 5
        assert abs(report.elbo - report.information_content) < 1


# ---- stored vectors

STORED = json.loads((Path(__file__).parent / "vectors/particles_v1.json").read_text())


class Linear:
    """As `Linear` of vectors/make.py."""

    def __init__(self, case):
        self.case, self.latents, self.observed = case, case["latents"], case["observed"]

    def law(self, matrix, scales, z, leak=True):
        matrix, scales = np.array(self.case[matrix]), np.array(self.case[scales])
        z = np.zeros((matrix.shape[1], 1), np.int64) if z is None else z
        return Gaussian(matrix @ z, scales.astype(np.int32)[:, None], leak=leak)

    def prior(self, z):
        return self.law("move", "first" if z is None else "step", z)

    def likelihood(self, z):
        return self.law("emit", "noise", z)

    def lookahead(self, z):
        return self.law("ahead", "ahead_noise", z)

    def proposal(self, z, x):
        z = np.zeros((self.latents, self.case["n"]), np.int64) if z is None else z
        seen = np.full((1, self.case["n"]), x[0])
        return self.law("pull", "pull_noise", np.concatenate([z, seen]), leak=False)


def check_stored(case, model, start_length):
    given = case["n"], case["key"]
    method = "adapted" if case["adapted"] else "bootstrap"
    x = np.array(case["xs"])
    for mode, name in (("iconoclasm", "encode"), ("predictive", "encode_predictive")):
        coder = ParticleFilter(
            model, *given, method=method, mode=mode, start_length=start_length
        )
        assert coder.encode(x).hex() == case[name]
        decoded = coder.decode(bytes.fromhex(case[name]), len(x))
        assert np.array_equal(decoded.reshape(x.shape), x)


@pytest.mark.parametrize("index", range(len(STORED["models"])))
def test_stored_messages_of_finite_models(index):
    model = STORED["models"][index]
    masses = model["initial"], model["transition"], model["emission"]
    frozen = FrozenHMM(*masses, prec=model["prec"], start_length=model["tail_length"])
    for case in STORED["finite"]:
        if case["model"] == index:
            check_stored(case, frozen, model["tail_length"])


@pytest.mark.parametrize("case", STORED["linear"], ids=lambda case: str(case["n"]))
def test_stored_messages_of_laws(case):
    check_stored(case, Linear(case), case["tail_length"])


# ---- what maths.md claims


def content(hmm, x):
    return HMM.from_frozen(hmm).information_content(x)


@pytest.mark.parametrize("method", ["bootstrap", "adapted"])
def test_the_probability_of_a_sequence_is_unbiased(method):
    frozen = random_hmm(3, 4, concentration=0.5, prec=20, seed=5)
    x = [0, 2, 1, 3, 3, 0]
    ratios = []
    for key in range(3000):
        coder = ParticleFilter(frozen, 3, key, method=method, mode="predictive")
        steps, belief, bits = coder.state_space(), None, 0.0
        for v in x:
            m, e = steps.predictive(belief).masses(v)
            bits += math.log2(int(m)) + int(e)
            belief = steps.update(belief, v)
        ratios.append(2 ** (bits + content(frozen, x)))
    error = np.std(ratios) / math.sqrt(len(ratios))
    assert error < 0.03
    assert abs(np.mean(ratios) - 1) < 4 * error


def test_every_key_gives_a_law():
    frozen = random_hmm(3, 2, concentration=0.5, seed=6)
    for key in range(3):
        coder = ParticleFilter(frozen, 2, key, method="adapted")
        steps, total = coder.state_space(), 0.0
        for number_of_sequence in range(2**5):
            belief, bits = None, 0.0
            for t in range(5):
                v = number_of_sequence >> t & 1
                m, e = steps.predictive(belief).masses(v)
                bits += math.log2(int(m)) + int(e)
                belief = steps.update(belief, v)
            total += 2**bits
        assert abs(total - 1) < 1e-6


@pytest.mark.parametrize("method", ["bootstrap", "adapted"])
def test_the_cost_falls_as_one_over_n(method):
    frozen = random_hmm(8, 8, concentration=0.2, prec=24, seed=7)
    x = HMM.from_frozen(frozen).sample(20_000, seed=0)[0]
    h = content(frozen, x)
    over = [
        8 * len(ParticleFilter(frozen, n, method=method).encode(x)) / h - 1
        for n in (4, 16, 64)
    ]
    assert over[0] / 2.5 > over[1] > over[2] > -1e-4
    assert over[2] < over[0] / 8


# ---- what is refused


def test_bad_arguments():
    frozen = random_hmm(3, 3)
    for n in (0, 65537, 1.5):
        with pytest.raises(ModelError, match="n must be"):
            ParticleFilter(frozen, n)
    with pytest.raises(ModelError, match="key"):
        ParticleFilter(frozen, 3, -1)
    with pytest.raises(ModelError, match="mode"):
        ParticleFilter(frozen, 3, mode="")
    with pytest.raises(ModelError, match="method"):
        ParticleFilter(frozen, 3, method="auxiliary")
    with pytest.raises(ModelError, match="prior"):
        ParticleFilter(object(), 3)
    with pytest.raises(ModelError, match="lookahead"):
        ParticleFilter(Rows(0), 3, method="adapted")


def test_observations_that_cannot_be_coded():
    coder = ParticleFilter(MODELS["plane"], 5)
    with pytest.raises(SymbolError, match="shape"):
        coder.encode([[1, 2], [3, 4]])
    with pytest.raises(SymbolError):
        coder.encode([[1.5, 2.0, 0.0]])
    rows = ParticleFilter(MODELS["rows"], 5)
    with pytest.raises(SymbolError, match="position 1"):
        rows.encode([[0, 1], [4, 0]])


def test_errors_of_the_model_come_through():
    class Fails(Walk):
        def likelihood(self, z):
            raise ZeroDivisionError("of the user's own")

    with pytest.raises(ZeroDivisionError, match="own"):
        ParticleFilter(Fails(1, 1, 0), 5).encode([1, 2])

    class NoLaw(Walk):
        def prior(self, z):
            return 3

    with pytest.raises(ModelError, match="prior must return a Distribution"):
        ParticleFilter(NoLaw(1, 1, 0), 5).encode([1, 2])

    class Misshapen(Walk):
        def prior(self, z):
            return Gaussian(np.zeros((1, 4)), 1.0)

    with pytest.raises(SymbolError, match="shape"):
        ParticleFilter(Misshapen(1, 1, 0), 5).encode([1, 2])


def test_damage_is_found_or_decodes_to_other_data():
    coder = ParticleFilter(MODELS["rows"], 8)
    x = observations(MODELS["rows"], 60, 3)
    data = coder.encode(x)
    rng, found = np.random.default_rng(0), 0
    for _ in range(60):
        broken = bytearray(data)
        broken[rng.integers(len(data))] ^= 1 << rng.integers(8)
        try:
            assert not np.array_equal(coder.decode(bytes(broken), 60), x)
        except CorruptError:
            found += 1
    assert found > 5


def test_filters_are_pickled_with_their_model():
    coder = ParticleFilter(MODELS["walk"], 7, 3)
    x = observations(MODELS["walk"], 20, 0)
    assert pickle.loads(pickle.dumps(coder)).encode(x) == coder.encode(x)


def test_filters_code_bare_messages():
    coder = ParticleFilter(MODELS["walk"], 7, 3)
    x = observations(MODELS["walk"], 20, 0)
    message = bbans.encode(x, coder)
    assert message == coder.encode(x)
    assert bbans.decode(message, coder, 20).tolist() == list(x)


def test_sampling_is_popping():
    law = Gaussian([0.0, 100.0, -5.5], [1.0, 2.0, 3.0], leak=False)
    drawn = sample(7, 8, law)
    places = zip(*(part.tolist() for part in law._arrays), strict=True)
    laws = [ref.Bell(*place, "gaussian", 0) for place in places]
    assert drawn.tolist() == ref.sampled(7, 8, laws)
    many = sample(1, 0, Gaussian(10.0, 4.0, leak=False), 4000)
    assert abs(many.mean() - 10) < 0.3
    assert abs(many.std() - 4) < 0.2


@pytest.mark.parametrize("name", ["plane", "rows"])
def test_a_mean_law_weighs_as_it_codes(name):
    model, rng = MODELS[name], np.random.default_rng(0)
    z = rng.integers(0, 5, (model.latents, 9))
    mean = Mean(model.likelihood(z).broadcast((model.observed, 9)))
    values = rng.integers(0, 4, (model.observed, 6))
    found = pairs(mean.masses(values))
    for column, mass in zip(values.T.tolist(), found, strict=True):
        expected = ref.ONE
        for each in _intervals(mean, column)[::-1]:  # x_1, which is pushed last, first
            expected = ref.multiplied(expected, ref.mass([each]))
        assert mass == expected


@pytest.mark.parametrize("name", MODELS)
def test_no_bytes_do_harm(name):
    model, rng = MODELS[name], np.random.default_rng(1)
    for mode in ("predictive", "iconoclasm"):
        coder = ParticleFilter(model, 5, mode=mode, start_length=3)
        for size in [*range(12), 40, 200] * 2:
            try:
                x = coder.decode(rng.bytes(size), 10)
            except (CorruptError, SymbolError):
                continue
            assert x.shape == (10,) + (model.observed,) * (model.observed > 1)
