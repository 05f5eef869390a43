"""Packed model files, damaged under checksums that are right: the library and plain
Python find the same model in each, which codes and is written again, or refuse it."""

import random
from contextlib import suppress
from functools import cache
from unittest import mock

import numpy as np
import pytest
import reference as ref
from reference import words
from shared import random_mixer
from stored import observations_of, same
from tally import Hang, limited
from test_packed_models import CASES, autoregressive, counted, rows, text_of

from bbans import Alphabet, BbansError
from bbans._lib import ffi, lib
from bbans._records import uvarint
from bbans.formats.bytes import encode_bytes
from bbans.frozen import FrozenHMM, FrozenModel
from bbans.frozen.base import plain_of

#: Small ones of each type, with all that contexts may have.
MODELS = {
    "HMM": FrozenHMM(
        [5, 4, 7], [[1, 1, 14], [5, 5, 6], [14, 1, 1]], [[1, 2, 13]] * 3, prec=4,
        start_length=2,
    ),
    "HMM of listed integers": FrozenHMM(
        [1000, 24], [[1000, 24], [1, 1023]], rows(np.random.default_rng(3), 2, 5, 10),
        prec=10, start_length=2, alphabet=Alphabet([-(2**63), -1, 7, 9, 2**63 - 1]),
    ),
    "ARHMM of text with an end": autoregressive(
        counted(text_of(80, 6, 2), 7, 3, drop=0.2), 7, K=2, prec=12,
        mode="predictive", alphabet=Alphabet("abcdef", ends=True),
    ),
    "ARHMM, all contexts": autoregressive(
        counted(text_of(90, 5, 3), 5, 4), 5, K=1, prec=14
    ),
    "ARHMM, some left out": autoregressive(
        counted(text_of(200, 6, 3), 6, 4, drop=0.3), 6, K=1, prec=14
    ),
    "ARHMM, long contexts": CASES["long contexts"],
    "ARHMM, great weights": CASES["great weights"],
    "ContextMixer": random_mixer(1, full=0.2),
    "ContextMixer of text": random_mixer(2, end=10, kind="text"),
}  # fmt: skip

PACKED = {name: model.to_bytes(packed=True) for name, model in MODELS.items()}

#: Of a mixer's plain file: where its rows begin.
ROWS = 40 + 2 * 688 * 16 + 2 * 80


def number(data, at):
    return int.from_bytes(data[at : at + 4], "little")


def header_bytes(packed):
    """Where bits, or planes, begin."""
    return {1: 28, 2: 36, 8: 40}[packed[5]]


# ---- bytes that are others


def other_bytes(draw, packed):
    """A byte or two: put in, left out, or another."""
    out = bytearray(packed)
    header, end = header_bytes(packed), len(packed) - 4
    planes = places_of_planes(packed) if packed[5] == 8 else [(header, end)]
    for _ in range(draw.choice([1, 1, 2])):
        start, end = draw.choice(planes)
        near = draw.choice([(5, header), (start, min(start + 30, end)), (start, end)])
        at, how = draw.randrange(*near), draw.randrange(6)
        if how == 0:
            del out[at]
        elif how == 1:
            out.insert(at, draw.randrange(256))
        else:
            bit = out[at] ^ 1 << draw.randrange(8)
            out[at] = draw.choice([0, 1, 2, 127, 255, bit, bit])
    return bytes(out)


@cache
def places_of_planes(packed):
    """Where the planes of a mixer begin and end, their lengths among them."""
    at, found = 40, []
    while at < len(packed) - 4:
        n, rest = ref.uvarint_of(packed[at:-4])
        found.append((at, len(packed) - 4 - len(rest) + n))
        at = found[-1][1]
    return found


# ---- bits, and planes, that say something else


class Reader(ref.PackedBits):
    """Keeps the bits that it has read."""

    def __init__(self, data):
        super().__init__(data)
        self.bits = []

    def split(self, s):
        self.bits.append(super().split(s))
        return self.bits[-1]


class Writer(ref.PackedBits):
    """Says given bits, then any by their probabilities, and has the bytes for them."""

    def __init__(self, bits, draw):
        super().__init__(b"")
        self.bits, self.draw, self.low, self.n_bytes = iter(bits), draw, 0, 8

    def split(self, s):
        one = next(self.bits, None)
        if one is None:
            if self.n_bytes > 4000:
                raise ref.Damage("it does not end")
            one = int(self.draw.random() < s / self.range)
        self.low += 0 if one else s
        self.range = s if one else self.range - s
        if self.range < 2**32:
            self.range, self.low = self.range * 2**32, self.low * 2**32
            self.n_bytes += 4
        return one

    def data(self):
        """The number in the last range that has the most zeros at its end."""
        last = self.low + self.range - 1
        k = (last ^ (self.low - 1)).bit_length() - 1
        return (last >> k << k).to_bytes(self.n_bytes).rstrip(b"\0")


def by(bits, packed):
    """The reference's plain file, its bits taken from `bits`."""
    with mock.patch.object(ref, "PackedBits", return_value=bits):
        return ref.unpack_model(packed)


@cache
def bits_of(packed):
    reader = Reader(packed[header_bytes(packed) : -4])
    by(reader, packed)
    return reader.bits


