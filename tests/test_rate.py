"""Lengths of messages against the information content of the frozen model."""

from pydoc_data.topics import topics

import numpy as np
import pytest
from shared import in_mode

from bbans import Message
from bbans.codecs import decode_sequence, encode_sequence
from bbans.models import HMM, information_content
from bbans.models.freeze_hmm import frozen_hmm

# docs/maths.md, "A sequence as one message": the tail's code at most 2 bits over, the
# flag 0.093, whole bytes at most 8, in all 10; a flag of 4 bits instead if the tail
# holds too little.
MOST, MOST_FLAGGED, MEAN = 10.1, 14, 5
SHORT = [T for T in range(1, 51) for _ in range(20)]  # 1000 samples


def paper(concentration=1.0):
    """The model of the paper's Figure 1, left: 64 states, 64 symbols."""
    return HMM.random(64, 64, concentration=concentration, seed=0)


@pytest.fixture(scope="module")
def model():
    return paper().freeze()


def samples(model, lengths):
    hmm, rng = HMM.from_frozen(model), np.random.default_rng(1)
    return [hmm.sample(T, seed=rng)[0] for T in lengths]


def is_flagged(model, x):
    """Whether the tail held too little to start from: the message's last 4 bits."""
    return len(x) > model.start_length and encode_sequence(x, model).peek(16)[0] == 15


def excess(model, x, **options):
    """Bits of the message, in whole bytes, over the information content."""
    data = encode_sequence(x, model, **options).to_bytes()
    assert np.array_equal(
        decode_sequence(Message.from_bytes(data), model, len(x), **options), x
    )
    return 8 * len(data) - information_content(x, model)


@pytest.mark.parametrize("T", [4, 16, 64, 256, 1024, 4096, 16384])
def test_messages_of_the_paper_are_at_most_10_bits_over(model, T):
    for x in samples(model, [T] * (20 if T <= 1024 else 2)):
        assert excess(model, x) <= (MOST_FLAGGED if is_flagged(model, x) else MOST)


def test_short_messages_are_5_bits_over_in_the_mean(model):
    xs = samples(model, SHORT)
    bits = [excess(model, x) for x in xs]
    flagged = [is_flagged(model, x) for x in xs]
    assert max(bits) <= MOST_FLAGGED
    assert max(b for b, f in zip(bits, flagged, strict=True) if not f) <= MOST
    assert sum(flagged) <= 20  # of 1000
    assert 2 <= np.mean(bits) <= MEAN  # less than 2 would be too good to be true


@pytest.mark.parametrize(("concentration", "rate"), [(1.0, 1e-5), (0.1, 1e-4)])
def test_the_net_rate_is_that_of_the_model(concentration, rate):
    """The tables are exact here; what is left is the 15-bit filter of Q."""
    T, model = 10**5, paper(concentration).freeze()
    (x,) = samples(model, [T])
    message = encode_sequence(x, model)
    over = message.bits - information_content(x, model)
    # Once: the tail's code and the flag. A fraction may be shorter by luck.
    assert -15 <= over <= rate * T + 2.1
    assert np.array_equal(decode_sequence(message, model, T), x)


def test_trained_on_text_the_rate_holds_on_text_not_seen():
    """EM leaves masses of all sizes, down to the pseudo-counts."""
    text = "".join(topics.values())
    train, x = text[:60_000], text[60_000:160_000]
    letters = "".join(sorted(set(text)))
    hmm = HMM.fit([train], n_states=32, alphabet=letters, n_iter=15, seed=0)
    model = hmm.freeze()
    message = encode_sequence(model.alphabet.encode(x), model)
    content = information_content(x, model)
    assert len(x) == 10**5
    assert -15 <= message.bits - content <= 1e-4 * len(x) + 2.1
    assert abs(content - hmm.information_content(x)) <= 1e-4 * len(x)


@pytest.mark.parametrize("concentration", [1.0, 0.1])
def test_freezing_costs_less_than_its_bound(concentration):
    """What the rounded tables cost, in the mean: docs/maths.md, "From float masses"."""
    T, hmm = 2 * 10**4, paper(concentration)
    x, _ = hmm.sample(T, seed=3)
    over = information_content(x, hmm.freeze()) - hmm.information_content(x)
    bound = -np.log2(1 - 64 * 2.0**-24) + 1.09 * 64 / (2**24 - 64)
    assert over / T <= 2 * bound  # a transition and an emission each step


@pytest.mark.parametrize("T", [1, 2, 5, 30, 300, 5000])
def test_predictive_coding_is_as_short(model, T):
    """Less than 2 bits over, and whole bytes; in the mean 4 bits of those."""
    xs = samples(model, [T] * 20)
    over = [
        encode_sequence(x, in_mode(model, True)).bits - information_content(x, model)
        for x in xs
    ]
    assert max(over) <= 2.1
    assert np.mean(over) <= 0.5
    bits = [excess(in_mode(model, True), x) for x in xs]
    assert max(bits) <= 10.1
    assert np.mean(bits) <= 6


def test_the_empty_sequence_is_one_byte(model):
    assert excess(model, []) == excess(in_mode(model, True), []) == 8


def test_symbols_of_a_tenth_of_a_bit(model):
    """The tail is long; where it holds too little a flag of 4 bits says so."""
    p = 1 / 75  # of information content 0.1
    sparse = frozen_hmm(
        [0.5, 0.5], [[0.99, 0.01], [0.01, 0.99]], [[1 - p, p], [1 - p / 2, p / 2]]
    )
    c = sparse.start_length
    lengths = [1, c - 1, c, c + 1, c + 50, 2 * c, 3 * c, 5 * c]
    xs = [np.zeros(T, int) for T in lengths] + samples(sparse, lengths * 4)
    flags = set()
    for x in xs:
        flags.add(is_flagged(sparse, x))
        assert excess(sparse, x) <= (MOST_FLAGGED if is_flagged(sparse, x) else MOST)
    assert flags == {True, False}  # both ways have been seen
