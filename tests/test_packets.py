"""Packets of a fixed size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import in_mode

import bbans
from bbans.models import HMM
from bbans.models.freeze_hmm import frozen_hmm
from bbans.records import packets


@pytest.fixture(scope="module")
def model():
    return HMM.random(4, 9, concentration=0.3, seed=3).freeze(15)


@settings(deadline=None)
@given(st.lists(st.integers(0, 8), max_size=300), st.integers(8, 64))
def test_packets_hold_the_sequence(model, x, size):
    made = packets.encode(x, model, size)
    assert all(len(packet) == size for packet in made)
    parts = [packets.decode(packet, model) for packet in made]
    assert [value for part in parts for value in part] == x


def test_packets_are_as_full_as_they_can_be(model):
    x = HMM.from_frozen(model).sample(2000, seed=4)[0]
    first = 0
    for packet in packets.encode(x, model, 32)[:-1]:
        n = packet[0]
        more = in_mode(model, True).encode(x[first : first + n + 1])
        assert len(more) > 31
        first += n


def test_symbols_of_no_information_stop_at_255():
    sure = frozen_hmm([1], [[1]], [[1]])
    made = packets.encode(np.zeros(600, int), sure, 2)
    assert [packet[0] for packet in made] == [255, 255, 90]
    assert sum(packets.decode(packet, sure).size for packet in made) == 600


def test_any_alphabet():
    text = "to be or not to be, that is the question"
    letters = "".join(sorted(set(text)))
    hmm = HMM.fit(text, n_states=2, n_iter=3, alphabet=letters)
    parts = [
        packets.decode(packet, hmm.freeze(15))
        for packet in packets.encode(text, hmm.freeze(15), 16)
    ]
    assert "".join(parts) == text


def test_damage_is_an_error_or_other_symbols_but_never_more(model):
    packet = packets.encode(HMM.from_frozen(model).sample(60, seed=1)[0], model, 16)[0]
    refused = 0
    for bit in range(8 * len(packet)):
        damaged = bytearray(packet)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            x = packets.decode(bytes(damaged), model)
        except bbans.CorruptError:
            refused += 1
        else:
            assert x.size == damaged[0]
    assert refused > 8


def test_what_cannot_be_a_packet(model):
    for size in (0, 1, 65):
        with pytest.raises(bbans.ModelError, match="2 to 64"):
            packets.encode([1], model, size)
        with pytest.raises(bbans.ModelError, match="2 to 64"):
            packets.decode(bytes(size), model)
    with pytest.raises(bbans.SymbolError, match="position 1"):
        packets.encode([1, 9], model)
    rare = frozen_hmm([1], [[1]], [[1 - 1e-6, 1e-6]], prec=24)
    with pytest.raises(bbans.SymbolError, match="symbol 1 at position 255 does"):
        packets.encode([0] * 255 + [1], rare, 2)


# ---- checksums


@pytest.mark.parametrize("checksum", [1, 2])
@pytest.mark.parametrize("size", [5, 32, 64])
def test_a_checksum_is_behind_a_packet_as_it_was(model, checksum, size):
    x = HMM.from_frozen(model).sample(300, seed=5)[0]
    sealed = packets.encode(x, model, size, checksum=checksum)
    plain = packets.encode(x, model, size - checksum)
    assert {len(packet) for packet in sealed} == {size}
    assert [packet[:-checksum] for packet in sealed] == plain
    parts = [packets.decode(packet, model, checksum=checksum) for packet in sealed]
    assert np.concatenate(parts).tolist() == x.tolist()


def test_checksums_in_numbers():
    """CRC-16 as in the catalogues (IBM-3740), and CRC-8 of the same kind."""
    assert packets._crc(b"123456789", 2).hex() == "29b1"
    assert packets._crc(b"123456789", 1).hex() == "fb"
    assert packets._crc(b"123456789", 0) == b""
    for size in (1, 2):  # the CRC of a packet with its own is 0
        whole = b"any packet" + packets._crc(b"any packet", size)
        assert packets._crc(whole, size) == bytes(size)


def flipped(packet, *bits):
    out = bytearray(packet)
    for bit in bits:
        out[bit >> 3] ^= 0x80 >> (bit & 7)
    return bytes(out)


@pytest.mark.parametrize("checksum", [1, 2])
def test_what_checksums_find(model, checksum):
    """As packets.encode says: bursts, odd numbers of bits, and most pairs."""
    x = HMM.from_frozen(model).sample(200, seed=6)[0]
    packet = packets.encode(x, model, 64, checksum=checksum)[0]
    assert packets.decode(packet, model, checksum=checksum).size == packet[0]
    draw, n = np.random.default_rng(7), 8 * len(packet)

    def found(*bits):
        bad = flipped(packet, *bits)
        return packets._crc(bad[:-checksum], checksum) != bad[-checksum:]

    assert all(found(bit) for bit in range(n))
    for _ in range(200):
        assert found(*draw.choice(n, 2 * draw.integers(1, 20) + 1, replace=False))
        first = draw.integers(n - 8 * checksum)
        within = draw.choice(8 * checksum, draw.integers(1, 8), replace=False)
        assert found(*(first + within))
    missed = {distance for distance in range(1, n) if not found(0, distance)}
    assert missed == ({127, 254, 381, 508} if checksum == 1 else set())
    bad = flipped(packet, 70)
    with pytest.raises(bbans.CorruptError, match="checksum does not match"):
        packets.decode(bad, model, checksum=checksum)


def test_most_damaged_packets_pass_without_a_checksum(model):
    """The numbers that the docs give."""
    x = HMM.from_frozen(model).sample(2000, seed=8)[0]
    draw, passed, tried = np.random.default_rng(9), [0, 0, 0], 0
    for plain in packets.encode(x, model, 16)[:-1]:
        for bit in draw.integers(0, 128, 40):
            tried += 1
            for checksum in (0, 1, 2):
                whole = plain + packets._crc(plain, checksum)
                try:
                    packets.decode(flipped(whole, bit), model, checksum=checksum)
                except bbans.CorruptError:
                    continue
                passed[checksum] += 1
    assert 0.5 < passed[0] / tried < 0.9
    assert passed[1:] == [0, 0]


@pytest.mark.parametrize(("checksum", "least"), [(0, 2), (1, 3), (2, 4)])
def test_sizes_with_a_checksum(model, checksum, least):
    for size in (least - 1, 65):
        text = f"bytes of a packet must be an integer, {least} to 64, not {size}"
        with pytest.raises(bbans.ModelError, match=text):
            packets.encode([1], model, size, checksum=checksum)
        with pytest.raises(bbans.ModelError, match=text):
            packets.decode(bytes(size), model, checksum=checksum)


@pytest.mark.parametrize("checksum", [-1, 3, "2", None])
def test_checksums_that_there_are_not(model, checksum):
    with pytest.raises(
        bbans.ModelError, match="bytes of a checksum must be an integer, 0 to 2"
    ):
        packets.encode([1], model, checksum=checksum)
    with pytest.raises(
        bbans.ModelError, match="bytes of a checksum must be an integer, 0 to 2"
    ):
        packets.decode(bytes(9), model, checksum=checksum)
