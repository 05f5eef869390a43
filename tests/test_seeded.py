"""Messages that start from data, which come back at the end."""

import json
from pathlib import Path

import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st

from bbans import CorruptError, Message, codecs
from bbans.distributions import Gaussian, Uniform
from bbans.errors import MessageError

CASES = json.loads((Path(__file__).parent / "vectors/leak_v1.json").read_text())["seed"]


@pytest.mark.parametrize("case", CASES)
def test_data_give_the_stored_messages(case):
    data = bytes.fromhex(case["data"])
    message = Message.seeded(data, case["lanes"])
    assert message.to_bytes().hex() == case["message"]
    again = Message.from_bytes(bytes.fromhex(case["message"]), case["lanes"])
    assert again.unseed() == data


@given(st.integers(1, 20), st.data())
def test_messages_and_data_are_one_to_one(lanes, draw):
    least = -(-31 * lanes // 4)
    data = draw.draw(st.binary(min_size=least, max_size=least + 30))
    message = Message.seeded(data, lanes)
    expected = ref.seeded(data, lanes)
    assert message.state() == (expected.heads, expected.tail)
    assert message.lanes == lanes
    assert message.unseed() == data
    assert Message.seeded(message.unseed(), lanes) == message
    # one bit more for each byte, and up to three words' bytes for the end
    assert (
        len(data)
        < 8 * lanes + 4 * len(message.state()[1])
        <= len(data) + (lanes // 4 + 5)
    )


def test_every_head_is_filled():
    heads, _ = Message.seeded(np.random.default_rng(1).bytes(31 * 1024), 4096).state()
    share = np.array(heads, float) / 2.0**62 - 1
    assert ((share >= 0) & (share < 1)).all()
    assert np.abs(np.histogram(share, 8, (0, 1))[0] - 512).max() < 120


def test_first_pops_are_random():
    """A new message has no bits to give, and one to which whole words were pushed with
    equal masses gives each lane what lies in the lowest slots."""
    data = np.random.default_rng(2).bytes(4096)
    filled = Message(64)
    filled.push(Uniform(256), np.frombuffer(data, np.uint8))
    law = Gaussian(np.zeros(64), 1000.0, leak=False)
    assert law.pop(filled).max() < -4500
    assert Message().pop(Uniform(256)) == 1
    with pytest.raises(MessageError):
        Message(64).pop(Uniform(256), 64)
    seeded = Message.seeded(data)
    values = law.pop(seeded)
    assert np.abs(values).max() < 4500
    assert np.abs((values > 0).sum() - 32) < 24


def test_bits_back_gives_the_data_back():
    data = np.random.default_rng(3).bytes(5000)
    x = np.random.default_rng(4).integers(0, 99, (12, 100))
    model = codecs.BitsBack(
        Gaussian(np.zeros(100), 40.0),
        lambda z: Gaussian(z + 50.0, 6.0),
        lambda x: Gaussian(x - 50.0, 5.0, leak=False),
    )
    message = Message.seeded(data)
    for row in x:
        model.push(message, row)
    received = Message.from_bytes(message.to_bytes(), 64)
    with pytest.raises(CorruptError, match="pop all that was pushed"):
        received.unseed()
    for row in x[::-1]:
        assert (model.pop(received) == row).all()
    assert received.unseed() == data


@pytest.mark.parametrize("lanes", [1, 3, 64])
def test_refusals(lanes):
    least = -(-31 * lanes // 4)
    with pytest.raises(MessageError, match=f"{lanes} lanes starts from {least} bytes"):
        Message.seeded(bytes(least - 1), lanes)
    for data in ("text" * 500, 500, None):
        with pytest.raises(TypeError, match="data must be bytes"):
            Message.seeded(data, lanes)
    for view in (bytearray(least), memoryview(bytes(least)), np.zeros(least, "u1")):
        assert Message.seeded(view, lanes) == Message.seeded(bytes(least), lanes)
    with pytest.raises(MessageError, match="lanes"):
        Message.seeded(bytes(100), 0)


def test_only_messages_of_data_are_taken_for_such():
    heads, tail = Message.seeded(bytes(range(40)), 4).state()
    low = [heads[0] >> 1, *heads[1:]]
    for state in (
        (heads, []),
        (low, tail),
        (heads, [0, *tail]),
        (heads, [2 * tail[0], *tail[1:]]),
    ):
        with pytest.raises(CorruptError, match=r"Message\.seeded"):
            Message.from_state(*state).unseed()
    for lanes in (1, 2, 64):
        with pytest.raises(CorruptError, match=r"Message\.seeded"):
            Message(lanes).unseed()
