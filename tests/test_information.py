"""The information content under frozen models, against what coding costs."""

import pytest
from shared import random_lgssm

import bbans
from bbans import HMM, LGSSM, ModelError, SymbolError
from bbans.models import information_content

NOISES = ["gaussian", "logistic", "laplace"]


def predictive_bits(frozen, x):
    """The sum over the steps' own codecs, in integers."""
    steps = frozen.state_space()
    bits, belief = 0.0, None
    for value in x.tolist():
        message = bbans.Message.from_state([1 << 47], [])
        steps.predictive(belief).push(message, value)
        bits += message.bits - 47
        belief = steps.update(belief, value)
    return bits


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(
    ("n", "p", "steps"), [(1, 1, None), (2, 3, None), (3, 2, 5), (4, 1, 40)]
)
def test_a_linear_model_has_the_bits_of_its_predictive_distributions(
    n, p, steps, noise
):
    model = random_lgssm(n, p, seed=3, steps=steps)
    frozen = model.freeze(noise=noise)
    x, _ = model.sample(200, seed=1)
    wasted = 0.01 if p == 1 else 0.3  # of several pushes on one head
    assert information_content(x, frozen) == pytest.approx(
        predictive_bits(frozen, x), abs=wasted
    )
    x[50] += 10**7
    x[51] -= 2**40
    x[90] = -(2**63)
    assert information_content(x, frozen) == pytest.approx(
        predictive_bits(frozen, x), abs=2
    )
    for length in (0, 1, 3):
        assert information_content(x[:length], frozen) == pytest.approx(
            predictive_bits(frozen, x[:length]), abs=wasted
        )


def test_with_gaussian_noise_it_is_that_of_the_float_model():
    model = random_lgssm(2, 2, seed=4)
    x, _ = model.sample(2000, seed=2)
    frozen = model.freeze()
    content = information_content(x, frozen)
    assert content == pytest.approx(model.information_content(x), abs=0.5)
    assert -16 <= 8 * len(bbans.encode(x, frozen)) - content <= 12


def test_what_has_none():
    hmm = HMM.random(2, 3, seed=0)
    with pytest.raises(ModelError, match="frozen model, not HMM"):
        information_content([0, 1], hmm)
    with pytest.raises(SymbolError, match="alphabet"):
        information_content([3], hmm.freeze())
    line = LGSSM([[0.5]], [[1.0]], [[1.0]], [[1.0]]).freeze()
    with pytest.raises(SymbolError, match=r"\(T, 1\)"):
        information_content([[1, 2]], line)
    for frozen in (hmm.freeze(), line):
        assert information_content([], frozen) == 0
