"""Bits of each symbol: by the reference, against messages, and where there are none."""

import math

import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st
from shared import (
    HEADS,
    ISAS,
    in_mode,
    random_deep_ssm,
    random_hierarchy,
    random_hmm,
    random_lgssm,
    random_mixer,
    random_observations,
    random_tree,
    random_vae,
    random_vectors,
    reference_of,
)

import bbans
from bbans import ModelError, SymbolError
from bbans._lib import lib
from bbans.formats import ByteCoder, MixingCoder, SignalCoder
from bbans.frozen import FrozenARHMM
from bbans.message.range_coder import RangeEncoder
from bbans.models import ARHMM, information_content
from bbans.particles import ParticleFilter

UNIT = 2.0**-16


def arhmm(kind, K=3, order=2):
    rng = np.random.default_rng(4)
    x = rng.choice(5, 3000, p=[0.5, 0.2, 0.1, 0.1, 0.1])
    x[2::3] = x[:-2:3]
    data = x if kind == "integers" else bytes((97 + x).tolist())
    return ARHMM.fit(data, K, order=order, n_iter=3, seed=0).freeze()


HMMS = {
    "hmm": random_hmm(5, 9, seed=1),
    "peaked": random_hmm(12, 7, concentration=0.02, seed=2, prec=28),
    "one symbol": random_hmm(3, 1, seed=3),
    "contexts": arhmm("integers"),
}


@pytest.mark.parametrize("name", ["hmm", "peaked", "one symbol"])
@pytest.mark.parametrize("T", [0, 1, 2, 57])
def test_each_cost_is_the_reference_s(name, T, best_isa_afterwards):
    model = HMMS[name]
    x = np.random.default_rng(T).integers(0, model.n_symbols, T)
    expected = ref.costs(reference_of(model), x.tolist())
    for isa in ISAS.values():
        lib.bbans_isa_use(isa)
        assert model.cost_units(x).tolist() == expected
        assert (bbans.costs(x, model) / UNIT).tolist() == expected


def test_the_logarithm_is_that_of_floats():
    rng = np.random.default_rng(0)
    encoder, bits = ref.RangeEncoder(), 0.0
    for _ in range(400):
        total = int(rng.integers(1, 2**28 + 1))
        freq = int(rng.integers(1, total + 1)) >> int(rng.integers(0, 28)) or 1
        encoder.encode(0, freq, total)
        bits -= math.log2(freq / total)
        assert abs(encoder.taken() * UNIT - bits) < 2 * UNIT


IMAGES = random_observations(HEADS[0], 150, seed=2)
MODELS = {
    **{name: lambda name=name: HMMS[name] for name in HMMS},
    "hierarchy": lambda: random_hierarchy([4, 3], 6, seed=0),
    "linear": lambda: random_lgssm(2, 2, seed=1).freeze(),
    "vectors": lambda: random_vectors(3, 2, seed=1).freeze(),
    "tree": lambda: random_tree(9, 3, [4, 2, 5, 3], seed=0),
    "mixer": lambda: random_mixer(kind="bytes"),
    "particles": lambda: ParticleFilter(HMMS["hmm"], 8, key=1),
    "adapted": lambda: ParticleFilter(HMMS["hmm"], 8, key=1, method="adapted"),
    "VAE": lambda: random_vae(HEADS[0], [3], seed=0).freeze(IMAGES),
    "deep": lambda: random_deep_ssm(HEADS[0], 3, 4, seed=0).freeze(IMAGES),
}


def some_data(name, model, T=150):
    rng = np.random.default_rng(7)
    if name in ("VAE", "deep"):
        return IMAGES
    if name in ("linear", "vectors"):
        return np.rint(rng.normal(0, 4, (T, 2))).astype(np.int64)
    if name == "tree":
        return rng.integers(0, [4, 2, 5, 3], (T, 4))
    if name == "mixer":
        return bytes(rng.integers(97, 123, T).tolist())
    return rng.integers(0, 5 if name == "contexts" else model.alphabet.size, T)


@pytest.mark.parametrize("name", MODELS)
def test_they_add_up_to_the_message_of_the_predictive_mode(name):
    model = MODELS[name]()
    x = some_data(name, model)
    predictive = model.with_mode("predictive")
    bits = bbans.costs(x, predictive)
    assert bits.shape == (150,)
    assert bits.dtype == np.float64
    assert (bits >= 0).all()
    assert (bits / UNIT == np.rint(bits / UNIT)).all()
    # Rounded up to a bit, the leading 1, and up to bytes; or shorter by luck.
    assert -16 <= 8 * len(predictive.encode(x)) - bits.sum() <= 10
    if model.exact_predictive:
        assert (bbans.costs(x, model) == bits).all()
    first = bbans.costs(x[:40], predictive)
    assert first.tolist() == bits[:40].tolist()  # each by what comes before


