"""Linear Gaussian models whose observations have little noise beside rounding."""

import numpy as np
import pytest
from shared import in_mode

from bbans import LGSSM
from bbans.codecs import decode_sequence, encode_sequence

STEPS = 1000


def excess(model, predictive=False):
    """Bits over the information content, of data from the model."""
    x, _ = model.sample(STEPS, seed=1)
    frozen = model.freeze()
    message = encode_sequence(x, in_mode(frozen, predictive))
    bits = message.bits - model.information_content(x)
    again = decode_sequence(message, in_mode(frozen, predictive), STEPS)
    assert np.array_equal(again, x)
    return bits


@pytest.mark.parametrize("noise", [1e-6, 1e-4, 0.01, 0.06, 0.25])
@pytest.mark.parametrize(
    ("observed", "move"), [(10, 1), (1, 1), (1, 0.1), (1, 0.01), (0.1, 0.01)]
)
def test_one_dimension_costs_little(noise, observed, move):
    model = LGSSM([[0.9]], [[observed]], [[move]], [[noise]])
    assert excess(model) < 50
    assert excess(model, predictive=True) < 15


@pytest.mark.parametrize("noise", [1e-4, 0.01, 0.1])
@pytest.mark.parametrize(("n", "p"), [(2, 2), (4, 3), (1, 3), (3, 5)])
def test_several_dimensions_cost_little(noise, n, p):
    rng = np.random.default_rng(n + p)
    A = rng.normal(size=(n, n))
    A *= 0.95 / np.abs(np.linalg.eigvals(A)).max()
    model = LGSSM(A, rng.normal(size=(p, n)) * 5, np.eye(n), np.eye(p) * noise)
    assert excess(model) < 0.05 * STEPS * p
    assert excess(model, predictive=True) < 0.02 * STEPS * p


def test_dimensions_of_unequal_noise():
    """Only the one with little noise gets some."""
    C, R = [[10.0, 0.0], [0.0, 10.0]], np.diag([1e-4, 4.0])
    frozen = LGSSM(np.eye(2) * 0.9, C, np.eye(2), R).freeze()
    deviations = 2.0 ** (frozen.step(9).emit_scale / 256)
    assert deviations == pytest.approx([0.5, 2.0], rel=0.01)
    assert 2.0 ** (frozen.step(9).predict_scale[0] / 256) == pytest.approx(
        10.0, rel=0.01
    )


def test_noise_enough_stays_as_it_is():
    frozen = LGSSM([[0.9]], [[10.0]], [[1.0]], [[0.3]]).freeze()
    assert 2.0 ** (frozen.step(9).emit_scale / 128) == pytest.approx([0.3], rel=0.01)
