"""check_model: good models are measured, bad ones named."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import bbans
from bbans.distributions import (
    Categorical,
    Family,
    Gaussian,
    Multivariate,
    Uniform,
    Weighted,
)
from bbans.frozen.hmm import HMMSteps
from bbans.models import HMM, information_content

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="module")
def frozen():
    return HMM.random(5, 7, seed=1).freeze()


@pytest.fixture(scope="module")
def x(frozen):
    return HMM.from_frozen(frozen).sample(200, seed=2)[0].tolist()


def test_an_exact_posterior_pays_the_information_content(frozen, x):
    report = bbans.check_model(x, frozen.state_space())
    content = information_content(x, frozen)
    assert report.length == 200
    assert report.elbo == pytest.approx(content, abs=1e-2)
    assert report.elbo_error < 1e-2
    assert report.information_content == pytest.approx(content, abs=1e-2)
    assert report.message == 8 * len(bbans.encode(x, frozen))
    assert "information content" in str(report)


def test_an_approximate_posterior_pays_the_elbo(frozen, x):
    class Forgetful(HMMSteps):
        def posterior(self, belief, z_next):
            return super().posterior(belief, None)  # as if z_t+1 were not known

    report = bbans.check_model(x, Forgetful(frozen), samples=40)
    content = information_content(x, frozen)
    assert report.elbo > content + 20
    assert 0 < report.elbo_error < 5
    lent = bbans.check_model(x, Forgetful(frozen), samples=40, seed=1)
    assert abs(lent.elbo - report.elbo) < 5 * (lent.elbo_error + report.elbo_error)


class Broken(HMMSteps):
    calls = 0


class DrawsWhatThePriorCannot(Broken):
    def prior(self, z):
        return Weighted([1, 1, 1, 1, 0]) if z is not None else super().prior(z)


class CannotSeeX(Broken):
    def likelihood(self, z):
        return Weighted([1, 0, 0, 0, 0, 0, 0])


class HasABug(Broken):
    def likelihood(self, z):
        return {}["missing"]


class IsNotItsInverse(Broken):
    def likelihood(self, z):
        class Shifted(Categorical):
            def pop(self, message):
                return (super().pop(message) + 1) % 7

        return Shifted(self._emission, z)


class DiffersEachTime(Broken):
    def posterior(self, belief, z_next):
        Broken.calls += 1
        return Weighted(np.roll([1, 2, 3, 4, 5], Broken.calls))


class KeepsState(Broken):
    def update(self, belief, x):
        Broken.calls += 1
        belief = super().update(belief, x)
        return belief._replace(filtered=np.roll(belief.filtered, Broken.calls % 3))


class PushesTooMuch(Broken):
    def posterior(self, belief, z_next):
        class Sticky(Uniform):
            def pop(self, message):
                value = super().pop(message)
                message.push(Uniform(2), 1)
                return value

        return Sticky(5)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (DrawsWhatThePriorCannot, r"prior of z\[\d+\]"),
        (HasABug, r"likelihood of x\[199\]: KeyError"),
        (CannotSeeX, r"likelihood of x\[199\]"),
        (IsNotItsInverse, r"likelihood of x\[199\]: what was pushed, \d, does not pop"),
        (DiffersEachTime, r"posterior of z\[199\]: push after pop does not restore"),
        (KeepsState, "encoding|decod|second time"),
        (PushesTooMuch, r"posterior of z\[199\]: push after pop"),
    ],
)
def test_what_is_wrong_is_named(frozen, x, model, text):
    with pytest.raises(bbans.ModelError, match=text):
        bbans.check_model(x, model(frozen))


def test_the_tractable_part_is_optional(frozen, x):
    class Plain:
        def __init__(self):
            inner = frozen.state_space()
            self.prior, self.likelihood = inner.prior, inner.likelihood
            self.update, self.posterior = inner.update, inner.posterior

    report = bbans.check_model(x, Plain())
    content = information_content(x, frozen)
    assert report.information_content is None
    assert report.elbo == pytest.approx(content, abs=1e-2)
    assert abs(report.message - content) < 64  # whole bytes and the head's precision


def test_a_message_of_a_model_whose_draws_have_no_mode_is_net_of_what_is_lent():
    class Walk:
        def prior(self, z):
            return Multivariate([0 if z is None else z[0] << 16], [900])

        def likelihood(self, z):
            return Gaussian(float(z[0]), 3.0)

        def update(self, belief, x):
            return int(x)

        def posterior(self, belief, z_next):
            return Multivariate(
                [belief << 16], [400], family=Family.gaussian(leak=False)
            )

    walk = list(range(0, 40, 2))
    with pytest.raises(bbans.errors.MessageError, match="initial_bits"):
        bbans.codecs.encode_sequence(walk, Walk())
    report = bbans.check_model(walk, Walk())
    assert abs(report.message - report.elbo) < 64 + 20 * report.elbo_error


def test_nothing_to_check(frozen):
    for options in ({"x": []}, {"x": [1], "samples": 0}):
        with pytest.raises(
            bbans.ModelError, match=r"needs an observation|samples must"
        ):
            bbans.check_model(model=frozen.state_space(), **options)


@pytest.mark.parametrize("kind", [str, str.encode])
def test_frozen_models_are_checked_by_symbol_numbers(kind):
    x = kind("abacab" * 9)
    for model in (
        bbans.HMM.fit(x, n_states=2, n_iter=1).freeze(),
        bbans.ARHMM.fit(x, n_states=2, order=1, n_iter=1).freeze(prec=16),
    ):
        assert bbans.check_model(model.alphabet.encode(x), model).length == len(x)
        with pytest.raises(bbans.SymbolError, match=r"model\.alphabet\.encode"):
            bbans.check_model(x, model)


def test_the_example(capsys):
    runpy.run_path(str(EXAMPLES / "recurrent.py"), run_name="__main__")
    assert "ELBO" in capsys.readouterr().out
    source = (EXAMPLES / "recurrent.py").read_text()
    model = source[source.index("class Recurrent") : source.index("if __name__")]
    assert len(model.splitlines()) < 40
