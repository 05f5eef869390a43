"""What does not work yet, and should: each fails today, strictly, for a reason."""

import pytest

import bbans


def limit(reason):
    return pytest.mark.xfail(strict=True, reason=reason)


# ---- bits


@limit("a bare message has no way out of a model that does not fit")
def test_a_bare_message_is_never_much_longer_than_its_data():
    text = [b"hello there, how are you?", b"see you there at six"] * 20
    model = bbans.ARHMM.fit(text, 2, order=3, n_iter=2).freeze()
    assert len(bbans.encode(b"\xff" * 1000, model)) < 1020
