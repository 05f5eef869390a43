"""Places to come back to, of the stack and of the queue."""

import json

import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import random_message

from bbans import CorruptError, Message
from bbans.distributions import Gaussian, Uniform, Weighted
from bbans.errors import MessageError
from bbans.message import RangeDecoder, RangeEncoder

PARTS = st.lists(st.lists(st.integers(0, 9), max_size=40), min_size=1, max_size=8)
SKEWED = Weighted([1 << 20, 1, 9, 1, 1, 500, 1, 1, 1, 7])


# ---- the queue


@given(PARTS, st.lists(st.integers(0, 7), max_size=20))
@settings(deadline=None, max_examples=100)
def test_a_decoder_goes_anywhere(parts, visits):
    encoder, places = RangeEncoder(), []
    for part in parts:
        places.append(encoder.position())
        encoder.encode(SKEWED.broadcast(len(part)), part)
    end = encoder.position()
    message = encoder.finish()
    decoder = RangeDecoder(message)
    for place, part in zip(places, parts, strict=True):
        assert decoder.position() == place  # also of those that are decoded
        assert decoder.decode(SKEWED.broadcast(len(part))).tolist() == part
    assert decoder.position() == end
    decoder.check()
    for k in visits:
        k %= len(parts)
        decoder.seek(json.loads(json.dumps(places[k])))
        assert decoder.decode(SKEWED.broadcast(len(parts[k]))).tolist() == parts[k]
    decoder.seek(places[-1])
    decoder.decode(SKEWED.broadcast(len(parts[-1])))
    decoder.check()


def test_a_position_is_as_docs_maths_says():
    encoder, twin = RangeEncoder(), ref.RangeEncoder()
    for v in [3, 9, 0, 5, 0, 0, 1] * 20:
        n_bytes, low, width = encoder.position()
        assert (63 + 8 * n_bytes, low, width) == (twin.k, twin.L % 2**63, twin.R)
        encoder.encode(Uniform(10), v)
        twin.encode(v, 1, 10)


def test_values_that_add_nothing():
    """The fraction may end long before a position."""
    encoder = RangeEncoder()
    encoder.encode(Uniform(1 << 28, 50), np.zeros(50, int))
    place = encoder.position()
    encoder.encode(Uniform(9), 0)
    message = encoder.finish()
    assert len(message.to_bytes()) == 1 < place[0]
    decoder = RangeDecoder(message)
    decoder.seek(place)
    assert decoder.decode(Uniform(9)) == 0


def test_seeking_forgets_a_mark():
    encoder = RangeEncoder()
    place = encoder.position()
    encoder.encode(Uniform(1 << 20, 9), np.arange(9))
    decoder = RangeDecoder(encoder.finish())
    decoder.mark(1)
    decoder.decode(Uniform(1 << 20, 9))
    with pytest.raises(CorruptError):
        decoder.check()
    decoder.seek(place)
    decoder.decode(Uniform(1 << 20, 9))
    decoder.check()


@pytest.mark.parametrize("bad", [
    None, 3, (1, 2), (1, 2, 3, 4), ("a", 2, 3), (0, 0.5, 1 << 60), (-1, 0, 1 << 60),
    (0, 0, 0), (0, 0, 1 << 54), (0, 0, (1 << 63) + 1), (0, 1 << 63, 1 << 60),
    (1 << 62, 0, 1 << 60), (1 << 64, 0, 1 << 60),
])  # fmt: skip
def test_what_is_no_position_of_a_decoder(bad):
    encoder = RangeEncoder()
    encoder.encode(Uniform(9, 40), np.arange(40) % 9)
    decoder = RangeDecoder(encoder.finish())
    with pytest.raises(MessageError):
        decoder.seek(bad)
    assert decoder.decode(Uniform(9, 40)).tolist() == [i % 9 for i in range(40)]


def test_positions_of_other_messages_are_noticed_where_that_can_be():
    noticed, rng = 0, np.random.default_rng(1)
    for _ in range(100):
        encoder = RangeEncoder()
        encoder.encode(Uniform(1 << 20, 40), rng.integers(0, 1 << 20, 40))
        decoder, before = RangeDecoder(encoder.finish()), RangeEncoder().position()
        place = int(rng.integers(0, 90)), int(rng.integers(0, 1 << 63)), 1 << 56
        try:
            decoder.seek(place)
        except CorruptError:
            noticed += 1
            assert decoder.position() == before
    assert noticed > 90  # all but 1 in 2^7


def test_a_spent_encoder_stands_nowhere():
    encoder = RangeEncoder()
    encoder.finish()
    with pytest.raises(MessageError, match="spent"):
        encoder.position()


# ---- the stack


@given(PARTS, st.sampled_from([1, 3, 64]), st.integers(0, 99), st.integers(0, 9))
@settings(deadline=None, max_examples=100)
def test_a_message_goes_down(parts, lanes, seed, words):
    message = Message(lanes) if words < 3 else random_message(lanes, seed, words)
    start, places = message.copy(), []
    for part in parts:
        message.push(SKEWED, part)
        places.append(message.position())
    assert message.position() == places[-1]
    for k, part in enumerate(parts):
        below = Message.from_bytes(message.to_bytes(), lanes)
        below.seek(json.loads(json.dumps(places[k])))
        assert below.pop(SKEWED, len(part)).tolist() == part
        below.seek(places[k - 1] if k else start.position())
        assert k or below == start


@pytest.mark.parametrize("bad", [
    None, 3, (), (0,), (0, 1, 1), (99, 1 << 40), (-1, 1 << 40), (0, -1), (0, 1 << 63),
    (1, 5), (0, 0.5), (0, "a"), (0, 1 << 70),
])  # fmt: skip
def test_what_is_no_position_of_a_message(bad):
    message = Message()
    message.push(Gaussian(0.0, 99.0), np.arange(40))
    before = message.copy()
    with pytest.raises(MessageError):
        message.seek(bad)
    assert message == before


def test_lanes_are_numbered_anew():
    values = np.arange(300)
    message = Message(lanes=64)
    message.push(Uniform(300), values)
    parts = []
    for n in (0, 1, 63, 64, 100, 72):
        parts.append(message.pop(Uniform(300), n))
        message.rotate(n)
    assert (np.concatenate(parts) == values).all()
    assert message.is_empty