def other_bits(draw, packed):
    """Other bits here and there, coded as they are."""
    bits, n = [*bits_of(packed)], draw.choice([1, 1, 2, 4])
    for _ in range(n):  # in the first half are the masses of states and symbols
        at = draw.randrange(draw.choice([0, len(bits) // 2]), len(bits))
        bits[at] ^= 1
    if packed[5] == 2:  # one context more, or less: labels decide, which may be others
        C = max(number(packed, 28) + draw.choice([-1, 0, 0, 1]), 1)
        packed = packed[:28] + words([C]) + packed[32:]
    writer = Writer(bits, draw)
    with suppress(Exception):  # what it says until then is damage too
        by(writer, packed)
    return packed[: header_bytes(packed)] + writer.data() + packed[-4:]


@cache
def planes_of(packed):
    blocks = (packed[a:b] for a, b in places_of_planes(packed))
    return [ref.decode_bytes_block(ref.uvarint_of(block)[1]) for block in blocks]


def other_planes(draw, packed):
    """A byte or two of what planes hold, coded as they are."""
    planes = [bytearray(plane) for plane in planes_of(packed)]
    for _ in range(draw.choice([1, 1, 2])):
        plane = draw.choice(planes[2:])
        at = draw.randrange(len(plane) + 1)
        others = [byte ^ 1 << bit for byte in plane[at : at + 1] for bit in range(8)]
        others += [0, 1, 15, 16, 17, 255, draw.randrange(256)]
        plane[at : at + draw.choice([0, 1, 1, 1])] = [draw.choice(others)]
    row_bytes = len(planes[3]) + 4 * number(packed, 32) + sum(map(len, planes[23:]))
    out = packed[:36] + words([row_bytes])
    for plane in planes:
        block = bytes(encode_bytes(np.frombuffer(plane, np.uint8), 1))
        out += uvarint(len(block)) + block
    return out + packed[-4:]


def other_content(draw, packed):
    return (other_planes if packed[5] == 8 else other_bits)(draw, packed)


# ---- both readers


def by_reference(packed):
    """The plain file, or None where it is refused."""
    K, M = number(packed, 12), number(packed, 16)
    if packed[5] != 8 and 64 * len(packed) < K * (1 + K + M):
        return None  # which would take long
    try:
        return ref.unpack_model(packed)
    except Exception:
        return None


def by_library(packed):
    """What the library unpacks, whatever its checksum should be, or None."""
    n = ffi.new("size_t *")
    status = lib.bbans_model_unpack(packed, len(packed), ffi.NULL, 0, n)
    if status != lib.BBANS_ERR_CAPACITY:
        return None
    room = ffi.new("uint8_t[]", n[0])
    lib.bbans_model_unpack(packed, len(packed), room, n[0], n)
    size = ROWS + number(packed, 36) if packed[5] == 8 else number(packed, 24) - 4
    return ref.with_crc(bytes(ffi.buffer(room)[:size]))


def fitted(packed, plain):
    """Both, with the numbers of their headers that follow from the plain file."""
    if packed[5] == 8:
        header = packed[:36] + words([len(plain) - 4 - ROWS])
        plain = ref.with_crc(header[:10] + b"\0" + header[11:] + plain[40:-4])
        return header + packed[40:], plain
    header = packed[:24] + words([len(plain)])
    if packed[5] == 2:
        K, M = number(plain, 12), number(plain, 16)
        listed = plain[9] * (4 if plain[7] == 2 else 8) * (M - plain[11])
        at = 24 + listed + 4 * K * (1 + K + M)
        header += plain[at : at + 8]
    return header + packed[len(header) :], plain


def codes(model):
    x = observations_of(model, 12)
    try:
        return same(model.decode(model.encode(x), 12), x)
    except BbansError:
        return False


def is_written(packed, plain):
    try:
        return FrozenModel.from_bytes(plain).to_bytes(packed=True) == packed
    except BbansError:
        return False


def agrees(packed, plain):
    """Whether the library reads what the reference does, and writes it again. It
    refuses what is no model, and what no writer makes of one."""
    try:
        model = FrozenModel.from_bytes(packed)
    except BbansError:
        if plain is None or not is_written(packed, plain):
            raise
        return False
    if model.to_bytes() != plain:
        return False
    return plain_of(model.to_bytes(packed=True)) == plain and codes(model)


@pytest.mark.parametrize("n", [20, pytest.param(400, marks=pytest.mark.slow)])
@pytest.mark.parametrize("how", ["bytes", "content"])
def test_both_readers_agree(how, n, tally):
    count = tally(
        f"packed models: {how} changed, checksums right, against plain Python"
    )
    draw, change = random.Random(n), {"bytes": other_bytes, "content": other_content}
    for name, packed in PACKED.items():
        for _ in range(n):
            bad = change[how](draw, packed)
            try:
                with limited(0.3):
                    plain = by_reference(bad)
            except Hang:  # it counts, without a bound, where the library looks at sizes
                continue
            if plain is not None and draw.random() < 0.8:
                bad, plain = fitted(bad, plain)
            read = [made for made in (plain, by_library(bad)) if made is not None]
            for file in dict.fromkeys(bad[:-4] + made[-4:] for made in read) or [bad]:
                count.offer(
                    lambda file=file, plain=plain: agrees(file, plain),
                    right=bool,
                    case=f"{name}: {file.hex() if len(file) < 2000 else '..'}",
                )
