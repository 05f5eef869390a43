"""What does not work yet, and should: each fails today, strictly, for a reason."""

import numpy as np
import pytest

import bbans


def limit(reason):
    return pytest.mark.xfail(strict=True, reason=reason)


# ---- bits


@pytest.mark.parametrize("values", [
    np.arange(4032) * 300_000_000,
    np.arange(4000) * 10**4,
    1_700_000_000_000_000_000 + np.arange(5000) * 1_000_000,
], ids=["five minutes", "steps", "nanoseconds"])  # fmt: skip
@limit("a constant step is predicted through rounded coefficients")
def test_regular_time_stamps_cost_next_to_nothing(values):
    assert len(bbans.compress(values)) < 200


@limit("a bare message has no way out of a model that does not fit")
def test_a_bare_message_is_never_much_longer_than_its_data():
    text = [b"hello there, how are you?", b"see you there at six"] * 20
    model = bbans.ARHMM.fit(text, 2, order=3, n_iter=2).freeze()
    assert len(bbans.encode(b"\xff" * 1000, model)) < 1020


@limit("values of few levels are coded byte by byte, and wider types have more bytes")
def test_the_size_does_not_depend_on_the_type():
    rng = np.random.default_rng(0)
    values = rng.integers(-(2**30), 2**30, 30)[rng.integers(0, 30, 4730)]
    narrow, wide = (
        len(bbans.compress(values.astype(dtype))) for dtype in (np.int32, np.int64)
    )
    assert wide < 1.05 * narrow