@pytest.mark.parametrize("name", ["VAE", "deep"])
def test_where_p_is_not_exact_costs_are_of_the_predictive_mode_alone(name):
    model = MODELS[name]()
    assert not model.exact_predictive
    with pytest.raises(ModelError, match=r"no exact P.*with_mode"):
        model.cost_units(some_data(name, model))


def test_iconoclasm_takes_as_much():
    model = HMMS["hmm"]
    x = some_data("hmm", model, 3000)
    assert model.mode == "iconoclasm"
    total = bbans.costs(x, model).sum()
    assert total == pytest.approx(information_content(x, model), abs=0.5)
    assert -8 <= 8 * len(model.encode(x)) - total <= 12


def test_text_by_the_bytes_of_its_utf8():
    model = ARHMM.fit("über Ähren " * 200, 2, n_iter=2, seed=0).freeze()
    text = "über"
    assert isinstance(model, FrozenARHMM)
    expected = len(text.encode()) if model.alphabet.is_utf8 else len(text)
    assert model.cost_units(text).shape == (expected,)
    with pytest.raises(SymbolError, match="text"):
        model.cost_units(b"bytes")
    with pytest.raises(SymbolError):
        HMMS["hmm"].cost_units([1, 2, 99])


def test_a_particle_filter_raises_what_its_model_does():
    class Broken:
        latents, observed = 1, 1

        def prior(self, z):
            return bbans.distributions.Gaussian(np.zeros((1, 4)), 1.0)

        def likelihood(self, z):
            if (z > 40).any() or len(seen) > 3:
                raise ZeroDivisionError("on purpose")
            seen.append(1)
            return bbans.distributions.Gaussian(z.astype(float), 2.0)

    seen = []
    model = ParticleFilter(Broken(), 4, key=3)
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        model.cost_units(np.arange(40))


# ---- bytes without a model


@given(
    st.binary(max_size=400) | st.text("ab\n", max_size=900).map(str.encode),
    st.integers(3, 9),
)
def test_bytes_take_what_their_block_has(data, level):
    bits = MixingCoder(level).costs(data)
    assert bits.shape == (len(data),)
    block = len(data) + 40  # encode gives up on what is no shorter: look at costs alone
    encoder = MixingCoder(level).encode(np.frombuffer(data, np.uint8)[:, None])
    if encoder is not None:
        block = len(encoder)
        assert 8 * (block - 9) < bits.sum() + 8
        assert bits.sum() < 8 * (block + 3)
    else:
        assert bits.sum() > 8 * (len(data) - 12)


def test_blocks_of_the_default_size_are_coded_apart(monkeypatch):
    monkeypatch.setattr(MixingCoder, "block_size", lambda *_: 500)
    data = b"all happy families are alike; " * 60
    whole = MixingCoder(5).costs(data)
    for at in range(0, len(data), 500):
        piece = MixingCoder(5).costs(data[at : at + 500])
        assert whole[at : at + 500].tolist() == piece.tolist()


def test_by_one_name():
    text = "the same input gives the same bytes; " * 30
    bits = bbans.costs(text)
    assert bits.tolist() == MixingCoder(5).costs(text.encode()).tolist()
    assert bbans.costs(text, level=9).tolist() == MixingCoder(9).costs(text).tolist()
    assert (
        bbans.costs(text, MixingCoder(4)).tolist()
        == MixingCoder(4).costs(text).tolist()
    )
    samples = np.arange(40, dtype=np.int32)
    assert bbans.costs(samples, MixingCoder()).shape == (160,)
    assert bbans.costs(b"").shape == (0,)
    assert 8 * len(bbans.compress(text)) == pytest.approx(bits.sum(), abs=600)


@pytest.mark.parametrize(
    ("data", "coder", "level"),
    [
        (b"abc", None, 1),
        (b"abc", ByteCoder(), None),
        (np.arange(9), None, None),
        ([1, 2], SignalCoder(), None),
        (b"abc", "english.bbm", None),
        (b"abc", MixingCoder(), 3),
        (b"abc", None, "5"),
        ([0, 1], HMMS["peaked"], 5),
    ],
)
def test_what_has_none(data, coder, level):
    with pytest.raises(ModelError):
        bbans.costs(data, coder, level=level)


def test_range_encoder_and_costs_agree():
    """What the public range coder's position says, too."""
    model = in_mode(HMMS["peaked"], True)
    x = np.random.default_rng(3).integers(0, 7, 200)
    encoder, steps, belief = RangeEncoder(), model.state_space(), None
    for value in x:
        encoder.encode(steps.predictive(belief), value)
        belief = steps.update(belief, value)
    n_bytes, _, width = encoder.position()
    taken = 63 + 8 * n_bytes - math.log2(width)
    assert bbans.costs(x, model).sum() == pytest.approx(taken, abs=2 * UNIT)
