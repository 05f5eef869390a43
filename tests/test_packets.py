"""Packets of a fixed size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bbans
from bbans.models import HMM


@pytest.fixture(scope="module")
def model():
    return HMM.random(4, 9, concentration=0.3, seed=3).freeze(15)


@settings(deadline=None)
@given(st.lists(st.integers(0, 8), max_size=300), st.integers(8, 64))
def test_packets_hold_the_sequence(model, x, size):
    packets = bbans.encode_packets(x, model, size)
    assert all(len(packet) == size for packet in packets)
    parts = [bbans.decode_packet(packet, model) for packet in packets]
    assert [value for part in parts for value in part] == x


def test_packets_are_as_full_as_they_can_be(model):
    x = model.to_hmm().sample(2000, seed=4)[0]
    first = 0
    for packet in bbans.encode_packets(x, model, 32)[:-1]:
        n = packet[0]
        more = bbans.encode_sequence(model, x[first : first + n + 1], predictive=True)
        assert len(more.to_bytes()) > 31
        first += n


def test_symbols_of_no_information_stop_at_255():
    sure = bbans.FrozenHMM.from_probabilities([1], [[1]], [[1]])
    packets = bbans.encode_packets(np.zeros(600, int), sure, 2)
    assert [packet[0] for packet in packets] == [255, 255, 90]
    assert sum(bbans.decode_packet(packet, sure).size for packet in packets) == 600


def test_any_alphabet():
    text = "to be or not to be, that is the question"
    letters = "".join(sorted(set(text)))
    hmm = HMM.fit(text, n_states=2, n_iter=3, alphabet=letters)
    parts = [
        bbans.decode_packet(packet, hmm.freeze(15))
        for packet in bbans.encode_packets(text, hmm.freeze(15), 16)
    ]
    assert "".join(chr(value) for part in parts for value in part) == text


def test_damage_is_an_error_or_other_symbols_but_never_more(model):
    packet = bbans.encode_packets(model.to_hmm().sample(60, seed=1)[0], model, 16)[0]
    refused = 0
    for bit in range(8 * len(packet)):
        damaged = bytearray(packet)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            x = bbans.decode_packet(bytes(damaged), model)
        except bbans.CorruptError:
            refused += 1
        else:
            assert x.size == damaged[0]
    assert refused > 8


def test_what_cannot_be_a_packet(model):
    for size in (0, 1, 65):
        with pytest.raises(bbans.ModelError, match="2 to 64"):
            bbans.encode_packets([1], model, size)
        with pytest.raises(bbans.ModelError, match="2 to 64"):
            bbans.decode_packet(bytes(size), model)
    with pytest.raises(bbans.SymbolError, match="position 1"):
        bbans.encode_packets([1, 9], model)
    rare = bbans.FrozenHMM.from_probabilities([1], [[1]], [[1 - 1e-6, 1e-6]], prec=24)
    with pytest.raises(bbans.SymbolError, match="symbol 1 at position 255 does"):
        bbans.encode_packets([0] * 255 + [1], rare, 2)
